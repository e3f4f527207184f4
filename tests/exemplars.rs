//! Exemplars from the recording to the snapshot: which of the recordings that meet stay, and that each is of one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use tach::{Exemplar, HistogramSnapshot, Recording, Registry, SpanContext, Unit};

/// A span whose ids follow from a number.
fn span(n: u64) -> SpanContext {
    let trace = u128::from(n) << 64 | u128::from(!n);
    SpanContext::new(trace.to_be_bytes(), (n + 1).to_be_bytes()).unwrap()
}

fn number(exemplar: &Exemplar) -> u64 {
    let n = u64::from_be_bytes(exemplar.trace_id[..8].try_into().unwrap());
    let expected = span(n);
    assert_eq!((exemplar.trace_id, exemplar.span_id), (expected.trace_id(), expected.span_id()));
    n
}

fn numbers(histogram: &HistogramSnapshot) -> Vec<(f64, u64)> {
    histogram.exemplars().map(|exemplar| (exemplar.value, number(&exemplar))).collect()
}

#[test]
fn each_bucket_keeps_its_own() {
    let registry = Registry::new();
    let h = registry.histogram("h").buckets([10.0, 100.0]).tick(1.0).max(1000.0).exemplars().build().unwrap();
    let before = SystemTime::now() - Duration::from_millis(100);
    h.record_with_exemplar(500, &span(1));
    h.record_with_exemplar(5000, &span(2));
    // A flood of usual values leaves the rare one alone. (Rising ones: each takes the place of the last, whenever it is.)
    for value in 1..=9 {
        h.record_with_exemplar(value, &span(value));
    }
    h.record_with_exemplar(3, &span(78).sampled(false));
    h.record(50);
    let snapshot = registry.snapshot();
    let histogram = snapshot.histogram("h", &[]).unwrap();
    assert_eq!(histogram.count(), 13);
    // Above the maximum it is recorded as that.
    assert_eq!(numbers(histogram), [(9.0, 9), (histogram.max(), 2)]);
    for exemplar in histogram.exemplars() {
        assert!(before <= exemplar.timestamp && exemplar.timestamp <= SystemTime::now());
    }
    h.record_duration_with_exemplar(Duration::from_secs(60), &span(3));
    h.record_value_with_exemplar(70.0, &span(4));
    h.record_value_with_exemplar(f64::NAN, &span(5));
    let later = registry.snapshot();
    assert_eq!(numbers(later.histogram("h", &[]).unwrap()), [(9.0, 9), (70.0, 4), (histogram.max(), 2)]);
    // A difference has those of its interval.
    let difference = later.since(&snapshot);
    assert_eq!(numbers(difference.histogram("h", &[]).unwrap()), [(70.0, 4)]);
    assert_eq!(numbers(later.since(&later).histogram("h", &[]).unwrap()), []);
}

#[test]
fn without_buckets_each_order_of_magnitude_does() {
    let registry = Registry::new();
    let plain = registry.histogram("plain").unit(Unit::Seconds).exemplars().build().unwrap();
    let native = registry.histogram("native").unit(Unit::Seconds).native_schema(3).exemplars().build().unwrap();
    for (value, n) in [(1_000_000, 1), (20_000_000, 2), (20_000_001, 3), (9_000_000_000, 4)] {
        plain.record_with_exemplar(value, &span(n));
        native.record_with_exemplar(value, &span(n));
    }
    let snapshot = registry.snapshot();
    for name in ["plain", "native"] {
        let histogram = snapshot.histogram(name, &[]).unwrap();
        assert_eq!(numbers(histogram), [(0.001, 1), (0.020_000_001, 3), (9.0, 4)], "{name}");
    }
}

#[test]
fn counters_keep_one() {
    let registry = Registry::new();
    let c = registry.counter("c").labels(["model"]).exemplars().build().unwrap();
    let f = registry.float_counter("f").exemplars().build().unwrap();
    let bare = registry.counter("bare").build().unwrap();
    assert_eq!(registry.snapshot().exemplar("f", &[]), None);
    c.with(["a"]).inc_with_exemplar(&span(1));
    c.with(["a"]).add_with_exemplar(5, &span(2));
    c.with(["a"]).add_with_exemplar(0, &span(4));
    c.with(["b"]).add_with_exemplar(9, &span(4).sampled(false));
    f.add_with_exemplar(0.25, &span(7));
    f.add_with_exemplar(0.5, &span(6));
    f.add_with_exemplar(f64::NAN, &span(8));
    bare.add_with_exemplar(3, &span(9));
    let snapshot = registry.snapshot();
    let found = |name, labels: &[(&str, &str)]| {
        snapshot.exemplar(name, labels).map(|exemplar| (exemplar.value, number(&exemplar)))
    };
    assert_eq!(snapshot.counter("c", &[("model", "a")]), Some(6));
    assert_eq!(found("c", &[("model", "a")]), Some((5.0, 2)));
    assert_eq!((snapshot.counter("c", &[("model", "b")]), found("c", &[("model", "b")])), (Some(9), None));
    assert_eq!((snapshot.float_counter("f", &[]), found("f", &[])), (Some(0.75), Some((0.5, 6))));
    assert_eq!((snapshot.counter("bare", &[]), found("bare", &[])), (Some(3), None));
    let later = registry.snapshot().since(&snapshot);
    assert_eq!(later.exemplar("f", &[]), None);
    // Another description is another metric.
    assert!(registry.counter("bare").exemplars().build().is_err());
}

#[test]
fn a_new_series_has_none_of_an_old_one() {
    let registry = Registry::new();
    let c = registry.counter("c").labels(["n"]).exemplars().build().unwrap();
    let h = registry.histogram("h").labels(["n"]).buckets([1.0]).tick(1.0).max(100.0).exemplars().build().unwrap();
    for n in 0..20_u64 {
        let name = n.to_string();
        let labels = [("n", &*name)];
        c.with([&*name]).inc();
        h.with([&*name]).record(1);
        let fresh = registry.snapshot();
        assert_eq!(fresh.exemplar("c", &labels), None);
        assert_eq!(numbers(fresh.histogram("h", &labels).unwrap()), []);
        c.with([&*name]).inc_with_exemplar(&span(n));
        h.with([&*name]).record_with_exemplar(7, &span(n));
        let used = registry.snapshot();
        assert_eq!(used.exemplar("c", &labels).map(|exemplar| number(&exemplar)), Some(n));
        assert_eq!(numbers(used.histogram("h", &labels).unwrap()), [(7.0, n)]);
        c.remove([&*name]);
        h.remove([&*name]);
    }
}

#[test]
fn a_snapshot_has_the_exemplars_of_what_it_counts() {
    // Each time the histogram is read again only where its count has changed.
    let registry = Registry::new();
    let h = registry.histogram("h").tick(1.0).exemplars().build().unwrap();
    for value in 1..1000 {
        h.record_with_exemplar(value, &span(value));
        let snapshot = registry.snapshot();
        let last = numbers(snapshot.histogram("h", &[]).unwrap()).pop();
        assert_eq!(last, Some((value as f64, value)));
    }
}

/// Threads record, in their own regions or all in one, while a collector reads: every exemplar is of one recording.
fn record_on_threads(registry: &Registry) {
    let h = registry.histogram("h").buckets([100.0, 10_000.0]).tick(1.0).exemplars().build().unwrap();
    let c = registry.counter("c").exemplars().build().unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for seed in 1..=3_u64 {
            let (h, c, stop) = (&h, &c, &stop);
            scope.spawn(move || {
                // Rising, so that each is written.
                for n in 1..200_000 {
                    h.record_with_exemplar(3 * n + seed, &span(3 * n + seed));
                    c.add_with_exemplar(3 * n + seed, &span(3 * n + seed));
                }
                stop.store(true, Ordering::Relaxed);
            });
        }
        let mut seen = 0;
        while !stop.load(Ordering::Relaxed) || seen == 0 {
            let snapshot = registry.snapshot();
            for (value, n) in numbers(snapshot.histogram("h", &[]).unwrap()) {
                assert_eq!(value, n as f64);
                seen += 1;
            }
            if let Some(exemplar) = snapshot.exemplar("c", &[]) {
                assert_eq!(exemplar.value, number(&exemplar) as f64);
            }
        }
    });
    let snapshot = registry.snapshot();
    let h = snapshot.histogram("h", &[]).unwrap();
    // No recording is lost, whoever had the slot.
    assert_eq!(h.count(), 3 * 199_999);
    assert_eq!(h.exemplars().count(), 3);
}

#[test]
fn exemplars_are_of_one_recording_while_threads_record() {
    record_on_threads(&Registry::new());
    record_on_threads(&Registry::builder().recording(Recording::Sync).build().unwrap());
}

#[test]
fn a_difference_has_none_from_before_it() {
    let registry = Registry::new();
    let counter = registry.counter("c").exemplars().build().unwrap();
    std::thread::scope(|scope| {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (done, other) = std::sync::mpsc::channel();
        let counter = &counter;
        scope.spawn(move || {
            counter.add_with_exemplar(9, &span(9));
            done.send(()).unwrap();
            wait.recv().unwrap();
            counter.add_with_exemplar(1, &span(1));
            done.send(()).unwrap();
        });
        other.recv().unwrap();
        // Of another thread, and not shown beside the larger one.
        std::thread::sleep(Duration::from_millis(500));
        counter.add_with_exemplar(5, &span(5));
        let earlier = registry.snapshot();
        let shown = earlier.exemplar("c", &[]).map(|shown| number(&shown)).unwrap();
        assert!(shown == 9 || shown == 5);
        let time = SystemTime::now() - Duration::from_millis(50);
        // The larger one is no longer young when the next comes, and the other one is.
        std::thread::sleep(Duration::from_millis(650));
        go.send(()).unwrap();
        other.recv().unwrap();
        let found = registry.snapshot().since(&earlier).exemplar("c", &[]);
        assert!(found.is_none_or(|found| found.timestamp >= time), "{found:?}");
    });
}

#[test]
fn a_counter_that_has_wrapped_to_zero_leaves_none() {
    let registry = Registry::new();
    let family = registry.counter("c").labels(["n"]).exemplars().build().unwrap();
    for n in 0..50 {
        let name = n.to_string();
        let counter = family.with([&name]);
        assert_eq!(registry.snapshot().exemplar("c", &[("n", &name)]), None, "{n}");
        counter.add_with_exemplar(u64::MAX, &span(n));
        counter.add(1);
        assert!(registry.snapshot().exemplar("c", &[("n", &name)]).is_some());
        drop(counter);
        assert!(family.remove([&name]));
    }
}

#[test]
fn one_is_in_its_bucket_whatever_a_tick_is() {
    let registry = Registry::new();
    let h = registry.histogram("h").tick(0.01667).buckets([0.08335]).exemplars().build().unwrap();
    h.record_with_exemplar(5, &span(5));
    let page = tach::openmetrics::render(&registry.snapshot());
    assert!(page.contains("h_bucket{le=\"0.08335\"} 1 # {"), "{page}");
    assert!(page.contains("} 0.08335 ") && !page.contains("} 0.0833500"), "{page}");
    // Beyond 2^53 ticks a value may be rounded down to the bound that it is above.
    let far = 1_u64 << 53;
    let h = registry.histogram("far").max(1e17).buckets([far as f64, 1e16]).exemplars().build().unwrap();
    for value in [far, far + 1, 10_u64.pow(16) + 1] {
        h.record_with_exemplar(value, &span(value));
    }
    let page = tach::openmetrics::render(&registry.snapshot());
    let of_bucket = |le: &str| {
        let line = page.lines().find(|line| line.starts_with(&format!("far_bucket{{le=\"{le}\"}}"))).unwrap();
        line.rsplit(' ').nth(1).unwrap().parse::<f64>().unwrap()
    };
    assert_eq!(of_bucket("9.007199254740992e+15"), far as f64);
    assert_eq!(of_bucket("1e+16"), (far + 2) as f64);
    assert_eq!(of_bucket("+Inf"), 1e16 + 2.0);
}
