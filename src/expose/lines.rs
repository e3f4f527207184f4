//! What all text formats have in common: a walk over the families, and the line of every sample. They differ in what
//! stands above a family's samples, in whether series tell when they began, and in how the page ends.

use super::exemplar::push_text_exemplar;
use super::names::Names;
use super::number::{has_series, is_total, push_bound, push_float, push_time};
use crate::collect::{Exemplar, FamilySnapshot, HistogramSnapshot, Snapshot, SummarySnapshot, Values};
use crate::describe::{Descriptor, Escaping, Form, LabelValues, Pieces};
use std::time::SystemTime;

/// What a format has besides samples.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extras {
    /// A line for when each series began.
    pub(super) created: bool,
    /// Exemplars behind totals and buckets.
    pub(super) exemplars: bool,
}

/// Appends every family: its `header`, then a line for each sample.
pub(super) fn push_families(
    out: &mut String,
    snapshot: &Snapshot,
    escaping: Escaping,
    extras: Extras,
    header: impl Fn(&mut String, &Descriptor, &Names<'_>),
) {
    for family in snapshot.families() {
        // A family without series has nothing to say yet.
        if has_series(family) {
            let names = Names::new(&family.desc, escaping);
            header(out, &family.desc, &names);
            let created = Created::of(family, &names, extras.created.then(|| snapshot.earliest()));
            push_samples(out, family, &names, created.as_ref(), extras.exemplars);
        }
    }
}

/// What to make room for where a number and the line's end go: most are shorter.
const NUMBER: usize = 8;

/// When the series of a family began.
struct Created<'a> {
    family: &'a FamilySnapshot,
    lines: Vec<&'a str>,
    snapshot: SystemTime,
}

impl<'a> Created<'a> {
    /// `snapshot`: when it began; `None` where nobody wants to know.
    fn of(family: &'a FamilySnapshot, names: &Names<'_>, snapshot: Option<SystemTime>) -> Option<Self> {
        let snapshot = snapshot?;
        // Of one kind either all series have a beginning or none.
        family.began(0, snapshot)?;
        let lines = family.labels.lines.get(Form::Created(names.escaping), || {
            let mut lines = Pieces::default();
            family.labels.sets.iter().for_each(|set| lines.line(&names.line("_created", set, "")));
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

fn push_samples(
    out: &mut String,
    family: &FamilySnapshot,
    names: &Names<'_>,
    created: Option<&Created<'_>>,
    exemplars: bool,
) {
    let lines = || scalar_lines(family, names);
    let exemplar = |series| family.exemplar(series).filter(|_| exemplars);
    let mut integer = itoa::Buffer::new();
    match &family.values {
        Values::Counter(values) => {
            push_scalars(out, lines(), created, exemplar, values, any, |out, n| out.push_str(integer.format(n)))
        }
        Values::UpDown(values) => {
            push_scalars(out, lines(), None, exemplar, values, any, |out, n| out.push_str(integer.format(n)))
        }
        Values::FloatCounter(values) => push_scalars(out, lines(), created, exemplar, values, is_total, push_float),
        Values::Gauge(values) => push_scalars(out, lines(), None, exemplar, values, any, push_float),
        Values::Histogram(values) => push_histograms(out, family, names, created, exemplars, values),
        Values::Summary(values) => push_summaries(out, family, names, created, values),
    }
}

/// Whether a value is shown of which all are.
fn any<T>(_: T) -> bool {
    true
}

/// The line of each series that has one.
pub(super) fn scalar_lines<'a>(family: &'a FamilySnapshot, names: &Names<'_>) -> &'a Pieces<String> {
    family.labels.lines.get(Form::Samples(names.escaping), || {
        let mut lines = Pieces::default();
        for set in &family.labels.sets {
            lines.line(&names.line(family.desc.kind.suffix(), set, ""));
        }
        lines
    })
}

/// Appends the lines of the values that `is_shown`.
fn push_scalars<T: Copy>(
    out: &mut String,
    lines: &Pieces<String>,
    created: Option<&Created<'_>>,
    exemplar: impl Fn(usize) -> Option<Exemplar>,
    values: &[T],
    is_shown: fn(T) -> bool,
    mut push: impl FnMut(&mut String, T),
) {
    out.reserve(lines.total() + NUMBER * values.len());
    for (series, (line, value)) in lines.iter().zip(values).enumerate().filter(|(_, (_, value))| is_shown(**value)) {
        out.push_str(line);
        push(out, *value);
        if let Some(exemplar) = exemplar(series) {
            push_text_exemplar(out, &exemplar);
        }
        out.push('\n');
        if let Some(created) = created {
            created.push(out, series);
        }
    }
}

fn push_histograms(
    out: &mut String,
    family: &FamilySnapshot,
    names: &Names<'_>,
    created: Option<&Created<'_>>,
    exemplars: bool,
    values: &[HistogramSnapshot],
) {
    let mut number = itoa::Buffer::new();
    let Some(any) = values.first() else { return };
    let lines = family.labels.lines.get(Form::Samples(names.escaping), || {
        let mut lines = Pieces::default();
        for set in &family.labels.sets {
            push_histogram_lines(&mut lines, names, set, any);
        }
        lines
    });
    out.reserve(lines.total() + NUMBER * lines.iter().len());
    let mut lines = lines.iter();
    for (series, histogram) in values.iter().enumerate() {
        let counts = histogram.buckets().map(|(_, count)| count).chain([histogram.count()]);
        // Most histograms have none.
        let mut exemplars = (exemplars && histogram.exemplars().next().is_some()).then(|| histogram.bucket_exemplars());
        for (count, line) in counts.zip(&mut lines) {
            out.push_str(line);
            out.push_str(number.format(count));
            if let Some(exemplar) = exemplars.as_mut().and_then(Iterator::next).flatten() {
                push_text_exemplar(out, &exemplar);
            }
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

/// Whose label sets are made for each snapshot, so that nothing is prepared for the next one.
fn push_summaries(
    out: &mut String,
    family: &FamilySnapshot,
    names: &Names<'_>,
    created: Option<&Created<'_>>,
    values: &[SummarySnapshot],
) {
    for (series, (set, summary)) in family.labels.sets.iter().zip(values).enumerate() {
        for (share, value) in summary.quantiles() {
            let mut quantile = String::from("quantile=\"");
            push_bound(&mut quantile, share);
            quantile.push('"');
            out.push_str(&names.line("", set, &quantile));
            push_float(out, value);
            out.push('\n');
        }
        out.push_str(&names.line("_sum", set, ""));
        push_float(out, summary.sum());
        out.push('\n');
        out.push_str(&names.line("_count", set, ""));
        out.push_str(itoa::Buffer::new().format(summary.count()));
        out.push('\n');
        if let Some(created) = created {
            created.push(out, series);
        }
    }
}

/// The lines of a histogram series: a bucket for each bound, the sum, the count.
fn push_histogram_lines(
    lines: &mut Pieces<String>,
    names: &Names<'_>,
    set: &LabelValues,
    histogram: &HistogramSnapshot,
) {
    for bound in histogram.buckets().map(|(bound, _)| bound).chain([f64::INFINITY]) {
        let mut le = String::from("le=\"");
        push_bound(&mut le, bound);
        le.push('"');
        lines.line(&names.line("_bucket", set, &le));
    }
    lines.line(&names.line("_sum", set, ""));
    lines.line(&names.line("_count", set, ""));
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
