//! Exposition, mostly as text, of 1,000 histograms of 20 buckets and 10,000 counters.

use crate::contenders as of;
use crate::groups::{Group, Scale};

/// Series in the rendered registry.
pub(crate) const HISTOGRAMS: usize = 1_000;
pub(crate) const COUNTERS: usize = 10_000;
/// Observations per histogram, spread over its buckets.
pub(crate) const OBSERVATIONS: usize = 100;

pub(crate) fn group() -> Group {
    let contenders = [
        of::tach::reading::render(),
        of::prometheus::render(),
        of::prometheus_client::render(),
        of::fastmetrics::render(),
        of::measured::render(),
        of::fast_telemetry::render(),
        of::metrics::render(),
    ];
    let contenders = contenders.into_iter().flatten().collect();
    Group::new("render", of::prometheus::render_floor(), contenders).measured_in(Scale::Millis, "exposition")
}

/// The observations that each rendered histogram holds: from below its first bound to beyond its last.
pub(crate) fn observations() -> impl Iterator<Item = f64> {
    (0..OBSERVATIONS).map(|i| 0.0005 * (i as f64 * 10.0 / OBSERVATIONS as f64).exp2())
}
