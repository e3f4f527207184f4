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
use super::shard::OFFSETS;
use super::space::{Place, Shape, Space};
use crate::bucket::{EXACT_MAX, Grid, INDEXED_MAX, Index, Layout, LogLinear, MAX_TICKS, Resolution, out_of_line};
use crate::sync::Arc;
use std::sync::Arc as Shared;

/// The layout of most histograms, in which the index needs constants only.
const TWO_DIGITS: LogLinear = LogLinear::new(2, MAX_TICKS);

/// The bit of a slot's offset that says that a value's cell is found by the [`Index`] of a schema: a header's offset has a
/// zero there. The slot's upper half then has in [`SHIFT_BITS`] what the index shifts by, and above them half the offset
/// of the first bucket, which is even. Without the bit it is what to add to `TWO_DIGITS.biased()` for the offset of a
/// bucket, modulo 2^32.
const NATIVE: u64 = 1;
const SHIFT_BITS: u32 = 6;
const _: () = assert!(OFFSETS / 2 <= 1 << (u32::BITS - SHIFT_BITS), "half an offset has room");

/// What a histogram's slot says.
fn says(grid: &Grid, place: &Place) -> u64 {
    assert!(place.front.is_multiple_of(HEADER as u32) && place.back.is_multiple_of(2), "places are given out so");
    let (rest, native) = match grid.layout() {
        Layout::LogLinear(_) => (place.back.wrapping_sub(TWO_DIGITS.bias()), 0),
        Layout::Exponential(cells) => ((place.back / 2) << SHIFT_BITS | cells.cells().shift(), NATIVE),
    };
    u64::from(rest) << 32 | u64::from(place.front) | native
}

/// Where the entry of bin zero of a schema's [`Index`] would be. There is none: those of the bins that values have begin
/// further on. Null where the layout is not a schema's.
#[derive(Debug)]
struct Entries(*const u64);

impl Entries {
    fn new(layout: &Layout) -> Self {
        Self(match layout {
            Layout::Exponential(cells) => {
                let index = cells.cells();
                index.entries().as_ptr().wrapping_sub(Index::bin(index.shift(), 1))
            }
            Layout::LogLinear(_) => std::ptr::null(),
        })
    }
}

#[allow(unsafe_code)]
// SAFETY: what it points to is never written, and the grid that keeps it may be sent.
unsafe impl Send for Entries {}
#[allow(unsafe_code)]
// SAFETY: as for Send.
unsafe impl Sync for Entries {}

/// One histogram. Aligned as [`super::scalar::Scalar`] is.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Hdr {
    slot: Slot,
    back: u32,
    entries: Entries,
    /// Where the layout is of digits.
    digits: LogLinear,
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
            slot: Slot::new(says(&grid, &place), sync, enabled),
            back: place.back,
            entries: Entries::new(grid.layout()),
            digits: if let Layout::LogLinear(digits) = grid.layout() { *digits } else { TWO_DIGITS },
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

    /// Where the header begins in every region: what the slot of one that is on says too, and quicker.
    fn front(&self) -> usize {
        self.place().front as usize
    }

    pub(crate) fn grid(&self) -> &Shared<Grid> {
        &self.grid
    }

    /// A cell of the header, which begins at `front`.
    #[inline(always)]
    fn header(&self, base: Base, front: usize, cell: usize) -> &Cell {
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
            base.cell_at(self.back as usize, index)
        }
    }

    /// The offset of the bucket of a value that passed the range check, in two digits, if its cell is not split.
    #[inline(always)]
    fn usual(says: u64, value: u64) -> u32 {
        // The offset of the first bucket less the bias, modulo 2^32.
        ((says >> 32) as u32).wrapping_add(TWO_DIGITS.biased(value))
    }

    /// As [`Hdr::usual`], in a schema.
    #[inline(always)]
    fn native(&self, says: u64, value: u64) -> u32 {
        let rest = (says >> 32) as u32;
        // A processor looks only at the lowest six bits of what to shift by.
        let entry = self.entries.0.wrapping_add(Index::bin(rest % 64, value));
        #[allow(unsafe_code)]
        // SAFETY: the slot says NATIVE, so the layout is a schema's, where the range check passes values only from 1 up to
        // the maximum that have an entry. `grid` keeps it.
        let entry = unsafe { *entry };
        ((rest >> SHIFT_BITS) * 2).wrapping_add(Index::cell(entry, value))
    }

    /// As [`Hdr::usual`], in other digits.
    #[inline(always)]
    fn other(&self, value: u64) -> u32 {
        self.back.wrapping_add(self.digits.biased(value).wrapping_sub(self.digits.bias()))
    }

    /// Records to this thread's cells: `base` is this thread's region, and the offset that the slot `says` is below this
    /// thread's limit. `n` must not be zero.
    #[inline(always)]
    pub(crate) fn record_at(&self, base: Base, says: u64, value: u64, n: u64) {
        let offset = says as u32 as usize;
        // One predictable test for everything unusual of a value: it is the first, a new minimum or maximum, above the
        // maximum to track, or has no quick way to its cell. Digits and schemas each have their own, and additions of their
        // own: brought together, one would pay for a jump.
        if says & NATIVE == 0 {
            let past = self.header(base, offset, START).get().wrapping_add(value);
            let bucket = if past < self.header(base, offset, WIDTH).get() {
                Self::usual(says, value)
            } else {
                out_of_line();
                if past >= self.header(base, offset, SPAN).get() {
                    return self.record_rare(base, n, value);
                }
                self.other(value)
            };
            self.store(base, offset, bucket, value, n);
        } else {
            let front = offset - NATIVE as usize;
            let past = self.header(base, front, START).get().wrapping_add(value);
            if past < self.header(base, front, SPAN).get() {
                self.store(base, front, self.native(says, value), value, n);
            } else {
                out_of_line();
                self.record_rare(base, n, value);
            }
        }
    }

    /// The three additions of a recording of a value that passed the range check. `offset`: of its bucket, if its cell is
    /// not split.
    #[inline(always)]
    fn store(&self, base: Base, front: usize, offset: u32, value: u64, n: u64) {
        #[allow(unsafe_code)]
        // SAFETY: as in `bucket`: the offset is `back` plus the index of a value up to the maximum, as each way is taken in
        // its own layout only: `widen` leaves WIDTH zero but for two digits, and SPAN for these, and `says` sets NATIVE
        // for a schema alone.
        let bucket = unsafe { base.cell(offset as usize) };
        let held = bucket.get().wrapping_add(n);
        // Costs next to nothing: the mark is the sign of an addition that is made anyway.
        if held & SPLIT != 0 {
            out_of_line();
            self.record_split(base, offset, n, value);
            return;
        }
        bucket.put(held);
        let (sum, count) = (self.header(base, front, SUM), self.header(base, front, COUNT));
        sum.put_sum(sum.get().wrapping_add(value.wrapping_mul(n)));
        count.put_count(count.get().wrapping_add(n));
    }

    /// Records a value that passed the range check and whose cell, at `offset`, is split. The cold functions take the
    /// value last: so the register in which a shift is counted is free on the way that needs it.
    #[inline(never)]
    fn record_split(&self, base: Base, offset: u32, n: u64, value: u64) {
        self.store_rare(base, self.grid.splits().index((offset - self.back) as usize, value), value, n);
    }

    /// Records a value that is clamped, widens the range, or has no quick way to its cell.
    #[inline(never)]
    fn record_rare(&self, base: Base, n: u64, value: u64) {
        let front = self.front();
        let (low, high) = (!self.header(base, front, FLOOR).get(), self.header(base, front, TOP).get());
        let value =
            if low <= value && value <= high.min(self.grid.limit()) { value } else { self.widen(base, value, n) };
        let index = self.grid.splits().index(self.grid.layout().index(value), value);
        self.store_rare(base, index, value, n);
    }

    /// The three additions of a recording, whether the bucket's cell is split or not.
    fn store_rare(&self, base: Base, index: usize, value: u64, n: u64) {
        let front = self.front();
        self.bucket(base, index).add(n);
        let (sum, count) = (self.header(base, front, SUM), self.header(base, front, COUNT));
        sum.put_sum(sum.get().wrapping_add(value.wrapping_mul(n)));
        count.put_count(count.get().wrapping_add(n));
    }

    /// Clamps a value, widens the range to hold it, and marks the split cells there. The value as it is recorded.
    #[cold]
    #[inline(never)]
    fn widen(&self, base: Base, value: u64, n: u64) -> u64 {
        let (front, layout, limit) = (self.front(), self.grid.layout(), self.grid.limit());
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
        // The values of the range that have a quick way: from where on, and up to where. Zero has no entry in an index.
        let (from, to) = match layout {
            Layout::LogLinear(_) => (low, EXACT_MAX),
            Layout::Exponential(_) => (low.max(1), INDEXED_MAX),
        };
        let quick = (high.min(limit).min(to) + 1).saturating_sub(from);
        let usual = self.grid.resolution() == Resolution::Digits(2);
        self.header(base, front, FLOOR).put(!low);
        self.header(base, front, TOP).put(high);
        self.header(base, front, START).put(from.wrapping_neg());
        self.header(base, front, WIDTH).put(if usual { quick } else { 0 });
        self.header(base, front, SPAN).put(if usual { 0 } else { quick });
        for cell in self.grid.splits().among(layout.index(low)..=layout.index(high)) {
            let bucket = self.bucket(base, cell);
            bucket.put(bucket.get() | SPLIT);
        }
        value
    }

    /// Records to the shared region. `n` must not be zero.
    pub(crate) fn share(&self, value: u64, n: u64) {
        let (base, front) = (self.place().shared(), self.front());
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
            base.cells(self.back as usize, self.grid.len()..end)
        }
    }

    /// One copy, to read.
    pub(crate) fn copy(&self, base: Base) -> Copied<'_> {
        #[allow(unsafe_code)]
        // SAFETY: as in `header`, for every cell of it.
        let header = unsafe { base.cells(self.front(), 0..HEADER) };
        #[allow(unsafe_code)]
        // SAFETY: as in `bucket`, for every index.
        let buckets = unsafe { base.cells(self.back as usize, 0..self.grid.len()) };
        Copied::new(&self.grid, header, buckets)
    }

    /// The count of a copy.
    #[cfg(not(tach_loom))]
    pub(crate) fn count(&self, base: Base) -> u64 {
        self.header(base, self.front(), COUNT).get_count()
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
