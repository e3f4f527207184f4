//! Everything at once on real threads: they start, end, panic and record from thread-local destructors, families gain
//! and lose series, levels switch, and snapshots are taken all the while. Every snapshot is exact and no counter falls;
//! in the end all that was recorded is there.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tach::{Counter, Family, Histogram, Level, Registry, Snapshot, Unit};

/// What the threads recorded, counted the plain way.
#[derive(Default)]
struct Account {
    tokens: AtomicU64,
    values: AtomicU64,
    sum: AtomicU64,
    kept: AtomicU64,
    running: AtomicBool,
}

impl Account {
    fn add(&self, total: &AtomicU64, n: u64) {
        total.fetch_add(n, Ordering::Relaxed);
    }
}

struct Metrics {
    tokens: Counter,
    itl: Histogram,
    kept: Family<Counter, 2>,
    passing: Family<Histogram, 1>,
}

/// Records when its thread's locals are destroyed.
struct Last {
    tokens: Counter,
    itl: Histogram,
}

impl Drop for Last {
    fn drop(&mut self) {
        self.tokens.inc();
        self.itl.record(1_000);
    }
}

thread_local!(static LAST: Cell<Option<Last>> = const { Cell::new(None) });

/// A thread's life: some recordings by every sort of handle, and perhaps a panic.
fn live(metrics: &Metrics, account: &Account, seed: u64) {
    let mut random = seed | 1;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    LAST.set(Some(Last { tokens: metrics.tokens.clone(), itl: metrics.itl.clone() }));
    account.add(&account.tokens, 1);
    account.add(&account.values, 1);
    account.add(&account.sum, 1_000);
    let mut here = metrics.itl.local();
    let mut tokens_here = metrics.tokens.local();
    for _ in 0..next(3_000) {
        let size = 10 + next(20);
        let value = next(1 << size);
        metrics.tokens.inc();
        tokens_here.add(2);
        account.add(&account.tokens, 3);
        metrics.itl.record(value);
        here.record_n(value, 3);
        account.add(&account.values, 4);
        account.add(&account.sum, 4 * value);
        if next(16) == 0 {
            metrics.kept.with([["a", "b", "c"][next(3) as usize], "x"]).inc();
            account.add(&account.kept, 1);
            metrics.passing.with([&next(40).to_string()]).record(value);
        }
    }
    if next(4) == 0 {
        let _ = catch_unwind(AssertUnwindSafe(|| std::panic::resume_unwind(Box::new("on purpose"))));
        std::panic::resume_unwind(Box::new("on purpose"));
    }
}

/// Checks one snapshot against the one before.
fn check(now: &Snapshot, before: &Snapshot) {
    for (name, labels) in
        [("tokens", &[][..]), ("kept", &[("l", "a"), ("m", "x")]), ("kept", &[("l", "b"), ("m", "x")])]
    {
        let (now, before) = (now.counter(name, labels), before.counter(name, labels));
        assert!(now.unwrap_or(0) >= before.unwrap_or(0), "{name} fell from {before:?} to {now:?}");
    }
    let (h, before) = (now.histogram("itl", &[]).unwrap(), before.histogram("itl", &[]).unwrap());
    assert_eq!(h.to_hdr().len(), h.count(), "the count is not the sum of the buckets");
    assert!(h.count() >= before.count() && h.sum() >= before.sum());
    let last = h.buckets().last().unwrap().1;
    assert!(last <= h.count());
    if h.count() > 0 && h.is_exact() {
        // What the buckets allow: each value lies between the ends of its cell.
        let hdr = h.to_hdr();
        let ends = hdr.iter_recorded().fold((0_u128, 0_u128), |(low, high), cell| {
            let (value, n) = (cell.value_iterated_to(), u128::from(cell.count_at_value()));
            let (lowest, highest) = (hdr.lowest_equivalent(value), hdr.highest_equivalent(value));
            (low + n * u128::from(lowest), high + n * u128::from(highest))
        });
        let sum = (h.sum() * 1e9).round() as u128;
        assert!(ends.0 <= sum + 1000 && sum <= ends.1 + 1000, "{sum} is not within {ends:?}");
        assert!(h.min() <= h.quantile(0.5) && h.quantile(0.5) <= h.max());
    }
}

#[test]
fn totals_equal_what_was_recorded() {
    let registry = Registry::new();
    let metrics = Metrics {
        tokens: registry.counter("tokens").build().unwrap(),
        itl: registry.histogram("itl").unit(Unit::Seconds).buckets([1e-6, 0.0005, 0.3]).build().unwrap(),
        kept: registry.counter("kept").labels(["l", "m"]).build().unwrap(),
        passing: registry.histogram("passing").labels(["n"]).limit(20).build().unwrap(),
    };
    let idle = registry.counter("detail").level(Level::Detailed).build().unwrap();
    let account = Account { running: AtomicBool::new(true), ..Account::default() };
    let end = Instant::now() + Duration::from_secs(4);
    let deaths = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut before = registry.snapshot();
                    let mut taken = 0;
                    while account.running.load(Ordering::Relaxed) {
                        let now = registry.snapshot();
                        check(&now, &before);
                        let _ = tach::text::render(&now);
                        let since = now.since(&before);
                        assert!(since.counter("tokens", &[]).unwrap() <= now.counter("tokens", &[]).unwrap());
                        before = now;
                        taken += 1;
                    }
                    taken
                })
            })
            .collect();
        scope.spawn(|| {
            for n in 0.. {
                if !account.running.load(Ordering::Relaxed) {
                    break;
                }
                metrics.passing.remove([&(n % 40).to_string()]);
                registry.set_level(if n % 2 == 0 { Level::Basic } else { Level::Detailed });
                idle.inc();
                std::thread::yield_now();
            }
        });
        let mut deaths = 0;
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        while Instant::now() < end {
            let generation: Vec<_> = (0..6)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let (metrics, account) = (&metrics, &account);
                    scope.spawn(move || live(metrics, account, seed))
                })
                .collect();
            // A join here waits for the whole thread, its thread-locals' destructors included.
            deaths += generation.into_iter().filter_map(|thread| thread.join().err()).count();
        }
        account.running.store(false, Ordering::Relaxed);
        let taken: u64 = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
        assert!(taken > 10, "only {taken} snapshots");
        deaths
    });
    assert!(deaths > 0, "no thread panicked");
    let snapshot = registry.snapshot();
    let load = |total: &AtomicU64| total.load(Ordering::Relaxed);
    assert_eq!(snapshot.counter("tokens", &[]), Some(load(&account.tokens)));
    let h = snapshot.histogram("itl", &[]).unwrap();
    assert_eq!(h.count(), load(&account.values));
    assert!(h.is_exact());
    let sum = load(&account.sum) as f64 / 1e9;
    assert!((h.sum() - sum).abs() <= sum * 1e-15, "{} is not {sum}", h.sum());
    let kept = ["a", "b", "c"].map(|l| snapshot.counter("kept", &[("l", l), ("m", "x")]).unwrap_or(0));
    assert_eq!(kept.iter().sum::<u64>(), load(&account.kept));
}
