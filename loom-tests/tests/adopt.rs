//! Property: a shard goes from a thread that ends to the next that begins, and to one only; each continues the totals
//! of the one before; a collector meanwhile sees no total fall and no histogram torn; in the end all is there, and
//! every shard is idle.
//!
//! Mutations: shard-adopt

use loom::thread;
use loom_tests::{assert_exact, check, join};
use tach::model::Process;

#[test]
fn a_shard_keeps_its_totals_from_owner_to_owner() {
    check(|| {
        let process = Process::new();
        let counter = process.registry(2).counter();
        let recorders = [1, 10].map(|n| {
            let (process, counter) = (process.clone(), counter.clone());
            thread::spawn(move || counter.add(&process.thread(), n))
        });
        counter.add(&process.thread(), 100);
        let (early, late) = (counter.total(), counter.total());
        join(recorders);
        assert!(100 <= early && early <= late);
        assert_eq!(counter.total(), 111);
        let (shards, idle) = process.census();
        assert_eq!(shards, idle);
    });
}

#[test]
fn a_histogram_is_read_exactly_across_owners() {
    check(|| {
        let process = Process::new();
        let histogram = process.registry(1).histogram(2);
        histogram.record(&process.thread(), 1);
        let recorder = {
            let (process, histogram) = (process.clone(), histogram.clone());
            thread::spawn(move || {
                histogram.record(&process.thread(), 2);
                histogram.record(&process.thread(), 1);
            })
        };
        let [_, early] = histogram.read().try_into().unwrap();
        recorder.join().unwrap();
        let [_, last] = histogram.read().try_into().unwrap();
        for reading in [&early, &last] {
            assert_exact(reading);
        }
        assert_eq!((last.count, last.sum, last.exact), (3, 4, true));
    });
}
