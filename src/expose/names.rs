//! Names of families, samples and labels as a page has them: escaped, or in quotes where they need it.

use super::lines::push_escaped;
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
    pub(super) fn push(&self, out: &mut String, suffix: &str) {
        if self.quoted {
            out.push('"');
            push_escaped(out, &self.stem);
            out.extend([suffix, "\""]);
        } else {
            out.extend([&*self.stem, suffix]);
        }
    }

    /// What stands before the value of a sample: the name with this suffix, the labels, with `last` as the last of them
    /// if there is any, and a space.
    pub(super) fn line(&self, suffix: &str, set: &LabelValues, last: &str) -> String {
        let mut text = String::new();
        let mut open = self.quoted;
        if open {
            // The name is the first of what stands in braces.
            text.push('{');
        }
        self.push(&mut text, suffix);
        let mut begin = |text: &mut String| text.push(if std::mem::replace(&mut open, true) { ',' } else { '{' });
        let own = self.desc.labels.iter().map(String::as_str).zip(set.iter().map(|value| &**value));
        let constant = self.desc.const_labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        // An empty value is the same as no label.
        for (name, value) in constant.chain(own).filter(|(_, value)| !value.is_empty()) {
            begin(&mut text);
            self.push_label(&mut text, name);
            text.push_str("=\"");
            push_escaped(&mut text, value);
            text.push('"');
        }
        if !last.is_empty() {
            begin(&mut text);
            text.push_str(last);
        }
        text.push_str(if open { "} " } else { " " });
        text
    }

    fn push_label(&self, out: &mut String, name: &str) {
        if self.escaping == Escaping::AllowUtf8 && !is_legal_label(name) {
            out.push('"');
            push_escaped(out, name);
            out.push('"');
        } else {
            out.push_str(&self.escaping.label(name));
        }
    }
}
