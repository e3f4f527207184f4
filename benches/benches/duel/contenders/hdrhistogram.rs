//! `hdrhistogram`: the layout that tach shares; plain for one thread, or one recorder per thread and an exchange on
//! refresh.

use std::sync::Mutex;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::contender::{Contender, nanos};
use crate::groups::memory::Footprint;
use crate::values::twelve_octaves;

/// One hour in nanoseconds, the range of tach's default.
const HIGHEST: u64 = 3_600_000_000_000;

fn new() -> Histogram<u64> {
    Histogram::new_with_bounds(1, HIGHEST, 2).expect("valid bounds")
}

pub(crate) fn histogram() -> Vec<Contender> {
    let shared = Mutex::new(new().into_sync());
    vec![
        Contender::new("hdrhistogram Histogram", |work| {
            let mut itl = new();
            nanos(work, &(), |(), value| itl.record(value))
        })
        .note("each thread's own; nobody else can read it"),
        Contender::new("hdrhistogram Recorder", move |work| {
            let mut recorder = shared.lock().expect("not poisoned").recorder();
            let time = nanos(work, &(), |(), value| recorder.record(value));
            drop(recorder);
            shared.lock().expect("not poisoned").refresh_timeout(Duration::from_millis(1));
            time
        })
        .note("a reader waits until every recorder records again"),
    ]
}

pub(crate) fn footprint() -> Footprint {
    Footprint {
        name: "hdrhistogram",
        counters: None,
        histograms: Some(|series| {
            let held: Vec<_> = (0..series).map(|_| new().into_sync()).collect();
            let held = Mutex::new(held);
            let values = twelve_octaves();
            let kept = Mutex::new(Vec::new());
            Box::new(move || {
                for itl in held.lock().expect("not poisoned").iter() {
                    let mut recorder = itl.recorder();
                    for &value in &values {
                        recorder.saturating_record(value);
                    }
                    kept.lock().expect("not poisoned").push(recorder);
                }
            })
        }),
        note: "a recorder per thread",
    }
}
