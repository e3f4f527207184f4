//! Reading one copy of a histogram exactly while its thread goes on recording.
//!
//! The protocol, and why what it accepts is exact, is told in [`crate::record::hdr`].

use crate::record::hdr::Hdr;
use crate::record::region::Base;

/// How often a copy that changes is read before its count is taken from the buckets.
const ATTEMPTS: u32 = if cfg!(tach_loom) { 2 } else { 8 };

/// What one copy of a histogram holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) count: u64,
    /// In ticks.
    pub(crate) sum: u64,
    /// The smallest value, in ticks; `u64::MAX` when there is none.
    pub(crate) low: u64,
    /// The largest value, in ticks.
    pub(crate) high: u64,
    pub(crate) clamped: u64,
    /// Whether the sum is that of the counted values. If not it may lack values that were recorded during the read.
    pub(crate) exact: bool,
    pub(crate) retries: u32,
}

/// Reads one copy; `cells` gets the buckets that are not empty, as (place in the order of values, count).
pub(crate) fn read(core: &Hdr, base: Base, cells: &mut Vec<(u32, u64)>) -> Part {
    let mut part = Part { count: 0, sum: 0, low: u64::MAX, high: 0, clamped: 0, exact: true, retries: 0 };
    for attempt in 0..ATTEMPTS {
        cells.clear();
        part.retries = attempt;
        part.count = core.count(base);
        if part.count == 0 {
            // Before the first count there is nothing to tell, whatever is on its way.
            return part;
        }
        part.sum = core.sum(base);
        (part.low, part.high) = core.range(base);
        part.clamped = core.clamped(base);
        let held = gather(core, base, part.low, part.high, cells);
        part.exact = held == part.count;
        if part.exact {
            break;
        }
        if attempt + 1 == ATTEMPTS {
            part.count = held;
        }
    }
    // A value on its way may have widened the range already: keep to the buckets that count.
    let grid = core.grid();
    if let (Some(&(first, _)), Some(&(last, _))) = (cells.first(), cells.last()) {
        let (lowest, highest) = grid.values(first as usize);
        part.low = part.low.clamp(lowest, highest);
        let (lowest, highest) = grid.values(last as usize);
        part.high = part.high.clamp(lowest, highest);
    }
    part
}

/// Reads the buckets for values from `low` to `high`, and gives the sum of their counts.
fn gather(core: &Hdr, base: Base, low: u64, high: u64, cells: &mut Vec<(u32, u64)>) -> u64 {
    let grid = core.grid();
    let layout = grid.layout();
    let (mut cell, last) = (layout.index(low), layout.index(high));
    let mut total = 0;
    let mut push = |rank: usize, index: usize| {
        let held = core.held(base, index);
        if held != 0 {
            // A histogram has fewer than 2^17 cells.
            cells.push((rank as u32, held));
            total += held;
        }
    };
    let parts = grid.parts();
    let skipped = parts.partition_point(|part| part.cell < cell);
    for (index, part) in parts.iter().enumerate().skip(skipped).take_while(|(_, part)| part.cell <= last) {
        while cell <= part.cell {
            push(cell + index, cell);
            cell += 1;
        }
        // A cell with several parts comes before the first of them: take the parts before it out of its place.
        push(part.cell + index + 1, layout.len() + index);
    }
    let before = parts.partition_point(|part| part.cell <= last);
    while cell <= last {
        push(cell + before, cell);
        cell += 1;
    }
    total
}
