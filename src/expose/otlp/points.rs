//! The messages of OTLP's metrics, each with the numbers of its fields.

use super::super::wire::{
    push_bytes, push_double, push_fixed, push_fixeds, push_message, push_sint, push_text, push_uint, push_uints,
};
use super::encoder::Histograms;
use super::units::code;
use crate::collect::{Exemplar, FamilySnapshot, HistogramSnapshot, SummarySnapshot, Values, ZERO_THRESHOLD};
use crate::describe::{Descriptor, Kind, LabelValues};
use crate::expose::number::is_total;

const METRIC_NAME: u32 = 1;
const METRIC_DESCRIPTION: u32 = 2;
const METRIC_UNIT: u32 = 3;
const METRIC_GAUGE: u32 = 5;
const METRIC_SUM: u32 = 7;
const METRIC_HISTOGRAM: u32 = 9;
const METRIC_EXPONENTIAL: u32 = 10;
const METRIC_SUMMARY: u32 = 11;
/// Of all of them.
const POINTS: u32 = 1;
const TEMPORALITY: u32 = 2;
const IS_MONOTONIC: u32 = 3;
/// Of all points.
const START: u32 = 2;
const TIME: u32 = 3;
const NUMBER_DOUBLE: u32 = 4;
const NUMBER_EXEMPLAR: u32 = 5;
const NUMBER_INT: u32 = 6;
const NUMBER_ATTRIBUTE: u32 = 7;
/// Of both sorts of histogram, and of a summary.
const COUNT: u32 = 4;
const SUM: u32 = 5;
const SUMMARY_QUANTILE: u32 = 6;
const SUMMARY_ATTRIBUTE: u32 = 7;
const QUANTILE_SHARE: u32 = 1;
const QUANTILE_VALUE: u32 = 2;
const HISTOGRAM_COUNTS: u32 = 6;
const HISTOGRAM_BOUNDS: u32 = 7;
const HISTOGRAM_EXEMPLAR: u32 = 8;
const HISTOGRAM_ATTRIBUTE: u32 = 9;
const HISTOGRAM_MIN: u32 = 11;
const HISTOGRAM_MAX: u32 = 12;
const EXPONENTIAL_ATTRIBUTE: u32 = 1;
const EXPONENTIAL_SCALE: u32 = 6;
const EXPONENTIAL_ZERO_COUNT: u32 = 7;
const EXPONENTIAL_POSITIVE: u32 = 8;
const EXPONENTIAL_EXEMPLAR: u32 = 11;
const EXPONENTIAL_MIN: u32 = 12;
const EXPONENTIAL_MAX: u32 = 13;
const EXPONENTIAL_ZERO_THRESHOLD: u32 = 14;
const BUCKETS_OFFSET: u32 = 1;
const BUCKETS_COUNTS: u32 = 2;
const EXEMPLAR_TIME: u32 = 2;
const EXEMPLAR_DOUBLE: u32 = 3;
const EXEMPLAR_SPAN: u32 = 4;
const EXEMPLAR_TRACE: u32 = 5;
const KEY: u32 = 1;
const VALUE: u32 = 2;
const VALUE_STRING: u32 = 1;

const DELTA: u64 = 1;
const CUMULATIVE: u64 = 2;

/// The time that points stand for: its start by series, and its end.
pub(super) struct Span<'a> {
    pub(super) start: &'a dyn Fn(usize) -> u64,
    pub(super) end: u64,
}

/// Appends a metric; nothing where it has no points.
pub(super) fn push_metric(
    out: &mut Vec<u8>,
    field: u32,
    family: &FamilySnapshot,
    span: &Span<'_>,
    is_delta: bool,
    histograms: Histograms,
) {
    let mut points = Vec::new();
    match &family.values {
        Values::Counter(values) => {
            // Beyond the integers that there are, as near as a float comes.
            let number = |n: u64| i64::try_from(n).map_or(Number::Float(n as f64), Number::Int);
            push_numbers(&mut points, family, span, values, |n| Some(number(n)));
        }
        Values::FloatCounter(values) => {
            push_numbers(&mut points, family, span, values, |n| is_total(n).then_some(Number::Float(n)));
        }
        Values::UpDown(values) => push_numbers(&mut points, family, span, values, |n| Some(Number::Int(n))),
        Values::Gauge(values) => push_numbers(&mut points, family, span, values, |n| Some(Number::Float(n))),
        Values::Histogram(values) => {
            for (index, (set, histogram)) in family.labels.sets.iter().zip(values).enumerate() {
                push_message(&mut points, POINTS, |out| match histograms {
                    Histograms::Exponential => {
                        push_head(out, &family.desc, set, EXPONENTIAL_ATTRIBUTE, Some((span.start)(index)), span.end);
                        push_exponential(out, histogram);
                        histogram.exemplars().for_each(|exemplar| push_exemplar(out, EXPONENTIAL_EXEMPLAR, &exemplar));
                    }
                    Histograms::Explicit => {
                        push_head(out, &family.desc, set, HISTOGRAM_ATTRIBUTE, Some((span.start)(index)), span.end);
                        push_explicit(out, histogram);
                        histogram.exemplars().for_each(|exemplar| push_exemplar(out, HISTOGRAM_EXEMPLAR, &exemplar));
                    }
                });
            }
        }
        Values::Summary(values) => {
            for (index, (set, summary)) in family.labels.sets.iter().zip(values).enumerate() {
                push_message(&mut points, POINTS, |out| {
                    push_head(out, &family.desc, set, SUMMARY_ATTRIBUTE, Some((span.start)(index)), span.end);
                    push_summary(out, summary);
                });
            }
        }
    }
    if points.is_empty() {
        return;
    }
    let desc = &*family.desc;
    if !matches!(family.values, Values::Gauge(_) | Values::Summary(_)) {
        push_uint(&mut points, TEMPORALITY, if is_delta { DELTA } else { CUMULATIVE });
    }
    if desc.kind.is_counter() {
        push_uint(&mut points, IS_MONOTONIC, 1);
    }
    push_message(out, field, |out| {
        push_text(out, METRIC_NAME, &[&desc.dotted]);
        if !desc.help.is_empty() {
            push_text(out, METRIC_DESCRIPTION, &[&desc.help]);
        }
        let unit = code(desc.unit);
        if !unit.is_empty() {
            push_text(out, METRIC_UNIT, &[&unit]);
        }
        let data = match (&family.values, histograms) {
            (Values::Gauge(_), _) => METRIC_GAUGE,
            (Values::Summary(_), _) => METRIC_SUMMARY,
            (Values::Histogram(_), Histograms::Exponential) => METRIC_EXPONENTIAL,
            (Values::Histogram(_), Histograms::Explicit) => METRIC_HISTOGRAM,
            _ => METRIC_SUM,
        };
        push_bytes(out, data, &points);
    });
}

/// A number as a point has it.
enum Number {
    Int(i64),
    Float(f64),
}

/// `number`: `None` for what is no number to tell.
fn push_numbers<T: Copy>(
    out: &mut Vec<u8>,
    family: &FamilySnapshot,
    span: &Span<'_>,
    values: &[T],
    number: impl Fn(T) -> Option<Number>,
) {
    let has_start = !matches!(family.desc.kind, Kind::Gauge | Kind::ObservedGauge);
    for (index, (set, value)) in family.labels.sets.iter().zip(values).enumerate() {
        let Some(number) = number(*value) else { continue };
        push_message(out, POINTS, |out| {
            let start = has_start.then(|| (span.start)(index));
            push_head(out, &family.desc, set, NUMBER_ATTRIBUTE, start, span.end);
            match number {
                Number::Int(n) => push_fixed(out, NUMBER_INT, n.cast_unsigned()),
                Number::Float(n) => push_double(out, NUMBER_DOUBLE, n),
            }
            if let Some(exemplar) = family.exemplar(index) {
                push_exemplar(out, NUMBER_EXEMPLAR, &exemplar);
            }
        });
    }
}

/// What every point has.
fn push_head(out: &mut Vec<u8>, desc: &Descriptor, set: &LabelValues, field: u32, start: Option<u64>, end: u64) {
    for (key, value) in &*desc.const_labels {
        push_attribute(out, field, key, value);
    }
    for (key, value) in desc.labels.iter().zip(set.iter()) {
        push_attribute(out, field, key, value);
    }
    if let Some(start) = start {
        push_fixed(out, START, start);
    }
    push_fixed(out, TIME, end);
}

/// An attribute that is a string; none where it is empty, which is the same as no label.
pub(super) fn push_attribute(out: &mut Vec<u8>, field: u32, key: &str, value: &str) {
    if !value.is_empty() {
        push_message(out, field, |out| {
            push_text(out, KEY, &[key]);
            push_message(out, VALUE, |out| push_text(out, VALUE_STRING, &[value]));
        });
    }
}

fn push_exemplar(out: &mut Vec<u8>, field: u32, exemplar: &Exemplar) {
    push_message(out, field, |out| {
        push_fixed(out, EXEMPLAR_TIME, u64::try_from(exemplar.since_epoch().as_nanos()).unwrap_or(u64::MAX));
        push_double(out, EXEMPLAR_DOUBLE, exemplar.value);
        push_bytes(out, EXEMPLAR_SPAN, &exemplar.span_id);
        push_bytes(out, EXEMPLAR_TRACE, &exemplar.trace_id);
    });
}

fn push_totals(out: &mut Vec<u8>, histogram: &HistogramSnapshot, min: u32, max: u32) {
    let count = histogram.count();
    push_fixed(out, COUNT, count);
    // Whatever is being recorded meanwhile: no values have no sum.
    push_double(out, SUM, if count == 0 { 0.0 } else { histogram.sum() });
    if count > 0 {
        push_double(out, min, histogram.min());
        push_double(out, max, histogram.max());
    }
}

/// Its totals are cumulative, whatever the temporality: there is no other summary.
fn push_summary(out: &mut Vec<u8>, summary: &SummarySnapshot) {
    push_fixed(out, COUNT, summary.count());
    push_double(out, SUM, summary.sum());
    for (share, value) in summary.quantiles() {
        push_message(out, SUMMARY_QUANTILE, |out| {
            push_double(out, QUANTILE_SHARE, share);
            push_double(out, QUANTILE_VALUE, value);
        });
    }
}

fn push_explicit(out: &mut Vec<u8>, histogram: &HistogramSnapshot) {
    push_totals(out, histogram, HISTOGRAM_MIN, HISTOGRAM_MAX);
    let up_to = histogram.buckets().map(|(_, count)| count).chain([histogram.count()]);
    let mut below = 0;
    push_fixeds(out, HISTOGRAM_COUNTS, up_to.map(|count| count.saturating_sub(std::mem::replace(&mut below, count))));
    push_fixeds(out, HISTOGRAM_BOUNDS, histogram.buckets().map(|(bound, _)| bound.to_bits()));
}

fn push_exponential(out: &mut Vec<u8>, histogram: &HistogramSnapshot) {
    push_totals(out, histogram, EXPONENTIAL_MIN, EXPONENTIAL_MAX);
    let native = histogram.native();
    push_sint(out, EXPONENTIAL_SCALE, native.schema.into());
    push_fixed(out, EXPONENTIAL_ZERO_COUNT, native.zeros);
    push_double(out, EXPONENTIAL_ZERO_THRESHOLD, ZERO_THRESHOLD);
    let mut buckets = native.buckets.peekable();
    let Some(&(first, _)) = buckets.peek() else { return };
    push_message(out, EXPONENTIAL_POSITIVE, |out| {
        // Bucket i of OTLP ends at g^(i + 1), that of Prometheus at g^i.
        push_sint(out, BUCKETS_OFFSET, i64::from(first) - 1);
        let mut next = first;
        let dense = buckets.flat_map(|(index, count)| {
            let gap = index - std::mem::replace(&mut next, index + 1);
            std::iter::repeat_n(0, gap.unsigned_abs() as usize).chain([count])
        });
        push_uints(out, BUCKETS_COUNTS, dense);
    });
}
