//! One copy of a histogram's cells, as whoever reads it sees them: those of a region, or of a segment that another
//! process writes. What the cells mean, and in which order they are read, is told in [`super::hdr`].

use super::cell::Cell;
use crate::bucket::Grid;
use std::ops::Range;

/// Header cells, by their place in the header. One cache line.
pub(crate) const COUNT: usize = 0;
/// Sum of the values, in ticks.
pub(crate) const SUM: usize = 1;
/// Largest value.
pub(crate) const TOP: usize = 2;
/// Bitwise complement of the smallest value, so that it only grows, from zero for "none".
pub(crate) const FLOOR: usize = 3;
/// For the writer's range check: the smallest value that it may pass, subtracted from 2^64.
pub(super) const START: usize = 4;
/// For the writer's range check: how many values from that one on are within what was recorded and have a quick way to
/// their cell. Zero before the first, and where the layout is not that of two digits.
pub(super) const WIDTH: usize = 5;
/// How many values were above the maximum.
pub(crate) const CLAMPED: usize = 6;
/// As [`WIDTH`], in another layout.
pub(super) const SPAN: usize = 7;
/// How many cells a header has.
pub(crate) const HEADER: usize = 8;

/// The top bit of a bucket in a thread's region is no part of the count, but says that the bucket's cell is split. A
/// split cell that the range has reached is marked so. (One bucket of one thread thus counts to 2^63.)
pub(crate) const SPLIT: u64 = 1 << 63;

/// One copy of a histogram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copied<'a> {
    grid: &'a Grid,
    header: &'a [Cell],
    buckets: &'a [Cell],
}

impl<'a> Copied<'a> {
    /// A header, and as many buckets as the grid has cells.
    pub(crate) fn new(grid: &'a Grid, header: &'a [Cell], buckets: &'a [Cell]) -> Self {
        assert!(header.len() == HEADER && buckets.len() == grid.len());
        Self { grid, header, buckets }
    }

    pub(crate) fn grid(&self) -> &'a Grid {
        self.grid
    }

    /// The count: the first thing to read.
    pub(crate) fn count(&self) -> u64 {
        self.header[COUNT].get_count()
    }

    /// The sum, in ticks: to be read after the count.
    pub(crate) fn sum(&self) -> u64 {
        self.header[SUM].get_sum()
    }

    /// The smallest and the largest value, when the count is above zero: to be read after the sum. What no writer of
    /// this crate stores, values beyond the layout, is cut down to it.
    pub(crate) fn range(&self) -> (u64, u64) {
        let max = self.grid.layout().max();
        ((!self.header[FLOOR].get()).min(max), self.header[TOP].get().min(max))
    }

    /// Whether the range has a value. It gets one before the first bucket does.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "for segments"))]
    pub(crate) fn has_range(&self) -> bool {
        self.header[FLOOR].get() != 0
    }

    /// How many values were above the maximum.
    pub(crate) fn clamped(&self) -> u64 {
        self.header[CLAMPED].get()
    }

    /// Buckets, to be read after the sum, with [`SPLIT`] in some. None where the range is empty.
    pub(crate) fn buckets(&self, range: Range<usize>) -> &'a [Cell] {
        if range.is_empty() { &[] } else { &self.buckets[range] }
    }
}
