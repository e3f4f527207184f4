//! Property: of threads without a region of their own one at a time writes a slot for an exemplar, and sees what the one
//! before it wrote: an exemplar is of one recording, and a larger one of the same moment is not lost to a smaller. The
//! recordings count, whoever had the slot.
//!
//! Mutations: exemplar-take, exemplar-take-load

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use loom_tests::check;
use tach::model::Process;

const SECOND: u64 = 1_000_000_000;

#[test]
fn a_shared_slot_has_one_writer_at_a_time() {
    check(|| {
        let process = Process::new();
        let counter = process.registry(0).noted_counter();
        let (here, there) = (process.thread(), process.thread());
        let recorder = {
            let counter = counter.clone();
            thread::spawn(move || counter.add_noted(&there, 3, SECOND))
        };
        counter.add_noted(&here, 2, SECOND);
        recorder.join().unwrap();
        // The larger one, unless it found the slot taken: then the other is there.
        let last = counter.noted()[0].expect("one of them has had it");
        assert!(last == (3, SECOND) || last == (2, SECOND), "{last:?}");
        assert_eq!(counter.total(), 5);
    });
}

#[test]
fn who_takes_a_slot_sees_what_it_held() {
    check(|| {
        let process = Process::new();
        let counter = process.registry(0).noted_counter();
        let (here, there) = (process.thread(), process.thread());
        // Relaxed: it publishes nothing, so that only the slot itself can.
        let done = Arc::new(AtomicBool::new(false));
        let recorder = {
            let (counter, done) = (counter.clone(), Arc::clone(&done));
            thread::spawn(move || {
                counter.add_noted(&there, 3, SECOND);
                done.store(true, Ordering::Relaxed);
            })
        };
        let was_first = done.load(Ordering::Relaxed);
        counter.add_noted(&here, 2, SECOND);
        recorder.join().unwrap();
        let last = counter.noted()[0];
        assert!(last == Some((3, SECOND)) || last == Some((2, SECOND)) && !was_first, "{last:?}");
    });
}
