//! A gauge: the last value that any thread set.

use super::scalar::Fixed;
use crate::segment;
use crate::sync::{AtomicU32, Ordering};
use std::sync::Arc;

/// What a `set` does.
const OFF: u32 = 0;
/// Stores the value.
const ON: u32 = 1;
/// Stores the value, and when that was.
const STAMPED: u32 = 2;

/// One cell for all threads, since the last `set` wins whoever makes it: sharding would have to ask which was last.
/// Aligned as [`super::scalar::Scalar`] is.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct GaugeCore {
    now: AtomicU32,
    cell: Fixed,
    /// What the gauge does while it is on.
    on: u32,
}

impl GaugeCore {
    /// `stamped`: whoever compares the values of several processes needs to know which was set last.
    pub(crate) fn new(cell: Fixed, stamped: bool, enabled: bool) -> Self {
        let on = if stamped { STAMPED } else { ON };
        Self { now: AtomicU32::new(if enabled { on } else { OFF }), cell, on }
    }

    pub(crate) fn cell(&self) -> &Fixed {
        &self.cell
    }

    pub(crate) fn switch(&self, enabled: bool) {
        // Relaxed: publishes nothing; a `set` under way counts as before or after.
        self.now.store(if enabled { self.on } else { OFF }, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> f64 {
        f64::from_bits(self.cell.get().get())
    }

    #[cold]
    #[inline(never)]
    fn set_cold(&self, value: f64) {
        self.cell.get().put(value.to_bits());
        self.cell.stamp(segment::now());
    }
}

/// A value that is set: a share, a temperature, a size. The last one set wins; zero before the first.
///
/// A handle, as [`Counter`](crate::Counter) is. Made by [`Registry::gauge`](crate::Registry::gauge). For a quantity
/// that several threads raise and lower, use an [`UpDownCounter`](crate::UpDownCounter).
#[derive(Clone, Debug)]
pub struct Gauge(pub(crate) Arc<GaugeCore>);

impl Gauge {
    /// Sets the value, in the gauge's unit. Any `f64` is accepted, NaN and infinities are exposed as such. Wait-free:
    /// one store; with [`Aggregate::Last`](crate::Aggregate::Last) and [`Recording::Process`](crate::Recording::Process)
    /// a reading of the clock and two.
    #[inline]
    pub fn set(&self, value: f64) {
        // Relaxed: see `switch`.
        let now = self.0.now.load(Ordering::Relaxed);
        if now == ON {
            self.0.cell.get().put(value.to_bits());
        } else if now == STAMPED {
            self.0.set_cold(value);
        }
    }
}
