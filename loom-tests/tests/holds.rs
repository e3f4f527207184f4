//! Property: a local handle that outlives its thread's own hold on the shard is still the shard's only writer: no other
//! thread adopts the shard before both are gone.
//!
//! Mutations: shard-hold

use loom::thread;
use loom_tests::check_fully;
use tach::model::Process;

#[test]
fn a_shard_is_its_threads_until_the_last_hold_is_dropped() {
    check_fully(|| {
        let process = Process::new();
        let counter = process.registry(2).counter();
        let leaving = {
            let (process, counter) = (process.clone(), counter.clone());
            thread::spawn(move || {
                let here = process.thread();
                let local = here.clone();
                drop(here);
                counter.add(&local, 1);
            })
        };
        counter.add(&process.thread(), 10);
        leaving.join().unwrap();
        assert_eq!(counter.total(), 11);
    });
}
