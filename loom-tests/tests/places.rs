//! Property: a series that gets the cells of a removed one starts from zero in every shard, whichever thread dropped
//! the last handle, and what threads record through its handle is exact; a handle that is still held elsewhere harms no
//! other series.
//!
//! Mutations: place-reuse

use loom::sync::{Arc, Mutex};
use loom::thread;
use loom_tests::{assert_exact, check_fully};
use tach::model::{Counter, Histogram, Process};

#[test]
fn a_series_starts_at_zero_where_another_was() {
    check_fully(|| {
        let process = Process::new();
        let registry = process.registry(2);
        let old = registry.counter();
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
        let new = registry.counter();
        *letter.lock().unwrap() = Some(new.clone());
        // Reads the whole front, also cells that are being cleared.
        let early = registry.total(&new);
        let recorded = recorder.join().unwrap();
        assert!(early == Some(0) || early == Some(10), "{early:?}");
        assert_eq!(registry.total(&new), Some(if recorded { 10 } else { 0 }));
    });
}

#[test]
fn a_histogram_is_exact_where_another_was() {
    check_fully(|| {
        let process = Process::new();
        let registry = process.registry(1);
        let old = registry.histogram(2);
        let letter = Arc::new(Mutex::new(None));
        let recorder = {
            let (process, old, letter) = (process.clone(), old.clone(), Arc::clone(&letter));
            thread::spawn(move || {
                let here = process.thread();
                old.record(&here, 1);
                drop(old);
                let new: Option<Histogram> = letter.lock().unwrap().take();
                new.map(|new| new.record(&here, 2)).is_some()
            })
        };
        drop(old);
        let new = registry.histogram(2);
        *letter.lock().unwrap() = Some(new.clone());
        let early = new.read();
        let recorded = recorder.join().unwrap();
        let late = new.read();
        for reading in early.iter().chain(&late) {
            assert_exact(reading);
            assert!(reading.values.is_empty() || reading.values == [(2, 1)], "{reading:?}");
        }
        assert_eq!(late.iter().map(|reading| reading.count).sum::<u64>(), u64::from(recorded));
    });
}
