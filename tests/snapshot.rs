//! Questions to a snapshot: differences, quantiles, the `hdrhistogram` crate.

use std::time::Duration;
use tach::{Collector, Family, Histogram, Registry, Unit};

#[test]
fn a_difference_is_what_happened_between() {
    let registry = Registry::new();
    let tokens = registry.counter("tokens").build().unwrap();
    let family = registry.counter("family").labels(["l"]).build().unwrap();
    let itl = registry.histogram("itl").unit(Unit::Seconds).buckets([0.01, 0.025]).build().unwrap();
    let usage = registry.gauge("usage").build().unwrap();
    tokens.add(10);
    family.with(["a"]).add(4);
    family.with(["gone"]).add(4);
    itl.record_n(5_000_000, 100);
    usage.set(1.0);
    let first = registry.snapshot();
    std::thread::sleep(Duration::from_millis(2));
    tokens.add(7);
    family.with(["a"]).add(1);
    family.with(["b"]).add(2);
    family.remove(["gone"]);
    family.with(["gone"]).add(9);
    itl.record_n(20_000_000, 3);
    itl.record(25_000_000);
    usage.set(2.0);
    let second = registry.snapshot();
    let between = second.since(&first);
    assert!(between.elapsed().unwrap() >= Duration::from_millis(2));
    assert_eq!((first.elapsed(), second.elapsed()), (None, None));
    assert_eq!(between.counter("tokens", &[]), Some(7));
    let family = |l| between.counter("family", &[("l", l)]);
    assert_eq!((family("a"), family("b"), family("gone")), (Some(1), Some(2), Some(9)));
    assert_eq!(between.gauge("usage", &[]), Some(2.0));
    let h = between.histogram("itl", &[]).unwrap();
    assert_eq!((h.count(), h.bucket_count_le(0.01), h.bucket_count_le(0.025)), (4, 0, 4));
    assert!((h.sum() - 0.085).abs() < 1e-12);
    assert!((h.quantile(0.5) / 0.02 - 1.0).abs() <= 0.01 && (h.min() / 0.02 - 1.0).abs() <= 0.01);
    assert_eq!(h.max(), 0.025);
    let nothing = second.since(&second);
    assert_eq!(nothing.histogram("itl", &[]).unwrap().count(), 0);
    assert!(nothing.histogram("itl", &[]).unwrap().quantile(0.9).is_nan());
    // A snapshot does not change.
    assert_eq!(first.counter("tokens", &[]), Some(10));
}

#[test]
fn quantiles_are_within_the_error_of_the_digits() {
    for digits in 1..=3 {
        let registry = Registry::new();
        let h = registry.histogram("h").digits(digits).max(1e12).build().unwrap();
        let mut values: Vec<u64> = (1..5_000_u64).map(|n| n * n * n % 1_000_003 * (1 + n % 1_000)).collect();
        values.iter().for_each(|value| h.record(*value));
        values.sort_unstable();
        let snapshot = registry.snapshot();
        let h = snapshot.histogram("h", &[]).unwrap();
        for q in [0.0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 0.9999, 1.0] {
            let rank = ((q * values.len() as f64).ceil() as usize).clamp(1, values.len());
            let exact = values[rank - 1] as f64;
            let error = h.quantile(q) - exact;
            assert!((0.0..=exact * 0.1_f64.powi(digits.into())).contains(&error), "{digits} {q}: {error} of {exact}");
        }
        assert_eq!((h.min(), h.max()), (values[0] as f64, values[values.len() - 1] as f64));
        assert!(h.quantile(f64::NAN).is_nan());
        assert_eq!((h.quantile(-1.0), h.quantile(2.0)), (h.quantile(0.0), h.quantile(1.0)));
    }
}

#[test]
fn counts_below_any_bound_are_those_of_whole_cells() {
    let registry = Registry::new();
    let h = registry.histogram("h").digits(1).buckets([100.5]).build().unwrap();
    (0..1_000).for_each(|value| h.record(value));
    let snapshot = registry.snapshot();
    let h = snapshot.histogram("h", &[]).unwrap();
    assert_eq!(h.bucket_count_le(100.5), 101);
    assert_eq!(h.bucket_count_le(15.0), 16);
    assert_eq!((h.bucket_count_le(-1.0), h.bucket_count_le(f64::NAN)), (0, 0));
    assert_eq!((h.bucket_count_le(f64::INFINITY), h.bucket_count_le(1e300)), (1_000, 1_000));
    for bound in 0..1_000 {
        let count = h.bucket_count_le(bound as f64);
        assert!(count <= bound + 1 && count + bound / 8 + 1 >= bound, "{count} up to {bound}");
    }
}

proptest::proptest! {
    #[test]
    fn counts_are_exact_at_buckets_and_where_it_was_asked_for(
        buckets in proptest::collection::btree_set(0..100_000_u64, 0..8),
        exact in proptest::collection::vec(0..100_000_u64, 0..8),
        values in proptest::collection::vec(0..100_000_u64, 0..50),
        digits in 1..=3_u8,
    ) {
        // A hundred ticks are one of the unit.
        let unit = |ticks: u64| ticks as f64 / 100.0;
        let registry = Registry::new();
        let build = |name| registry.histogram(name).tick(0.01).digits(digits).buckets(buckets.iter().map(|&b| unit(b)));
        let all = [build("plain").build().unwrap(), build("h").exact_at(exact.iter().map(|&b| unit(b))).build().unwrap()];
        let edges = buckets.iter().chain(&exact).flat_map(|&bound| [bound.saturating_sub(1), bound, bound + 1]);
        let values: Vec<u64> = values.into_iter().chain(edges).collect();
        all.iter().for_each(|h| values.iter().for_each(|&value| h.record(value)));
        let snapshot = registry.snapshot();
        let h = snapshot.histogram("h", &[]).unwrap();
        for &bound in buckets.iter().chain(&exact) {
            let below = values.iter().filter(|value| **value <= bound).count() as u64;
            proptest::prop_assert_eq!(h.bucket_count_le(unit(bound)), below);
        }
        // Of what is exposed nothing changes.
        let plain = snapshot.histogram("plain", &[]).unwrap();
        proptest::prop_assert!(h.buckets().eq(plain.buckets()));
        proptest::prop_assert_eq!((h.count(), h.sum()), (plain.count(), plain.sum()));
        proptest::prop_assert!(h.to_hdr() == plain.to_hdr());
    }
}

#[test]
fn the_hdrhistogram_crate_takes_it_over_without_loss() {
    let registry = Registry::new();
    let h = registry.histogram("h").unit(Unit::Seconds).digits(3).buckets([0.001, 0.0025]).build().unwrap();
    let high = 3_600_000_000_000;
    let mut theirs = hdrhistogram::Histogram::<u64>::new_with_bounds(1, high, 3).unwrap();
    for n in 0..20_000_u64 {
        let value = n * 7_919 % 3_000_000;
        h.record(value);
        theirs.record(value).unwrap();
    }
    let ours = registry.snapshot().histogram("h", &[]).unwrap().to_hdr();
    assert_eq!(ours, theirs);
    let mut sum = hdrhistogram::Histogram::<u64>::new_with_bounds(1, high, 3).unwrap();
    sum.add(&ours).unwrap();
    assert_eq!(sum.len(), 20_000);
}

#[test]
fn the_collector_answers_with_what_was_recorded_before_the_question() {
    let registry = Registry::new();
    let tokens = registry.counter("tokens").build().unwrap();
    let collector = Collector::start(&registry, None).unwrap();
    assert!(collector.latest().is_none());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut mine = 0;
                for _ in 0..200 {
                    tokens.inc();
                    mine += 1;
                    let seen = collector.refresh().counter("tokens", &[]).unwrap();
                    assert!(seen >= mine);
                }
            });
        }
    });
    assert_eq!(collector.latest().unwrap().counter("tokens", &[]), Some(800));
}

#[test]
fn an_answer_that_panics_and_counts_that_wrap_do_not_stop_the_collector() {
    let registry = Registry::new();
    let wide = registry.histogram("wide").build().unwrap();
    let collector = Collector::start(&registry, None).unwrap();
    collector.request(|_| panic!("on purpose"));
    wide.record_n(1, u64::MAX);
    wide.record_n(100, u64::MAX);
    assert!(collector.refresh().histogram("wide", &[]).is_some());
    assert!(Collector::start(&registry, Some(Duration::ZERO)).unwrap_err().to_string().contains("interval"));
}

#[test]
fn the_collector_collects_at_its_interval_and_stops_at_once() {
    let registry = Registry::new();
    let tokens = registry.counter("tokens").build().unwrap();
    let collector = Collector::start(&registry, Some(Duration::from_millis(5))).unwrap();
    tokens.inc();
    let seen = || collector.latest().and_then(|snapshot| snapshot.counter("tokens", &[]));
    while seen() != Some(1) {
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(collector);
    let idle = Collector::start(&registry, Some(Duration::from_secs(3600))).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let began = std::time::Instant::now();
    idle.request(move |snapshot| sender.send(snapshot).unwrap());
    assert_eq!(receiver.recv().unwrap().counter("tokens", &[]), Some(1));
    drop(idle);
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_histogram_that_has_not_changed_is_the_same_and_one_that_has_is_not() {
    let registry = Registry::new();
    let family: Family<Histogram, 1> = registry.histogram("h").labels(["l"]).build().unwrap();
    let (idle, busy) = (family.with(["idle"]), family.with(["busy"]));
    idle.record(7);
    let read = |label: &str| {
        let snapshot = registry.snapshot();
        let histogram = snapshot.histogram("h", &[("l", label)]).unwrap();
        (histogram.count(), histogram.sum(), histogram.min(), histogram.max(), histogram.quantile(0.5))
    };
    for n in 1..50_u32 {
        // On a thread of its own every other time, whose shard comes and goes.
        let busy = busy.clone();
        let record = move || busy.record(u64::from(n));
        if n % 2 == 0 {
            std::thread::spawn(record).join().unwrap()
        } else {
            record()
        }
        let sum = f64::from(n * (n + 1) / 2);
        let (count, total, low, high, _) = read("busy");
        assert_eq!((count, total, low, high), (u64::from(n), sum, 1.0, f64::from(n)));
        assert_eq!(read("idle"), (1, 7.0, 7.0, 7.0, 7.0));
    }
    // A zero is a value too, though it leaves the sum as it was.
    idle.record(0);
    assert_eq!(read("idle"), (2, 7.0, 0.0, 7.0, 0.0));
    // A series made anew is another one, with the same labels.
    assert!(family.remove(["idle"]));
    let again = family.with(["idle"]);
    assert_eq!(read("idle").0, 0);
    again.record(3);
    again.record(3);
    assert_eq!(read("idle"), (2, 6.0, 3.0, 3.0, 3.0));
}
