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
use super::families::Families;
use super::number::is_total;
use super::spans::split;
use super::wire::{
    push_about, push_bytes, push_double, push_message, push_message_about, push_pair, push_sint, push_sints, push_text,
    push_uint,
};
use crate::collect::{Exemplar, FamilySnapshot, HistogramSnapshot, Snapshot, SummarySnapshot, Values, ZERO_THRESHOLD};
use crate::describe::{Descriptor, Escaping, HistogramBuckets, LabelValues, Pieces};
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
    append(&Families::of(snapshot), escaping, HistogramBuckets::Both, &mut out);
    out
}

/// Appends what [`render`] gives to `out`, whose capacity is reused.
pub fn render_into(snapshot: &Snapshot, out: &mut Vec<u8>) {
    append(&Families::of(snapshot), Escaping::Underscores, HistogramBuckets::Both, out);
}

/// Appends what [`render_with`] gives to `out`, whose capacity is reused.
pub(super) fn append(families: &Families<'_>, escaping: Escaping, shown: HistogramBuckets, out: &mut Vec<u8>) {
    let mut scratch = Scratch { shown, ..Scratch::default() };
    for &family in &families.list {
        // About: what a series has in which nothing was recorded.
        let expected = labels(family, family.desc.escaping(escaping)).total() + 32 * family.labels.sets.len();
        push_about(out, expected, |out| push_family(out, family, escaping, families.earliest, &mut scratch));
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
    /// Which buckets of a histogram.
    shown: HistogramBuckets,
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
    let Scratch { shown, message, spans, counts } = scratch;
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
            let starts = Starts::of(family, HISTOGRAM_START, began);
            // Most are about as long as the one before.
            let mut expected = 0;
            for (index, (labels, histogram)) in labels.iter().zip(values).enumerate() {
                let before = out.len();
                push_message_about(out, FAMILY_METRIC, expected, |out| {
                    out.extend_from_slice(labels);
                    push_message_about(out, METRIC_HISTOGRAM, expected, |out| {
                        push_uint(out, HISTOGRAM_COUNT, histogram.count());
                        push_double(out, HISTOGRAM_SUM, histogram.sum());
                        push_classic(out, histogram, *shown);
                        if shown.has_native() {
                            push_native(out, histogram, spans, counts);
                        }
                        starts.push(out, index);
                        if shown.has_native() {
                            push_exemplars(out, histogram);
                        }
                    });
                });
                expected = out.len() - before;
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
fn labels(family: &FamilySnapshot, escaping: Escaping) -> &Pieces {
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
    labels: &Pieces,
    began: SystemTime,
    message: &mut Vec<u8>,
    (kind, field): (u64, u32),
    values: impl Iterator<Item = Option<f64>>,
) {
    push_uint(out, FAMILY_TYPE, kind);
    let starts = Starts::of(family, COUNTER_START, began);
    for (index, (labels, value)) in labels.iter().zip(values).enumerate() {
        let Some(value) = value else { continue };
        message.clear();
        push_double(message, VALUE, value);
        if let Some(exemplar) = family.exemplar(index) {
            push_exemplar(message, COUNTER_EXEMPLAR, &exemplar);
        }
        starts.push(message, index);
        push_message(out, FAMILY_METRIC, |out| {
            out.extend_from_slice(labels);
            push_bytes(out, field, message);
        });
    }
}

/// When the totals of a family began.
enum Starts<'a> {
    /// As in every snapshot of a registry: when the series were made.
    Prepared(&'a Pieces),
    /// In a difference of snapshots, some with the earlier one.
    Others { family: &'a FamilySnapshot, field: u32, began: SystemTime },
    /// Of a gauge, or of what a callback gives.
    None,
}

impl<'a> Starts<'a> {
    fn of(family: &'a FamilySnapshot, field: u32, began: SystemTime) -> Self {
        // Of one kind either all series have a beginning or none.
        if family.labels.sets.is_empty() || family.began(0, began).is_none() {
            return Self::None;
        }
        if began != UNIX_EPOCH {
            return Self::Others { family, field, began };
        }
        Self::Prepared(family.labels.starts.get(field, || {
            let mut starts = Pieces::default();
            for index in 0..family.labels.sets.len() {
                starts.push(|out| push_start(out, field, family.began(index, began)));
            }
            starts
        }))
    }

    fn push(&self, out: &mut Vec<u8>, index: usize) {
        match *self {
            Self::Prepared(starts) => out.extend_from_slice(starts.get(index)),
            Self::Others { family, field, began } => push_start(out, field, family.began(index, began)),
            Self::None => {}
        }
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

fn push_labels(out: &mut Vec<u8>, desc: &Descriptor, set: &LabelValues, escaping: Escaping) {
    for (name, value) in &*desc.const_labels {
        push_label(out, METRIC_LABEL, &escaping.label(name), value);
    }
    for (name, value) in desc.labels.iter().zip(set.iter()) {
        push_label(out, METRIC_LABEL, &escaping.label(name), value);
    }
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

fn push_classic(out: &mut Vec<u8>, histogram: &HistogramSnapshot, shown: HistogramBuckets) {
    let declared = histogram.buckets().next().is_some();
    if !shown.has_classic(declared) {
        return;
    }
    if declared && histogram.exemplars().next().is_none() {
        // Without the last one, which has no upper end: that is the count.
        for (bound, count) in histogram.buckets() {
            push_pair(out, HISTOGRAM_BUCKET, (BUCKET_COUNT, count), (BUCKET_UPPER_BOUND, bound));
        }
        return;
    }
    // With the last one where the exemplar of the largest stands there, or where there are no others.
    let buckets = histogram.buckets().chain([(f64::INFINITY, histogram.count())]).zip(histogram.bucket_exemplars());
    let is_shown = |bound: f64, has_exemplar| bound.is_finite() || has_exemplar || !declared;
    for ((bound, count), exemplar) in buckets.filter(|((bound, _), exemplar)| is_shown(*bound, exemplar.is_some())) {
        push_message(out, HISTOGRAM_BUCKET, |out| {
            push_uint(out, BUCKET_COUNT, count);
            push_double(out, BUCKET_UPPER_BOUND, bound);
            if let Some(exemplar) = exemplar {
                push_exemplar(out, BUCKET_EXEMPLAR, &exemplar);
            }
        });
    }
}

fn push_native(out: &mut Vec<u8>, histogram: &HistogramSnapshot, spans: &mut Vec<(i32, u32)>, counts: &mut Vec<u64>) {
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
