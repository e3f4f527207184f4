//! Property: a thread's first recording gets a shard that no other thread has, and that every later collection reads; a
//! total never falls; and there are no more shards than threads.
//!
//! Mutations: shard-list

use loom::thread;
use loom_tests::{check, join};
use tach::model::Process;

#[test]
fn a_first_recording_gets_a_shard_of_its_own() {
    check(|| {
        let process = Process::new();
        let counter = process.registry(2).counter();
        let recorders = [1, 10].map(|n| {
            let (process, counter) = (process.clone(), counter.clone());
            thread::spawn(move || {
                counter.add(&process.thread(), n);
                // What a thread recorded it finds.
                counter.total()
            })
        });
        let (early, late) = (counter.total(), counter.total());
        let found = join(recorders);
        assert!(early <= late);
        assert!([1, 11].contains(&found[0]) && [10, 11].contains(&found[1]), "{found:?}");
        assert_eq!(counter.total(), 11);
        assert!(process.census().0 <= 2);
    });
}
