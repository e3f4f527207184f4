//! Property: a collector that reads a thread's copy of a histogram while the thread records gets count, sum, range and
//! buckets of the same values, or knows that it did not; and the count never falls from one reading to the next.
//!
//! Mutations: hist-sum-store, hist-sum-load, hist-count-store, hist-count-load

use loom::thread;
use loom_tests::{assert_exact, check};
use tach::model::Process;

#[test]
fn a_copy_is_read_exactly_while_its_thread_records() {
    check(|| {
        let process = Process::new();
        let histogram = process.registry(1).histogram(3);
        let here = process.thread();
        histogram.record(&here, 2);
        let recorder = {
            let histogram = histogram.clone();
            thread::spawn(move || {
                // One widens the range downwards, one upwards.
                histogram.record(&here, 1);
                histogram.record(&here, 3);
            })
        };
        let [_, early] = histogram.read().try_into().unwrap();
        let [_, late] = histogram.read().try_into().unwrap();
        recorder.join().unwrap();
        let [shared, last] = histogram.read().try_into().unwrap();
        for reading in [&early, &late, &last] {
            assert_exact(reading);
        }
        assert!(1 <= early.count && early.count <= late.count && late.count <= 3);
        assert_eq!((shared.count, last.count, last.sum, last.exact), (0, 3, 6, true));
    });
}
