//! Local handles: `!Send`, with this thread's cells found once.
//!
//! Each holds a share of the thread's right to its shard, so that a handle kept in another thread-local and used after
//! the thread's own destructor ran still is the only writer; the shard is adopted by another thread only when it is
//! gone too.

use super::counter::FloatCounter;
use super::hdr::Hdr;
use super::histogram::{Histogram, record_cold};
use super::region::Base;
use super::scalar::{Scalar, Slot};
use super::shard::{Hold, SHARED};
use super::{counter, local};
use std::sync::Arc;

/// This thread's region, if it may write one metric there.
#[derive(Debug)]
struct Here {
    base: Base,
    /// What the metric's slot says while `base` is to be written; [`NEVER`] where it never is.
    offset: u32,
    /// Keeps the shard this thread's. Never read.
    _hold: Option<Hold>,
}

/// What no slot ever says.
const NEVER: u32 = SHARED - 1;

impl Here {
    fn new(slot: &Slot) -> Self {
        match local::hold() {
            Some(hold) if slot.on() < hold.limit() => Self { base: hold.base(), offset: slot.on(), _hold: Some(hold) },
            _ => Self { base: Base::NULL, offset: NEVER, _hold: None },
        }
    }

    /// Whether `base` is to be written. Not when the metric is switched off, nor where this thread does not reach it.
    #[inline(always)]
    fn is_current(&self, slot: &Slot) -> bool {
        slot.get() == self.offset
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
        Self { here: Here::new(core.slot()), core }
    }

    /// Adds one.
    #[inline]
    pub fn inc(&mut self) {
        self.add(1);
    }

    /// Adds `n`.
    #[inline]
    pub fn add(&mut self, n: u64) {
        if self.here.is_current(self.core.slot()) {
            self.core.add_at(self.here.base, self.here.offset, n);
        } else {
            counter::add_cold(&self.core, n);
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
        Self { here: Here::new(handle.0.slot()), handle }
    }

    /// Adds `n`, as [`FloatCounter::add`] does.
    #[inline]
    pub fn add(&mut self, n: f64) {
        if !counter::is_amount(n) {
            return;
        }
        if self.here.is_current(self.handle.0.slot()) {
            self.handle.0.add_float_at(self.here.base, self.here.offset, n);
        } else {
            counter::add_float_cold(&self.handle.0, n);
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
        let core = handle.core();
        Self { here: Here::new(core.slot()), handle }
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
        if self.here.is_current(core.slot()) {
            core.record_at(self.here.base, self.here.offset, value, n);
        } else {
            record_cold(core, n, value);
        }
    }
}
