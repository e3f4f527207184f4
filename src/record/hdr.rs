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
use super::copied::{CLAMPED, COUNT, Copied, FLOOR, HEADER, SPAN, SPLIT, START, SUM, TOP, WIDTH};
use super::exemplar::{self, Noted, WORDS};
use super::region::Base;
use super::scalar::Slot;
use super::space::{Place, Shape, Space};
use crate::bucket::{EXACT_MAX, Grid, INDEXED_MAX, Index, Layout, LogLinear, MAX_TICKS, Resolution, out_of_line};
use crate::sync::Arc;
use std::sync::Arc as Shared;

/// The layout of most histograms, in which the index needs constants only.
const TWO_DIGITS: LogLinear = LogLinear::new(2, MAX_TICKS);

/// How a value's cell is found where the layout is not that of two digits.
#[derive(Debug)]
enum Cells {
    /// Of a schema: by the grid's [`Index`], which the grid keeps.
    Native {
        shift: u32,
        /// Where the entry of bin zero would be. There is none: those of the bins that values have begin further on.
        zeroth: *const u64,
    },
    Digits(LogLinear),
}

impl Cells {
    fn new(layout: &Layout) -> Self {
        match layout {
            Layout::Exponential(cells) => {
                let index = cells.cells();
                let first = Index::bin(index.shift(), 1);
                Self::Native { shift: index.shift(), zeroth: index.entries().as_ptr().wrapping_sub(first) }
            }
            Layout::LogLinear(cells) => Self::Digits(*cells),
        }
    }
}

#[allow(unsafe_code)]
// SAFETY: what it points to is never written, and the grid that keeps it may be sent.
unsafe impl Send for Cells {}
#[allow(unsafe_code)]
// SAFETY: as for Send.
unsafe impl Sync for Cells {}

/// One histogram. Aligned as [`super::scalar::Scalar`] is.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Hdr {
    slot: Slot,
    /// What to add to `TWO_DIGITS.biased()` for the offset of a bucket, modulo 2^32.
    origin: u32,
    back: u32,
    cells: Cells,
    grid: Shared<Grid>,
    place: Option<Place>,
    space: Arc<Space>,
}

impl Hdr {
    /// What a histogram with this grid needs, with exemplars or without.
    pub(crate) fn shape(grid: &Grid, exemplars: bool) -> Shape {
        let slots = if exemplars { grid.ladder().slots().len() } else { 0 };
        let back = u32::try_from(grid.len() + slots * WORDS).expect("a histogram has fewer than 2^17 cells");
        Shape { front: HEADER as u32, back }
    }

    /// `sync`: record to the shared region always.
    pub(crate) fn new(grid: Shared<Grid>, place: Place, space: Arc<Space>, sync: bool, enabled: bool) -> Self {
        Self {
            slot: Slot::new(&place, sync, enabled),
            origin: place.back.wrapping_sub(TWO_DIGITS.bias()),
            back: place.back,
            cells: Cells::new(grid.layout()),
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

    /// The bucket of a value that passed the range check, if its cell is not split.
    #[inline(always)]
    fn usual_bucket(&self, base: Base, value: u64) -> &Cell {
        #[allow(unsafe_code)]
        // SAFETY: as in `bucket`: the range check passes no value above the maximum, and none at all where the layout
        // is not one of two digits, for which this is `back` plus the index.
        unsafe {
            base.cell(self.origin.wrapping_add(TWO_DIGITS.biased(value)))
        }
    }

    /// The cell of a value within [`SPAN`].
    #[inline(always)]
    fn other_cell(&self, value: u64) -> u32 {
        match self.cells {
            Cells::Native { shift, zeroth } => {
                let entry = zeroth.wrapping_add(Index::bin(shift, value));
                #[allow(unsafe_code)]
                // SAFETY: where the layout is a schema's, the range check passes values only from 1 up to the maximum that
                // have an entry. `grid` keeps it.
                let entry = unsafe { *entry };
                Index::cell(entry, value)
            }
            Cells::Digits(cells) => {
                out_of_line();
                cells.biased(value).wrapping_sub(cells.bias())
            }
        }
    }

    /// The bucket of a value within [`SPAN`], if its cell is not split.
    #[inline(always)]
    fn other_bucket(&self, base: Base, value: u64) -> &Cell {
        #[allow(unsafe_code)]
        // SAFETY: as in `bucket`: the cell is that of a value up to the maximum.
        unsafe {
            base.cell(self.back.wrapping_add(self.other_cell(value)))
        }
    }

    /// Records to this thread's cells: `base` is this thread's region, and `front` what the slot says, below this
    /// thread's limit. `n` must not be zero.
    #[inline(always)]
    pub(crate) fn record_at(&self, base: Base, front: u32, value: u64, n: u64) {
        // One predictable test for everything unusual of a value: it is the first, a new minimum or maximum, above the
        // maximum to track, or too large for the index to be exact. Where the layout is not that of two digits, no value
        // passes it, and a second test takes its place.
        let past = self.header(base, front, START).get().wrapping_add(value);
        // Each with its own additions and its own function for split cells: brought together, one would pay for a jump.
        // Most recordings are of two digits, and to cells that are not split.
        if past < self.header(base, front, WIDTH).get() {
            if !self.store(base, front, self.usual_bucket(base, value), value, n) {
                out_of_line();
                self.record_split(base, front, n, value);
            }
        } else if past < self.header(base, front, SPAN).get() {
            if !self.store(base, front, self.other_bucket(base, value), value, n) {
                out_of_line();
                self.record_other_split(base, front, n, value);
            }
        } else {
            out_of_line();
            self.record_rare(base, front, n, value);
        }
    }

    /// The three additions of a recording. False, and nothing done, where the bucket's cell is split.
    #[inline(always)]
    fn store(&self, base: Base, front: u32, bucket: &Cell, value: u64, n: u64) -> bool {
        let (sum, count) = (self.header(base, front, SUM), self.header(base, front, COUNT));
        // Loaded before the bucket is stored: their addresses are known first, and the loads need not wait for its.
        let (sum_now, count_now) = (sum.get(), count.get());
        let held = bucket.get().wrapping_add(n);
        // Costs next to nothing: the mark is the sign of an addition that is made anyway.
        if held & SPLIT != 0 {
            return false;
        }
        bucket.put(held);
        sum.put_sum(sum_now.wrapping_add(value.wrapping_mul(n)));
        count.put_count(count_now.wrapping_add(n));
        true
    }

    /// Records a value within [`WIDTH`] whose cell is split. The cold functions take the value last: so the register in
    /// which a shift is counted is free on the way that needs it.
    #[inline(never)]
    fn record_split(&self, base: Base, front: u32, n: u64, value: u64) {
        let cell = TWO_DIGITS.biased(value).wrapping_sub(TWO_DIGITS.bias());
        self.store_rare(base, front, self.grid.splits().index(cell as usize, value), value, n);
    }

    /// Records a value within [`SPAN`] whose cell is split.
    #[inline(never)]
    fn record_other_split(&self, base: Base, front: u32, n: u64, value: u64) {
        let cell = self.other_cell(value);
        self.store_rare(base, front, self.grid.splits().index(cell as usize, value), value, n);
    }

    /// Records a value that is clamped, widens the range, or has no quick way to its cell.
    #[inline(never)]
    fn record_rare(&self, base: Base, front: u32, n: u64, value: u64) {
        let (low, high) = (!self.header(base, front, FLOOR).get(), self.header(base, front, TOP).get());
        let value = if low <= value && value <= high.min(self.grid.limit()) {
            value
        } else {
            self.widen(base, front, value, n)
        };
        let index = self.grid.splits().index(self.grid.layout().index(value), value);
        self.store_rare(base, front, index, value, n);
    }

    /// The three additions of a recording, whether the bucket's cell is split or not.
    fn store_rare(&self, base: Base, front: u32, index: usize, value: u64, n: u64) {
        self.bucket(base, index).add(n);
        let (sum, count) = (self.header(base, front, SUM), self.header(base, front, COUNT));
        sum.put_sum(sum.get().wrapping_add(value.wrapping_mul(n)));
        count.put_count(count.get().wrapping_add(n));
    }

    /// Clamps a value, widens the range to hold it, and marks the split cells there. The value as it is recorded.
    #[cold]
    #[inline(never)]
    fn widen(&self, base: Base, front: u32, value: u64, n: u64) -> u64 {
        let (layout, limit) = (self.grid.layout(), self.grid.limit());
        let clamped = value > limit;
        if clamped {
            self.header(base, front, CLAMPED).add(n);
        }
        let value = if clamped { layout.max() } else { value };
        let (low, high) = (!self.header(base, front, FLOOR).get(), self.header(base, front, TOP).get());
        if low <= value && value <= high {
            return value;
        }
        let (low, high) = (low.min(value), high.max(value));
        // How many values of the range a quick way may be taken with: from where on, and up to where.
        let quick = |from: u64, to: u64| (high.min(limit).min(to) + 1).saturating_sub(from);
        let (start, width, span) = match self.grid.resolution() {
            Resolution::Digits(2) => (low, quick(low, EXACT_MAX), 0),
            Resolution::Digits(_) => (low, 0, quick(low, EXACT_MAX)),
            // Zero has no entry.
            Resolution::Schema(_) => (low.max(1), 0, quick(low.max(1), INDEXED_MAX)),
        };
        self.header(base, front, FLOOR).put(!low);
        self.header(base, front, TOP).put(high);
        self.header(base, front, START).put(start.wrapping_neg());
        self.header(base, front, WIDTH).put(width);
        self.header(base, front, SPAN).put(span);
        for cell in self.grid.splits().among(layout.index(low)..=layout.index(high)) {
            let bucket = self.bucket(base, cell);
            bucket.put(bucket.get() | SPLIT);
        }
        value
    }

    /// Records to the shared region. `n` must not be zero.
    pub(crate) fn share(&self, value: u64, n: u64) {
        let (base, front) = (self.place().shared(), self.place().front);
        let clamped = value > self.grid.limit();
        if clamped {
            self.header(base, front, CLAMPED).share_add(n);
        }
        let value = if clamped { self.grid.layout().max() } else { value };
        self.header(base, front, FLOOR).share_max(!value);
        self.header(base, front, TOP).share_max(value);
        self.bucket(base, self.grid.splits().index(self.grid.layout().index(value), value)).share_add(n);
        self.header(base, front, SUM).share_sum(value.wrapping_mul(n));
        self.header(base, front, COUNT).share_count(n);
    }

    /// Whether it was declared with exemplars, and so has slots for them.
    pub(crate) fn has_slots(&self) -> bool {
        self.place().back_len() as usize > self.grid.len()
    }

    /// Leaves an exemplar in this thread's region, `base`, before its value is recorded; where there are slots. `noted`
    /// makes it of the value as it will be recorded.
    pub(crate) fn note_at(&self, base: Base, value: u64, noted: impl FnOnce(u64) -> Noted) {
        let (slot, value) = self.slot_of(base, value);
        slot.offer(&noted(value));
    }

    /// As [`Hdr::note_at`], in the shared region.
    pub(crate) fn note_shared(&self, value: u64, noted: impl FnOnce(u64) -> Noted) {
        let (slot, value) = self.slot_of(self.place().shared(), value);
        slot.share(&noted(value));
    }

    /// The slot for the exemplar of a value, and the value as it will be recorded.
    fn slot_of(&self, base: Base, value: u64) -> (exemplar::Slot<'_>, u64) {
        let value = if value > self.grid.limit() { self.grid.layout().max() } else { value };
        let at = self.grid.ladder().slots().index(value) * WORDS;
        (exemplar::Slot::new(&self.noted(base)[at..at + WORDS]), value)
    }

    /// The slots for exemplars of a copy; none where the histogram was declared without.
    pub(crate) fn noted(&self, base: Base) -> &[Cell] {
        let end = self.place().back_len() as usize;
        #[allow(unsafe_code)]
        // SAFETY: as in `bucket`: the place has so many cells, those of the grid and then the slots.
        unsafe {
            base.cells(self.back, self.grid.len()..end)
        }
    }

    /// One copy, to read.
    pub(crate) fn copy(&self, base: Base) -> Copied<'_> {
        #[allow(unsafe_code)]
        // SAFETY: as in `header`, for every cell of it.
        let header = unsafe { base.cells(self.place().front, 0..HEADER) };
        #[allow(unsafe_code)]
        // SAFETY: as in `bucket`, for every index.
        let buckets = unsafe { base.cells(self.back, 0..self.grid.len()) };
        Copied::new(&self.grid, header, buckets)
    }

    /// The count of a copy.
    #[cfg(not(tach_loom))]
    pub(crate) fn count(&self, base: Base) -> u64 {
        self.header(base, self.place().front, COUNT).get_count()
    }

    /// How many values of all copies were above the maximum.
    #[cfg(not(tach_loom))]
    pub(crate) fn clamped_in_all(&self) -> u64 {
        let regions = super::local::shards().map(|shards| shards.regions()).unwrap_or_default();
        self.place().extent.copies(&regions).map(|base| self.copy(base).clamped()).sum()
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
