//! What a difference of snapshots has, against the two.

use super::filled::Filled;
use super::shown::same;
use std::collections::BTreeMap;
use tach::{HistogramSnapshot, Series, Snapshot, Value};

/// Holds what the last snapshot has beyond the one before against both.
///
/// # Panics
///
/// They differ.
pub(super) fn check(filled: &Filled) {
    let [.., earlier, now] = &filled.snapshots;
    let since = now.since(earlier);
    assert_eq!((since.began(), since.time(), since.taken()), (earlier.time(), now.time(), now.taken()));
    assert_eq!(since.elapsed(), Some(now.taken() - earlier.taken()));
    let mut found = since.series();
    for series in now.series() {
        let difference = found.next().expect("a series of the difference");
        assert_eq!((difference.name(), labels(&difference)), (series.name(), labels(&series)));
        // One that was removed has started anew, if it is there, and so has what its windows are exposed as.
        let name = series.name();
        let is_removed =
            [name, name.strip_suffix("_window").unwrap_or(name)].iter().any(|of| filled.removed.contains(*of));
        let is_new = is_removed && is_as_it_is(&difference, &series);
        assert!(is_new || is_between(earlier, &difference, &series), "{difference:?} is {series:?}");
    }
    assert!(found.next().is_none());
}

fn labels<'a>(series: &Series<'a>) -> Vec<(&'a str, &'a str)> {
    series.labels().collect()
}

/// Whether it is as if there had been none before.
fn is_as_it_is(difference: &Series<'_>, now: &Series<'_>) -> bool {
    match (difference.value(), now.value()) {
        (Value::Counter(difference), Value::Counter(now)) => difference == now,
        (Value::FloatCounter(difference), Value::FloatCounter(now)) => same(difference, now),
        (Value::UpDownCounter(difference), Value::UpDownCounter(now)) => difference == now,
        (Value::Gauge(difference), Value::Gauge(now)) => same(difference, now),
        (Value::Histogram(difference), Value::Histogram(now)) => difference.recorded().eq(now.recorded()),
        (Value::Summary(difference), Value::Summary(now)) => {
            (difference.count(), difference.sum()) == (now.count(), now.sum())
        }
        _ => false,
    }
}

/// Whether it is what came since: of gauges what is there, of totals what was not.
fn is_between(earlier: &Snapshot, difference: &Series<'_>, now: &Series<'_>) -> bool {
    let (name, labels) = (now.name(), labels(now));
    match (difference.value(), now.value()) {
        // What wraps begins anew.
        (Value::Counter(difference), Value::Counter(now)) => {
            let before = earlier.counter(name, &labels).unwrap_or(0);
            difference == now.checked_sub(before).unwrap_or(now)
        }
        (Value::FloatCounter(difference), Value::FloatCounter(now)) => {
            let before = earlier.float_counter(name, &labels).unwrap_or(0.0);
            let is_total = |total: f64| (0.0..=f64::MAX).contains(&total);
            if is_total(now) && is_total(before) {
                difference == if now < before { now } else { now - before }
            } else {
                // A total is what one may be, and that this is not.
                !is_total(difference)
            }
        }
        (Value::Histogram(difference), Value::Histogram(now)) => {
            let Some(before) = earlier.histogram(name, &labels) else {
                return difference.recorded().eq(now.recorded());
            };
            check_exemplars(before, difference, now);
            is_histogram_between(before, difference, now)
        }
        (Value::Summary(difference), Value::Summary(now)) => {
            let before = earlier.summary(name, &labels);
            let (count, sum) = before.map_or((0, 0.0), |before| (before.count(), before.sum()));
            let quantiles = difference.quantiles().zip(now.quantiles());
            difference.count() == now.count() - count
                && is_near(difference.sum(), (now.sum() - sum).max(0.0), now.sum())
                && difference.quantiles().len() == now.quantiles().len()
                && quantiles.into_iter().all(|(left, right)| left.0 == right.0 && same(left.1, right.1))
        }
        _ => is_as_it_is(difference, now),
    }
}

fn is_histogram_between(before: &HistogramSnapshot, difference: &HistogramSnapshot, now: &HistogramSnapshot) -> bool {
    let mut cells: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    let key = |low: f64, high: f64| (low.to_bits(), high.to_bits());
    now.recorded().for_each(|(low, high, count)| *cells.entry(key(low, high)).or_default() += count);
    before.recorded().for_each(|(low, high, count)| {
        *cells.get_mut(&key(low, high)).expect("a cell that keeps its values") -= count;
    });
    let mut found: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    difference.recorded().for_each(|(low, high, count)| *found.entry(key(low, high)).or_default() += count);
    cells.retain(|_, count| *count > 0);
    let bounds = now.buckets().zip(before.buckets()).map(|((bound, now), (_, before))| (bound, now - before));
    found == cells
        && difference.count() == now.count() - before.count()
        && difference.clamped() == now.clamped() - before.clamped()
        && difference.buckets().eq(bounds)
        && is_near(difference.sum(), (now.sum() - before.sum()).max(0.0), now.sum())
}

/// Holds that an exemplar of the difference is one that came since.
fn check_exemplars(before: &HistogramSnapshot, difference: &HistogramSnapshot, now: &HistogramSnapshot) {
    for exemplar in difference.exemplars() {
        let has = |of: &HistogramSnapshot| of.exemplars().any(|other| other == exemplar);
        assert!(has(now) && !has(before), "{exemplar:?} did not come since");
    }
}

/// Whether two floats are one but for roundings of a sum as large as `scale`; any, where that is shown as the largest
/// float, as sums beyond all floats are.
fn is_near(left: f64, right: f64, scale: f64) -> bool {
    scale == f64::MAX || (left - right).abs() <= scale * 1e-12
}
