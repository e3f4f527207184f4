//! Families: label sets, limits, removal.

use tach::{Counter, Family, Histogram, Registry};

fn get(registry: &Registry, name: &str, labels: &[(&str, &str)]) -> Option<u64> {
    registry.snapshot().counter(name, labels)
}

#[test]
fn a_label_set_is_a_series_and_labels_are_found_in_any_order() {
    let registry = Registry::new();
    let requests: Family<Counter, 2> = registry.counter("requests").labels(["code", "path"]).build().unwrap();
    requests.with(["200", "/a"]).add(2);
    requests.with(["500", "/a"]).inc();
    requests.clone().with(["200", "/a"]).inc();
    assert_eq!(get(&registry, "requests", &[("code", "200"), ("path", "/a")]), Some(3));
    assert_eq!(get(&registry, "requests", &[("path", "/a"), ("code", "500")]), Some(1));
    assert_eq!(get(&registry, "requests", &[("path", "/a")]), None);
    assert_eq!(get(&registry, "requests", &[("path", "/b"), ("code", "500")]), None);
}

#[test]
fn values_that_concatenate_alike_are_different_series() {
    let registry = Registry::new();
    let family = registry.counter("f").labels(["a", "b"]).build().unwrap();
    for (n, values) in [(1, ["ab", "c"]), (2, ["a", "bc"]), (4, ["", "abc"]), (8, ["abc", ""]), (16, ["a\u{ff}b", "c"])]
    {
        family.with(values).add(n);
    }
    assert_eq!(get(&registry, "f", &[("a", "ab"), ("b", "c")]), Some(1));
    assert_eq!(get(&registry, "f", &[("a", "a"), ("b", "bc")]), Some(2));
    assert_eq!(get(&registry, "f", &[("a", ""), ("b", "abc")]), Some(4));
    assert_eq!(get(&registry, "f", &[("a", "abc"), ("b", "")]), Some(8));
}

#[test]
fn past_its_limit_a_family_sums_up_in_one_series() {
    let registry = Registry::new();
    let family = registry.counter("f").labels(["user"]).limit(3).build().unwrap();
    for user in 0..10 {
        for _ in 0..2 {
            family.with([&user.to_string()]).inc();
        }
    }
    let long = "x".repeat(2000);
    family.with([&long]).inc();
    assert_eq!(get(&registry, "f", &[("user", "2")]), Some(2));
    assert_eq!(get(&registry, "f", &[("user", "3")]), None);
    assert_eq!(get(&registry, "f", &[("user", "tach_overflow")]), Some(15));
    assert_eq!(get(&registry, "tach_overflow_series", &[]), Some(15));
    // Room is made by removal.
    assert!(family.remove(["0"]));
    family.with(["9"]).inc();
    assert_eq!(get(&registry, "f", &[("user", "9")]), Some(1));
}

#[test]
fn a_handle_survives_the_removal_of_its_series_and_harms_no_other() {
    let registry = Registry::new();
    let family = registry.counter("f").labels(["l"]).build().unwrap();
    let held = family.with(["old"]);
    held.add(7);
    assert!(family.remove(["old"]));
    assert!(!family.remove(["old"]));
    assert_eq!(get(&registry, "f", &[("l", "old")]), None);
    // The cells are still the handle's: a new series must not get them.
    let others: Vec<_> = (0..100).map(|i| family.with([&i.to_string()])).collect();
    held.add(1000);
    others.iter().for_each(Counter::inc);
    for i in 0..100 {
        assert_eq!(get(&registry, "f", &[("l", &i.to_string())]), Some(1));
    }
    let fresh = family.with(["old"]);
    fresh.inc();
    held.inc();
    assert_eq!(get(&registry, "f", &[("l", "old")]), Some(1));
}

#[test]
fn cells_of_removed_series_are_used_again_from_zero() {
    let registry = Registry::new();
    let counters = registry.counter("c").labels(["l"]).build().unwrap();
    let histograms: Family<Histogram, 1> = registry.histogram("h").buckets([3.0]).labels(["l"]).build().unwrap();
    let memory = |registry: &Registry| registry.snapshot().gauge("tach_memory", &[]).unwrap();
    let mut before = 0.0;
    for round in 0..1_000 {
        // The maps of the families free what they held a little later, in batches: by now some have been.
        if round == 200 {
            before = memory(&registry);
        }
        let name = round.to_string();
        let (counter, histogram) = (counters.with([&name]), histograms.with([&name]));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                counter.add(round);
                histogram.record(round);
            });
        });
        counter.inc();
        histogram.record(1000);
        let snapshot = registry.snapshot();
        assert_eq!(snapshot.counter("c", &[("l", &name)]), Some(round + 1));
        let h = snapshot.histogram("h", &[("l", &name)]).unwrap();
        assert_eq!((h.count(), h.sum()), (2, (round + 1000) as f64));
        assert_eq!(h.min(), round.min(1000) as f64);
        drop(snapshot);
        assert!(counters.remove([&name]) && histograms.remove([&name]));
    }
    assert_eq!(memory(&registry), before);
}

#[test]
fn a_label_set_looked_up_as_a_thread_ends_is_counted() {
    struct Last {
        family: Family<Counter, 1>,
        _alive: std::sync::mpsc::Sender<()>,
    }
    impl Drop for Last {
        fn drop(&mut self) {
            self.family.with(["end"]).inc();
            self.family.remove(["nothing"]);
        }
    }
    thread_local!(static LAST: std::cell::Cell<Option<Last>> = const { std::cell::Cell::new(None) });
    let registry = Registry::new();
    let family = registry.counter("f").labels(["l"]).build().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    for before in [true, false] {
        let (family, sender) = (family.clone(), sender.clone());
        let thread = std::thread::spawn(move || {
            // Destroyed after whatever the first look-up makes, or before.
            if before {
                LAST.set(Some(Last { family: family.clone(), _alive: sender.clone() }));
            }
            family.with(["work"]).inc();
            LAST.set(Some(Last { family, _alive: sender }));
        });
        thread.join().unwrap();
    }
    drop(sender);
    assert!(receiver.recv().is_err(), "both threads have ended wholly");
    let count = |l| get(&registry, "f", &[("l", l)]).unwrap_or(0);
    assert_eq!(count("work"), 2);
    // One replaced thread-local, and two ends: where the map is gone already it is the overflow series.
    assert_eq!(count("end") + count("tach_overflow"), 3);
}

#[test]
fn a_family_without_labels_is_one_series() {
    let registry = Registry::new();
    let family = registry.counter("f").labels([]).build().unwrap();
    family.with([]).inc();
    family.with([]).inc();
    assert_eq!(get(&registry, "f", &[]), Some(2));
    assert_eq!(get(&registry, "tach_overflow_series", &[]), Some(0));
    assert!(family.remove([]));
}

#[test]
fn what_was_clamped_does_not_fall_when_a_series_is_removed() {
    let registry = Registry::new();
    let family = registry.histogram("h").max(10.0).labels(["l"]).build().unwrap();
    family.with(["a"]).record_n(100, 3);
    family.with(["b"]).record(100);
    family.remove(["a"]);
    assert_eq!(get(&registry, "tach_clamped", &[("metric", "h")]), Some(4));
}

#[test]
fn a_family_outlives_its_registry() {
    let registry = Registry::new();
    let family = registry.counter("f").labels(["l"]).build().unwrap();
    let held = family.with(["a"]);
    drop(registry);
    held.inc();
    family.with(["a"]).inc();
    family.with(["new"]).inc();
    assert!(!family.remove(["a"]));
}

#[test]
fn many_threads_make_the_same_series_once() {
    let registry = Registry::new();
    let family = registry.counter("f").labels(["l"]).build().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for i in 0..500 {
                    family.with([&(i % 50).to_string()]).inc();
                }
            });
        }
    });
    for i in 0..50 {
        assert_eq!(get(&registry, "f", &[("l", &i.to_string())]), Some(80));
    }
    assert_eq!(registry.snapshot().gauge("tach_series", &[]), Some(50.0));
}
