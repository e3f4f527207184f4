//! Property: while a metric is switched off and on, its total is the number of recordings that found it on; one that
//! found it off wrote nothing anywhere.
//!
//! Mutations: level-switch

use loom::thread;
use loom_tests::check_fully;
use tach::model::Process;

#[test]
fn what_is_recorded_is_what_found_the_metric_on() {
    check_fully(|| {
        let process = Process::new();
        let registry = process.registry(2);
        let (other, counter) = (registry.counter(), registry.counter());
        let recorder = {
            let (process, counter) = (process.clone(), counter.clone());
            thread::spawn(move || {
                let here = process.thread();
                (0..2).filter(|_| counter.add(&here, 1)).count() as u64
            })
        };
        let here = process.thread();
        counter.switch(false);
        let off = counter.add(&here, 1);
        counter.switch(true);
        let on = counter.add(&here, 1);
        let found = recorder.join().unwrap();
        assert_eq!((off, on), (false, true));
        assert_eq!((counter.total(), other.total()), (found + 1, 0));
    });
}
