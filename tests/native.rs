//! Histograms with a native schema: what is recorded is counted in the schema's own buckets, everywhere.

use num_bigint::BigUint;
use tach::{HistogramSnapshot, Recording, Registry, Unit};

/// The bucket of so many nanoseconds in seconds: the least `i` with `(t / 10^9)^N ≤ 2^i`, of whole numbers.
fn bucket(nanos: u64, schema: u8) -> i64 {
    let n = 1 << schema;
    let (over, under) = (BigUint::from(nanos).pow(n), BigUint::from(1_000_000_000_u32).pow(n));
    let fits = |i: i64| if i >= 0 { over <= &under << i.unsigned_abs() } else { &over << i.unsigned_abs() <= under };
    let mut i = over.bits().cast_signed() - under.bits().cast_signed() - 1;
    while !fits(i) {
        i += 1;
    }
    i
}

/// The largest number of nanoseconds in a bucket, found by halving.
fn end(index: i64, schema: u8) -> u64 {
    let (mut low, mut high) = (1, 1 << 50);
    while high - low > 1 {
        let middle = u64::midpoint(low, high);
        if bucket(middle, schema) <= index { low = middle } else { high = middle }
    }
    low
}

fn find(registry: &Registry, name: &str) -> HistogramSnapshot {
    registry.snapshot().histogram(name, &[]).unwrap().clone()
}

#[test]
fn values_at_every_end_are_told_apart() {
    let registry = Registry::new();
    let itl = registry.histogram("itl").unit(Unit::Seconds).native_schema(4).build().unwrap();
    // From 1 ms to 2 s.
    for index in -160..16 {
        let end = end(index, 4);
        itl.record(end);
        itl.record_n(end + 1, 2);
        let h = find(&registry, "itl");
        // Up to the end all but those of the next tick.
        assert_eq!(h.bucket_count_le(end as f64 / 1e9), h.count() - 2, "{index}");
    }
}

#[test]
fn quantiles_end_where_the_bucket_does() {
    let registry = Registry::new();
    let h = registry.histogram("h").unit(Unit::Seconds).native_schema(3).build().unwrap();
    let values: Vec<u64> = (0..1000).map(|i| 1_000_000 + i * i * 7_919).collect();
    values.iter().for_each(|value| h.record(*value));
    let found = find(&registry, "h");
    for q in [0.01, 0.3, 0.5, 0.9, 0.99] {
        let exact = values[(q * 1000.0_f64).ceil() as usize - 1];
        let highest = end(bucket(exact, 3), 3) as f64 / 1e9;
        assert_eq!(found.quantile(q), highest.min(found.max()));
        assert!(found.quantile(q) <= exact as f64 / 1e9 * 1.0906);
        // And so it is in the crate's histogram, in cells no wider.
        let hdr = found.to_hdr();
        let theirs = hdr.value_at_quantile(q);
        assert!(hdr.lowest_equivalent(theirs) as f64 / 1e9 <= found.quantile(q));
        assert!(hdr.highest_equivalent(theirs) as f64 / 1e9 >= found.quantile(q));
    }
    assert_eq!((found.min(), found.max()), (0.001, (1_000_000 + 999 * 999 * 7_919_u64) as f64 / 1e9));
    let hdr = found.to_hdr();
    assert_eq!((hdr.len(), hdr.sigfig()), (1000, 1));
}

#[test]
fn bounds_limits_and_zero_are_as_with_digits() {
    let registry = Registry::new();
    let build = |schema| registry.histogram(format!("h{schema}")).unit(Unit::Seconds).native_schema(schema).max(10.0);
    for schema in [0, 4, 8] {
        let h = build(schema).buckets([0.025, 1.0]).exact_at([0.3]).build().unwrap();
        for value in [0, 1, 24_999_999, 25_000_000, 25_000_001, 300_000_000, 300_000_001, 1_000_000_000, 1_000_000_001]
        {
            h.record(value);
        }
        h.record(10_000_000_001);
        h.record(u64::MAX);
        let found = find(&registry, &format!("h{schema}"));
        assert_eq!(found.buckets().collect::<Vec<_>>(), [(0.025, 4), (1.0, 8)]);
        assert_eq!((found.bucket_count_le(0.3), found.bucket_count_le(0.0)), (6, 1));
        assert_eq!((found.clamped(), found.max(), found.min(), found.count()), (2, 10.0, 0.0, 11));
    }
    let clamped = registry.snapshot().counter("tach_clamped", &[("metric", "h4_seconds")]);
    assert_eq!(clamped, Some(2));
}

#[test]
fn replicas_and_threads_add_up_and_a_difference_is_what_came_between() {
    let registry = Registry::new();
    let h = registry.histogram("h").unit(Unit::Seconds).native_schema(5).build().unwrap();
    let record = |from: u64| (0..500).for_each(|i| h.record((from + i) * 1_234_567));
    record(1);
    let first = registry.snapshot();
    std::thread::scope(|scope| {
        scope.spawn(|| record(300));
        scope.spawn(|| record(9_000));
    });
    let second = registry.snapshot();
    let since = second.since(&first);
    let between = since.histogram("h", &[]).unwrap();
    assert_eq!(between.count(), 1000);
    let both: Vec<u64> = (300..800).chain(9_000..9_500).map(|i| i * 1_234_567).collect();
    for index in (-160..160).step_by(9) {
        let end = end(index, 5);
        let expected = both.iter().filter(|value| **value <= end).count() as u64;
        assert_eq!(between.bucket_count_le(end as f64 / 1e9), expected, "{index}");
    }
    // A second process that is declared alike has the same cells.
    let other = Registry::new();
    let there = other.histogram("h").unit(Unit::Seconds).native_schema(5).build().unwrap();
    both.iter().for_each(|value| there.record(*value));
    for bound in [0.4, 1.0, 11.0] {
        assert_eq!(between.bucket_count_le(bound), find(&other, "h").bucket_count_le(bound));
    }
}

#[test]
fn what_has_no_quick_way_is_counted_where_the_slow_way_counts_it() {
    // At the borders of what has a quick way, twice each: the first time a value widens the range, and goes slowly.
    let borders =
        [(1 << 50) - 2, (1 << 50) - 1, 1 << 50, (1 << 50) + 1, (1 << 51) + 7, (1 << 53) - 1, 1 << 53, 1 << 60];
    let values = [&[0, 0, 1, 2][..], &borders, &[0, 1, 3]].concat();
    for layout in 0..=11 {
        for max in [5e3, (1_u64 << 50) as f64, 1e17] {
            // Of few shards: far behind in a region, beyond 2^26 cells.
            let record = |recording, shards, local: bool| {
                let registry = Registry::builder().recording(recording).shards_max(shards).build().unwrap();
                let sizes = registry.histogram("sizes").buckets([2.0, 1e3]).max(max);
                // A schema, or behind the last of them digits.
                let sizes = if layout > 8 { sizes.digits(layout - 8) } else { sizes.native_schema(layout) };
                let sizes = sizes.build().unwrap();
                let mut here = sizes.local();
                for value in values.iter().chain(&values).chain([&u64::MAX, &(max as u64), &(max as u64 + 1)]) {
                    if local {
                        here.record(*value)
                    } else {
                        sizes.record(*value)
                    }
                    if local { here.record_n(*value, 3) } else { sizes.record_n(*value, 3) }
                }
                let found = find(&registry, "sizes");
                let page = tach::openmetrics_2::render(&registry.snapshot());
                let line = page.lines().find(|line| line.starts_with("sizes ")).unwrap();
                (found.count(), found.min(), found.max(), found.sum(), line.split(" st@").next().unwrap().to_owned())
            };
            let slow = record(Recording::Sync, 4096, false);
            assert_eq!(slow.0, 4 * (2 * values.len() as u64 + 3));
            for (shards, local) in [(4096, false), (4096, true), (16, false), (16, true)] {
                let quick = record(Recording::Sharded, shards, local);
                assert_eq!(quick, slow, "layout {layout}, up to {max}, {shards} shards, local {local}");
            }
        }
    }
}

#[test]
fn a_bucket_counts_to_its_limit_and_others_go_on() {
    for layout in 0..=11 {
        for bounds in [&[2.0, 1_003.0, 1e6][..], &[]] {
            let registry = Registry::new();
            let sizes = registry.histogram("sizes").buckets(bounds.iter().copied()).max(1e9);
            let sizes = if layout > 8 { sizes.digits(layout - 8) } else { sizes.native_schema(layout) };
            let sizes = sizes.build().unwrap();
            sizes.record(1_004);
            // The next one would look as if the bucket's cell were split.
            sizes.record_n(1_004, (1 << 63) - 2);
            sizes.local().record_n(500_000, 5);
            let found = find(&registry, "sizes");
            assert_eq!(found.count(), (1 << 63) + 4, "layout {layout}");
            if !bounds.is_empty() {
                assert_eq!(
                    (found.bucket_count_le(1_003.0), found.bucket_count_le(1e6)),
                    (0, (1 << 63) + 4),
                    "{layout}"
                );
            }
        }
    }
}
