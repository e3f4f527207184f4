//! Exemplars in every format that has them, and in the one that has not: each of what was recorded, each in its bucket.

use crate::pb_reader::{self, Exemplar};
use crate::{om_reader, om2_reader};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use tach::{Registry, SpanContext, openmetrics, openmetrics_2, protobuf, text};

/// A span whose ids follow from what was recorded in it.
fn span(value: u64) -> SpanContext {
    SpanContext::new((u128::from(value) + 1).to_be_bytes(), (!value).to_be_bytes()).unwrap()
}

/// What was recorded, in ticks, by the ids of an exemplar; its value has to be that.
fn recorded(exemplar: &Exemplar, tick: f64) -> u64 {
    let ids = |name: &str| &*exemplar.labels[name];
    let value = (u128::from_str_radix(ids("trace_id"), 16).unwrap() - 1) as u64;
    assert_eq!(ids("trace_id"), format!("{:032x}", u128::from(value) + 1));
    assert_eq!((ids("span_id"), exemplar.labels.len()), (&*format!("{:016x}", !value), 2));
    let exposed = value as f64 * tick;
    assert!((exemplar.value - exposed).abs() <= exposed * 1e-15, "{exemplar:?} of {value}");
    assert!(exemplar.time > 1_600_000_000_000_000_000, "{exemplar:?}");
    value
}

/// Of each bucket in which there is something, an exemplar that is one of its values: the first with a bound that a
/// value does not exceed.
fn check(found: &BTreeMap<u64, u64>, bounds: &BTreeSet<u64>, values: &[u64]) {
    let bucket = |value: u64| bounds.range(value..).next().copied().unwrap_or(u64::MAX);
    let filled: BTreeSet<u64> = values.iter().map(|value| bucket(*value)).collect();
    assert_eq!(found.keys().copied().collect::<BTreeSet<_>>(), filled);
    for (end, value) in found {
        assert!(values.contains(value) && bucket(*value) == *end, "{value} in the bucket up to {end}");
    }
}

/// The bound, in ticks, that is exposed as this.
fn ticks(bound: f64, tick: f64) -> u64 {
    if bound.is_infinite() { u64::MAX } else { (bound / tick).round() as u64 }
}

#[test]
fn those_of_native_histograms_are_in_the_order_of_their_times() {
    let registry = Registry::new();
    let h = registry.histogram("h").exemplars().build().unwrap();
    // The largest first, so that neither values nor slots are in this order.
    let values = [1_000_000, 1000, 1];
    for value in values {
        h.record_with_exemplar(value, &span(value));
        // Longer than the clock they are taken from takes for a step.
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let families = pb_reader::read(&protobuf::render(&registry.snapshot())).unwrap();
    let family = families.iter().find(|family| family.name == "h").unwrap();
    let exemplars = &family.metrics[0].histogram.as_ref().unwrap().exemplars;
    assert!(exemplars.is_sorted_by(|before, after| before.time < after.time), "{exemplars:?}");
    assert_eq!(exemplars.iter().map(|found| recorded(found, 1.0)).collect::<Vec<_>>(), values);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn they_read_back(
        values in prop::collection::vec(0..2_000_000_u64, 1..40),
        bounds in prop::collection::btree_set(1..1_500_000_u64, 0..12),
        amount in 1..1_000_000_u64,
        scaled in any::<bool>(),
    ) {
        let tick = if scaled { 1e-3 } else { 1.0 };
        let registry = Registry::new();
        let declared = bounds.iter().map(|bound| *bound as f64 / if scaled { 1e3 } else { 1.0 });
        let h = registry.histogram("h").tick(tick).max(2e6 * tick).buckets(declared).exemplars().build().unwrap();
        let c = registry.counter("c").labels(["l"]).exemplars().build().unwrap();
        values.iter().for_each(|value| h.record_with_exemplar(*value, &span(*value)));
        c.with(["x"]).add_with_exemplar(amount, &span(amount));
        c.with(["y"]).add(7);
        let snapshot = registry.snapshot();

        // As text, where the reader checks that each is in its bucket.
        let families = om_reader::read(&openmetrics::render(&snapshot)).unwrap();
        let family = |name: &str| families.iter().find(|family| family.name == name).unwrap();
        let of_bucket = family("h").samples.iter().filter_map(|sample| {
            let le = om_reader::number(sample.labels.get("le")?).unwrap();
            Some((ticks(le, tick), recorded(sample.exemplar.as_ref()?, tick)))
        });
        check(&of_bucket.collect(), &bounds, &values);
        let totals: Vec<_> = family("c").samples.iter().map(|sample| sample.exemplar.as_ref()).collect();
        prop_assert_eq!(totals.len(), 2);
        prop_assert_eq!((recorded(totals[0].unwrap(), 1.0), totals[1]), (amount, None));

        // As text of the next version: all there are, behind one value.
        let families = om2_reader::read(&openmetrics_2::render(&snapshot)).unwrap();
        let series = |name: &str| &families.iter().find(|family| family.name == name).unwrap().series;
        let in_one: BTreeSet<u64> = series("h")[0].exemplars.iter().map(|found| recorded(found, tick)).collect();
        prop_assert_eq!(recorded(&series("c_total")[0].exemplars[0], 1.0), amount);
        prop_assert_eq!(series("c_total")[1].exemplars.len(), 0);

        // As protobuf: those of buckets are the same, and of the native histogram all there are, the oldest first.
        let families = pb_reader::read(&protobuf::render(&snapshot)).unwrap();
        let metrics = |name: &str| &families.iter().find(|family| family.name == name).unwrap().metrics;
        let histogram = metrics("h")[0].histogram.as_ref().unwrap();
        let of_bucket = histogram.bucket_exemplars.iter().map(|(le, found)| (ticks(*le, tick), recorded(found, tick)));
        if bounds.is_empty() {
            // A bucket would make a classic histogram of it too.
            prop_assert_eq!(of_bucket.count(), 0);
        } else {
            check(&of_bucket.collect(), &bounds, &values);
        }
        prop_assert!(histogram.exemplars.is_sorted_by_key(|exemplar| exemplar.time));
        let native: BTreeSet<u64> = histogram.exemplars.iter().map(|found| recorded(found, tick)).collect();
        prop_assert_eq!(&native, &in_one);
        prop_assert_eq!(native.len(), snapshot.histogram("h", &[]).unwrap().exemplars().count());
        prop_assert!(native.iter().all(|value| values.contains(value)) && native.contains(values.iter().max().unwrap()));
        prop_assert_eq!(recorded(metrics("c_total")[0].exemplar.as_ref().unwrap(), 1.0), amount);
        prop_assert_eq!(metrics("c_total")[1].exemplar.as_ref(), None);

        #[cfg(feature = "otlp")]
        check_otlp(&snapshot, tick, &native, amount);

        // Never there.
        prop_assert!(!text::render(&snapshot).contains("trace_id"));
    }
}

#[cfg(feature = "otlp")]
fn check_otlp(snapshot: &tach::Snapshot, tick: f64, native: &BTreeSet<u64>, amount: u64) {
    use tach::otlp::{Encoder, Histograms, Resource, Temporality};
    for histograms in [Histograms::Explicit, Histograms::Exponential] {
        let mut encoder = Encoder::new(Resource::new()).histograms(histograms).temporality(Temporality::Delta);
        let request = crate::otlp_reader::read(&encoder.encode(snapshot)).unwrap();
        let found = request.metric("h").point().exemplars.iter().map(|found| recorded(found, tick));
        assert_eq!(found.collect::<BTreeSet<_>>(), *native);
        let [x, y] = &*request.metric("c").data().points else { panic!("two points") };
        assert_eq!((recorded(&x.exemplars[0], 1.0), x.exemplars.len(), y.exemplars.len()), (amount, 1, 0));
        // Of an interval without any there are none.
        encoder.accepted();
        let request = crate::otlp_reader::read(&encoder.encode(snapshot)).unwrap();
        assert_eq!(request.metric("h").point().exemplars, []);
        assert!(request.metric("c").data().points.iter().all(|point| point.exemplars.is_empty()));
    }
}
