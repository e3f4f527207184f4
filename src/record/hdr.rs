//! The core of a histogram: eight header cells and the buckets of [`crate::bucket`].
//!
//! **Who writes.** In a thread's copy, its thread, in this order: the range if the value widens it, the bucket, the sum, the
//! count. In the shared copy any thread, in the same order, with read-modify-writes.
//!
//! **Who reads.** A collector, in the opposite order: the count, the sum, the range, then the buckets within the range; it accepts
//! what it read when the buckets add up to the count. Why that is exact: reading a count of *k* implies (edge HIST-COUNT) that
//! the sum read next is that of the first *j ≥ k* values, and reading that sum implies (edge HIST-SUM) that the range covers those
//! *j* values and that the buckets hold at least them. If the buckets hold just *k*, then *j = k*: count, sum and buckets are of
//! the same *k* values. For the shared copy read "a set of values" for "the first": a value's count comes after its sum, so the set
//! in the sum contains the set in the count, and the set in the buckets that in the sum.
//!
//! **What breaks without the edges.** A bucket or a sum may be seen late, and the buckets add up to the count by accident.

use super::cell::Cell;
use super::chunk::Base;
use super::scalar::Slot;
use super::shard::SHARED;
use super::space::{Place, Shape, Space};
use crate::bucket::{Grid, Layout, Splits};
use crate::sync::Arc;
use std::sync::Arc as Shared;

/// Header cells, by their place in the header. One cache line.
const COUNT: usize = 0;
/// Sum of the values, in ticks.
const SUM: usize = 1;
/// Largest value.
const TOP: usize = 2;
/// Bitwise complement of the smallest value, so that it only grows, from zero for "none".
const FLOOR: usize = 3;
/// Smallest value, for the writer's range check.
const START: usize = 4;
/// Largest minus smallest, plus one; zero before the first value. For the writer's range check.
const WIDTH: usize = 5;
/// How many values were above the maximum.
const CLAMPED: usize = 6;
const HEADER: usize = 8;

/// One histogram. Aligned as [`super::scalar::Scalar`] is.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Hdr {
    slot: Slot,
    front: u32,
    back: u32,
    layout: Layout,
    splits: Option<Shared<Splits>>,
    grid: Shared<Grid>,
    place: Option<Place>,
    space: Arc<Space>,
}

impl Hdr {
    /// What a histogram with this grid needs.
    pub(crate) fn shape(grid: &Grid) -> Shape {
        Shape { front: HEADER, back: grid.len() }
    }

    /// `sync`: record to the shared copy always.
    pub(crate) fn new(grid: Shared<Grid>, place: Place, space: Arc<Space>, sync: bool, enabled: bool) -> Self {
        let on = if sync { SHARED } else { place.chunk.id() };
        let cells = |n| u32::try_from(n).expect("a chunk has fewer than 2^32 cells");
        Self {
            slot: Slot::new(on, enabled),
            front: cells(place.front),
            back: cells(place.back),
            layout: *grid.layout(),
            splits: grid.splits().cloned(),
            grid,
            place: Some(place),
            space,
        }
    }

    #[inline(always)]
    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    pub(crate) fn place(&self) -> &Place {
        self.place.as_ref().expect("only drop takes it")
    }

    pub(crate) fn grid(&self) -> &Shared<Grid> {
        &self.grid
    }

    #[inline(always)]
    fn header<'a>(&'a self, base: Base, cell: usize) -> &'a Cell {
        #[allow(unsafe_code)]
        // SAFETY: `base` is a copy of this metric's chunk, which `self.place` keeps alive; the header lies within it.
        unsafe {
            base.cell(self.front as usize + cell)
        }
    }

    #[inline(always)]
    fn bucket<'a>(&'a self, base: Base, index: usize) -> &'a Cell {
        #[allow(unsafe_code)]
        // SAFETY: as in `header`; an index is below `grid.len()`, for which the place has room: values are clamped to the
        // layout's maximum before they are looked up.
        unsafe {
            base.cell(self.back as usize + index)
        }
    }

    #[inline(always)]
    fn index(&self, value: u64) -> usize {
        let cell = self.layout.index(value);
        match &self.splits {
            None => cell,
            Some(splits) => splits.index(cell, value),
        }
    }

    /// Records to this thread's cells, where `base` is this thread's copy of the chunk. `n` must not be zero.
    #[inline(always)]
    pub(crate) fn record_at(&self, base: Base, value: u64, n: u64) {
        // One predictable test for four things: first value, new minimum, new maximum, above the maximum.
        let beyond = value.wrapping_sub(self.header(base, START).get()) >= self.header(base, WIDTH).get();
        let value = if beyond { self.widen(base, value, n) } else { value };
        self.bucket(base, self.index(value)).add(n);
        self.header(base, SUM).add_sum(value.wrapping_mul(n));
        self.header(base, COUNT).add_count(n);
    }

    /// Widens the range to `value` and returns it, clamped to the maximum.
    #[cold]
    #[inline(never)]
    fn widen(&self, base: Base, value: u64, n: u64) -> u64 {
        let max = self.layout.max();
        if value > max {
            self.header(base, CLAMPED).add(n);
        }
        let value = value.min(max);
        let start = self.header(base, START);
        let width = self.header(base, WIDTH);
        let (low, high) = match width.get() {
            0 => (value, value),
            width => (value.min(start.get()), value.max(start.get() + (width - 1))),
        };
        start.put(low);
        width.put(high - low + 1);
        self.header(base, FLOOR).put(!low);
        self.header(base, TOP).put(high);
        value
    }

    /// Records to the shared copy. `n` must not be zero.
    pub(crate) fn share(&self, value: u64, n: u64) {
        let base = self.place().chunk.shared();
        let max = self.layout.max();
        if value > max {
            self.header(base, CLAMPED).share_add(n);
        }
        let value = value.min(max);
        self.header(base, FLOOR).share_max(!value);
        self.header(base, TOP).share_max(value);
        self.bucket(base, self.index(value)).share_add(n);
        self.header(base, SUM).share_sum(value.wrapping_mul(n));
        self.header(base, COUNT).share_count(n);
    }

    /// The count of a copy: the first thing to read.
    pub(crate) fn count(&self, base: Base) -> u64 {
        self.header(base, COUNT).get_count()
    }

    /// The sum of a copy, in ticks: to be read after the count.
    pub(crate) fn sum(&self, base: Base) -> u64 {
        self.header(base, SUM).get_sum()
    }

    /// The smallest and the largest value of a copy with a count above zero: to be read after the sum.
    pub(crate) fn range(&self, base: Base) -> (u64, u64) {
        (!self.header(base, FLOOR).get(), self.header(base, TOP).get())
    }

    /// How many values of a copy were above the maximum.
    pub(crate) fn clamped(&self, base: Base) -> u64 {
        self.header(base, CLAMPED).get()
    }

    /// What a bucket of a copy holds: to be read after the sum.
    #[inline(always)]
    pub(crate) fn held(&self, base: Base, index: usize) -> u64 {
        assert!(index < self.grid.len());
        self.bucket(base, index).get()
    }
}

impl Drop for Hdr {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.space.give_back(place);
        }
    }
}
