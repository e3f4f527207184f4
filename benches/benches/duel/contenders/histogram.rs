//! `histogram`: a log-linear array of atomics, one addition per recording.

use histogram::AtomicHistogram;

use crate::contender::{Contender, Work, nanos};
use crate::contenders::notes;
use crate::groups::memory::Footprint;
use crate::values::twelve_octaves;

/// Grouping power 7 is the precision of 2 decimal digits; every u64 is in range.
fn new() -> AtomicHistogram {
    AtomicHistogram::new(7, 64).expect("valid layout")
}

pub(crate) fn histogram() -> Vec<Contender> {
    let itl = new();
    let run = move |work: &Work<'_>| nanos(work, &itl, |itl, value| itl.increment(value));
    vec![Contender::new("histogram AtomicHistogram", run).note(notes::NO_SUM)]
}

pub(crate) fn footprint() -> Footprint {
    Footprint {
        name: "histogram",
        counters: None,
        histograms: Some(|series| {
            let held: Vec<_> = (0..series).map(|_| new()).collect();
            let values = twelve_octaves();
            Box::new(move || {
                for itl in &held {
                    for &value in &values {
                        let _ = itl.increment(value);
                    }
                }
            })
        }),
        note: notes::NO_SUM,
    }
}
