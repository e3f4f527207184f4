//! Property: a collector that reads the copy of a histogram which threads share, while two of them record, gets count,
//! sum, range and buckets of the same values, or knows that it did not; and in the end nothing is lost.
//!
//! Mutations: hist-sum-store, hist-sum-load, hist-count-store, hist-count-load, shared-add, shared-max

use loom::thread;
use loom_tests::{assert_exact, check, join};
use tach::model::Process;

#[test]
fn the_shared_copy_is_read_exactly_while_two_threads_record() {
    check(|| {
        let process = Process::new();
        // No shard may write this registry's cells.
        let histogram = process.registry(0).histogram(2);
        let recorders = [1, 2].map(|value| {
            let (histogram, here) = (histogram.clone(), process.thread());
            thread::spawn(move || histogram.record(&here, value))
        });
        let [early] = histogram.read().try_into().unwrap();
        join(recorders);
        let [last] = histogram.read().try_into().unwrap();
        for reading in [&early, &last] {
            assert_exact(reading);
        }
        assert_eq!((last.count, last.sum, last.exact), (2, 3, true));
    });
}
