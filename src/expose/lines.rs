//! What all text formats have in common: a walk over the families, and the line of every sample. They differ in what
//! stands above a family's samples, and in how the page ends.

use super::number::{has_series, is_total, push_bound, push_float};
use crate::collect::{FamilySnapshot, HistogramSnapshot, Snapshot, Values};
use crate::describe::{Descriptor, LabelValues, Lines};

/// Appends every family: its `header`, then a line for each sample.
pub(super) fn push_families(out: &mut String, snapshot: &Snapshot, header: fn(&mut String, &Descriptor)) {
    for family in snapshot.families() {
        // A family without series has nothing to say yet.
        if has_series(family) {
            header(out, &family.desc);
            push_samples(out, family);
        }
    }
}

fn push_samples(out: &mut String, family: &FamilySnapshot) {
    let mut integer = itoa::Buffer::new();
    match &family.values {
        Values::Counter(values) => push_scalars(out, family, values, any, |out, n| out.push_str(integer.format(n))),
        Values::UpDown(values) => push_scalars(out, family, values, any, |out, n| out.push_str(integer.format(n))),
        Values::FloatCounter(values) => push_scalars(out, family, values, is_total, push_float),
        Values::Gauge(values) => push_scalars(out, family, values, any, push_float),
        Values::Histogram(values) => push_histograms(out, family, values),
    }
}

/// Whether a value is shown of which all are.
fn any<T>(_: T) -> bool {
    true
}

/// Appends the lines of the values that `is_shown`.
fn push_scalars<T: Copy>(
    out: &mut String,
    family: &FamilySnapshot,
    values: &[T],
    is_shown: fn(T) -> bool,
    mut push: impl FnMut(&mut String, T),
) {
    let lines = family.labels.lines.get_or_init(|| {
        let mut lines = Lines::default();
        let desc = &family.desc;
        for set in &family.labels.sets {
            lines.push(&[&desc.base, desc.kind.suffix(), &pairs(desc, set, "")]);
        }
        lines
    });
    for (line, value) in lines.iter().zip(values).filter(|(_, value)| is_shown(**value)) {
        out.push_str(line);
        push(out, *value);
        out.push('\n');
    }
}

fn push_histograms(out: &mut String, family: &FamilySnapshot, values: &[HistogramSnapshot]) {
    let mut number = itoa::Buffer::new();
    let Some(any) = values.first() else { return };
    let lines = family.labels.lines.get_or_init(|| {
        let mut lines = Lines::default();
        for set in &family.labels.sets {
            push_histogram_lines(&mut lines, &family.desc, set, any);
        }
        lines
    });
    let mut lines = lines.iter();
    for histogram in values {
        let counts = histogram.buckets().map(|(_, count)| count).chain([histogram.count()]);
        for (count, line) in counts.zip(&mut lines) {
            out.push_str(line);
            out.push_str(number.format(count));
            out.push('\n');
        }
        out.push_str(lines.next().unwrap_or_default());
        push_float(out, histogram.sum());
        out.push('\n');
        out.push_str(lines.next().unwrap_or_default());
        out.push_str(number.format(histogram.count()));
        out.push('\n');
    }
}

/// The lines of a histogram series: a bucket for each bound, the sum, the count.
fn push_histogram_lines(lines: &mut Lines, desc: &Descriptor, set: &LabelValues, histogram: &HistogramSnapshot) {
    for bound in histogram.buckets().map(|(bound, _)| bound).chain([f64::INFINITY]) {
        let mut le = String::from("le=\"");
        push_bound(&mut le, bound);
        le.push('"');
        lines.push(&[&desc.base, "_bucket", &pairs(desc, set, &le)]);
    }
    let plain = pairs(desc, set, "");
    lines.push(&[&desc.base, "_sum", &plain]);
    lines.push(&[&desc.base, "_count", &plain]);
}

/// What stands between name and value of a series: its labels in braces, with `last` as the last of them, if there is
/// any, and a space.
fn pairs(desc: &Descriptor, set: &LabelValues, last: &str) -> String {
    let own = desc.labels.iter().map(String::as_str).zip(set.iter().map(|value| &**value));
    let constant = desc.const_labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut text = String::new();
    // An empty value is the same as no label.
    for (name, value) in constant.chain(own).filter(|(_, value)| !value.is_empty()) {
        text.push(if text.is_empty() { '{' } else { ',' });
        text.extend([name, "=\""]);
        push_escaped(&mut text, value);
        text.push('"');
    }
    if !last.is_empty() {
        text.push(if text.is_empty() { '{' } else { ',' });
        text.push_str(last);
    }
    text.push_str(if text.is_empty() { " " } else { "} " });
    text
}

/// A label value, or a help text of OpenMetrics: `\`, `"` and line feed are escaped.
pub(super) fn push_escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}
