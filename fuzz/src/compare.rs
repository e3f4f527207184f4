//! What a page reads as, and what a snapshot says, against the model.

use crate::exposition::{Family, Labels, Sample, Type, all_series};
use crate::model::{Metric, Model, Value, in_powers};
use crate::names::Names;
use crate::number::read;
use crate::scenario::{Description, Kind, Scenario};
use tach::Snapshot;

/// Compares a page whose names are written as `names` says with the model.
///
/// # Panics
///
/// They differ.
pub fn check(scenario: &Scenario, model: &Model, families: &[Family], names: Names) {
    let mut expected: Vec<&Metric> =
        model.metrics.iter().filter(|metric| metric.on && !metric.series.is_empty()).collect();
    expected.sort_by(|a, b| a.base.cmp(&b.base));
    let (own, users): (Vec<&Family>, Vec<&Family>) =
        families.iter().partition(|family| family.name.starts_with("tach_"));
    let found: Vec<_> = users.iter().map(|family| family.name.clone()).collect();
    let shown = |metric: &&Metric| metric.description.shown(&metric.base, names);
    assert_eq!(found, expected.iter().map(shown).collect::<Vec<_>>());
    for (metric, family) in expected.iter().zip(&users) {
        check_family(scenario, metric, family, names);
    }
    let value = |name: &str| {
        let family = own.iter().find(|family| family.name == names.metric(name)).unwrap_or_else(|| panic!("no {name}"));
        number(&family.samples[0])
    };
    assert_eq!(value("tach_overflow_series_total"), model.overflowed as f64);
    let series: usize = expected.iter().map(|metric| metric.series.len()).sum();
    assert_eq!(value("tach_series"), series as f64);
}

/// The labels of a series with these values of its own.
pub(crate) fn labels(scenario: &Scenario, description: &Description, values: &[String], names: Names) -> Labels {
    let own = description.labels.iter().flatten().zip(values);
    let constant = scenario.settings.const_labels.iter().map(|(name, value)| (name, value));
    let all = constant.chain(own).filter(|(_, value)| !value.is_empty());
    all.map(|(name, value)| (names.label(name), value.clone())).collect()
}

fn check_family(scenario: &Scenario, metric: &Metric, family: &Family, names: Names) {
    let description = &metric.description;
    let kind = match description.kind {
        Kind::Counter | Kind::FloatCounter => Type::Counter,
        Kind::UpDownCounter | Kind::Gauge => Type::Gauge,
        Kind::Histogram => Type::Histogram,
    };
    assert_eq!(family.kind, kind);
    assert_eq!(family.help.as_deref().unwrap_or(""), description.help);
    let labels = |values: &[String]| labels(scenario, description, values, names);
    if kind == Type::Histogram {
        let all = all_series(family).expect("parsed before");
        assert_eq!(all.len(), metric.series.len());
        for (series, (values, value)) in all.iter().zip(&metric.series) {
            assert_eq!(series.labels, labels(values));
            let Value::Histogram(recorded) = value else { unreachable!("a histogram's values") };
            let counted = Counted::of(description, recorded);
            assert_eq!(series.count, counted.count);
            assert_eq!(series.buckets.iter().map(|bucket| bucket.0).collect::<Vec<_>>(), description.bounds());
            if let Some(exact) = counted.exact {
                assert_eq!(series.buckets.iter().map(|bucket| bucket.1).collect::<Vec<_>>(), exact.buckets);
                assert_eq!(read(&series.sum), Ok(exact.sum));
            }
        }
        return;
    }
    assert_eq!(family.samples.len(), metric.series.len());
    for (sample, (values, value)) in family.samples.iter().zip(&metric.series) {
        assert_eq!(sample.labels, labels(values));
        match value {
            Value::Counter(total) => assert_eq!(sample.value, total.to_string()),
            Value::UpDown(total) => assert_eq!(sample.value, total.to_string()),
            Value::Float(value) | Value::Gauge(value) => assert_eq!(bits(number(sample)), bits(*value)),
            Value::Histogram(_) => unreachable!("handled above"),
        }
    }
}

/// A float's bits, with one NaN for all.
fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

fn number(sample: &Sample) -> f64 {
    read(&sample.value).expect("parsed before")
}

/// What a histogram should show.
pub(crate) struct Counted {
    pub(crate) count: u64,
    pub(crate) exact: Option<Exact>,
}

/// Known where a tick is a power of ten.
pub(crate) struct Exact {
    buckets: Vec<u64>,
    pub(crate) sum: f64,
    clamped: u64,
}

impl Counted {
    pub(crate) fn of(description: &Description, recorded: &[(u64, u64)]) -> Self {
        let count = recorded.iter().map(|(_, times)| times).sum();
        let exact = description.tick_power().map(|power| {
            let limit = description.limit(power);
            let is_above = |ticks: u64| u128::from(ticks) > limit;
            let clamp = |ticks: u64| if is_above(ticks) { description.clamped(power) as u64 } else { ticks };
            let below = |bound: f64| {
                let bound = in_powers(bound, power);
                recorded.iter().filter(|(ticks, _)| u128::from(clamp(*ticks)) <= bound).map(|(_, times)| times).sum()
            };
            // One thread's sum of ticks wraps.
            let add = |sum: u64, (ticks, times): &(u64, u64)| sum.wrapping_add(clamp(*ticks).wrapping_mul(*times));
            let ticks = recorded.iter().fold(0, add) as f64;
            let scale = 10_f64.powi(power.abs());
            Exact {
                buckets: description.bounds().iter().map(|&bound| below(bound)).collect(),
                sum: if power < 0 { ticks / scale } else { ticks * scale },
                clamped: recorded.iter().filter(|(ticks, _)| is_above(*ticks)).map(|(_, times)| times).sum(),
            }
        });
        Self { count, exact }
    }
}

/// Compares what a snapshot says when asked with the model.
///
/// # Panics
///
/// They differ.
pub fn check_queries(model: &Model, snapshot: &Snapshot) {
    model.metrics.iter().for_each(|metric| check_metric(metric, snapshot));
}

fn check_metric(metric: &Metric, snapshot: &Snapshot) {
    let description = &metric.description;
    let names = description.labels.as_deref().unwrap_or(&[]);
    for (values, value) in &metric.series {
        let labels: Vec<(&str, &str)> =
            names.iter().zip(values).rev().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let name = description.name.as_str();
        match value {
            Value::Counter(total) => assert_eq!(snapshot.counter(name, &labels), metric.on.then_some(*total)),
            Value::Float(total) => assert_eq!(snapshot.float_counter(name, &labels), metric.on.then_some(*total)),
            Value::UpDown(total) => assert_eq!(snapshot.gauge(name, &labels), metric.on.then_some(*total as f64)),
            Value::Gauge(value) => {
                assert_eq!(snapshot.gauge(name, &labels).map(bits), metric.on.then_some(bits(*value)));
            }
            Value::Histogram(recorded) => {
                let histogram = snapshot.histogram(name, &labels);
                assert_eq!(histogram.is_some(), metric.on);
                let Some(histogram) = histogram else { continue };
                let counted = Counted::of(description, recorded);
                assert_eq!((histogram.count(), histogram.is_exact()), (counted.count, true));
                if let Some(exact) = counted.exact {
                    assert_eq!((histogram.sum(), histogram.clamped()), (exact.sum, exact.clamped));
                    for (bound, count) in description.bounds().iter().zip(exact.buckets) {
                        assert_eq!(histogram.bucket_count_le(*bound), count, "le {bound}");
                    }
                }
            }
        }
    }
}
