//! The core of the metrics that are one cell: counters of three kinds.

use super::chunk::Base;
use super::shard::{OFF, SHARED};
use super::space::{Place, Space};
use crate::sync::{Arc, AtomicU32, Ordering};

/// Which chunk a metric records to: [`OFF`], [`SHARED`], or a chunk's id.
///
/// Switching needs no edge: it publishes nothing, as a metric's cells stay where they are for its whole life. A thread that
/// reads the old value records, or does not, as if the switch had come a moment later.
#[derive(Debug)]
pub(crate) struct Slot {
    now: AtomicU32,
    on: u32,
}

impl Slot {
    pub(crate) fn new(on: u32, enabled: bool) -> Self {
        Self { now: AtomicU32::new(if enabled { on } else { OFF }), on }
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u32 {
        // Relaxed: see the type.
        self.now.load(Ordering::Relaxed)
    }

    /// What the slot says while the metric is on.
    pub(crate) fn on(&self) -> u32 {
        self.on
    }

    pub(crate) fn switch(&self, enabled: bool) {
        // Relaxed: see the type.
        self.now.store(if enabled { self.on } else { OFF }, Ordering::Relaxed);
    }
}

/// One cell per shard. Aligned so that the reference count before it, which every clone of a handle writes, is on another
/// cache line than what every recording reads.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Scalar {
    slot: Slot,
    offset: u32,
    place: Option<Place>,
    space: Arc<Space>,
}

impl Scalar {
    /// `sync`: record to the shared copy always.
    pub(crate) fn new(place: Place, space: Arc<Space>, sync: bool, enabled: bool) -> Self {
        let on = if sync { SHARED } else { place.chunk.id() };
        let offset = u32::try_from(place.front).expect("a chunk has fewer than 2^32 cells");
        Self { slot: Slot::new(on, enabled), offset, place: Some(place), space }
    }

    #[inline(always)]
    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    pub(crate) fn place(&self) -> &Place {
        self.place.as_ref().expect("only drop takes it")
    }

    /// Adds to this thread's cell, where `base` is this thread's copy of the chunk.
    #[inline(always)]
    pub(crate) fn add_at(&self, base: Base, n: u64) {
        #[allow(unsafe_code)]
        // SAFETY: `base` is a copy of this metric's chunk, which `self.place` keeps alive and in which the offset lies.
        unsafe { base.cell(self.offset as usize) }.add(n);
    }

    /// As [`Scalar::add_at`], for a float.
    #[inline(always)]
    pub(crate) fn add_float_at(&self, base: Base, n: f64) {
        #[allow(unsafe_code)]
        // SAFETY: as in `add_at`.
        unsafe { base.cell(self.offset as usize) }.add_float(n);
    }

    /// Adds to the shared copy's cell.
    pub(crate) fn share(&self, n: u64) {
        #[allow(unsafe_code)]
        // SAFETY: as in `add_at`; the shared copy is a copy.
        unsafe { self.place().chunk.shared().cell(self.offset as usize) }.share_add(n);
    }

    /// As [`Scalar::share`], for a float.
    pub(crate) fn share_float(&self, n: f64) {
        #[allow(unsafe_code)]
        // SAFETY: as in `share`.
        unsafe { self.place().chunk.shared().cell(self.offset as usize) }.share_float(n);
    }

    /// The values of all copies.
    pub(crate) fn read(&self) -> impl Iterator<Item = u64> + '_ {
        let offset = self.offset as usize;
        #[allow(unsafe_code)]
        // SAFETY: as in `add_at`.
        self.place().chunk.copies().map(move |(base, _)| unsafe { base.cell(offset) }.get())
    }
}

impl Drop for Scalar {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.space.give_back(place);
        }
    }
}
