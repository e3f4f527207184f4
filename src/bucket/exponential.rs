//! Value ⇄ cell of a histogram that was declared with a native schema: pure arithmetic, no state.
//!
//! The cells are the schema's own buckets in the exposed unit: with `N = 2^schema`, bucket `i` holds values above
//! `2^((i-1)/N)` and up to `2^(i/N)`. In ticks a bucket ends at `2^(i/N) / tick`. One tick is 1e-9 s, say, which is no
//! power of two, so these ends are those of whole ticks turned by `log2(tick)`; but turned alike in every octave
//! `[2^e, 2^(e+1))` of ticks, which has `N` of them at `2^e · end`, with the same `N` mantissas `end` from 1 up to 2.
//!
//! ```text
//! cell 0   zero
//! cell c   up to 2^e · end[j],   N·e + j = c - 1
//! index    1 + N·e + (how many of end[] are below v / 2^e),   e = floor(log2 v)
//! ```
//!
//! **How many are below, by one load and one addition.** The octave is cut into `2N` bins of equal width. Two ends are
//! at least `2^(1/N) - 1 > 0.69/N` apart, which is more than a bin's `0.5/N`, so a bin has one end at most: what
//! its table entry says is how many ends come before the bin, and at which value in it the next cell begins
//! ([`super::Index`]). That is the first whole number above the end, as `v > end` just where `v > floor(end)`. What is too
//! large for the table is searched for.
//!
//! **Low octaves** have fewer ticks than cells. Cells in which no tick lies stay empty: so the index of a cell is that
//! of its bucket, but for a constant. They cost their room, `N·(schema + 1) - 2N` cells at most.

use super::Decimal;
use super::index::Index;
use super::powers::Ends;
use std::sync::Arc;

/// The finest schema: the finest that Prometheus has. Below zero, where a bucket is wider than a doubling, quantiles
/// would say little.
pub(crate) const SCHEMA_MAX: u8 = 8;

/// The cells of one histogram: its schema's buckets.
#[derive(Clone, Debug)]
pub(crate) struct Exponential {
    schema: u32,
    /// The largest value that is not clamped, in ticks.
    max: u64,
    /// The mantissas of the ends in an octave of ticks, ascending, with the leading one as bit 63, rounded down.
    ends: Arc<[u64]>,
    /// The bucket of one tick.
    first: i32,
    index: Index,
}

impl Exponential {
    /// The buckets of `schema`, for values up to `max` ticks of `tick` each. Costs some ten microseconds, and up to a
    /// millisecond for the finest.
    pub(crate) fn new(schema: u8, tick: f64, max: u64) -> Self {
        assert!(schema <= SCHEMA_MAX, "schemas are checked at registration");
        let schema = u32::from(schema);
        let Ends { mantissas, first } = Ends::new(schema, Decimal::of(tick));
        let mut cells = Self { schema, max, ends: mantissas.into(), first, index: Index::empty() };
        cells.index = Index::new(&cells);
        cells
    }

    pub(crate) fn schema(&self) -> u32 {
        self.schema
    }

    /// The largest value that is not clamped, in ticks.
    pub(super) fn max(&self) -> u64 {
        self.max
    }

    /// The bucket of a cell, as Prometheus counts them; of any but the first cell, which is zero's.
    pub(super) fn bucket(&self, index: usize) -> i32 {
        // A histogram has fewer than 2^17 cells.
        self.first + (index as i32 - 1)
    }

    /// The cell that holds `value`, which must not exceed [`MAX_TICKS`](super::MAX_TICKS).
    pub(super) fn index(&self, value: u64) -> usize {
        self.index.get(value).unwrap_or_else(|| self.search(value))
    }

    /// As [`Exponential::index`], by a search.
    pub(super) fn search(&self, value: u64) -> usize {
        let Some(octave) = value.checked_ilog2() else { return 0 };
        let mantissa = value << (63 - octave);
        1 + ((octave as usize) << self.schema) + self.ends.partition_point(|end| *end < mantissa)
    }

    /// How a recording finds a cell.
    pub(crate) fn cells(&self) -> &Index {
        &self.index
    }

    /// The smallest value of a cell that is not empty, in ticks.
    pub(super) fn lowest(&self, index: usize) -> u64 {
        index.checked_sub(1).map_or(0, |before| self.highest(before) + 1)
    }

    /// The largest value of a cell, in ticks; of a cell without values that of the cell before.
    pub(super) fn highest(&self, index: usize) -> u64 {
        let Some(above) = index.checked_sub(1) else { return 0 };
        let end = self.ends[above & ((1 << self.schema) - 1)];
        // At most 63: the last cell may end beyond 2^62.
        end >> (63 - (above >> self.schema))
    }

    /// Whether a cell of both is the same cell.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.ends == other.ends
    }
}

#[cfg(test)]
#[path = "exponential_tests.rs"]
mod tests;
