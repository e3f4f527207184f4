//! Prometheus text format 0.0.4.
//!
//! Families come in ascending order of their names, series in that of their label values. `le` is printed as
//! OpenMetrics prints it (`1.0`, `1e+06`), so that a series is the same one in every format.

use super::number::{push_bound, push_float};
use crate::collect::{FamilySnapshot, HistogramSnapshot, Snapshot, Values};
use crate::describe::{Descriptor, Kind, LabelValues, Lines};

/// The `Content-Type` of what [`render`] prints.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Prints a snapshot.
///
/// ```
/// let registry = tach::Registry::new();
/// let tokens = registry.counter("tokens").help("Tokens generated.").build()?;
/// tokens.add(5);
/// let text = tach::text::render(&registry.snapshot());
/// assert!(text.contains("# TYPE tokens_total counter\ntokens_total 5\n"));
/// # Ok::<(), tach::Error>(())
/// ```
#[must_use]
pub fn render(snapshot: &Snapshot) -> String {
    let mut out = String::new();
    render_into(snapshot, &mut out);
    out
}

/// Appends what [`render`] prints to `out`, whose capacity is reused.
pub fn render_into(snapshot: &Snapshot, out: &mut String) {
    for family in snapshot.families() {
        // A family without series has nothing to say yet.
        if !family.labels.sets.is_empty() {
            push_family(out, family);
        }
    }
}

fn push_family(out: &mut String, family: &FamilySnapshot) {
    let desc = &*family.desc;
    let suffix = if desc.kind.is_counter() { "_total" } else { "" };
    let name = [&desc.base, suffix].concat();
    if !desc.help.is_empty() {
        out.extend(["# HELP ", &name, " "]);
        push_help(out, &desc.help);
        out.push('\n');
    }
    let kind = match desc.kind {
        Kind::Histogram => "histogram",
        kind if kind.is_counter() => "counter",
        _ => "gauge",
    };
    out.extend(["# TYPE ", &name, " ", kind, "\n"]);
    let mut integer = itoa::Buffer::new();
    match &family.values {
        Values::Counter(values) => push_scalars(out, &name, family, values, |out, n| out.push_str(integer.format(n))),
        Values::UpDown(values) => push_scalars(out, &name, family, values, |out, n| out.push_str(integer.format(n))),
        Values::FloatCounter(values) | Values::Gauge(values) => push_scalars(out, &name, family, values, push_float),
        Values::Histogram(values) => push_histograms(out, family, values),
    }
}

fn push_scalars<T: Copy>(
    out: &mut String,
    name: &str,
    family: &FamilySnapshot,
    values: &[T],
    mut push: impl FnMut(&mut String, T),
) {
    let lines = family.labels.lines.get_or_init(|| {
        let mut lines = Lines::default();
        for set in &family.labels.sets {
            lines.push(&[name, &pairs(&family.desc, set, "")]);
        }
        lines
    });
    for (line, value) in lines.iter().zip(values) {
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
        push_value(&mut text, value);
        text.push('"');
    }
    if !last.is_empty() {
        text.push(if text.is_empty() { '{' } else { ',' });
        text.push_str(last);
    }
    text.push_str(if text.is_empty() { " " } else { "} " });
    text
}

/// A label value: `\`, `"` and line feed are escaped.
fn push_value(out: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

/// A help text: `\` and line feed are escaped.
fn push_help(out: &mut String, help: &str) {
    for c in help.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}
