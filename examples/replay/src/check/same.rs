//! Compares two snapshots of replays that are the same but for how was recorded.

use super::compare::Comparison;
use std::collections::BTreeMap;
use tach::{HistogramSnapshot, Snapshot, Value};

type Key<'a> = (String, Vec<(&'a str, &'a str)>);

/// Every total of `recorded` is that of `other`, and neither has a series that the other lacks. Not the gauges, which have
/// the value of whichever thread was last, nor what the engine tells of itself.
pub(super) fn same(comparison: &mut Comparison, recorded: &Snapshot, other: &Snapshot) {
    let (recorded, mut others) = (totals(recorded), totals(other));
    for (key, value) in recorded {
        let what = || format!("{}{:?}", key.0, key.1);
        match others.remove(&key) {
            Some(other) => comparison.that(is_same(value, other), || {
                format!("{}: {} here, {} in the other replay", what(), describe(value), describe(other))
            }),
            None => comparison.that(false, || format!("{}: the other replay has no such series", what())),
        }
    }
    for (name, labels) in others.into_keys() {
        comparison.that(false, || format!("{name}{labels:?}: only the other replay has this series"));
    }
}

fn totals(snapshot: &Snapshot) -> BTreeMap<Key<'_>, Value<'_>> {
    let series = snapshot.series().filter(|series| !series.name().starts_with("tach"));
    let totals = series.filter(|series| !matches!(series.value(), Value::Gauge(_)));
    totals.map(|series| ((series.exposed_name(), series.labels().collect()), series.value())).collect()
}

fn is_same(here: Value<'_>, there: Value<'_>) -> bool {
    match (here, there) {
        (Value::Counter(here), Value::Counter(there)) => here == there,
        (Value::UpDownCounter(here), Value::UpDownCounter(there)) => here == there,
        // Added up in another order: the last bits may differ.
        (Value::FloatCounter(here), Value::FloatCounter(there)) => (here - there).abs() <= 1e-9 * there.abs(),
        (Value::Histogram(here), Value::Histogram(there)) => {
            // By bits: the ends of no values are not equal to themselves.
            let ends = |h: &HistogramSnapshot| (h.count(), h.clamped(), [h.sum(), h.min(), h.max()].map(f64::to_bits));
            ends(here) == ends(there) && here.recorded().eq(there.recorded()) && here.buckets().eq(there.buckets())
        }
        _ => false,
    }
}

fn describe(value: Value<'_>) -> String {
    match value {
        Value::Histogram(h) => format!("{} values, sum {}, from {} to {}", h.count(), h.sum(), h.min(), h.max()),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tach::Registry;

    fn problems(change: impl FnOnce(&Registry)) -> Vec<String> {
        let registries = [Registry::new(), Registry::new()];
        for registry in &registries {
            registry.counter("tokens").build().unwrap().add(5);
            registry.histogram("empty").build().unwrap();
            let itl = registry.histogram("itl").build().unwrap();
            [3, 5, 5, 7].into_iter().for_each(|value| itl.record(value));
        }
        change(&registries[1]);
        let mut comparison = Comparison::default();
        same(&mut comparison, &registries[0].snapshot(), &registries[1].snapshot());
        comparison.problems
    }

    #[test]
    fn a_total_that_differs_is_found_and_a_series_on_one_side_too() {
        assert_eq!(problems(|_| ()), Vec::<String>::new());
        assert_eq!(
            problems(|other| other.counter("tokens").build().unwrap().inc()),
            ["tokens_total[]: Counter(5) here, Counter(6) in the other replay"]
        );
        let found = problems(|other| _ = other.counter("more").build().unwrap());
        assert_eq!(found, ["more_total[]: only the other replay has this series"]);
    }

    #[test]
    fn histograms_of_one_sum_and_other_buckets_are_not_the_same() {
        let registries = [[3, 5, 5, 7], [3, 4, 6, 7]].map(|values| {
            let registry = Registry::new();
            let itl = registry.histogram("itl").build().unwrap();
            values.into_iter().for_each(|value| itl.record(value));
            registry
        });
        let mut comparison = Comparison::default();
        same(&mut comparison, &registries[0].snapshot(), &registries[1].snapshot());
        assert_eq!(comparison.problems.len(), 1, "{:?}", comparison.problems);
    }
}
