//! Threads that end, panic, and record from the destructors of their thread-locals; registries that come and go.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tach::{Counter, Histogram, LocalCounter, Registry};

/// The cells' address space is the process's, so the tests here run one after another.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn shards(registry: &Registry) -> f64 {
    let snapshot = registry.snapshot();
    let of = |state| snapshot.gauge("tach_shards", &[("state", state)]).unwrap();
    of("idle") + of("in_use")
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).map_or(0, |pages| pages.parse::<usize>().unwrap() * 4096)
}

#[test]
fn ten_thousand_short_threads_use_the_memory_of_those_alive_at_once() {
    let _alone = alone();
    let registry = Registry::new();
    let tokens = registry.counter("tokens").build().unwrap();
    let itl = registry.histogram("itl").build().unwrap();
    let (mut before, mut shards_before) = (0, 0.0);
    for batch in 0..1_250 {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    tokens.inc();
                    itl.record(1000);
                });
            }
        });
        if batch == 50 {
            (before, shards_before) = (resident(), shards(&registry));
        }
    }
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.counter("tokens", &[]), Some(10_000));
    assert_eq!(snapshot.histogram("itl", &[]).unwrap().count(), 10_000);
    // A thread may still be ending when the next ones begin, so a few more than eight.
    assert!(shards(&registry) <= shards_before + 8.0, "{} shards after {shards_before}", shards(&registry));
    assert!(resident() < before + (4 << 20), "{} bytes after {before}", resident());
}

#[test]
fn a_shard_is_adopted_with_its_totals() {
    let _alone = alone();
    let registry = Registry::new();
    let tokens = registry.counter("tokens").build().unwrap();
    let mut last = 0;
    for n in 1..=50 {
        let tokens = &tokens;
        std::thread::scope(|scope| {
            scope.spawn(move || tokens.add(n));
        });
        let now = registry.snapshot().counter("tokens", &[]).unwrap();
        assert_eq!(now, last + n);
        last = now;
    }
}

#[test]
fn a_panic_loses_nothing() {
    let _alone = alone();
    let registry = Registry::new();
    let tokens = registry.counter("tokens").build().unwrap();
    let itl = registry.histogram("itl").build().unwrap();
    let (of_thread, of_thread_itl) = (tokens.clone(), itl.clone());
    let ended = std::thread::spawn(move || {
        of_thread.add(5);
        of_thread_itl.record(7);
        panic!("on purpose");
    });
    assert!(ended.join().is_err());
    let caught = catch_unwind(AssertUnwindSafe(|| {
        tokens.inc();
        panic!("on purpose");
    }));
    assert!(caught.is_err());
    tokens.inc();
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.counter("tokens", &[]), Some(7));
    assert_eq!(snapshot.histogram("itl", &[]).unwrap().sum(), 7.0);
}

/// Records when it is dropped, and through a local handle if it has one.
struct Last(Counter, Histogram, RefCell<Option<LocalCounter>>);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.inc();
        self.1.record(3);
        if let Some(here) = self.2.get_mut() {
            here.inc();
        }
    }
}

thread_local! {
    static EARLY: Cell<Option<Last>> = const { Cell::new(None) };
    static LATE: Cell<Option<Last>> = const { Cell::new(None) };
}

#[test]
fn destructors_of_thread_locals_record_too() {
    let _alone = alone();
    let registry = Registry::new();
    let tokens = registry.counter("tokens").build().unwrap();
    let itl = registry.histogram("itl").build().unwrap();
    for round in 0..20 {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    // One thread-local before the engine's own and one after it, as the order of destruction differs.
                    EARLY.set(Some(Last(tokens.clone(), itl.clone(), RefCell::default())));
                    tokens.inc();
                    let here = if round % 2 == 0 { Some(tokens.local()) } else { None };
                    LATE.set(Some(Last(tokens.clone(), itl.clone(), RefCell::new(here))));
                });
            }
        });
        // The scope waits for the threads' closures, not for their thread-locals: give those a moment.
        let expected = 4 * (round + 1) * 3 + 4 * (round / 2 + 1);
        let seen = || registry.snapshot().counter("tokens", &[]).unwrap();
        for _ in 0..200 {
            if seen() == expected {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_eq!(seen(), expected);
    }
    assert_eq!(registry.snapshot().histogram("itl", &[]).unwrap().count(), 160);
}

#[test]
fn a_local_handle_keeps_its_shard_from_being_adopted() {
    let _alone = alone();
    let registry = Registry::new();
    let tokens = registry.counter("tokens").build().unwrap();
    thread_local!(static KEPT: RefCell<Vec<LocalCounter>> = const { RefCell::new(Vec::new()) });
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let mut here = tokens.local();
                    here.inc();
                    KEPT.with_borrow_mut(|kept| kept.push(here));
                }
                KEPT.with_borrow_mut(|kept| kept.iter_mut().for_each(LocalCounter::inc));
            });
        }
    });
    assert_eq!(registry.snapshot().counter("tokens", &[]), Some(1_600));
}

#[test]
fn ten_thousand_registries_in_a_row_leave_nothing_behind() {
    let _alone = alone();
    let mut before = 0;
    for n in 0..10_000_u64 {
        let registry = Registry::new();
        let tokens = registry.counter("tokens").build().unwrap();
        let itl = registry.histogram("itl").buckets([10.0]).build().unwrap();
        let family = registry.counter("family").labels(["l"]).build().unwrap();
        tokens.add(n);
        itl.record(n);
        family.with(["x"]).inc();
        let snapshot = registry.snapshot();
        assert_eq!(snapshot.counter("tokens", &[]), Some(n));
        assert_eq!(snapshot.histogram("itl", &[]).unwrap().count(), 1);
        if n == 1_000 {
            before = resident();
        }
    }
    assert!(resident() < before + (8 << 20), "{} bytes after {before}", resident());
}

#[test]
fn a_thousand_registries_live_at_once() {
    let _alone = alone();
    let all: Vec<_> = (0..1_000_u64)
        .map(|n| {
            let registry = Registry::new();
            let counter = registry.counter("c").build().unwrap();
            counter.add(n);
            (registry, counter)
        })
        .collect();
    std::thread::scope(|scope| {
        scope.spawn(|| all.iter().for_each(|(_, counter)| counter.inc()));
    });
    for (n, (registry, _)) in (0..).zip(&all) {
        assert_eq!(registry.snapshot().counter("c", &[]), Some(n + 1));
    }
}

#[test]
fn a_handle_outlives_its_registry_and_a_registry_its_handles() {
    let _alone = alone();
    let registry = Registry::new();
    let held = registry.counter("held").build().unwrap();
    registry.counter("dropped").build().unwrap().add(3);
    assert_eq!(registry.snapshot().counter("dropped", &[]), Some(3));
    drop(registry);
    held.inc();
    // The cells that `held` still writes must not be another registry's.
    let other = Registry::new();
    let counters: Vec<_> = (0..100).map(|i| other.counter(format!("c{i}")).build().unwrap()).collect();
    held.add(1_000);
    counters.iter().for_each(Counter::inc);
    for i in 0..100 {
        assert_eq!(other.snapshot().counter(&format!("c{i}"), &[]), Some(1));
    }
}

#[test]
fn past_the_number_of_shards_threads_share_and_totals_stay_exact() {
    let _alone = alone();
    for (shards, budget) in [(2, 4 << 30), (0, 4 << 30), (4096, 1), (4096, 300_000)] {
        let registry = Registry::builder().shards_max(shards).memory_budget(budget).build().unwrap();
        let tokens = registry.counter("tokens").build().unwrap();
        let itl = registry.histogram("itl").buckets([1_000.0]).build().unwrap();
        let family = registry.histogram("family").labels(["thread"]).build().unwrap();
        let barrier = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for thread in 0..8_u64 {
                let (tokens, itl, family, barrier) = (&tokens, &itl, &family, &barrier);
                scope.spawn(move || {
                    // All have a shard before any gives one back.
                    tokens.inc();
                    barrier.wait();
                    let mut here = itl.local();
                    for i in 0..5_000 {
                        tokens.inc();
                        itl.record(i);
                        here.record_n(i + thread, 2);
                        family.with([&thread.to_string()]).record(i);
                    }
                });
            }
        });
        let snapshot = registry.snapshot();
        assert_eq!(snapshot.counter("tokens", &[]), Some(40_008), "{shards} {budget}");
        let h = snapshot.histogram("itl", &[]).unwrap();
        assert_eq!(h.count(), 120_000);
        assert_eq!((h.min(), h.max()), (0.0, 5_006.0));
        assert!(h.is_exact());
        let sum: u64 = (0..8_u64).map(|t| (0..5_000).map(|i| i + 2 * (i + t)).sum::<u64>()).sum();
        assert_eq!(h.sum(), sum as f64);
        let series = (0..8).map(|t| t.to_string()).chain(["tach_overflow".to_owned()]);
        let counts = series.filter_map(|t| Some(snapshot.histogram("family", &[("thread", &t)])?.count()));
        assert_eq!(counts.sum::<u64>(), 40_000);
        assert!(snapshot.counter("tach_overflow_recordings", &[]).unwrap() > 0, "{shards} {budget}");
        if budget < 4 << 30 {
            // One shared copy is kept in any case; the rest is within the budget.
            let memory = snapshot.gauge("tach_memory", &[]).unwrap();
            assert!(memory <= budget as f64 + 300_000.0, "{memory} of {budget}");
        }
    }
}
