//! Prometheus' protobuf format: a `MetricFamily` for each family, each with its length before it.
//!
//! It is the one in which Prometheus takes native histograms, so a histogram has both: the declared buckets, and
//! exponential ones out of the same cells, over the whole range and without a declaration. How fine these are follows
//! from the histogram's digits: 8, 16 or 32 to the doubling for 1, 2 or 3 of them. `docs/EXPOSITION.md` says how far
//! from a value its bucket ends. With a native schema, the buckets are those of the schema, and exact.
//!
//! Numbers are floats here, so counters beyond 2^53 are rounded, as every scraper does. Counters and histograms tell when
//! they began, which is how a scraper knows of a restart; those that a callback gives do not.

use super::exemplar;
use super::number::{has_series, is_total};
use super::spans::split;
use super::wire::{push_bytes, push_double, push_message, push_sint, push_sints, push_sized, push_text, push_uint};
use crate::collect::{Exemplar, FamilySnapshot, HistogramSnapshot, Snapshot, SummarySnapshot, Values, ZERO_THRESHOLD};
use crate::describe::{Descriptor, Escaping, LabelValues, Pieces};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// As [`render`], with names that need it written in another way than by underscores. The media type says so.
#[must_use]
pub fn render_with(snapshot: &Snapshot, escaping: Escaping) -> Vec<u8> {
    let mut out = Vec::new();
    append(snapshot, escaping, &mut out);
    out
}

/// Appends what [`render`] gives to `out`, whose capacity is reused.
pub fn render_into(snapshot: &Snapshot, out: &mut Vec<u8>) {
    append(snapshot, Escaping::Underscores, out);
}

/// Appends what [`render_with`] gives to `out`, whose capacity is reused.
pub(crate) fn append(snapshot: &Snapshot, escaping: Escaping, out: &mut Vec<u8>) {
    let mut scratch = Scratch::default();
    let began = snapshot.earliest();
    for family in snapshot.families() {
        // A family without series has nothing to say yet.
        if has_series(family) {
            push_sized(out, |out| push_family(out, family, escaping, began, &mut scratch));
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
const METRIC_SUMMARY: u32 = 4;
const METRIC_HISTOGRAM: u32 = 7;
const LABEL_NAME: u32 = 1;
const LABEL_VALUE: u32 = 2;
/// Of a counter and of a gauge.
const VALUE: u32 = 1;
const COUNTER_EXEMPLAR: u32 = 2;
const COUNTER_START: u32 = 3;
const SUMMARY_COUNT: u32 = 1;
const SUMMARY_SUM: u32 = 2;
const SUMMARY_QUANTILE: u32 = 3;
const SUMMARY_START: u32 = 4;
const QUANTILE_SHARE: u32 = 1;
const QUANTILE_VALUE: u32 = 2;
const HISTOGRAM_COUNT: u32 = 1;
const HISTOGRAM_SUM: u32 = 2;
const HISTOGRAM_BUCKET: u32 = 3;
const HISTOGRAM_SCHEMA: u32 = 5;
const HISTOGRAM_ZERO_THRESHOLD: u32 = 6;
const HISTOGRAM_ZERO_COUNT: u32 = 7;
const HISTOGRAM_SPAN: u32 = 12;
const HISTOGRAM_DELTA: u32 = 13;
const HISTOGRAM_START: u32 = 15;
const HISTOGRAM_EXEMPLAR: u32 = 16;
const SECONDS: u32 = 1;
const NANOS: u32 = 2;
const BUCKET_COUNT: u32 = 1;
const BUCKET_UPPER_BOUND: u32 = 2;
const BUCKET_EXEMPLAR: u32 = 3;
const SPAN_OFFSET: u32 = 1;
const SPAN_LENGTH: u32 = 2;
const EXEMPLAR_LABEL: u32 = 1;
const EXEMPLAR_VALUE: u32 = 2;
const EXEMPLAR_TIME: u32 = 3;

// The types in use.
const COUNTER: u64 = 0;
const GAUGE: u64 = 1;
const SUMMARY: u64 = 2;
const HISTOGRAM: u64 = 4;

/// So many empty buckets in a row cost less as such than as the end of one span and the start of another.
const GAP_MAX: i32 = 2;

/// What encoding needs for a while.
#[derive(Default)]
struct Scratch {
    message: Vec<u8>,
    spans: Vec<(i32, u32)>,
    counts: Vec<u64>,
}

fn push_family(
    out: &mut Vec<u8>,
    family: &FamilySnapshot,
    escaping: Escaping,
    began: SystemTime,
    scratch: &mut Scratch,
) {
    let desc = &*family.desc;
    let (stem, labels) = (desc.stem(escaping), labels(family, desc.escaping(escaping)));
    // A counter's family has the name of its samples, as in the text format 0.0.4.
    push_text(out, FAMILY_NAME, &[&stem, desc.kind.suffix()]);
    if !desc.help.is_empty() {
        push_text(out, FAMILY_HELP, &[&desc.help]);
    }
    let whole = |n: u64| Some(n as f64);
    let total = |n| is_total(n).then_some(n);
    let Scratch { message, spans, counts } = scratch;
    let (counter, gauge) = ((COUNTER, METRIC_COUNTER), (GAUGE, METRIC_GAUGE));
    match &family.values {
        Values::Counter(values) => {
            push_scalars(out, family, labels, began, message, counter, values.iter().copied().map(whole));
        }
        Values::FloatCounter(values) => {
            push_scalars(out, family, labels, began, message, counter, values.iter().copied().map(total));
        }
        Values::UpDown(values) => {
            push_scalars(out, family, labels, began, message, gauge, values.iter().map(|n| Some(*n as f64)));
        }
        Values::Gauge(values) => {
            push_scalars(out, family, labels, began, message, gauge, values.iter().copied().map(Some))
        }
        Values::Histogram(values) => {
            push_uint(out, FAMILY_TYPE, HISTOGRAM);
            for (index, (labels, histogram)) in labels.iter().zip(values).enumerate() {
                push_message(out, FAMILY_METRIC, |out| {
                    out.extend_from_slice(labels);
                    push_message(out, METRIC_HISTOGRAM, |out| {
                        push_histogram(out, histogram, spans, counts);
                        push_start(out, HISTOGRAM_START, family.began(index, began));
                        push_exemplars(out, histogram);
                    });
                });
            }
        }
        Values::Summary(values) => {
            push_uint(out, FAMILY_TYPE, SUMMARY);
            for (index, (labels, summary)) in labels.iter().zip(values).enumerate() {
                push_message(out, FAMILY_METRIC, |out| {
                    out.extend_from_slice(labels);
                    push_message(out, METRIC_SUMMARY, |out| {
                        push_summary(out, summary);
                        push_start(out, SUMMARY_START, family.began(index, began));
                    });
                });
            }
        }
    }
    if let Some(unit) = desc.exposed_unit(&stem) {
        push_text(out, FAMILY_UNIT, &[unit]);
    }
}

/// The labels of each series, encoded at the first exposition.
fn labels(family: &FamilySnapshot, escaping: Escaping) -> &Pieces<Vec<u8>> {
    family.labels.encoded.get(escaping, || {
        let mut labels = Pieces::default();
        for set in &family.labels.sets {
            labels.push(|out| push_labels(out, &family.desc, set, escaping));
        }
        labels
    })
}

/// `values`: `None` for what is not shown; `message`: for use here.
fn push_scalars(
    out: &mut Vec<u8>,
    family: &FamilySnapshot,
    labels: &Pieces<Vec<u8>>,
    began: SystemTime,
    message: &mut Vec<u8>,
    (kind, field): (u64, u32),
    values: impl Iterator<Item = Option<f64>>,
) {
    push_uint(out, FAMILY_TYPE, kind);
    for (index, (labels, value)) in labels.iter().zip(values).enumerate() {
        let Some(value) = value else { continue };
        message.clear();
        push_double(message, VALUE, value);
        if let Some(exemplar) = family.exemplar(index) {
            push_exemplar(message, COUNTER_EXEMPLAR, &exemplar);
        }
        // Nothing for a gauge.
        push_start(message, COUNTER_START, family.began(index, began));
        push_message(out, FAMILY_METRIC, |out| {
            out.extend_from_slice(labels);
            push_bytes(out, field, message);
        });
    }
}

/// When a total began. Nothing before 1970, where a clock is that was never set.
fn push_start(out: &mut Vec<u8>, field: u32, began: Option<SystemTime>) {
    if let Some(since) = began.and_then(|began| began.duration_since(UNIX_EPOCH).ok()) {
        push_time(out, field, since);
    }
}

fn push_time(out: &mut Vec<u8>, field: u32, since: Duration) {
    push_message(out, field, |out| {
        push_uint(out, SECONDS, since.as_secs());
        push_uint(out, NANOS, since.subsec_nanos().into());
    });
}

fn push_exemplar(out: &mut Vec<u8>, field: u32, exemplar: &Exemplar) {
    push_message(out, field, |out| {
        for (name, id) in exemplar::LABELS.into_iter().zip([&exemplar.trace_id[..], &exemplar.span_id]) {
            push_label(out, EXEMPLAR_LABEL, name, exemplar::hex(id, &mut [0; 32]));
        }
        push_double(out, EXEMPLAR_VALUE, exemplar.value);
        push_time(out, EXEMPLAR_TIME, exemplar.since_epoch());
    });
}

/// Appends the labels of a series, and gives the length of all.
fn push_labels(out: &mut Vec<u8>, desc: &Descriptor, set: &LabelValues, escaping: Escaping) -> usize {
    for (name, value) in &*desc.const_labels {
        push_label(out, METRIC_LABEL, &escaping.label(name), value);
    }
    for (name, value) in desc.labels.iter().zip(set.iter()) {
        push_label(out, METRIC_LABEL, &escaping.label(name), value);
    }
    out.len()
}

fn push_label(out: &mut Vec<u8>, field: u32, name: &str, value: &str) {
    // An empty value is the same as no label.
    if !value.is_empty() {
        push_message(out, field, |out| {
            push_text(out, LABEL_NAME, &[name]);
            push_text(out, LABEL_VALUE, &[value]);
        });
    }
}

fn push_summary(out: &mut Vec<u8>, summary: &SummarySnapshot) {
    push_uint(out, SUMMARY_COUNT, summary.count());
    push_double(out, SUMMARY_SUM, summary.sum());
    for (share, value) in summary.quantiles() {
        push_message(out, SUMMARY_QUANTILE, |out| {
            push_double(out, QUANTILE_SHARE, share);
            push_double(out, QUANTILE_VALUE, value);
        });
    }
}

fn push_histogram(
    out: &mut Vec<u8>,
    histogram: &HistogramSnapshot,
    spans: &mut Vec<(i32, u32)>,
    counts: &mut Vec<u64>,
) {
    push_uint(out, HISTOGRAM_COUNT, histogram.count());
    push_double(out, HISTOGRAM_SUM, histogram.sum());
    // Without the last one, which has no upper end: that is the count. But it is where the exemplar of the largest stands,
    // if there are others: alone it would make of this a classic histogram too.
    let last = histogram.buckets().next().map(|_| (f64::INFINITY, histogram.count()));
    let buckets = histogram.buckets().chain(last).zip(histogram.bucket_exemplars());
    for ((bound, count), exemplar) in buckets.filter(|((bound, _), exemplar)| bound.is_finite() || exemplar.is_some()) {
        push_message(out, HISTOGRAM_BUCKET, |out| {
            push_uint(out, BUCKET_COUNT, count);
            push_double(out, BUCKET_UPPER_BOUND, bound);
            if let Some(exemplar) = exemplar {
                push_exemplar(out, BUCKET_EXEMPLAR, &exemplar);
            }
        });
    }
    let native = histogram.native();
    push_sint(out, HISTOGRAM_SCHEMA, native.schema.into());
    // Above zero, it also says that this is a native histogram where there are no values yet.
    push_double(out, HISTOGRAM_ZERO_THRESHOLD, ZERO_THRESHOLD);
    push_uint(out, HISTOGRAM_ZERO_COUNT, native.zeros);
    split(native.buckets, GAP_MAX, spans, counts);
    for &(offset, length) in &*spans {
        push_message(out, HISTOGRAM_SPAN, |out| {
            push_sint(out, SPAN_OFFSET, offset.into());
            push_uint(out, SPAN_LENGTH, length.into());
        });
    }
    if !counts.is_empty() {
        let mut last = 0;
        push_sints(
            out,
            HISTOGRAM_DELTA,
            counts.iter().map(|&count| count.wrapping_sub(std::mem::replace(&mut last, count)).cast_signed()),
        );
    }
}

/// The exemplars of the native histogram: all there are, oldest first, as scrapers drop what is older than the last.
fn push_exemplars(out: &mut Vec<u8>, histogram: &HistogramSnapshot) {
    let mut exemplars: Vec<_> = histogram.exemplars().collect();
    exemplars.sort_by_key(|exemplar| exemplar.timestamp);
    exemplars.iter().for_each(|exemplar| push_exemplar(out, HISTOGRAM_EXEMPLAR, exemplar));
}
