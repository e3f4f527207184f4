//! Property: what a collector finds in a slot for an exemplar, while its thread writes it, is one recording's: value,
//! time and ids belong together; and what it has found once is followed by nothing older.
//!
//! Mutations: exemplar-close, exemplar-load, exemplar-open, exemplar-check

use loom::thread;
use loom_tests::check;
use tach::model::Process;

const SECOND: u64 = 1_000_000_000;

#[test]
fn an_exemplar_is_of_one_recording() {
    check(|| {
        let process = Process::new();
        let counter = process.registry(1).noted_counter();
        let here = process.thread();
        counter.add_noted(&here, 1, SECOND);
        let recorder = {
            let counter = counter.clone();
            thread::spawn(move || counter.add_noted(&here, 2, 2 * SECOND))
        };
        let [_, early] = counter.noted().try_into().unwrap();
        let [_, late] = counter.noted().try_into().unwrap();
        recorder.join().unwrap();
        // It may be left out while it changes.
        let (old, new) = (Some((1, SECOND)), Some((2, 2 * SECOND)));
        for found in [early, late] {
            assert!(found.is_none() || found == old || found == new, "{found:?}");
        }
        assert!(early != new || late == new, "{early:?}, {late:?}");
        assert_eq!(counter.noted(), [None, new]);
    });
}
