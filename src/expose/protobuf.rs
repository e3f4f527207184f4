//! Prometheus' protobuf format: a `MetricFamily` for each family, each with its length before it.
//!
//! It is the one in which Prometheus takes native histograms, so a histogram has both: the declared buckets, and
//! exponential ones out of the same cells, over the whole range and without a declaration. How fine these are follows
//! from the histogram's digits: 8, 16 or 32 to the doubling for 1, 2 or 3 of them. `docs/EXPOSITION.md` says how far
//! from a value its bucket ends.
//!
//! Numbers are floats here, so counters beyond 2^53 are rounded, as every scraper does. Counters and histograms tell when
//! they began, which is how a scraper knows of a restart; those that a callback gives do not.

use super::number::{has_series, is_total};
use super::wire::{push_double, push_message, push_sint, push_sints, push_sized, push_text, push_uint};
use crate::collect::{FamilySnapshot, HistogramSnapshot, Snapshot, Values, ZERO_THRESHOLD};
use crate::describe::{Descriptor, LabelValues};
use std::time::{SystemTime, UNIX_EPOCH};

/// The `Content-Type` of what [`render`] gives.
pub const CONTENT_TYPE: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// Encodes a snapshot.
///
/// ```
/// let registry = tach::Registry::new();
/// registry.counter("tokens").build()?.add(5);
/// let bytes = tach::protobuf::render(&registry.snapshot());
/// assert!(bytes.windows(12).any(|bytes| bytes == b"tokens_total"));
/// # Ok::<(), tach::Error>(())
/// ```
#[must_use]
pub fn render(snapshot: &Snapshot) -> Vec<u8> {
    let mut out = Vec::new();
    render_into(snapshot, &mut out);
    out
}

/// Appends what [`render`] gives to `out`, whose capacity is reused.
pub fn render_into(snapshot: &Snapshot, out: &mut Vec<u8>) {
    let mut scratch = Scratch::default();
    // A series may be older than the registry that shows it, where another process made it.
    let began = snapshot.elapsed().map_or(SystemTime::UNIX_EPOCH, |_| snapshot.began());
    for family in snapshot.families() {
        // A family without series has nothing to say yet.
        if has_series(family) {
            push_sized(out, |out| push_family(out, family, began, &mut scratch));
        }
    }
}

// The numbers of the fields in use, by message.
const FAMILY_NAME: u32 = 1;
const FAMILY_HELP: u32 = 2;
const FAMILY_TYPE: u32 = 3;
const FAMILY_METRIC: u32 = 4;
const FAMILY_UNIT: u32 = 5;
const METRIC_LABEL: u32 = 1;
const METRIC_GAUGE: u32 = 2;
const METRIC_COUNTER: u32 = 3;
const METRIC_HISTOGRAM: u32 = 7;
const LABEL_NAME: u32 = 1;
const LABEL_VALUE: u32 = 2;
/// Of a counter and of a gauge.
const VALUE: u32 = 1;
const COUNTER_START: u32 = 3;
const HISTOGRAM_COUNT: u32 = 1;
const HISTOGRAM_SUM: u32 = 2;
const HISTOGRAM_BUCKET: u32 = 3;
const HISTOGRAM_SCHEMA: u32 = 5;
const HISTOGRAM_ZERO_THRESHOLD: u32 = 6;
const HISTOGRAM_ZERO_COUNT: u32 = 7;
const HISTOGRAM_SPAN: u32 = 12;
const HISTOGRAM_DELTA: u32 = 13;
const HISTOGRAM_START: u32 = 15;
const SECONDS: u32 = 1;
const NANOS: u32 = 2;
const BUCKET_COUNT: u32 = 1;
const BUCKET_UPPER_BOUND: u32 = 2;
const SPAN_OFFSET: u32 = 1;
const SPAN_LENGTH: u32 = 2;

// The types in use.
const COUNTER: u64 = 0;
const GAUGE: u64 = 1;
const HISTOGRAM: u64 = 4;

/// So many empty buckets in a row cost less as such than as the end of one span and the start of another.
const GAP_MAX: i32 = 2;

/// What encoding needs for a while.
#[derive(Default)]
struct Scratch {
    /// The labels of all series of a family, encoded.
    constant: Vec<u8>,
    spans: Vec<(i32, u32)>,
    deltas: Vec<i64>,
}

fn push_family(out: &mut Vec<u8>, family: &FamilySnapshot, began: SystemTime, scratch: &mut Scratch) {
    let desc = &*family.desc;
    // A counter's family has the name of its samples, as in the text format 0.0.4.
    push_text(out, FAMILY_NAME, &[&desc.base, desc.kind.suffix()]);
    if !desc.help.is_empty() {
        push_text(out, FAMILY_HELP, &[&desc.help]);
    }
    scratch.constant.clear();
    for (name, value) in &*desc.const_labels {
        push_label(&mut scratch.constant, name, value);
    }
    match &family.values {
        Values::Counter(values) => {
            push_scalars(out, family, began, scratch, (COUNTER, METRIC_COUNTER), values, |n| Some(n as f64))
        }
        Values::FloatCounter(values) => {
            let total = |n| is_total(n).then_some(n);
            push_scalars(out, family, began, scratch, (COUNTER, METRIC_COUNTER), values, total)
        }
        Values::UpDown(values) => {
            push_scalars(out, family, began, scratch, (GAUGE, METRIC_GAUGE), values, |n| Some(n as f64))
        }
        Values::Gauge(values) => push_scalars(out, family, began, scratch, (GAUGE, METRIC_GAUGE), values, Some),
        Values::Histogram(values) => {
            push_uint(out, FAMILY_TYPE, HISTOGRAM);
            for (index, (set, histogram)) in family.labels.sets.iter().zip(values).enumerate() {
                push_message(out, FAMILY_METRIC, |out| {
                    push_labels(out, desc, set, &scratch.constant);
                    push_message(out, METRIC_HISTOGRAM, |out| {
                        push_histogram(out, histogram, &mut scratch.spans, &mut scratch.deltas);
                        push_start(out, HISTOGRAM_START, family.began(index, began));
                    });
                });
            }
        }
    }
    if let Some(unit) = desc.exposed_unit() {
        push_text(out, FAMILY_UNIT, &[unit]);
    }
}

/// `float`: `None` for what is not shown.
fn push_scalars<T: Copy>(
    out: &mut Vec<u8>,
    family: &FamilySnapshot,
    began: SystemTime,
    scratch: &Scratch,
    (kind, field): (u64, u32),
    values: &[T],
    float: impl Fn(T) -> Option<f64>,
) {
    push_uint(out, FAMILY_TYPE, kind);
    for (index, (set, value)) in family.labels.sets.iter().zip(values).enumerate() {
        let Some(value) = float(*value) else { continue };
        push_message(out, FAMILY_METRIC, |out| {
            push_labels(out, &family.desc, set, &scratch.constant);
            push_message(out, field, |out| {
                push_double(out, VALUE, value);
                // Nothing for a gauge.
                push_start(out, COUNTER_START, family.began(index, began));
            });
        });
    }
}

/// When a total began. Nothing before 1970, where a clock is that was never set.
fn push_start(out: &mut Vec<u8>, field: u32, began: Option<SystemTime>) {
    if let Some(since) = began.and_then(|began| began.duration_since(UNIX_EPOCH).ok()) {
        push_message(out, field, |out| {
            push_uint(out, SECONDS, since.as_secs());
            push_uint(out, NANOS, since.subsec_nanos().into());
        });
    }
}

fn push_labels(out: &mut Vec<u8>, desc: &Descriptor, set: &LabelValues, constant: &[u8]) {
    out.extend_from_slice(constant);
    for (name, value) in desc.labels.iter().zip(set.iter()) {
        push_label(out, name, value);
    }
}

fn push_label(out: &mut Vec<u8>, name: &str, value: &str) {
    // An empty value is the same as no label.
    if !value.is_empty() {
        push_message(out, METRIC_LABEL, |out| {
            push_text(out, LABEL_NAME, &[name]);
            push_text(out, LABEL_VALUE, &[value]);
        });
    }
}

fn push_histogram(
    out: &mut Vec<u8>,
    histogram: &HistogramSnapshot,
    spans: &mut Vec<(i32, u32)>,
    deltas: &mut Vec<i64>,
) {
    push_uint(out, HISTOGRAM_COUNT, histogram.count());
    push_double(out, HISTOGRAM_SUM, histogram.sum());
    // Without the last one, which has no upper end: that is the count.
    for (bound, count) in histogram.buckets() {
        push_message(out, HISTOGRAM_BUCKET, |out| {
            push_uint(out, BUCKET_COUNT, count);
            push_double(out, BUCKET_UPPER_BOUND, bound);
        });
    }
    let native = histogram.native();
    push_sint(out, HISTOGRAM_SCHEMA, native.schema.into());
    // Above zero, it also says that this is a native histogram where there are no values yet.
    push_double(out, HISTOGRAM_ZERO_THRESHOLD, ZERO_THRESHOLD);
    push_uint(out, HISTOGRAM_ZERO_COUNT, native.zeros);
    split(native.buckets, spans, deltas);
    for &(offset, length) in &*spans {
        push_message(out, HISTOGRAM_SPAN, |out| {
            push_sint(out, SPAN_OFFSET, offset.into());
            push_uint(out, SPAN_LENGTH, length.into());
        });
    }
    if !deltas.is_empty() {
        push_sints(out, HISTOGRAM_DELTA, deltas);
    }
}

/// Spans of buckets, each with its distance from the one before (the first with its index), and of each bucket in them
/// how much more it has than the one before.
fn split(buckets: impl Iterator<Item = (i32, u64)>, spans: &mut Vec<(i32, u32)>, deltas: &mut Vec<i64>) {
    spans.clear();
    deltas.clear();
    let (mut next, mut last) = (0, 0_u64);
    for (index, count) in buckets {
        let gap = index - next;
        match spans.last_mut() {
            Some((_, length)) if gap <= GAP_MAX => {
                for _ in 0..gap {
                    deltas.push(0_u64.wrapping_sub(last).cast_signed());
                    last = 0;
                }
                *length += gap.unsigned_abs() + 1;
            }
            _ => spans.push((gap, 1)),
        }
        deltas.push(count.wrapping_sub(last).cast_signed());
        (next, last) = (index + 1, count);
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    /// What a reader makes of them.
    fn join(spans: &[(i32, u32)], deltas: &[i64]) -> Vec<(i32, u64)> {
        let (mut index, mut count, mut deltas) = (0, 0_u64, deltas.iter());
        let mut buckets = Vec::new();
        for (offset, length) in spans {
            index += offset;
            for _ in 0..*length {
                count = count.wrapping_add_signed(*deltas.next().unwrap());
                buckets.push((index, count));
                index += 1;
            }
        }
        assert!(deltas.next().is_none());
        buckets
    }

    #[test]
    fn gaps_of_up_to_two_are_empty_buckets_and_longer_ones_end_a_span() {
        let (mut spans, mut deltas) = (vec![(9, 9)], vec![9]);
        split([(-3, 5), (-2, 2), (1, 7), (5, 1)].into_iter(), &mut spans, &mut deltas);
        assert_eq!(spans, [(-3, 5), (3, 1)]);
        assert_eq!(deltas, [5, -3, -2, 0, 7, -6]);
        split(std::iter::empty(), &mut spans, &mut deltas);
        assert_eq!((spans.len(), deltas.len()), (0, 0));
        split([(0, u64::MAX), (1, 1)].into_iter(), &mut spans, &mut deltas);
        assert_eq!((spans.len(), join(&spans, &deltas)), (1, vec![(0, u64::MAX), (1, 1)]));
    }

    proptest::proptest! {
        #[test]
        fn any_buckets_read_back(buckets in proptest::collection::btree_map(-50..50, 1_u64..=u64::MAX, 0..20)) {
            let (mut spans, mut deltas) = (Vec::new(), Vec::new());
            split(buckets.clone().into_iter(), &mut spans, &mut deltas);
            let mut found = join(&spans, &deltas);
            found.retain(|(_, count)| *count != 0);
            proptest::prop_assert_eq!(found, buckets.into_iter().collect::<Vec<_>>());
        }
    }
}
