//! The core of a histogram: eight header cells and the buckets of [`crate::bucket`].
//!
//! **Who writes.** In a thread's region, its thread, in this order: the range if the value widens it, the bucket, the
//! sum, the count. In the shared region any thread, in the same order, with read-modify-writes.
//!
//! **Who reads.** A collector, in the opposite order: the count, the sum, the range, then the buckets within the range;
//! it accepts what it read when the buckets add up to the count. Why that is exact: reading a count of *k* implies
//! (edge HIST-COUNT) that the sum read next is that of the first *j ≥ k* values, and reading that sum implies (edge
//! HIST-SUM) that the range covers those *j* values and that the buckets hold at least them. If the buckets hold just
//! *k*, then *j = k*: count, sum and buckets are of the same *k* values. For the shared region read "a set of values"
//! for "the first": a value's count comes after its sum, so the set in the sum contains the set in the count, and the
//! set in the buckets that in the sum.
//!
//! **What breaks without the edges.** A bucket or a sum may be seen late, and the buckets add up to the count by
//! accident.

use super::cell::Cell;
use super::region::Base;
use super::scalar::Slot;
use super::space::{Place, Shape, Space};
use crate::bucket::{EXACT_MAX, Grid, Layout, MAX_TICKS};
use crate::sync::Arc;
use std::ops::Range;
use std::sync::Arc as Shared;

/// Header cells, by their place in the header. One cache line.
const COUNT: usize = 0;
/// Sum of the values, in ticks.
const SUM: usize = 1;
/// Largest value.
const TOP: usize = 2;
/// Bitwise complement of the smallest value, so that it only grows, from zero for "none".
const FLOOR: usize = 3;
/// For the writer's range check: the smallest value.
const START: usize = 4;
/// For the writer's range check: how many values from the smallest on are within what was recorded and have an index by
/// `Layout::index_exact`. Zero before the first.
const WIDTH: usize = 5;
/// How many values were above the maximum.
const CLAMPED: usize = 6;
const HEADER: u32 = 8;

/// The layout of most histograms, in which the index needs constants only.
const TWO_DIGITS: Layout = Layout::new(2, MAX_TICKS);

/// One histogram. Aligned as [`super::scalar::Scalar`] is.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Hdr {
    slot: Slot,
    back: u32,
    /// Two digits, and no cell is split.
    plain: bool,
    /// Two digits.
    two_digits: bool,
    layout: Layout,
    marks: Shared<[u64]>,
    grid: Shared<Grid>,
    place: Option<Place>,
    space: Arc<Space>,
}

impl Hdr {
    /// What a histogram with this grid needs.
    pub(crate) fn shape(grid: &Grid) -> Shape {
        let back = u32::try_from(grid.len()).expect("a histogram has fewer than 2^17 cells");
        Shape { front: HEADER, back }
    }

    /// `sync`: record to the shared region always.
    pub(crate) fn new(grid: Shared<Grid>, place: Place, space: Arc<Space>, sync: bool, enabled: bool) -> Self {
        Self {
            slot: Slot::new(&place, sync, enabled),
            back: place.back,
            plain: grid.digits() == 2 && grid.parts().is_empty(),
            two_digits: grid.digits() == 2,
            layout: *grid.layout(),
            marks: Shared::clone(grid.splits().marks()),
            grid,
            place: Some(place),
            space,
        }
    }

    #[inline(always)]
    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    pub(crate) fn space(&self) -> &Space {
        &self.space
    }

    pub(crate) fn place(&self) -> &Place {
        self.place.as_ref().expect("only drop takes it")
    }

    pub(crate) fn grid(&self) -> &Shared<Grid> {
        &self.grid
    }

    /// A cell of the header, which begins at `front`.
    #[inline(always)]
    fn header(&self, base: Base, front: u32, cell: usize) -> &Cell {
        #[allow(unsafe_code)]
        // SAFETY: `base` is that of a region which reaches this place's end: of one below whose limit its front lies,
        // and limits do not cut through an extent, or of one that `Regions::copies` gave. The header lies in the place.
        unsafe {
            base.cell_at(front, cell)
        }
    }

    #[inline(always)]
    fn bucket(&self, base: Base, index: usize) -> &Cell {
        #[allow(unsafe_code)]
        // SAFETY: as in `header`; an index is below `grid.len()`, for which the place has room: values are clamped to
        // the layout's maximum before they are looked up.
        unsafe {
            base.cell_at(self.back, index)
        }
    }

    /// The index of a value within the range check.
    #[inline(always)]
    fn index(&self, value: u64) -> usize {
        if self.plain {
            return TWO_DIGITS.index_exact(value);
        }
        if self.two_digits { self.split(TWO_DIGITS.index_exact(value), value) } else { self.index_of_any(value) }
    }

    /// The index of any value, whatever the layout.
    #[cold]
    #[inline(never)]
    fn index_of_any(&self, value: u64) -> usize {
        self.split(self.layout.index(value), value)
    }

    /// The index of `value` in `cell`, which may be split.
    #[inline(always)]
    fn split(&self, cell: usize, value: u64) -> usize {
        // `get`: the word is there, and this way there is no panic to jump to.
        match self.marks.get(cell / 64) {
            Some(word) if word >> (cell % 64) & 1 != 0 => self.grid.splits().index_in_split_cell(cell, value),
            _ => cell,
        }
    }

    /// Records to this thread's cells: `base` is this thread's region, and `front` what the slot says, below this
    /// thread's limit. `n` must not be zero.
    #[inline(always)]
    pub(crate) fn record_at(&self, base: Base, front: u32, value: u64, n: u64) {
        // One predictable test for everything unusual of a value: it is the first, a new minimum or maximum, above the
        // maximum to track, or too large for the index to be exact.
        if value.wrapping_sub(self.header(base, front, START).get()) >= self.header(base, front, WIDTH).get() {
            return self.record_beyond(base, front, value, n);
        }
        self.store(base, front, self.index(value), value, n);
    }

    /// The three additions of a recording.
    #[inline(always)]
    fn store(&self, base: Base, front: u32, index: usize, value: u64, n: u64) {
        let (sum, count) = (self.header(base, front, SUM), self.header(base, front, COUNT));
        // Loaded before the bucket is stored: their addresses are known first, and the loads need not wait for its.
        let (sum_now, count_now) = (sum.get(), count.get());
        self.bucket(base, index).add(n);
        sum.put_sum(sum_now.wrapping_add(value.wrapping_mul(n)));
        count.put_count(count_now.wrapping_add(n));
    }

    /// Widens the range to `value`, clamped to the maximum, and records it.
    #[cold]
    #[inline(never)]
    fn record_beyond(&self, base: Base, front: u32, value: u64, n: u64) {
        let limit = self.grid.limit();
        let clamped = value > limit;
        if clamped {
            self.header(base, front, CLAMPED).add(n);
        }
        let value = if clamped { self.layout.max() } else { value };
        let (floor, top) = (self.header(base, front, FLOOR), self.header(base, front, TOP));
        let (low, high) = match !floor.get() {
            u64::MAX => (value, value),
            low => (low.min(value), top.get().max(value)),
        };
        self.header(base, front, START).put(low);
        self.header(base, front, WIDTH).put((high.min(limit).min(EXACT_MAX) + 1).saturating_sub(low));
        floor.put(!low);
        top.put(high);
        self.store(base, front, self.index_of_any(value), value, n);
    }

    /// Records to the shared region. `n` must not be zero.
    pub(crate) fn share(&self, value: u64, n: u64) {
        let (base, front) = (self.place().shared(), self.place().front);
        let clamped = value > self.grid.limit();
        if clamped {
            self.header(base, front, CLAMPED).share_add(n);
        }
        let value = if clamped { self.layout.max() } else { value };
        self.header(base, front, FLOOR).share_max(!value);
        self.header(base, front, TOP).share_max(value);
        self.bucket(base, self.index_of_any(value)).share_add(n);
        self.header(base, front, SUM).share_sum(value.wrapping_mul(n));
        self.header(base, front, COUNT).share_count(n);
    }

    /// The count of a copy: the first thing to read.
    pub(crate) fn count(&self, base: Base) -> u64 {
        self.header(base, self.place().front, COUNT).get_count()
    }

    /// The sum of a copy, in ticks: to be read after the count.
    pub(crate) fn sum(&self, base: Base) -> u64 {
        self.header(base, self.place().front, SUM).get_sum()
    }

    /// The smallest and the largest value of a copy with a count above zero: to be read after the sum.
    pub(crate) fn range(&self, base: Base) -> (u64, u64) {
        (!self.header(base, self.place().front, FLOOR).get(), self.header(base, self.place().front, TOP).get())
    }

    /// How many values of a copy were above the maximum.
    pub(crate) fn clamped(&self, base: Base) -> u64 {
        self.header(base, self.place().front, CLAMPED).get()
    }

    /// How many values of all copies were above the maximum.
    #[cfg(not(tach_loom))]
    pub(crate) fn clamped_in_all(&self) -> u64 {
        let regions = super::local::shards().map(|shards| shards.regions()).unwrap_or_default();
        self.place().extent.copies(&regions).map(|(base, _)| self.clamped(base)).sum()
    }

    /// Buckets of a copy, to be read after the sum. None where the range is empty.
    pub(crate) fn buckets(&self, base: Base, range: Range<usize>) -> &[Cell] {
        if range.is_empty() {
            return &[];
        }
        assert!(range.end <= self.grid.len());
        #[allow(unsafe_code)]
        // SAFETY: as in `bucket`, for every index of the range.
        unsafe {
            base.cells(self.back, range)
        }
    }
}

impl Drop for Hdr {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.space.give_back(place);
        }
    }
}

// As `Scalar`.
impl std::panic::RefUnwindSafe for Hdr {}
