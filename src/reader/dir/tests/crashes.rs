//! Totals never fall and count nothing twice: whatever happens in between, and wherever a collector is killed.

use super::super::Step;
use super::{Folder, Process, totals};
use proptest::prelude::*;
use std::fs;

const STEPS: [Step; 3] = [Step::Written, Step::Published, Step::RemovedOne];

#[test]
fn a_collector_killed_at_any_step_loses_nothing() {
    for step in STEPS {
        let folder = Folder::new();
        for name in ["a", "b", "c"] {
            let mut process = Process::start(&folder, name);
            process.record(5);
            process.die();
        }
        let directory = folder.open(1);
        directory.crash_at(step);
        let _ = directory.read();
        drop(directory);
        let (after, fold): (&[&str], bool) = match step {
            Step::Written => (&["a.tach", "b.tach", "c.tach"], false),
            Step::Published => (&["a.tach", "b.tach", "c.tach", "folded.tach"], true),
            Step::RemovedOne => (&["folded.tach"], true),
        };
        let files = folder.files();
        assert_eq!(files.contains(&"folded.tach".to_owned()), fold, "{step:?}: {files:?}");
        assert!(step == Step::RemovedOne && files.len() == 3 || files == after, "{step:?}: {files:?}");
        let again = folder.open(1);
        assert_eq!(totals(&again.read()), (15, 1.5, 15, 0.075), "{step:?}");
        assert_eq!(folder.files().len(), 2, "{step:?}: {:?}", folder.files());
        assert_eq!(totals(&again.read()), (15, 1.5, 15, 0.075), "{step:?}");
    }
}

#[derive(Clone, Debug)]
enum Event {
    Start,
    Record(usize, u64),
    Die(usize),
    Remove(usize),
    /// The collector ends in order and is opened anew.
    Reopen,
    /// It is killed while it folds, if it does.
    Crash(usize),
    /// Another one reads.
    Other,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::Start),
        6 => (0_usize..8, 1_u64..100).prop_map(|(index, n)| Event::Record(index, n)),
        3 => (0_usize..8).prop_map(Event::Die),
        1 => (0_usize..8).prop_map(Event::Remove),
        1 => Just(Event::Reopen),
        2 => (0_usize..3).prop_map(Event::Crash),
        1 => Just(Event::Other),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn totals_never_fall_and_are_exact(events in prop::collection::vec(event(), 1..40), keep in 0_usize..3) {
        let folder = Folder::new();
        let mut directory = folder.open(keep);
        let other = folder.open(keep);
        let mut alive: Vec<Process> = Vec::new();
        let (mut count, mut exact, mut before) = (0, 0, (0, 0.0, 0, 0.0));
        for event in events {
            match event {
                Event::Start if alive.len() < 8 => {
                    alive.push(Process::start(&folder, &format!("p{count}")));
                    count += 1;
                }
                Event::Record(index, n) if index < alive.len() => {
                    alive[index].record(n);
                    exact += n;
                }
                Event::Die(index) if index < alive.len() => {
                    alive.swap_remove(index).die();
                }
                Event::Remove(index) if index < alive.len() => {
                    // By somebody else; and gone before the collector is: what it alone knows is gone with it. Of what
                    // the one that folds has never seen nothing is left, and that may be the other one.
                    let keeper = if other.is_keeper() { &other } else { &directory };
                    let _ = keeper.read();
                    fs::remove_file(&alive[index].path).unwrap();
                    alive.swap_remove(index).die();
                    let _ = keeper.read();
                }
                Event::Reopen => {
                    drop(directory);
                    directory = folder.open(keep);
                }
                Event::Crash(step) => {
                    directory.crash_at(STEPS[step]);
                    let _ = directory.read();
                    drop(directory);
                    directory = folder.open(keep);
                }
                Event::Other => {
                    prop_assert_eq!(totals(&other.read()).0, exact);
                }
                _ => {}
            }
            let now = totals(&directory.read());
            prop_assert_eq!(now.0, exact);
            prop_assert!(now.1 >= before.1, "{} after {}", now.1, before.1);
            prop_assert!((now.1 - exact as f64 / 10.0).abs() < 1e-6);
            prop_assert!(now.2 >= before.2 && now.3 >= before.3, "{now:?} after {before:?}");
            before = now;
        }
        let faults = directory.faults();
        prop_assert!(faults.iter().all(|fault| fault.contains("collector.lock")), "{faults:?}");
    }
}
