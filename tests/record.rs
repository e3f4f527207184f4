//! What each kind of metric records, and what a snapshot says of it.

use std::sync::LazyLock;
use std::time::Duration;
use tach::{Counter, FloatCounter, Gauge, Histogram, Level, Recording, Registry, Unit, UpDownCounter};

const ONE: &[(&str, &str)] = &[];

#[test]
fn counters_add_up_over_threads_and_kinds_of_handle() {
    let registry = Registry::new();
    let tokens: Counter = registry.counter("tokens").build().unwrap();
    let joules: FloatCounter = registry.float_counter("energy").unit(Unit::Joules).build().unwrap();
    let running: UpDownCounter = registry.updown_counter("running").build().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let (mut here, mut joules_here, mut running_here) = (tokens.local(), joules.local(), running.local());
                for _ in 0..1000 {
                    tokens.inc();
                    tokens.add(2);
                    here.inc();
                    here.add(3);
                    joules.add(0.25);
                    joules_here.add(0.5);
                    running.inc();
                    running_here.inc();
                    running.add(-3);
                    running_here.dec();
                }
            });
        }
    });
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.counter("tokens", ONE), Some(4 * 7000));
    assert_eq!(snapshot.float_counter("energy", ONE), Some(3000.0));
    assert_eq!(snapshot.gauge("running", ONE), Some(-8000.0));
    assert_eq!(snapshot.counter("running", ONE), None, "an up-down counter is no counter");
    assert_eq!(snapshot.counter("nothing", ONE), None);
}

#[test]
fn a_float_counter_ignores_what_would_break_its_total() {
    let registry = Registry::new();
    let joules = registry.float_counter("energy").build().unwrap();
    let mut here = joules.local();
    for amount in [1.5, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0] {
        joules.add(amount);
        here.add(amount);
    }
    assert_eq!(registry.snapshot().float_counter("energy", ONE), Some(3.0));
}

/// Infinity no format shows, and a difference of two is no number.
#[test]
fn a_float_counter_beyond_the_largest_float_stays_there_and_is_shown() {
    let registry = Registry::new();
    let joules = registry.float_counter("energy").build().unwrap();
    let snapshots = [f64::MAX, f64::MAX, 1.0].map(|amount| {
        joules.add(amount);
        // Each of the threads has a cell of its own.
        std::thread::spawn({
            let joules = joules.clone();
            move || joules.add(amount)
        })
        .join()
        .unwrap();
        registry.snapshot()
    });
    for snapshot in &snapshots {
        assert_eq!(snapshot.float_counter("energy", ONE), Some(f64::MAX));
        let text = tach::text::render(snapshot);
        assert!(text.contains("\nenergy_total 1.7976931348623157e+308\n"), "{text}");
    }
    assert_eq!(snapshots[2].since(&snapshots[0]).float_counter("energy", ONE), Some(0.0));
}

#[test]
fn a_gauge_keeps_the_last_value_set_by_any_thread() {
    let registry = Registry::new();
    let usage: Gauge = registry.gauge("kv_usage").unit(Unit::Ratio).build().unwrap();
    assert_eq!(registry.snapshot().gauge("kv_usage", ONE), Some(0.0));
    usage.set(0.25);
    let other = usage.clone();
    std::thread::spawn(move || other.set(0.5)).join().unwrap();
    assert_eq!(registry.snapshot().gauge("kv_usage", ONE), Some(0.5));
}

#[test]
fn callbacks_are_read_at_every_collection() {
    let registry = Registry::new();
    let depth = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(3));
    let read = depth.clone();
    let load = move || read.load(std::sync::atomic::Ordering::Relaxed);
    let again = load.clone();
    registry.observe_gauge("queue_depth", "Requests that wait.", move || load() as f64).unwrap();
    registry.observe_counter("polls", "Polls.", again).unwrap();
    assert_eq!(registry.snapshot().gauge("queue_depth", ONE), Some(3.0));
    depth.store(5, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(registry.snapshot().gauge("queue_depth", ONE), Some(5.0));
    assert_eq!(registry.snapshot().counter("polls", ONE), Some(5));
}

#[test]
fn a_callback_may_panic_or_use_its_registry() {
    let registry = Registry::new();
    let (of_callback, steps) = (registry.clone(), registry.counter("steps").build().unwrap());
    registry.observe_gauge("broken", "", || panic!("on purpose")).unwrap();
    registry
        .observe_gauge("nested", "", move || {
            let made = of_callback.counter("made").build().unwrap();
            made.inc();
            of_callback.set_level(Level::Basic);
            1.0
        })
        .unwrap();
    steps.inc();
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.gauge("broken", ONE), None);
    assert_eq!(snapshot.gauge("nested", ONE), Some(1.0));
    assert_eq!(snapshot.counter("steps", ONE), Some(1));
    assert_eq!(snapshot.counter("tach_callback_panics", ONE), Some(1));
    assert_eq!(registry.snapshot().counter("made", ONE), Some(2));
}

#[test]
fn a_histogram_counts_sums_and_keeps_its_ends() {
    let registry = Registry::new();
    let itl: Histogram = registry.histogram("itl").unit(Unit::Seconds).build().unwrap();
    itl.record(1_250_000);
    itl.record_n(2_000_001, 3);
    itl.record_n(77, 0);
    itl.record_duration(Duration::from_micros(1250));
    let mut here = itl.local();
    here.record(900_001);
    here.record_n(5_000_000, 2);
    here.record_n(1, 0);
    here.record_duration(Duration::from_millis(4));
    let snapshot = registry.snapshot();
    let h = snapshot.histogram("itl", ONE).unwrap();
    assert_eq!(h.count(), 9);
    assert_eq!(h.sum(), 0.023_400_004);
    assert_eq!((h.min(), h.max()), (0.000_900_001, 0.005));
    assert!(h.is_exact());
    assert_eq!(h.quantile(0.0), h.quantile(1.0 / 9.0));
    assert_eq!(h.quantile(1.0), 0.005);
    assert!((h.quantile(0.5) / 0.002_000_001 - 1.0).abs() <= 0.01);
    assert!((h.mean() - 0.0026).abs() < 1e-5);
}

#[test]
fn an_empty_histogram_is_there_and_says_so() {
    let registry = Registry::new();
    let itl = registry.histogram("itl").buckets([1.0]).build().unwrap();
    let snapshot = registry.snapshot();
    let h = snapshot.histogram("itl", ONE).unwrap();
    assert_eq!((h.count(), h.sum()), (0, 0.0));
    assert!(h.min().is_nan() && h.max().is_nan() && h.quantile(0.5).is_nan() && h.mean().is_nan());
    assert_eq!(h.bucket_count_le(1.0), 0);
    assert_eq!(h.to_hdr().len(), 0);
    itl.record(0);
    let snapshot = registry.snapshot();
    let h = snapshot.histogram("itl", ONE).unwrap();
    assert_eq!((h.count(), h.min(), h.max(), h.quantile(0.5)), (1, 0.0, 0.0, 0.0));
}

#[test]
fn values_above_the_maximum_are_clamped_and_counted() {
    let registry = Registry::new();
    let size = registry.histogram("size").max(1000.0).buckets([10.0, 1000.0]).build().unwrap();
    let wide = registry.histogram("wide").max(9e15).build().unwrap();
    for value in [1, 1000, 1001, 5_000, u64::MAX] {
        size.record(value);
        size.local().record_n(value, 2);
        wide.record(value);
    }
    let snapshot = registry.snapshot();
    let h = snapshot.histogram("size", ONE).unwrap();
    assert_eq!((h.count(), h.clamped()), (15, 9));
    assert_eq!(h.max(), 1001.0, "clamped values stay above a bound that is the maximum");
    assert_eq!(h.bucket_count_le(1000.0), 6);
    assert_eq!(h.sum(), 3.0 + 3.0 * 1000.0 + 9.0 * 1001.0);
    let h = snapshot.histogram("wide", ONE).unwrap();
    assert_eq!((h.count(), h.clamped(), h.max()), (5, 1, 9e15));
    assert_eq!(snapshot.counter("tach_clamped", &[("metric", "size")]), Some(9));
    assert_eq!(snapshot.counter("tach_clamped", &[("metric", "wide")]), Some(1));
}

#[test]
fn declared_bounds_are_exact_and_upper_inclusive() {
    let registry = Registry::new();
    let bounds = [0.0001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 2.5, 7.5];
    for digits in 1..=3 {
        let name = format!("itl{digits}");
        let itl = registry.histogram(name.as_str()).unit(Unit::Seconds).digits(digits).buckets(bounds).build().unwrap();
        let ticks = |bound: f64| (bound * 1e9).round() as u64;
        for bound in bounds {
            itl.record(ticks(bound) - 1);
            itl.record(ticks(bound));
            itl.record(ticks(bound) + 1);
        }
        let snapshot = registry.snapshot();
        let h = snapshot.histogram(&name, ONE).unwrap();
        for (index, bound) in (0..).zip(bounds) {
            assert_eq!(h.bucket_count_le(bound), 3 * index + 2, "{digits} digits, le {bound}");
        }
        let buckets: Vec<_> = h.buckets().collect();
        assert_eq!(buckets.len(), bounds.len());
        assert!(buckets.iter().all(|&(bound, count)| count == h.bucket_count_le(bound)));
        // Split or not, the cells are HdrHistogram's.
        let mut theirs = hdrhistogram::Histogram::<u64>::new_with_bounds(1, h.to_hdr().high(), digits).unwrap();
        bounds.iter().flat_map(|b| [ticks(*b) - 1, ticks(*b), ticks(*b) + 1]).for_each(|v| theirs.record(v).unwrap());
        assert_eq!(h.to_hdr(), theirs);
    }
}

#[test]
fn durations_are_rounded_to_ticks_of_the_unit() {
    let registry = Registry::new();
    let micros = registry.histogram("micros").unit(Unit::Seconds).tick(1e-6).build().unwrap();
    let millis = registry.histogram("millis").unit(Unit::Milliseconds).build().unwrap();
    for h in [&micros, &millis] {
        h.record_duration(Duration::from_nanos(1_500_600));
    }
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.histogram("micros", ONE).unwrap().max(), 0.001_501);
    assert_eq!(snapshot.histogram("millis", ONE).unwrap().max(), 1.500_6);
}

#[test]
fn every_mode_of_recording_gives_the_same_totals() {
    let totals = |recording| {
        let registry = Registry::builder().recording(recording).build().unwrap();
        let counter = registry.counter("c").build().unwrap();
        let float = registry.float_counter("f").build().unwrap();
        let histogram = registry.histogram("h").unit(Unit::Seconds).buckets([0.01, 0.025]).build().unwrap();
        let family = registry.counter("family").labels(["thread"]).build().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let (counter, float, histogram, family) = (&counter, &float, &histogram, &family);
                scope.spawn(move || {
                    for i in 0..2_000 {
                        counter.inc();
                        float.add(0.5);
                        histogram.record(i * 10_000 + thread);
                        histogram.local().record_n(40_000_000, 2);
                        family.with([&thread.to_string()]).add(i);
                    }
                });
            }
        });
        let snapshot = registry.snapshot();
        let h = snapshot.histogram("h", ONE);
        let h =
            h.map(|h| (h.count(), h.sum().to_bits(), h.min().to_bits(), h.max().to_bits(), h.bucket_count_le(0.01)));
        (
            snapshot.counter("c", ONE),
            snapshot.float_counter("f", ONE),
            h,
            snapshot.counter("family", &[("thread", "3")]),
        )
    };
    let sharded = totals(Recording::Sharded);
    assert_eq!(sharded.0, Some(8_000));
    assert_eq!(sharded.2.unwrap().0, 24_000);
    assert_eq!(totals(Recording::Sync), sharded);
    assert_eq!(totals(Recording::Noop), (None, None, None, None), "nothing is recorded, nothing shown");
}

#[cfg(not(target_os = "linux"))]
#[test]
fn process_mode_says_that_it_needs_linux() {
    let error = Registry::builder().recording(Recording::Process).build().unwrap_err();
    assert!(error.to_string().contains("use Recording::Sharded"), "{error}");
}

#[test]
fn levels_switch_at_run_time_and_keep_totals() {
    let registry = Registry::builder().level(Level::Basic).build().unwrap();
    let basic = registry.counter("basic").build().unwrap();
    let detailed = registry.histogram("detailed").level(Level::Detailed).build().unwrap();
    let always = registry.gauge("always").level(Level::None).build().unwrap();
    let family = registry.counter("family").level(Level::Detailed).labels(["l"]).build().unwrap();
    let (mut basic_here, mut detailed_here) = (basic.local(), detailed.local());
    let mut record = || {
        basic.inc();
        basic_here.inc();
        detailed.record(5);
        detailed_here.record(6);
        always.set(1.0);
        family.with(["a"]).inc();
    };
    let seen = || {
        let snapshot = registry.snapshot();
        (
            snapshot.counter("basic", ONE),
            snapshot.histogram("detailed", ONE).map(|h| h.count()),
            snapshot.gauge("always", ONE),
            snapshot.counter("family", &[("l", "a")]),
        )
    };
    record();
    assert_eq!(seen(), (Some(2), None, Some(1.0), None));
    registry.set_level(Level::Detailed);
    record();
    assert_eq!(seen(), (Some(4), Some(2), Some(1.0), Some(1)));
    registry.set_level(Level::None);
    record();
    assert_eq!(seen(), (None, None, Some(1.0), None));
    registry.set_level(Level::Detailed);
    assert_eq!(seen(), (Some(4), Some(2), Some(1.0), Some(1)));
}

#[test]
fn handles_live_in_statics() {
    static TOKENS: LazyLock<Counter> = LazyLock::new(|| tach::global().counter("static_tokens").build().unwrap());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| TOKENS.add(5));
        }
    });
    assert_eq!(tach::global().snapshot().counter("static_tokens", ONE), Some(15));
}

#[test]
fn handles_are_send_and_sync() {
    fn both<T: Send + Sync + Clone + 'static>() {}
    both::<Counter>();
    fn unwind_safe<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    unwind_safe::<Counter>();
    unwind_safe::<Histogram>();
    unwind_safe::<UpDownCounter>();
    unwind_safe::<Gauge>();
    both::<FloatCounter>();
    both::<UpDownCounter>();
    both::<Gauge>();
    both::<Histogram>();
    both::<tach::Family<Histogram, 3>>();
    both::<Registry>();
    both::<tach::Snapshot>();
}

#[test]
fn bounds_are_exact_whatever_the_digits() {
    let bounds = [0.0, 3.0, 300.0, 1_000.0, 1_001.0, 1_005.0, 70_001.0, 1e6];
    for digits in 1..=3 {
        let registry = Registry::new();
        let histogram = registry.histogram("h").digits(digits).buckets(bounds).build().unwrap();
        // From the middle outwards, so that the range reaches the bounds' cells one after another.
        let values: Vec<u64> =
            (0..40_000).map(|i| if i % 2 == 0 { 1_003 + i * i / 400 } else { 1_003 - i / 40 }).collect();
        values.iter().for_each(|&value| histogram.record(value));
        let snapshot = registry.snapshot();
        let read = snapshot.histogram("h", &[]).unwrap();
        assert!(read.is_exact() && read.count() == values.len() as u64);
        for bound in bounds {
            let below = values.iter().filter(|&&value| value as f64 <= bound).count();
            assert_eq!(read.bucket_count_le(bound), below as u64, "{digits} digits, {bound}");
        }
    }
}
