//! Property: when a registry grows by an extent while others record and collect, each new series gets cells of its own,
//! and a collection that finds a series in the list finds its cell in the fronts, with all that was recorded before it
//! was listed.
//!
//! Mutations: extent-reuse

use loom::sync::{Arc, Mutex};
use loom::thread;
use loom_tests::{check, join};
use tach::model::Process;

#[test]
fn a_listed_series_lies_in_the_fronts() {
    check(|| {
        let process = Process::new();
        let registry = process.registry(2);
        // A header and eight buckets fill the first extent.
        let first = registry.histogram(7);
        first.record(&process.thread(), 7);
        let listed = Arc::new(Mutex::new(Vec::new()));
        let growers = [1, 10].map(|n| {
            let (process, registry, listed) = (process.clone(), registry.clone(), Arc::clone(&listed));
            thread::spawn(move || {
                let counter = registry.counter();
                counter.add(&process.thread(), n);
                listed.lock().unwrap().push((counter, n));
            })
        });
        let collect = || {
            // The series first, then the fronts.
            let series: Vec<_> = listed.lock().unwrap().clone();
            series.into_iter().map(|(counter, n)| (registry.total(&counter), Some(n))).collect::<Vec<_>>()
        };
        let early = collect();
        join(growers);
        let late = collect();
        assert_eq!(late.len(), 2);
        for (total, recorded) in early.into_iter().chain(late) {
            assert_eq!(total, recorded);
        }
        assert_eq!(first.read().iter().map(|reading| reading.count).sum::<u64>(), 1);
    });
}
