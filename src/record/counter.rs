//! Counters: `u64` and `f64` totals that only grow, and an `i64` that goes both ways.

use super::cold::{Route, route};
use super::exemplar::Noted;
use super::local;
use super::region::Base;
use super::scalar::{Mirror, Scalar};
use super::shard::OFF;
use super::trace::SpanContext;
use crate::segment;
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

/// Adds an amount, above zero, by `own` or `share`, and leaves it as an exemplar before, whatever the thread.
#[inline(never)]
fn add_noted(core: &Scalar, noted: &Noted, own: impl FnOnce(Base, u64), share: impl FnOnce()) {
    let offset = core.slot().get();
    let route =
        local::reach(offset as u32).map_or_else(|| route(core.slot(), core.space()), |base| Route::Own(base, offset));
    match route {
        Route::Nowhere => {}
        Route::Own(base, offset) => {
            core.note_at(base, noted);
            own(base, offset);
        }
        Route::Shared => {
            core.note_shared(noted);
            share();
        }
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
    match local::reach(offset as u32) {
        Some(base) => core.add_at(base, offset, n),
        None if offset as u32 == OFF => {}
        None => add_cold(core, n),
    }
}

/// Adds `n` by a copy of a counter's slot, whose handle its owner keeps. False where that finds no cell.
#[inline(always)]
pub(crate) fn add_by(mirror: &Mirror, n: u64) -> bool {
    let offset = mirror.get();
    let Some(base) = local::reach(offset as u32) else { return false };
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

    /// Adds one, in a span that becomes the exemplar, as of [`Counter::add_with_exemplar`].
    pub fn inc_with_exemplar(&self, span: &SpanContext) {
        self.add_with_exemplar(1, span);
    }

    /// Adds `n`, in a span that becomes the exemplar of the total, unless that has one which is less than a second old
    /// and of as large an amount; see [`MetricBuilder::exemplars`](crate::MetricBuilder::exemplars). Where the counter
    /// was declared without, or the span is not sampled, or `n` is zero, it is as [`Counter::add`].
    ///
    /// Wait-free, without a lock or an allocation: a look at the clock and at the last exemplar, and six stores where
    /// this is the better one.
    pub fn add_with_exemplar(&self, n: u64, span: &SpanContext) {
        let core = &*self.0;
        if n == 0 || !span.is_sampled() || !core.has_slot() {
            return self.add(n);
        }
        let noted = Noted::new(n, segment::now_coarse(), span);
        add_noted(core, &noted, |base, offset| core.add_at(base, offset, n), || core.share(n));
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
        match local::reach(offset as u32) {
            Some(base) => self.0.add_float_at(base, offset, n),
            None if offset as u32 == OFF => {}
            None => add_float_cold(&self.0, n),
        }
    }

    /// As [`FloatCounter::add`], with an exemplar as [`Counter::add_with_exemplar`] leaves it.
    pub fn add_with_exemplar(&self, n: f64, span: &SpanContext) {
        let core = &*self.0;
        if !is_amount(n) || n == 0.0 || !span.is_sampled() || !core.has_slot() {
            return self.add(n);
        }
        let noted = Noted::new(n.to_bits(), segment::now_coarse(), span);
        add_noted(core, &noted, |base, offset| core.add_float_at(base, offset, n), || core.share_float(n));
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
