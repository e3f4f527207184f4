//! A gauge: the last value that any thread set.

use super::fixed::Fixed;
use crate::segment;
use crate::sync::{AtomicBool, Ordering};
use std::sync::Arc;

/// One cell for all threads, since the last `set` wins whoever makes it: sharding would have to ask which was last.
#[derive(Debug)]
pub(crate) struct GaugeCore {
    /// Open where a `set` is one store. Where it is more, or nothing, it is for [`GaugeCore::set_cold`].
    cell: Fixed,
    /// A `set` tells when it was.
    stamped: bool,
    enabled: AtomicBool,
}

impl GaugeCore {
    /// `stamped`: whoever compares the values of several processes needs to know which was set last.
    pub(crate) fn new(cell: Fixed, stamped: bool, enabled: bool) -> Self {
        let core = Self { cell, stamped, enabled: AtomicBool::new(false) };
        core.switch(enabled);
        core
    }

    pub(crate) fn cell(&self) -> &Fixed {
        &self.cell
    }

    pub(crate) fn switch(&self, enabled: bool) {
        // Relaxed: publishes nothing; a `set` under way counts as before or after.
        self.enabled.store(enabled, Ordering::Relaxed);
        self.cell.switch(enabled && !self.stamped);
    }

    pub(crate) fn read(&self) -> f64 {
        f64::from_bits(self.cell.get().get())
    }

    /// Sets the value where there is more to do than that, or it is switched off.
    #[cold]
    #[inline(never)]
    fn set_cold(&self, value: f64) {
        // Relaxed: see `switch`.
        if self.stamped && self.enabled.load(Ordering::Relaxed) {
            self.cell.get().put(value.to_bits());
            self.cell.stamp(segment::now());
        }
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
        match self.0.cell.open() {
            Some(cell) => cell.put(value.to_bits()),
            None => self.0.set_cold(value),
        }
    }
}
