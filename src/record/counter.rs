//! Counters: `u64` and `f64` totals that only grow, and an `i64` that goes both ways.

use super::cold::{Route, route};
use super::local;
use super::scalar::{Mirror, Scalar};
use super::shard::OFF;
use std::sync::Arc;

/// Records `n` to a cell found the slow way.
#[cold]
#[inline(never)]
pub(super) fn add_cold(core: &Scalar, n: u64) {
    match route(core.slot(), core.space()) {
        Route::Nowhere => {}
        Route::Own(base, offset) => core.add_at(base, offset, n),
        Route::Shared => core.share(n),
    }
}

#[cold]
#[inline(never)]
pub(super) fn add_float_cold(core: &Scalar, n: f64) {
    match route(core.slot(), core.space()) {
        Route::Nowhere => {}
        Route::Own(base, offset) => core.add_float_at(base, offset, n),
        Route::Shared => core.share_float(n),
    }
}

/// Whether a total may grow by `n`: finite, not negative, not NaN.
#[inline(always)]
pub(super) fn is_amount(n: f64) -> bool {
    (0.0..f64::INFINITY).contains(&n)
}

#[inline(always)]
fn add(core: &Scalar, n: u64) {
    let offset = core.slot().get();
    match local::reach(offset) {
        Some(base) => core.add_at(base, offset, n),
        None if offset == OFF => {}
        None => add_cold(core, n),
    }
}

/// Adds `n` by a copy of a counter's slot, whose handle its owner keeps. False where that finds no cell.
#[inline(always)]
pub(crate) fn add_by(mirror: &Mirror, n: u64) -> bool {
    let offset = mirror.get();
    let Some(base) = local::reach(offset) else { return false };
    mirror.add_at(base, offset, n);
    true
}

/// A total of events that only grows, exposed with the suffix `_total`.
///
/// A handle: cloning it is cheap, all clones are one metric, and it can be kept in a `static`, moved into tasks and
/// shared by threads. Made by [`Registry::counter`](crate::Registry::counter).
#[derive(Clone, Debug)]
pub struct Counter(pub(crate) Arc<Scalar>);

impl Counter {
    /// Adds one. Wait-free; costs what `x += 1` on memory costs.
    #[inline]
    pub fn inc(&self) {
        add(&self.0, 1);
    }

    /// Adds `n`. Costs what [`Counter::inc`] costs. The total wraps at 2^64, which at one per nanosecond takes 584
    /// years.
    #[inline]
    pub fn add(&self, n: u64) {
        add(&self.0, n);
    }

    /// A handle for this thread's innermost loop, which saves the look-up of the thread's shard.
    #[must_use]
    pub fn local(&self) -> crate::LocalCounter {
        super::here::LocalCounter::new(Arc::clone(&self.0))
    }
}

/// A total that only grows, in fractions: energy in joules, time in seconds. Exposed with the suffix `_total`.
///
/// A handle, as [`Counter`] is. Made by [`Registry::float_counter`](crate::Registry::float_counter).
#[derive(Clone, Debug)]
pub struct FloatCounter(pub(crate) Arc<Scalar>);

impl FloatCounter {
    /// Adds `n`. Wait-free. A negative, infinite or NaN amount would break the total for ever and is ignored. Beyond the
    /// largest float the total is that one.
    #[inline]
    pub fn add(&self, n: f64) {
        if !is_amount(n) {
            return;
        }
        let offset = self.0.slot().get();
        match local::reach(offset) {
            Some(base) => self.0.add_float_at(base, offset, n),
            None if offset == OFF => {}
            None => add_float_cold(&self.0, n),
        }
    }

    /// A handle for this thread's innermost loop.
    #[must_use]
    pub fn local(&self) -> crate::LocalFloatCounter {
        super::here::LocalFloatCounter::new(self.clone())
    }
}

/// A sum that goes up and down: requests running, bytes held. Exposed as a gauge.
///
/// Each thread adds to its own cell and the sum is what counts, so one thread may add what another takes away. A
/// handle, as [`Counter`] is. Made by [`Registry::updown_counter`](crate::Registry::updown_counter).
#[derive(Clone, Debug)]
pub struct UpDownCounter(pub(crate) Arc<Scalar>);

impl UpDownCounter {
    /// Adds one. Costs what [`Counter::inc`] costs.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Takes one away. Costs what [`Counter::inc`] costs.
    #[inline]
    pub fn dec(&self) {
        self.add(-1);
    }

    /// Adds `n`, which may be negative. The sum wraps beyond the range of `i64`.
    #[inline]
    pub fn add(&self, n: i64) {
        add(&self.0, n.cast_unsigned());
    }

    /// A handle for this thread's innermost loop.
    #[must_use]
    pub fn local(&self) -> crate::LocalUpDownCounter {
        super::here::LocalUpDownCounter::new(Arc::clone(&self.0))
    }
}
