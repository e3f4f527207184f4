//! Target `protobuf`: what is encoded of any registry as Prometheus' protobuf, in each escaping, reads back as the
//! snapshot, classic and native buckets alike.

use super::filled::{Filled, lengthened};
use super::shown::{Page, answer, check_all, check_buckets, check_native, check_summary, is_it, same};
use crate::names::ESCAPINGS;
use crate::pb_reader::{self, Exemplar, Histogram, Metric};
use arbitrary::{Arbitrary, Unstructured};
use tach::{Escaping, HistogramBuckets, HistogramSnapshot, Value};

/// Encodes the registry that `data` stands for.
///
/// # Panics
///
/// An expectation failed.
pub fn run(data: &[u8]) {
    let data = lengthened(data);
    let mut u = Unstructured::new(&data);
    let Ok((index, filled)) = <(usize, Filled)>::arbitrary(&mut u) else { return };
    for page in filled.pages() {
        check(&page, ESCAPINGS[index % ESCAPINGS.len()]);
    }
}

/// Holds the body against the page.
///
/// # Panics
///
/// They differ, or the body is none.
pub(super) fn check(page: &Page<'_>, escaping: Escaping) {
    const ACCEPT: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    let body = answer(page, ACCEPT, escaping);
    if page.buckets == HistogramBuckets::Both {
        assert_eq!(tach::protobuf::render_with(page.snapshot, escaping), body);
    }
    let read = pb_reader::read(&body).expect("what the reader knows");
    let expected = page.families();
    assert_eq!(read.len(), expected.len());
    for (found, family) in read.iter().zip(&expected) {
        let name = family.written(escaping);
        let stem = if family.kind == "counter" { name.strip_suffix("_total").expect("a counter") } else { &name };
        let kind = match family.kind {
            "counter" => 0,
            "gauge" | "info" => 1,
            "summary" => 2,
            _ => 4,
        };
        let metadata = (&found.name, found.kind, &*found.unit, &*found.help);
        assert_eq!(metadata, (&name, Some(kind), family.unit_of(stem), family.help));
        assert_eq!(found.metrics.len(), family.series.len());
        for (found, series) in found.metrics.iter().zip(&family.series) {
            assert_eq!(found.labels, series.labels(escaping));
            assert_eq!(found.start.is_some(), family.has_start(page.observed).unwrap_or(found.start.is_some()));
            check_value(page, found, series.value);
            match (&found.exemplar, &series.exemplar) {
                (Some(found), Some(exemplar)) => assert!(is_it(found, exemplar), "{found:?} is {exemplar:?}"),
                (found, exemplar) => assert!(found.is_none() && exemplar.is_none(), "{found:?} is {exemplar:?}"),
            }
        }
    }
}

fn check_value(page: &Page<'_>, found: &Metric, value: Value<'_>) {
    let (counter, gauge, histogram, summary) = match value {
        Value::Counter(total) => (Some(total as f64), None, None, None),
        Value::FloatCounter(total) => (Some(total), None, None, None),
        Value::UpDownCounter(value) => (None, Some(value as f64), None, None),
        Value::Gauge(value) => (None, Some(value), None, None),
        Value::Histogram(histogram) => (None, None, Some(histogram), None),
        Value::Summary(summary) => (None, None, None, Some(summary)),
        value => panic!("{value:?}"),
    };
    for (found, expected) in [(found.counter, counter), (found.gauge, gauge)] {
        assert!(found.is_some() == expected.is_some() && found.zip(expected).is_none_or(|(a, b)| same(a, b)));
    }
    match (&found.histogram, histogram) {
        (Some(found), Some(histogram)) => check_histogram(page, found, histogram),
        (found, histogram) => assert!(found.is_none() && histogram.is_none()),
    }
    match (&found.summary, summary) {
        (Some(found), Some(summary)) => check_summary(summary, found.count, found.sum, &found.quantiles),
        (found, summary) => assert!(found.is_none() && summary.is_none()),
    }
}

fn check_histogram(page: &Page<'_>, found: &Histogram, histogram: &HistogramSnapshot) {
    assert_eq!((found.count, found.sum), (histogram.count(), histogram.sum()));
    if page.has_native() {
        assert_eq!(found.zero_threshold, 2_f64.powi(-128));
        check_native(histogram, found.schema, found.zero_count, buckets(found));
        check_all(histogram, &found.exemplars);
        assert!(found.exemplars.is_sorted_by_key(|exemplar| exemplar.time));
    } else {
        assert_eq!((found.schema, found.zero_threshold, found.zero_count), (None, 0.0, 0));
        assert!(found.spans.is_empty() && found.deltas.is_empty() && found.exemplars.is_empty());
    }
    let Some(mut classic) = page.classic(histogram) else {
        // One of infinity would make of it a classic histogram too.
        return assert!(found.buckets.is_empty() && found.bucket_exemplars.is_empty(), "{found:?}");
    };
    let of = |bound: f64| found.bucket_exemplars.iter().find(|(of, _)| *of == bound).map(|(_, exemplar)| exemplar);
    let bounds: Vec<f64> = classic.iter().map(|(bound, _)| *bound).chain([f64::INFINITY]).collect();
    if classic.is_empty() && of(f64::INFINITY).is_none() {
        classic.push((f64::INFINITY, histogram.count()));
    }
    assert_eq!(found.buckets, classic);
    let exemplars: Vec<(f64, Option<&Exemplar>)> = bounds.iter().map(|&bound| (bound, of(bound))).collect();
    check_buckets(histogram, &exemplars);
}

/// The native buckets by index.
fn buckets(found: &Histogram) -> Vec<(i64, u64)> {
    let (mut next, mut count, mut deltas) = (0, 0_i64, found.deltas.iter());
    let mut buckets = Vec::new();
    for (nth, &(offset, length)) in found.spans.iter().enumerate() {
        assert!(length > 0 && (nth == 0 || offset > 0), "{found:?}");
        next += offset;
        for _ in 0..length {
            count = count.wrapping_add(*deltas.next().expect("a delta for each bucket"));
            buckets.push((next, count.cast_unsigned()));
            next += 1;
        }
    }
    assert_eq!(deltas.next(), None, "{found:?}");
    buckets
}
