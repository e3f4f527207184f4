//! What the models have in common.
//!
//! Each file in `tests/` is one property. It opens with the property and with the mutations of `tach` that break it:
//! `scripts/loom` builds each of those and expects the file to fail. A model asserts after it has joined its threads
//! where it can, so that a failure is one message.

use loom::thread::JoinHandle;
use tach::model::Reading;

/// Runs `model` over every schedule with at most three preemptions, and every value that a load may give in each.
///
/// `LOOM_MAX_PREEMPTIONS` sets another bound; loom's other variables work as usual.
pub fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(model);
}

/// Runs `model` over every schedule there is: for two threads that do little.
pub fn check_fully(model: impl Fn() + Send + Sync + 'static) {
    loom::model::Builder::new().check(model);
}

/// Waits for threads and gives what they gave.
pub fn join<T, const N: usize>(threads: [JoinHandle<T>; N]) -> [T; N] {
    threads.map(|thread| thread.join().expect("a model that panics has failed already"))
}

/// Checks that a reading of a copy is of one set of values, with the range of just those. A reading that says it is not
/// exact still has to count what its buckets hold.
pub fn assert_exact(reading: &Reading) {
    let count: u64 = reading.values.iter().map(|(_, held)| held).sum();
    assert_eq!(count, reading.count, "the count is that of the buckets: {reading:?}");
    let sum: u64 = reading.values.iter().map(|(value, held)| value * held).sum();
    assert!(sum == reading.sum || !reading.exact, "the sum is that of the buckets: {reading:?}");
    if let (Some(&(first, _)), Some(&(last, _))) = (reading.values.first(), reading.values.last()) {
        assert_eq!((first, last), (reading.low, reading.high), "the range is that of the buckets: {reading:?}");
    }
}
