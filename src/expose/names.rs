//! Names of families, samples and labels as a page has them: escaped, or in quotes where they need it.

use super::buffer::{push_str, push_strs};
use super::lines::push_escaped;
use super::number::push_bound;
use crate::describe::{Descriptor, Escaping, LabelValues, is_legal_label, is_legal_metric};
use std::borrow::Cow;

/// The names of a family in one escaping.
pub(super) struct Names<'a> {
    desc: &'a Descriptor,
    pub(super) escaping: Escaping,
    /// What all of them begin with.
    pub(super) stem: Cow<'a, str>,
    quoted: bool,
}

impl<'a> Names<'a> {
    pub(super) fn new(desc: &'a Descriptor, escaping: Escaping) -> Self {
        // One that makes no difference is as none, so that what is prepared is shared.
        let escaping = desc.escaping(escaping);
        let stem = desc.stem(escaping);
        let quoted = escaping == Escaping::AllowUtf8 && !is_legal_metric(&stem);
        Self { desc, escaping, stem, quoted }
    }

    /// Appends the name with this suffix, as lines of metadata have it.
    pub(super) fn push(&self, out: &mut Vec<u8>, suffix: &str) {
        if self.quoted {
            out.push(b'"');
            push_escaped(out, &self.stem);
            push_strs(out, [suffix, "\""]);
        } else {
            push_strs(out, [&*self.stem, suffix]);
        }
    }

    /// Appends what stands before the value of a sample: the name with this suffix, the labels, as the last of them one
    /// whose value is a number where there is one, and a space.
    pub(super) fn push_line(&self, out: &mut Vec<u8>, suffix: &str, set: &LabelValues, last: Option<(&str, f64)>) {
        let mut open = self.quoted;
        if open {
            // The name is the first of what stands in braces.
            out.push(b'{');
        }
        self.push(out, suffix);
        let mut begin = |out: &mut Vec<u8>| out.push(if std::mem::replace(&mut open, true) { b',' } else { b'{' });
        let own = self.desc.labels.iter().map(String::as_str).zip(set.iter().map(|value| &**value));
        let constant = self.desc.const_labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        // An empty value is the same as no label.
        for (name, value) in constant.chain(own).filter(|(_, value)| !value.is_empty()) {
            begin(out);
            self.push_label(out, name);
            push_str(out, "=\"");
            push_escaped(out, value);
            out.push(b'"');
        }
        if let Some((name, number)) = last {
            begin(out);
            push_strs(out, [name, "=\""]);
            push_bound(out, number);
            out.push(b'"');
        }
        push_str(out, if open { "} " } else { " " });
    }

    fn push_label(&self, out: &mut Vec<u8>, name: &str) {
        if self.escaping == Escaping::AllowUtf8 && !is_legal_label(name) {
            out.push(b'"');
            push_escaped(out, name);
            out.push(b'"');
        } else {
            push_str(out, &self.escaping.label(name));
        }
    }
}
