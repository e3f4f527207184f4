//! OTLP: snapshots as `ExportMetricsServiceRequest`, and their push over HTTP.
//!
//! | tach | OTLP |
//! |---|---|
//! | [`Counter`](crate::Counter), [`FloatCounter`](crate::FloatCounter) | `Sum`, monotonic |
//! | [`UpDownCounter`](crate::UpDownCounter) | `Sum`, not monotonic, always cumulative |
//! | [`Gauge`](crate::Gauge) | `Gauge` |
//! | [`Histogram`](crate::Histogram) | `ExponentialHistogram`, or `Histogram` with the declared buckets: [`Histograms`] |
//!
//! Names are the metrics' own with the namespace before a dot, without the suffixes of the Prometheus formats; units
//! are UCUM's. `docs/OTLP.md` has the whole mapping, the variables and the rules of retrying.
//!
//! [`OtlpExporter`] pushes; [`Encoder`] only encodes, for a transport of one's own.

mod encoder;
mod points;
mod units;

pub use super::push::otlp::{Compression, OtlpBuilder, OtlpExporter, Protocol};
pub use crate::describe::Resource;
pub use encoder::{Encoder, Histograms, Temporality};
