//! Property: no two registries have an offset in common; and when a registry is gone and another gets its offsets, a
//! thread that recorded through the old handles records through new ones from zero on.
//!
//! Mutations: extent-reuse

use loom::sync::{Arc, Mutex};
use loom::thread;
use loom_tests::{check, check_fully, join};
use tach::model::{Counter, Process};

#[test]
fn offsets_of_a_dropped_registry_are_zero_for_the_next() {
    check_fully(|| {
        let process = Process::new();
        let old = process.registry(2).counter();
        let letter = Arc::new(Mutex::new(None));
        let recorder = {
            let (process, old, letter) = (process.clone(), old.clone(), Arc::clone(&letter));
            thread::spawn(move || {
                let here = process.thread();
                old.add(&here, 1);
                drop(old);
                let new: Option<Counter> = letter.lock().unwrap().take();
                new.is_some_and(|new| new.add(&here, 10))
            })
        };
        drop(old);
        let new = process.registry(2).counter();
        *letter.lock().unwrap() = Some(new.clone());
        let early = new.total();
        let recorded = recorder.join().unwrap();
        assert!(early == 0 || early == 10);
        assert_eq!(new.total(), if recorded { 10 } else { 0 });
    });
}

#[test]
fn registries_have_no_offset_in_common() {
    check(|| {
        let process = Process::new();
        let recorders = [1, 10].map(|n| {
            let process = process.clone();
            thread::spawn(move || {
                let counter = process.registry(2).counter();
                counter.add(&process.thread(), n);
                (counter.total(), counter)
            })
        });
        let [(one, first), (ten, second)] = join(recorders);
        assert_eq!([one, ten, first.total(), second.total()], [1, 10, 1, 10]);
    });
}
