//! Property: threads that no shard serves add to the region they share, beside one that has a shard: a total never
//! falls, and in the end nothing is lost. The same for fractions.
//!
//! Mutations: shared-add, shared-float

use loom::thread;
use loom_tests::{check, join};
use tach::model::Process;

#[test]
fn the_shared_region_loses_nothing() {
    check(|| {
        let process = Process::new();
        // One shard may write this registry's cells: that of this thread.
        let counter = process.registry(1).counter();
        let here = process.thread();
        let recorders = [1, 10].map(|n| {
            let (process, counter) = (process.clone(), counter.clone());
            thread::spawn(move || counter.add(&process.thread(), n))
        });
        counter.add(&here, 100);
        let (early, late) = (counter.total(), counter.total());
        join(recorders);
        assert!(100 <= early && early <= late);
        assert_eq!(counter.total(), 111);
    });
}

#[test]
fn the_shared_region_loses_no_fraction() {
    check(|| {
        let process = Process::new();
        let counter = process.registry(0).float_counter();
        let recorders = [0.5, 0.25].map(|n| {
            let (counter, here) = (counter.clone(), process.thread());
            thread::spawn(move || counter.add(&here, n))
        });
        let (early, late) = (counter.total(), counter.total());
        join(recorders);
        assert!(early <= late);
        assert_eq!(counter.total(), 0.75);
    });
}
