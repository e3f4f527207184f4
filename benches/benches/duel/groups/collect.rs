//! Collecting what 64 threads recorded, per cell that they touched.

use std::hint::black_box;

use crate::contender::{Contender, repeat};
use crate::contenders::tach::reading;
use crate::groups::Group;
use crate::values::Values;

/// Threads alive while collecting, each with its own shard.
pub(crate) const SHARDS: usize = 64;
pub(crate) const COUNTERS: usize = 1_000;
pub(crate) const HISTOGRAMS: usize = 8;

pub(crate) fn counters() -> Group {
    let cells = SHARDS * COUNTERS;
    Group::new("collect counters", in_order(cells), vec![reading::collect_counters(cells)]).measured_per_cell()
}

pub(crate) fn histograms() -> Group {
    let cells = SHARDS * HISTOGRAMS * touched(&Values::latencies().nanos[..]);
    Group::new(
        "collect histograms",
        in_order(cells),
        vec![reading::collect_histograms(cells, false), reading::collect_histograms(cells, true)],
    )
    .measured_per_cell()
}

impl Group {
    fn measured_per_cell(mut self) -> Group {
        self.work = "cell";
        self
    }
}

/// The floor: as many 8-byte cells, side by side in one buffer, added up.
fn in_order(cells: usize) -> Contender {
    let buffer: Vec<u64> = (0..cells as u64).collect();
    Contender::new("floor: sum of one buffer", move |work| {
        repeat(work, &buffer, |buffer| black_box(buffer.iter().sum::<u64>()))
    })
    .units(cells)
    .note(format!("{cells} cells, {} KiB", cells * 8 / 1024))
}

/// Cells of one thread's histogram after recording `values` at 2 digits: all buckets from the lowest to the highest
/// touched, then sum, count, minimum and maximum. `hdrhistogram` has the same layout and does the counting.
fn touched(values: &[u64]) -> usize {
    let layout = hdrhistogram::Histogram::<u64>::new(2).expect("2 digits are valid");
    let (low, high) = (values.iter().min().expect("not empty"), values.iter().max().expect("not empty"));
    let mut buckets = 1;
    let mut next = layout.next_non_equivalent(*low);
    while next <= *high {
        next = layout.next_non_equivalent(next);
        buckets += 1;
    }
    buckets + 4
}
