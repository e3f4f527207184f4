//! Protobuf, and the native histograms in it.

use crate::model::{Family, Recorded, families, registry};
use crate::pb_reader::{self, Histogram, read};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};
use tach::{Registry, Snapshot, Unit, protobuf, text};

/// The families but the engine's own.
fn own(registry: &Registry) -> Vec<pb_reader::Family> {
    let bytes = protobuf::render(&registry.snapshot());
    let families = read(&bytes).unwrap_or_else(|wrong| panic!("{wrong}: {}", bytes.escape_ascii()));
    families.into_iter().filter(|family| !family.name.starts_with("tach_")).collect()
}

/// The exponential buckets by index, none empty.
pub(crate) fn buckets(histogram: &Histogram) -> BTreeMap<i64, u64> {
    let mut buckets = BTreeMap::new();
    let (mut index, mut count, mut deltas) = (0, 0_i64, histogram.deltas.iter());
    for (offset, length) in &histogram.spans {
        index += offset;
        for _ in 0..*length {
            count += deltas.next().expect("a delta for each bucket");
            assert!(count >= 0, "{histogram:?}");
            if count > 0 {
                buckets.insert(index, count.unsigned_abs());
            }
            index += 1;
        }
    }
    assert_eq!(deltas.next(), None, "{histogram:?}");
    buckets
}

/// The bucket of a value: the least whose upper end is not below it. By logarithms, so it may be the next one for
/// values that lie within a rounding error of an end.
fn own_bucket(value: f64, schema: i64) -> f64 {
    (value.log2() * f64::from(1 << schema)).ceil()
}

const SCHEMAS: [i64; 3] = [3, 4, 5];
/// The upper end of the bucket in which a value is counted, over the value, at most.
const BOUNDS: [f64; 3] = [1.159, 1.053, 1.023];

#[test]
fn every_kind_is_encoded_as_it_should() {
    let registry = Registry::builder().const_label("model", "m").build().unwrap();
    let requests = registry.counter("requests").help("All\n\"of\" them.").labels(["code", "path"]).build().unwrap();
    requests.with(["200", ""]).add(2);
    requests.with(["500", "\"ä\\\n"]).add(1 << 40);
    registry.float_counter("energy").unit(Unit::Joules).build().unwrap().add(0.5);
    registry.updown_counter("running").build().unwrap().add(-3);
    registry.gauge("usage").unit(Unit::Ratio).build().unwrap().set(-0.0);
    registry.counter("unused").labels(["l"]).build().unwrap();
    let itl = registry.histogram("itl").unit(Unit::Seconds).buckets([0.005, 1.0]).build().unwrap();
    [0, 0, 5_000_000, 5_000_001, 1_000_000_000].iter().for_each(|value| itl.record(*value));
    let found = own(&registry);
    let names: Vec<_> = found.iter().map(|family| (&*family.name, family.kind, &*family.unit)).collect();
    assert_eq!(
        names,
        [
            ("energy_joules_total", Some(0), "joules"),
            ("itl_seconds", Some(4), "seconds"),
            ("requests_total", Some(0), ""),
            ("running", Some(1), ""),
            ("usage_ratio", Some(1), "ratio"),
        ]
    );
    let [energy, itl, requests, running, usage] = &found[..] else { panic!("{found:?}") };
    assert_eq!(requests.help, "All\n\"of\" them.");
    let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    assert_eq!(requests.metrics[0].labels, labels(&[("model", "m"), ("code", "200")]));
    assert_eq!(requests.metrics[1].labels, labels(&[("model", "m"), ("code", "500"), ("path", "\"ä\\\n")]));
    assert_eq!(requests.metrics[1].counter, Some((1_u64 << 40) as f64));
    assert_eq!((energy.metrics[0].counter, running.metrics[0].gauge), (Some(0.5), Some(-3.0)));
    assert_eq!(usage.metrics[0].gauge.map(f64::to_bits), Some((-0.0_f64).to_bits()));
    let histogram = itl.metrics[0].histogram.as_ref().unwrap();
    assert_eq!((histogram.count, histogram.sum), (5, 1.010000001));
    assert_eq!(histogram.buckets, [(0.005, 3), (1.0, 5)]);
    assert_eq!((histogram.schema, histogram.zero_threshold, histogram.zero_count), (Some(4), 2f64.powi(-128), 2));
    // 5 ms is below 2^(-122/16) s, both it and the next tick. The second is the end of the bucket 0, and declared: so
    // the cell that it lies in, which reaches beyond it, is split there.
    assert_eq!(buckets(histogram), BTreeMap::from([(-122, 2), (0, 1)]));
    assert_eq!(histogram.spans.len(), 2);
}

#[test]
fn an_empty_histogram_is_a_native_one_all_the_same() {
    let registry = Registry::new();
    registry.histogram("h").build().unwrap();
    let found = own(&registry);
    let histogram = found[0].metrics[0].histogram.as_ref().unwrap();
    assert_eq!((histogram.count, histogram.sum, histogram.schema), (0, 0.0, Some(4)));
    assert!(histogram.zero_threshold > 0.0 && histogram.spans.is_empty() && histogram.deltas.is_empty());
}

#[test]
fn where_ticks_and_ends_coincide_buckets_are_exact() {
    // Up to the first cell that holds several ticks, each power of two is the end of its bucket.
    for (digits, schema, single) in [(1, 3, 32), (2, 4, 256), (3, 5, 2048_u64)] {
        let registry = Registry::new();
        let ticks = registry.histogram("h").digits(digits).build().unwrap();
        (1..single).for_each(|value| ticks.record(value));
        let found = own(&registry);
        let found = buckets(found[0].metrics[0].histogram.as_ref().unwrap());
        let mut expected = BTreeMap::new();
        for value in 1..single {
            // Exact for powers of two, and no other whole number is near an end.
            *expected.entry(own_bucket(value as f64, schema) as i64).or_insert(0) += 1;
        }
        assert_eq!(found, expected, "{digits}");
    }
}

fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// When each series of a family began.
fn starts(snapshot: &Snapshot, name: &str) -> Vec<Option<u64>> {
    let families = read(&protobuf::render(snapshot)).unwrap();
    let family = families.into_iter().find(|family| family.name == name).unwrap();
    family.metrics.into_iter().map(|metric| metric.start).collect()
}

#[test]
fn totals_tell_when_they_began() {
    let registry = Registry::new();
    let requests = registry.counter("requests").labels(["code"]).build().unwrap();
    let itl = registry.histogram("itl").labels(["code"]).build().unwrap();
    registry.gauge("usage").build().unwrap();
    registry.updown_counter("running").build().unwrap();
    registry.observe_counter("observed", "", || 7).unwrap();
    for code in ["200", "500"] {
        requests.with([code]).inc();
        itl.with([code]).record(1);
    }
    let first = registry.snapshot();
    std::thread::sleep(std::time::Duration::from_millis(2));
    requests.remove(["500"]);
    itl.remove(["500"]);
    requests.with(["500"]).inc();
    itl.with(["500"]).record(1);
    let second = registry.snapshot();
    for name in ["requests_total", "itl"] {
        let (before, after) = (starts(&first, name), starts(&second, name));
        let made = nanos(first.began())..=nanos(first.time());
        assert!(before.iter().all(|start| made.contains(&start.unwrap())), "{before:?} {made:?}");
        // What was removed and made anew begins anew.
        assert_eq!(after[0], before[0]);
        assert!((nanos(first.time()) + 1..=nanos(second.time())).contains(&after[1].unwrap()), "{after:?}");
        // A difference begins with its first snapshot, and what came later when it came.
        assert_eq!(starts(&second.since(&first), name), [Some(nanos(first.time())), after[1]]);
    }
    assert_eq!(starts(&first, "tach_overflow_series_total"), [Some(nanos(first.began()))]);
    for name in ["usage", "running", "observed_total"] {
        assert_eq!(starts(&first, name), [None], "{name}");
    }
}

#[test]
fn rendering_appends_and_reads_like_text() {
    let registry = Registry::new();
    registry.counter("c").build().unwrap().add(7);
    let snapshot = registry.snapshot();
    let mut out = b"before".to_vec();
    protobuf::render_into(&snapshot, &mut out);
    assert_eq!(&out[..6], b"before");
    assert_eq!(out[6..], protobuf::render(&snapshot));
    let names: Vec<_> = read(&out[6..]).unwrap().into_iter().map(|family| family.name).collect();
    let text = text::render(&snapshot);
    let types: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert_eq!(names, types);
}

#[test]
fn the_reader_refuses_what_is_no_message() {
    let registry = Registry::new();
    registry.histogram("h").buckets([1.0]).build().unwrap().record(7);
    let bytes = protobuf::render(&registry.snapshot());
    assert!(read(&bytes).is_ok());
    assert!(read(&bytes[..bytes.len() - 1]).is_err());
    for wrong in [&b"\x80"[..], b"\x02\x0a\x80", b"\x03\x0a\x81\x00", b"\x02\x08\x01", b"\x02\x0f\x01", b"\x02\x4a\x00"]
    {
        assert!(read(wrong).is_err(), "{}", wrong.escape_ascii());
    }
}

/// Holds a decoded series against what was recorded.
fn check(family: &Family, recorded: &Recorded, found: &pb_reader::Metric) {
    let values = (found.gauge, found.counter, &found.histogram);
    match recorded {
        Recorded::Counter(n) => assert!(matches!(values, (None, Some(value), None) if value == *n as f64)),
        Recorded::UpDown(n) => assert!(matches!(values, (Some(value), None, None) if value == *n as f64)),
        Recorded::Gauge(n) => {
            assert!(matches!(values, (Some(value), None, None) if value == *n || value.is_nan() && n.is_nan()));
        }
        Recorded::Histogram(ticks) => {
            let (None, None, Some(histogram)) = values else { panic!("{found:?}") };
            check_histogram(family, ticks, histogram);
        }
    }
}

fn check_histogram(family: &Family, ticks: &[u64], histogram: &Histogram) {
    let value = |ticks: u64| ticks as f64 / family.ticks_per_unit();
    assert_eq!((histogram.count, histogram.sum), (ticks.len() as u64, value(ticks.iter().sum())));
    let up_to = |bound: &u64| ticks.iter().filter(|value| *value <= bound).count() as u64;
    let classic: Vec<_> = family.bounds.iter().map(|bound| (value(*bound), up_to(bound))).collect();
    assert_eq!(histogram.buckets, classic);

    if let Some(schema) = family.schema {
        assert_eq!((histogram.schema, histogram.zero_count), (Some(schema.into()), up_to(&0)));
        return assert_eq!(buckets(histogram), family.account(schema, ticks));
    }
    let (digits, native) = (usize::from(family.digits) - 1, buckets(histogram));
    assert_eq!(histogram.schema, Some(SCHEMAS[digits]));
    // Nothing is lost.
    assert_eq!(histogram.zero_count, up_to(&0));
    assert_eq!(histogram.zero_count + native.values().sum::<u64>(), histogram.count);
    // Values in their order and counts in theirs belong together one by one: each value is in its own bucket or in the
    // next, and that ends where it may.
    let mut positive: Vec<f64> = ticks.iter().filter(|ticks| **ticks > 0).map(|ticks| value(*ticks)).collect();
    positive.sort_by(f64::total_cmp);
    let counted = native.iter().flat_map(|(index, count)| std::iter::repeat_n(*index, *count as usize));
    for (value, index) in positive.into_iter().zip(counted) {
        let (own, index) = (own_bucket(value, SCHEMAS[digits]), index as f64);
        assert!(index == own || index == own + 1.0, "{value} of bucket {own} is counted in {index}");
        let end = (index / f64::from(1 << SCHEMAS[digits])).exp2();
        assert!(end >= value * (1.0 - 1e-12) && end <= BOUNDS[digits] * value, "{value} is counted up to {end}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_was_recorded_reads_back(families in families()) {
        let found = own(&registry(&families));
        proptest::prop_assert_eq!(found.len(), families.len());
        for family in &families {
            let suffix = if family.kind() == "counter" { "_total" } else { "" };
            let name = family.base() + suffix;
            let there = found.iter().find(|there| there.name == name).unwrap();
            let kind = ["counter", "gauge", "", "", "histogram"].iter().position(|kind| *kind == family.kind());
            proptest::prop_assert_eq!(there.kind, kind.map(|kind| kind as u64));
            proptest::prop_assert_eq!((&*there.unit, &there.help), (family.unit.suffix(), &family.help));
            proptest::prop_assert_eq!(there.metrics.len(), family.series.len());
            for (metric, (values, recorded)) in there.metrics.iter().zip(&family.series) {
                proptest::prop_assert_eq!(&metric.labels, &family.labels_of(values));
                check(family, recorded, metric);
            }
        }
    }

    #[test]
    fn no_bucket_ever_falls(values in proptest::collection::vec((0..1_u64 << 40, 0..40_u32), 1..60), digits in 1..=3_u8) {
        let registry = Registry::new();
        let histogram = registry.histogram("h").unit(Unit::Seconds).digits(digits).build().unwrap();
        let mut before = (0, BTreeMap::new());
        for (value, cut) in values {
            histogram.record(value >> cut);
            let found = own(&registry);
            let found = found[0].metrics[0].histogram.as_ref().unwrap();
            let now = (found.zero_count, buckets(found));
            // One more in one place.
            proptest::prop_assert!(now.0 >= before.0 && before.1.iter().all(|(index, count)| now.1[index] >= *count));
            let total = |(zeros, buckets): &(u64, BTreeMap<i64, u64>)| zeros + buckets.values().sum::<u64>();
            proptest::prop_assert_eq!(total(&now), total(&before) + 1);
            before = now;
        }
    }
}
