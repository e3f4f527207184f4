//! Reading one copy of a histogram exactly while its thread goes on recording.
//!
//! The protocol, and why what it accepts is exact, is told in [`crate::record::hdr`].

use crate::record::cell::Cell;
use crate::record::copied::{Copied, SPLIT};

/// How often a copy that changes is read before its count is taken from the buckets.
const ATTEMPTS: u32 = if cfg!(tach_loom) { 2 } else { 8 };

/// What one copy of a histogram holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) count: u64,
    /// What the count itself said: less than the buckets hold while a value is on its way.
    pub(crate) counted: u64,
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
pub(crate) fn read(copy: Copied<'_>, cells: &mut Vec<(u32, u64)>) -> Part {
    let mut part = Part { count: 0, counted: 0, sum: 0, low: u64::MAX, high: 0, clamped: 0, exact: true, retries: 0 };
    for attempt in 0..ATTEMPTS {
        cells.clear();
        part.retries = attempt;
        part.counted = copy.count();
        part.count = part.counted;
        if part.count == 0 {
            // Before the first count there is nothing to tell, whatever is on its way.
            return part;
        }
        part.sum = copy.sum();
        (part.low, part.high) = copy.range();
        part.clamped = copy.clamped();
        let held = gather(copy, part.low, part.high, cells);
        part.exact = held == part.count;
        if part.exact {
            break;
        }
        if attempt + 1 == ATTEMPTS {
            part.count = held;
        }
    }
    // A value on its way may have widened the range already: keep to the buckets that count.
    let grid = copy.grid();
    if let (Some(&(first, _)), Some(&(last, _))) = (cells.first(), cells.last()) {
        let (lowest, highest) = grid.values(first as usize);
        part.low = part.low.clamp(lowest, highest);
        let (lowest, highest) = grid.values(last as usize);
        part.high = part.high.clamp(lowest, highest);
    }
    part
}

/// How many values the buckets of a copy hold that nobody writes any more, whatever its count says.
#[cfg(all(target_os = "linux", not(tach_loom)))]
pub(crate) fn held(copy: Copied<'_>, cells: &mut Vec<(u32, u64)>) -> u64 {
    cells.clear();
    let (low, high) = copy.range();
    gather(copy, low, high, cells)
}

/// Reads the buckets for values from `low` to `high`, and gives the sum of their counts.
fn gather(copy: Copied<'_>, low: u64, high: u64, cells: &mut Vec<(u32, u64)>) -> u64 {
    let grid = copy.grid();
    let (layout, parts) = (grid.layout(), grid.parts());
    let (mut cell, last) = (layout.index(low), layout.index(high));
    let mut total = 0;
    // In the order of values: the cells up to one that is split, its upper part, and so on. Each part shifts what
    // follows.
    let mut shift = parts.partition_point(|part| part.cell < cell);
    while let Some(part) = parts.get(shift).filter(|part| part.cell <= last) {
        // Nothing where this is a further part of the same cell.
        total = sweep(copy.buckets(cell..part.cell + 1), cell + shift, cells).wrapping_add(total);
        let upper = layout.len() + shift;
        total = sweep(copy.buckets(upper..upper + 1), grid.rank_of_part(shift), cells).wrapping_add(total);
        cell = part.cell + 1;
        shift += 1;
    }
    sweep(copy.buckets(cell..last + 1), cell + shift, cells).wrapping_add(total)
}

/// Reads `buckets`, the first of which is at `rank` in the order of values.
fn sweep(buckets: &[Cell], rank: usize, cells: &mut Vec<(u32, u64)>) -> u64 {
    let mut total = 0;
    // A histogram has fewer than 2^17 cells.
    let mut rank = rank as u32;
    let mut take = |rank: u32, bucket: u64| {
        let held = bucket & !SPLIT;
        if held != 0 {
            cells.push((rank, held));
            total = held.wrapping_add(total);
        }
    };
    // Most are empty: eight at a time are told so by one branch.
    let (eights, rest) = buckets.as_chunks::<8>();
    for eight in eights {
        let held = eight.each_ref().map(Cell::get);
        if held.iter().fold(0, |any, held| any | held) != 0 {
            (rank..).zip(held).for_each(|(rank, held)| take(rank, held));
        }
        rank += 8;
    }
    (rank..).zip(rest).for_each(|(rank, bucket)| take(rank, bucket.get()));
    total
}
