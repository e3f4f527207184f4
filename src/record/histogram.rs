//! The histogram handle.

use super::cold::{Route, route};
use super::exemplar::Noted;
use super::hdr::Hdr;
use super::local;
use super::shard::OFF;
use super::trace::SpanContext;
use crate::bucket::Scale;
use crate::segment;
use std::sync::Arc;
use std::time::Duration;

/// How many ticks a nanosecond is, as a fraction of whole numbers where it is one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Nanos {
    /// A tick is a nanosecond.
    Tick,
    /// So many ticks each.
    Ticks(f64),
}

impl Nanos {
    /// For a histogram whose ticks are `scale` of a unit of `unit_seconds` seconds.
    pub(crate) fn new(scale: Scale, unit_seconds: f64) -> Self {
        let ticks = 1e-9 / (scale.tick() * unit_seconds);
        if (ticks - 1.0).abs() < 1e-9 { Self::Tick } else { Self::Ticks(ticks) }
    }

    #[inline]
    fn ticks(self, duration: Duration) -> u64 {
        let nanos = duration.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(duration.subsec_nanos()));
        match self {
            Self::Tick => nanos,
            // To the nearest: `as` saturates, and rounds down.
            Self::Ticks(each) => (nanos as f64 * each + 0.5) as u64,
        }
    }
}

/// A distribution of values: HdrHistogram buckets, count, sum, exact minimum and maximum.
///
/// Values are whole *ticks* (nanoseconds, for [`Unit::Seconds`](crate::Unit::Seconds), unless told otherwise), and are
/// exposed in the histogram's unit. A handle, as [`Counter`](crate::Counter) is. Made by
/// [`Registry::histogram`](crate::Registry::histogram).
#[derive(Clone, Debug)]
pub struct Histogram {
    core: Arc<Hdr>,
    nanos: Nanos,
}

/// Records to cells found the slow way.
#[cold]
#[inline(never)]
pub(crate) fn record_cold(core: &Hdr, n: u64, value: u64) {
    match route(core.slot(), core.space()) {
        Route::Nowhere => {}
        Route::Own(base, says) => core.record_at(base, says, value, n),
        Route::Shared => core.share(value, n),
    }
}

#[inline(always)]
fn record(core: &Hdr, value: u64, n: u64) {
    let says = core.slot().get();
    match local::reach(says as u32) {
        Some(base) => core.record_at(base, says, value, n),
        None if says as u32 == OFF => {}
        None => record_cold(core, n, value),
    }
}

/// Records a value, and leaves it as an exemplar.
#[inline(never)]
fn record_noted(core: &Hdr, value: u64, span: &SpanContext) {
    let noted = |value| Noted::new(value, segment::now_coarse(), span);
    let says = core.slot().get();
    let route =
        local::reach(says as u32).map_or_else(|| route(core.slot(), core.space()), |base| Route::Own(base, says));
    match route {
        Route::Nowhere => {}
        Route::Own(base, says) => {
            core.note_at(base, value, noted);
            core.record_at(base, says, value, 1);
        }
        Route::Shared => {
            core.note_shared(value, noted);
            core.share(value, 1);
        }
    }
}

impl Histogram {
    pub(crate) fn new(core: Arc<Hdr>, nanos: Nanos) -> Self {
        Self { core, nanos }
    }

    pub(crate) fn core(&self) -> &Arc<Hdr> {
        &self.core
    }

    /// Records one value, in ticks. Wait-free: three additions to memory and a range check, or two with 1 or 3 digits.
    ///
    /// A value above the histogram's maximum is recorded as the maximum and counted in `tach_clamped_total`. The sum of
    /// one thread's values wraps at 2^64 ticks.
    #[inline]
    pub fn record(&self, value: u64) {
        record(&self.core, value, 1);
    }

    /// Records one value, in ticks, `n` times. Costs what [`Histogram::record`] costs. `n` may be zero; one bucket of
    /// one thread counts to 2^63.
    #[inline]
    pub fn record_n(&self, value: u64, n: u64) {
        if n > 0 {
            record(&self.core, value, n);
        }
    }

    /// Records a duration, rounded to the nearest tick.
    ///
    /// Where the histogram's unit is not one of time, its unit is taken to be seconds.
    #[inline]
    pub fn record_duration(&self, duration: Duration) {
        self.record(self.nanos.ticks(duration));
    }

    /// Records a value in the exposed unit, rounded to the nearest tick. NaN and negative values are ignored.
    #[inline]
    pub fn record_value(&self, value: f64) {
        if let Some(ticks) = self.core.grid().ladder().scale().nearest(value) {
            self.record(ticks);
        }
    }

    /// Records one value, in ticks, in a span that becomes the exemplar of its bucket, unless that has one which is less
    /// than a second old and of as large a value; see [`MetricBuilder::exemplars`](crate::MetricBuilder::exemplars).
    /// Where the histogram was declared without, or the span is not sampled, it is as [`Histogram::record`].
    ///
    /// Wait-free, without a lock or an allocation: a search for the bucket, a look at the clock and at the bucket's last
    /// exemplar, and six stores where this is the better one.
    pub fn record_with_exemplar(&self, value: u64, span: &SpanContext) {
        if span.is_sampled() && self.core.has_slots() {
            record_noted(&self.core, value, span);
        } else {
            self.record(value);
        }
    }

    /// Records a duration, as [`Histogram::record_duration`] does, in a span, as [`Histogram::record_with_exemplar`].
    pub fn record_duration_with_exemplar(&self, duration: Duration, span: &SpanContext) {
        self.record_with_exemplar(self.nanos.ticks(duration), span);
    }

    /// Records a value in the exposed unit, as [`Histogram::record_value`] does, in a span, as
    /// [`Histogram::record_with_exemplar`].
    pub fn record_value_with_exemplar(&self, value: f64, span: &SpanContext) {
        if let Some(ticks) = self.core.grid().ladder().scale().nearest(value) {
            self.record_with_exemplar(ticks, span);
        }
    }

    /// A handle for this thread's innermost loop, which saves the look-up of the thread's shard.
    #[must_use]
    pub fn local(&self) -> crate::LocalHistogram {
        super::here::LocalHistogram::new(self.clone())
    }
}

impl super::here::LocalHistogram {
    /// Records a duration, as [`Histogram::record_duration`] does.
    #[inline]
    pub fn record_duration(&mut self, duration: Duration) {
        self.record(self.handle().nanos.ticks(duration));
    }
}
