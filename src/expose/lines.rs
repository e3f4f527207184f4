//! What all text formats have in common: a walk over the families, and the line of every sample. They differ in what
//! stands above a family's samples, in whether series tell when they began, and in how the page ends.

use super::buffer::{push_integer, push_lines, push_signed, push_str};
use super::exemplar::push_text_exemplar;
use super::families::Families;
use super::names::Names;
use super::number::{is_total, push_float, push_time};
use crate::collect::{Exemplar, FamilySnapshot, HistogramSnapshot, SummarySnapshot, Values};
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
    out: &mut Vec<u8>,
    families: &Families<'_>,
    escaping: Escaping,
    extras: Extras,
    header: impl Fn(&mut Vec<u8>, &Descriptor, &Names<'_>),
) {
    for &family in &families.list {
        let names = Names::new(&family.desc, escaping);
        header(out, &family.desc, &names);
        let created = Created::of(family, &names, extras.created.then_some(families.earliest));
        push_samples(out, family, &names, created.as_ref(), extras.exemplars);
    }
}

/// What to make room for where a number and the line's end go: most are shorter.
const NUMBER: usize = 8;

/// So many lines are written at a time, in the nearest cache.
const CHUNK: usize = 32;

/// When the series of a family began.
struct Created<'a> {
    family: &'a FamilySnapshot,
    lines: Vec<&'a [u8]>,
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
            family.labels.sets.iter().for_each(|set| lines.push(|out| names.push_line(out, "_created", set, None)));
            lines
        });
        Some(Self { family, lines: lines.iter().collect(), snapshot })
    }

    /// Appends the line of a series, unless it began before 1970, where a clock is that was never set.
    fn push(&self, out: &mut Vec<u8>, series: usize) {
        let since = self
            .family
            .began(series, self.snapshot)
            .and_then(|began| began.duration_since(SystemTime::UNIX_EPOCH).ok());
        if let (Some(since), Some(line)) = (since, self.lines.get(series)) {
            out.extend_from_slice(line);
            push_time(out, since);
            out.push(b'\n');
        }
    }
}

fn push_samples(
    out: &mut Vec<u8>,
    family: &FamilySnapshot,
    names: &Names<'_>,
    created: Option<&Created<'_>>,
    exemplars: bool,
) {
    let lines = || scalar_lines(family, names);
    let exemplar = |series| family.exemplar(series).filter(|_| exemplars);
    match &family.values {
        Values::Counter(values) if created.is_none() && (!exemplars || family.noted.is_empty()) => {
            let pieces = scalar_lines(family, names);
            out.reserve(pieces.total() + NUMBER * values.len());
            for (index, values) in (0..).step_by(CHUNK).zip(values.chunks(CHUNK)) {
                push_lines(out, pieces.part(index..index + values.len()), values.iter().copied());
            }
        }
        Values::Counter(values) => push_scalars(out, lines(), created, exemplar, values, any, push_integer),
        Values::UpDown(values) => push_scalars(out, lines(), None, exemplar, values, any, push_signed),
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
pub(super) fn scalar_lines<'a>(family: &'a FamilySnapshot, names: &Names<'_>) -> &'a Pieces {
    family.labels.lines.get(Form::Samples(names.escaping), || {
        let mut lines = Pieces::default();
        for set in &family.labels.sets {
            lines.push(|out| names.push_line(out, family.desc.kind.suffix(), set, None));
        }
        lines
    })
}

/// Appends the lines of the values that `is_shown`.
fn push_scalars<T: Copy>(
    out: &mut Vec<u8>,
    lines: &Pieces,
    created: Option<&Created<'_>>,
    exemplar: impl Fn(usize) -> Option<Exemplar>,
    values: &[T],
    is_shown: fn(T) -> bool,
    push: impl Fn(&mut Vec<u8>, T),
) {
    out.reserve(lines.total() + NUMBER * values.len());
    for (series, (line, value)) in lines.iter().zip(values).enumerate().filter(|(_, (_, value))| is_shown(**value)) {
        out.extend_from_slice(line);
        push(out, *value);
        if let Some(exemplar) = exemplar(series) {
            push_text_exemplar(out, &exemplar);
        }
        out.push(b'\n');
        if let Some(created) = created {
            created.push(out, series);
        }
    }
}

fn push_histograms(
    out: &mut Vec<u8>,
    family: &FamilySnapshot,
    names: &Names<'_>,
    created: Option<&Created<'_>>,
    exemplars: bool,
    values: &[HistogramSnapshot],
) {
    let Some(any) = values.first() else { return };
    let pieces = family.labels.lines.get(Form::Samples(names.escaping), || {
        let mut lines = Pieces::default();
        for set in &family.labels.sets {
            push_histogram_lines(&mut lines, names, set, any);
        }
        lines
    });
    out.reserve(pieces.total() + NUMBER * pieces.iter().len());
    let buckets = any.buckets().count() + 1;
    for (series, histogram) in values.iter().enumerate() {
        let first = series * (buckets + 2);
        let counts = histogram.buckets().map(|(_, count)| count).chain([histogram.count()]);
        let part = pieces.part(first..first + buckets);
        // Most histograms have none.
        if exemplars && histogram.exemplars().next().is_some() {
            for ((count, piece), exemplar) in counts.zip(part.iter()).zip(histogram.bucket_exemplars()) {
                out.extend_from_slice(piece);
                push_integer(out, count);
                if let Some(exemplar) = exemplar {
                    push_text_exemplar(out, &exemplar);
                }
                out.push(b'\n');
            }
        } else {
            push_lines(out, part, counts);
        }
        let mut rest = pieces.part(first + buckets..first + buckets + 2).iter();
        out.extend_from_slice(rest.next().unwrap_or_default());
        push_float(out, histogram.sum());
        out.push(b'\n');
        out.extend_from_slice(rest.next().unwrap_or_default());
        push_integer(out, histogram.count());
        out.push(b'\n');
        if let Some(created) = created {
            created.push(out, series);
        }
    }
}

/// Whose label sets are made for each snapshot, so that nothing is prepared for the next one.
fn push_summaries(
    out: &mut Vec<u8>,
    family: &FamilySnapshot,
    names: &Names<'_>,
    created: Option<&Created<'_>>,
    values: &[SummarySnapshot],
) {
    for (series, (set, summary)) in family.labels.sets.iter().zip(values).enumerate() {
        for (share, value) in summary.quantiles() {
            names.push_line(out, "", set, Some(("quantile", share)));
            push_float(out, value);
            out.push(b'\n');
        }
        names.push_line(out, "_sum", set, None);
        push_float(out, summary.sum());
        out.push(b'\n');
        names.push_line(out, "_count", set, None);
        push_integer(out, summary.count());
        out.push(b'\n');
        if let Some(created) = created {
            created.push(out, series);
        }
    }
}

/// The lines of a histogram series: a bucket for each bound, the sum, the count.
fn push_histogram_lines(lines: &mut Pieces, names: &Names<'_>, set: &LabelValues, histogram: &HistogramSnapshot) {
    for bound in histogram.buckets().map(|(bound, _)| bound).chain([f64::INFINITY]) {
        lines.push(|out| names.push_line(out, "_bucket", set, Some(("le", bound))));
    }
    lines.push(|out| names.push_line(out, "_sum", set, None));
    lines.push(|out| names.push_line(out, "_count", set, None));
}

/// A label value, or a help text of OpenMetrics: `\`, `"` and line feed are escaped.
pub(super) fn push_escaped(out: &mut Vec<u8>, text: &str) {
    for &byte in text.as_bytes() {
        match byte {
            b'\\' => push_str(out, "\\\\"),
            b'"' => push_str(out, "\\\""),
            b'\n' => push_str(out, "\\n"),
            byte => out.push(byte),
        }
    }
}
