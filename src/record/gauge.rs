//! A gauge: the last value that any thread set.

use crate::sync::{AtomicBool, AtomicU64, Ordering};
use crossbeam_utils::CachePadded;
use std::sync::Arc;

/// One cell for all threads, since the last `set` wins whoever makes it: sharding would have to ask which was last.
#[derive(Debug)]
pub(crate) struct GaugeCore {
    enabled: CachePadded<AtomicBool>,
    cell: CachePadded<AtomicU64>,
}

impl GaugeCore {
    pub(crate) fn new(enabled: bool) -> Self {
        Self { enabled: CachePadded::new(AtomicBool::new(enabled)), cell: CachePadded::new(AtomicU64::new(0)) }
    }

    pub(crate) fn switch(&self, enabled: bool) {
        // Relaxed: publishes nothing; a `set` under way counts as before or after.
        self.enabled.store(enabled, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> f64 {
        // Relaxed: one value, complete in itself.
        f64::from_bits(self.cell.load(Ordering::Relaxed))
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
    /// one store.
    #[inline]
    pub fn set(&self, value: f64) {
        // Relaxed: see `switch`.
        if self.0.enabled.load(Ordering::Relaxed) {
            // Relaxed: one value, complete in itself.
            self.0.cell.store(value.to_bits(), Ordering::Relaxed);
        }
    }
}
