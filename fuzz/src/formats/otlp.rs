//! Target `otlp`: requests out of any registry, one after the other, of each temporality and with each sort of
//! histogram, read back as the snapshots.

use super::filled::{Filled, lengthened};
use super::shown::{Family, check_all, check_native, check_summary, families, is_it, nanos, same};
use crate::otlp_reader::{self, Metric, Point};
use arbitrary::{Arbitrary, Unstructured};
use tach::otlp::{Encoder, Histograms, Resource, Temporality};
use tach::{Escaping, HistogramSnapshot, Snapshot, Value};

const TEMPORALITIES: [Temporality; 3] = [Temporality::Cumulative, Temporality::Delta, Temporality::LowMemory];

/// Encodes the registry that `data` stands for.
///
/// # Panics
///
/// An expectation failed.
pub fn run(data: &[u8]) {
    let data = lengthened(data);
    let mut u = Unstructured::new(&data);
    let Ok((index, explicit, taken, filled)) = <(usize, bool, bool, Filled)>::arbitrary(&mut u) else { return };
    let temporality = TEMPORALITIES[index % TEMPORALITIES.len()];
    let histograms = if explicit { Histograms::Explicit } else { Histograms::Exponential };
    let mut encoder = Encoder::new(Resource::new()).temporality(temporality).histograms(histograms);
    let mut last: Option<&Snapshot> = None;
    for snapshot in &filled.snapshots {
        let since = last.map_or_else(|| snapshot.clone(), |last| snapshot.since(last));
        check(&filled, &encoder.encode(snapshot), snapshot, &since, temporality);
        if taken {
            encoder.accepted();
            last = Some(snapshot);
        }
    }
}

/// `since`: what was recorded since the last request that was taken.
fn check(filled: &Filled, request: &[u8], snapshot: &Snapshot, since: &Snapshot, temporality: Temporality) {
    let request = otlp_reader::read(request).expect("what the reader knows");
    let (whole, parts) = (families(snapshot), families(since));
    let mut found = request.metrics.iter();
    for family in whole {
        let is_delta = match temporality {
            _ if ["gauge", "summary"].contains(&family.kind) => false,
            Temporality::Cumulative => false,
            Temporality::Delta => true,
            Temporality::LowMemory => !filled.observed.contains(family.name),
        };
        if !is_delta {
            check_metric(filled, found.next().expect("a metric"), &family, false, snapshot);
        } else if let Some(part) = parts.iter().find(|part| part.exposed == family.exposed) {
            // The engine's own are observed in part.
            let next = found.next().expect("a metric");
            let is_delta = next.data().temporality == 1;
            assert!(is_delta || family.exposed.starts_with("tach_") && temporality == Temporality::LowMemory);
            check_metric(filled, next, if is_delta { part } else { &family }, is_delta, snapshot);
        }
    }
    assert!(found.next().is_none());
}

fn check_metric(filled: &Filled, found: &Metric, family: &Family<'_>, is_delta: bool, snapshot: &Snapshot) {
    let base = if family.kind == "counter" { family.name.strip_suffix("_total") } else { None }.unwrap_or(family.name);
    let namespace = filled.namespace.as_ref().filter(|_| !family.exposed.starts_with("tach_"));
    assert_eq!(found.name, namespace.map_or(base.to_owned(), |namespace| format!("{namespace}.{base}")));
    assert_eq!(found.description, family.help);
    let known = [("", ""), ("seconds", "s"), ("milliseconds", "ms"), ("bytes", "By"), ("ratio", "1"), ("joules", "J")];
    match known.iter().find(|(unit, _)| *unit == family.unit) {
        Some((_, code)) => assert_eq!(found.unit, *code),
        None => assert!(found.unit.starts_with('{') && found.unit.ends_with('}'), "{}", found.unit),
    }
    let data = found.data();
    assert_eq!(data.monotonic, family.kind == "counter");
    assert_eq!(data.points.len(), family.series.len());
    for (point, series) in data.points.iter().zip(&family.series) {
        assert_eq!(point.attributes, series.labels(Escaping::AllowUtf8));
        assert_eq!(point.time, nanos(snapshot.time()));
        // A summary's totals are cumulative, and there is nothing to say so.
        let expected = if ["gauge", "summary"].contains(&data.kind) { 0 } else { if is_delta { 1 } else { 2 } };
        assert_eq!(data.temporality, expected);
        let earliest = if data.kind == "gauge" { 0..=0 } else { nanos(snapshot.began())..=point.time };
        assert!(earliest.contains(&point.start), "{point:?}");
        check_value(point, data.kind, series.value);
        if !matches!(series.value, Value::Histogram(_)) {
            let exemplar = series.exemplar.as_slice();
            assert_eq!(point.exemplars.len(), exemplar.len());
            assert!(point.exemplars.iter().zip(exemplar).all(|(found, exemplar)| is_it(found, exemplar)));
        }
    }
}

fn check_value(point: &Point, kind: &str, value: Value<'_>) {
    let (int, double) = match value {
        Value::Counter(total) => match i64::try_from(total) {
            Ok(total) => (Some(total), None),
            Err(_) => (None, Some(total as f64)),
        },
        Value::UpDownCounter(value) => (Some(value), None),
        Value::FloatCounter(value) | Value::Gauge(value) => (None, Some(value)),
        Value::Histogram(histogram) => return check_histogram(point, kind, histogram),
        Value::Summary(summary) => {
            assert_eq!(kind, "summary");
            return check_summary(summary, point.count, point.sum.expect("a sum"), &point.quantiles);
        }
        value => panic!("{value:?}"),
    };
    assert_eq!(kind, if matches!(value, Value::Gauge(_)) { "gauge" } else { "sum" });
    assert_eq!(point.int, int);
    assert!(point.double.is_some() == double.is_some() && point.double.zip(double).is_none_or(|(a, b)| same(a, b)));
}

fn check_histogram(point: &Point, kind: &str, histogram: &HistogramSnapshot) {
    let count = histogram.count();
    let some = |value: f64| Some(value).filter(|_| count > 0);
    let expected = (count, Some(some(histogram.sum()).unwrap_or(0.0)), some(histogram.min()), some(histogram.max()));
    assert_eq!((point.count, point.sum, point.min, point.max), expected);
    check_all(histogram, &point.exemplars);
    if kind == "histogram" {
        assert!(histogram.buckets().map(|(bound, _)| bound).eq(point.bounds.iter().copied()));
        let up_to = |sum: &mut u64, count: &u64| {
            *sum += count;
            Some(*sum)
        };
        let cumulative = point.counts.iter().scan(0, up_to);
        assert!(histogram.buckets().map(|(_, count)| count).chain([count]).eq(cumulative), "{point:?}");
    } else {
        assert_eq!((kind, point.zero_threshold), ("exponential", 2_f64.powi(-128)));
        // Neither end is padded, and bucket i ends at g^(i + 1) here.
        assert!([point.counts.first(), point.counts.last()].into_iter().flatten().all(|count| *count > 0));
        check_native(histogram, point.scale, point.zeros, (point.offset + 1..).zip(point.counts.iter().copied()));
    }
}
