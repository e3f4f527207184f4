//! What all text formats have in common: a walk over the families, and the line of every sample. They differ in what
//! stands above a family's samples, in whether series tell when they began, and in how the page ends.

use super::number::{has_series, is_total, push_bound, push_float, push_time};
use crate::collect::{FamilySnapshot, HistogramSnapshot, Snapshot, Values};
use crate::describe::{Descriptor, Form, LabelValues, Pieces};
use std::time::SystemTime;

/// Appends every family: its `header`, then a line for each sample; `created`: also for when each series began.
pub(super) fn push_families(
    out: &mut String,
    snapshot: &Snapshot,
    created: bool,
    header: impl Fn(&mut String, &Descriptor),
) {
    for family in snapshot.families() {
        // A family without series has nothing to say yet.
        if has_series(family) {
            header(out, &family.desc);
            push_samples(out, family, Created::of(family, created.then(|| snapshot.began())).as_ref());
        }
    }
}

/// When the series of a family began.
struct Created<'a> {
    family: &'a FamilySnapshot,
    lines: Vec<&'a str>,
    snapshot: SystemTime,
}

impl<'a> Created<'a> {
    /// `snapshot`: when it began; `None` where nobody wants to know.
    fn of(family: &'a FamilySnapshot, snapshot: Option<SystemTime>) -> Option<Self> {
        let (desc, snapshot) = (&family.desc, snapshot?);
        // Of one kind either all series have a beginning or none.
        family.began(0, snapshot)?;
        let lines = family.labels.lines.get(Form::Created, || {
            let mut lines = Pieces::default();
            family.labels.sets.iter().for_each(|set| lines.line(&[&desc.base, "_created", &pairs(desc, set, "")]));
            lines
        });
        Some(Self { family, lines: lines.iter().collect(), snapshot })
    }

    /// Appends the line of a series, unless it began before 1970, where a clock is that was never set.
    fn push(&self, out: &mut String, series: usize) {
        let since = self
            .family
            .began(series, self.snapshot)
            .and_then(|began| began.duration_since(SystemTime::UNIX_EPOCH).ok());
        if let (Some(since), Some(line)) = (since, self.lines.get(series)) {
            out.push_str(line);
            push_time(out, since);
            out.push('\n');
        }
    }
}

fn push_samples(out: &mut String, family: &FamilySnapshot, created: Option<&Created<'_>>) {
    let mut integer = itoa::Buffer::new();
    match &family.values {
        Values::Counter(values) => {
            push_scalars(out, family, created, values, any, |out, n| out.push_str(integer.format(n)))
        }
        Values::UpDown(values) => {
            push_scalars(out, family, None, values, any, |out, n| out.push_str(integer.format(n)))
        }
        Values::FloatCounter(values) => push_scalars(out, family, created, values, is_total, push_float),
        Values::Gauge(values) => push_scalars(out, family, None, values, any, push_float),
        Values::Histogram(values) => push_histograms(out, family, created, values),
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
    created: Option<&Created<'_>>,
    values: &[T],
    is_shown: fn(T) -> bool,
    mut push: impl FnMut(&mut String, T),
) {
    let lines = family.labels.lines.get(Form::Samples, || {
        let mut lines = Pieces::default();
        let desc = &family.desc;
        for set in &family.labels.sets {
            lines.line(&[&desc.base, desc.kind.suffix(), &pairs(desc, set, "")]);
        }
        lines
    });
    for (series, (line, value)) in lines.iter().zip(values).enumerate().filter(|(_, (_, value))| is_shown(**value)) {
        out.push_str(line);
        push(out, *value);
        out.push('\n');
        if let Some(created) = created {
            created.push(out, series);
        }
    }
}

fn push_histograms(
    out: &mut String,
    family: &FamilySnapshot,
    created: Option<&Created<'_>>,
    values: &[HistogramSnapshot],
) {
    let mut number = itoa::Buffer::new();
    let Some(any) = values.first() else { return };
    let lines = family.labels.lines.get(Form::Samples, || {
        let mut lines = Pieces::default();
        for set in &family.labels.sets {
            push_histogram_lines(&mut lines, &family.desc, set, any);
        }
        lines
    });
    let mut lines = lines.iter();
    for (series, histogram) in values.iter().enumerate() {
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
        if let Some(created) = created {
            created.push(out, series);
        }
    }
}

/// The lines of a histogram series: a bucket for each bound, the sum, the count.
fn push_histogram_lines(
    lines: &mut Pieces<String>,
    desc: &Descriptor,
    set: &LabelValues,
    histogram: &HistogramSnapshot,
) {
    for bound in histogram.buckets().map(|(bound, _)| bound).chain([f64::INFINITY]) {
        let mut le = String::from("le=\"");
        push_bound(&mut le, bound);
        le.push('"');
        lines.line(&[&desc.base, "_bucket", &pairs(desc, set, &le)]);
    }
    let plain = pairs(desc, set, "");
    lines.line(&[&desc.base, "_sum", &plain]);
    lines.line(&[&desc.base, "_count", &plain]);
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
