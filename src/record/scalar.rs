//! The core of the metrics that are one cell: counters of three kinds.

use super::cell::Cell;
use super::exemplar::{self, Noted, WORDS};
use super::region::Base;
use super::shard::{OFF, Regions, SHARED};
use super::space::{Place, Shape, Space};
#[cfg(not(tach_loom))]
use crate::sync::Mutex;
use crate::sync::{Arc, AtomicU64, Ordering};

/// What a recording needs to know first, in one word. The lower half is the offset that the metric records to: its
/// place's, or [`OFF`], or [`SHARED`]. The upper half is the metric's own, and zero for those of one cell, for which the
/// word is the offset.
///
/// Edge LEVEL-SWITCH: switching publishes nothing, as a metric's cells stay where they are for its whole life. A thread
/// that reads the old value records, or does not, as if the switch had come a moment later.
#[derive(Debug)]
pub(crate) struct Slot {
    now: AtomicU64,
    on: u64,
    /// Copies of `now` in statics. Locked to change `now` too, so that none misses a change.
    #[cfg(not(tach_loom))]
    mirrors: Mutex<Vec<&'static Mirror>>,
}

/// A copy of a [`Slot`] inside a static. [`OFF`] until there is a slot to follow.
#[cfg(not(tach_loom))]
#[derive(Debug)]
pub(crate) struct Mirror(AtomicU64);

#[cfg(not(tach_loom))]
impl Mirror {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(OFF as u64))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        // Relaxed: see the type of what it copies.
        self.0.load(Ordering::Relaxed)
    }

    /// As [`Scalar::add_at`].
    #[inline(always)]
    pub(crate) fn add_at(&self, base: Base, offset: u64, n: u64) {
        #[allow(unsafe_code)]
        // SAFETY: as there: mirrors are of counters' slots. Only what a region is long enough for matters, and not whose
        // cell it is.
        unsafe { base.cell(offset as usize) }.add(n);
    }
}

impl Slot {
    /// `sync`: record to the shared region always; `on` says where to record otherwise.
    pub(crate) fn new(on: u64, sync: bool, enabled: bool) -> Self {
        let on = if sync { u64::from(SHARED) } else { on };
        Self {
            now: AtomicU64::new(if enabled { on } else { u64::from(OFF) }),
            on,
            #[cfg(not(tach_loom))]
            mirrors: Mutex::new(Vec::new()),
        }
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        // Relaxed: see the type.
        self.now.load(Ordering::Relaxed)
    }

    pub(crate) fn switch(&self, enabled: bool) {
        let now = if enabled { self.on } else { u64::from(OFF) };
        #[cfg(not(tach_loom))]
        let mirrors = self.mirrors.lock();
        // Relaxed, both: see the type.
        self.now.store(now, Ordering::Relaxed);
        #[cfg(not(tach_loom))]
        mirrors.iter().for_each(|mirror| mirror.0.store(now, Ordering::Relaxed));
    }

    /// Makes `mirror` say what this slot says, from now on.
    #[cfg(not(tach_loom))]
    pub(crate) fn mirror(&self, mirror: &'static Mirror) {
        let mut mirrors = self.mirrors.lock();
        // Relaxed: see the type.
        mirror.0.store(self.get(), Ordering::Relaxed);
        mirrors.push(mirror);
    }
}

/// One cell per shard. Aligned so that the reference count before it, which every clone of a handle writes, is on
/// another cache line than what every recording reads.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Scalar {
    slot: Slot,
    place: Option<Place>,
    space: Arc<Space>,
}

impl Scalar {
    /// What a metric of one cell needs, with exemplars or without.
    pub(crate) fn shape(exemplars: bool) -> Shape {
        Shape { front: 1, back: if exemplars { WORDS as u32 } else { 0 } }
    }

    pub(crate) fn new(place: Place, space: Arc<Space>, sync: bool, enabled: bool) -> Self {
        Self { slot: Slot::new(u64::from(place.front), sync, enabled), place: Some(place), space }
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

    /// Adds to this thread's cell: `base` is this thread's region, and `offset` what the slot says, below this thread's
    /// limit.
    #[inline(always)]
    pub(crate) fn add_at(&self, base: Base, offset: u64, n: u64) {
        #[allow(unsafe_code)]
        // SAFETY: the limit does not exceed the region's length, and the region lives as long as the process. The slot's
        // upper half is zero, see [`Scalar::new`]: what is below the limit is the whole word.
        unsafe { base.cell(offset as usize) }.add(n);
    }

    /// As [`Scalar::add_at`], for a float.
    #[inline(always)]
    pub(crate) fn add_float_at(&self, base: Base, offset: u64, n: f64) {
        #[allow(unsafe_code)]
        // SAFETY: as in `add_at`.
        unsafe { base.cell(offset as usize) }.add_float(n);
    }

    /// Adds to the shared region's cell.
    pub(crate) fn share(&self, n: u64) {
        let place = self.place();
        #[allow(unsafe_code)]
        // SAFETY: every place lies within the shared region, which lives as long as the extent does.
        unsafe { place.shared().cell(place.front as usize) }.share_add(n);
    }

    /// As [`Scalar::share`], for a float.
    pub(crate) fn share_float(&self, n: f64) {
        let place = self.place();
        #[allow(unsafe_code)]
        // SAFETY: as in `share`.
        unsafe { place.shared().cell(place.front as usize) }.share_float(n);
    }

    /// Whether it was declared with exemplars, and so has a slot for one.
    pub(crate) fn has_slot(&self) -> bool {
        self.place().back_len() > 0
    }

    /// Leaves an exemplar in this thread's region, `base`, before its amount, above zero, is added; where there is a slot.
    pub(crate) fn note_at(&self, base: Base, noted: &Noted) {
        exemplar::Slot::new(self.noted(base)).offer(noted);
    }

    /// As [`Scalar::note_at`], in the shared region.
    pub(crate) fn note_shared(&self, noted: &Noted) {
        exemplar::Slot::new(self.noted(self.place().shared())).share(noted);
    }

    /// The slot for an exemplar in a copy; empty where the metric was declared without.
    pub(crate) fn noted(&self, base: Base) -> &[Cell] {
        let place = self.place();
        #[allow(unsafe_code)]
        // SAFETY: `base` is that of a region which reaches the end of the extent in which the place lies: of one below
        // whose limit its front is, or of one that `copies` gave. The place has so many cells at its back.
        unsafe {
            base.cells(place.back as usize, 0..place.back_len() as usize)
        }
    }

    /// The values of all copies.
    pub(crate) fn read<'a>(&'a self, regions: &'a Regions) -> impl Iterator<Item = u64> + 'a {
        let place = self.place();
        #[allow(unsafe_code)]
        // SAFETY: `copies` gives regions that reach the end of the extent in which the place lies.
        place.extent.copies(regions).map(|base| unsafe { base.cell(place.front as usize) }.get())
    }
}

impl Drop for Scalar {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.space.give_back(place);
        }
    }
}

// Plain atomics, and locks of the cold side that leave nothing half done.
impl std::panic::RefUnwindSafe for Scalar {}
