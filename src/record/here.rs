//! Local handles: `!Send`, with this thread's region found once.
//!
//! Each holds a share of the thread's right to its shard, so that a handle kept in another thread-local and used after
//! the thread's own destructor ran still is the only writer; the shard is adopted by another thread only when it is
//! gone too.

use super::counter::FloatCounter;
use super::hdr::Hdr;
use super::histogram::{Histogram, record_cold};
use super::region::Base;
use super::scalar::{Scalar, Slot};
use super::shard::Hold;
use super::{counter, local};
use std::sync::Arc;

/// This thread's region.
#[derive(Debug)]
struct Here {
    base: Base,
    /// The first offset that this thread may not write; zero where it may write none.
    limit: u32,
    /// Keeps the shard this thread's. Never read.
    _hold: Option<Hold>,
}

impl Here {
    fn new() -> Self {
        match local::hold() {
            Some(hold) => Self { base: hold.base(), limit: hold.limit(), _hold: Some(hold) },
            None => Self { base: Base::NULL, limit: 0, _hold: None },
        }
    }

    /// What the slot says, if `base` is to be written there. Not when the metric is switched off, nor where this thread does
    /// not reach it.
    #[inline(always)]
    fn reached(&self, slot: &Slot) -> Option<u64> {
        // Not compared with what it said when the handle was made: the compiler would keep all that follows from that in
        // registers, of which a loop has too few.
        let says = slot.get();
        ((says as u32) < self.limit).then_some(says)
    }
}

/// A [`Counter`](crate::Counter) for the innermost loop of one thread. Made by
/// [`Counter::local`](crate::Counter::local).
#[derive(Debug)]
pub struct LocalCounter {
    here: Here,
    core: Arc<Scalar>,
}

impl LocalCounter {
    pub(crate) fn new(core: Arc<Scalar>) -> Self {
        Self { here: Here::new(), core }
    }

    /// Adds one.
    #[inline]
    pub fn inc(&mut self) {
        self.add(1);
    }

    /// Adds `n`.
    #[inline]
    pub fn add(&mut self, n: u64) {
        match self.here.reached(self.core.slot()) {
            Some(offset) => self.core.add_at(self.here.base, offset, n),
            None => counter::add_cold(&self.core, n),
        }
    }
}

/// An [`UpDownCounter`](crate::UpDownCounter) for the innermost loop of one thread. Made by
/// [`UpDownCounter::local`](crate::UpDownCounter::local).
#[derive(Debug)]
pub struct LocalUpDownCounter(LocalCounter);

impl LocalUpDownCounter {
    pub(crate) fn new(core: Arc<Scalar>) -> Self {
        Self(LocalCounter::new(core))
    }

    /// Adds one.
    #[inline]
    pub fn inc(&mut self) {
        self.add(1);
    }

    /// Takes one away.
    #[inline]
    pub fn dec(&mut self) {
        self.add(-1);
    }

    /// Adds `n`, which may be negative.
    #[inline]
    pub fn add(&mut self, n: i64) {
        self.0.add(n.cast_unsigned());
    }
}

/// A [`FloatCounter`] for the innermost loop of one thread. Made by [`FloatCounter::local`].
#[derive(Debug)]
pub struct LocalFloatCounter {
    here: Here,
    handle: FloatCounter,
}

impl LocalFloatCounter {
    pub(crate) fn new(handle: FloatCounter) -> Self {
        Self { here: Here::new(), handle }
    }

    /// Adds `n`, as [`FloatCounter::add`] does.
    #[inline]
    pub fn add(&mut self, n: f64) {
        if !counter::is_amount(n) {
            return;
        }
        match self.here.reached(self.handle.0.slot()) {
            Some(offset) => self.handle.0.add_float_at(self.here.base, offset, n),
            None => counter::add_float_cold(&self.handle.0, n),
        }
    }
}

/// A [`Histogram`] for the innermost loop of one thread. Made by [`Histogram::local`].
#[derive(Debug)]
pub struct LocalHistogram {
    here: Here,
    handle: Histogram,
}

impl LocalHistogram {
    pub(crate) fn new(handle: Histogram) -> Self {
        Self { here: Here::new(), handle }
    }

    pub(crate) fn handle(&self) -> &Histogram {
        &self.handle
    }

    /// Records one value, in ticks, as [`Histogram::record`] does.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.record_some(value, 1);
    }

    /// Records one value, in ticks, `n` times. `n` may be zero.
    #[inline]
    pub fn record_n(&mut self, value: u64, n: u64) {
        if n > 0 {
            self.record_some(value, n);
        }
    }

    #[inline(always)]
    fn record_some(&mut self, value: u64, n: u64) {
        let core: &Hdr = self.handle.core();
        match self.here.reached(core.slot()) {
            Some(says) => core.record_at(self.here.base, says, value, n),
            None => record_cold(core, n, value),
        }
    }
}
