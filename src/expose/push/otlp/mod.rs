//! The pushing of OTLP requests: `builder` and `variables` are its settings, `exporter` the thread, `pusher` what that
//! does and when, `transport` how a request goes (by HTTP, or by `grpc`), `retry` and `response` what to make of an
//! answer, `stats` what is counted.

mod builder;
mod exporter;
#[cfg(feature = "otlp-grpc")]
mod grpc;
mod pusher;
mod response;
mod retry;
mod stats;
mod transport;
mod variables;

pub use builder::{Compression, OtlpBuilder, Protocol};
pub use exporter::OtlpExporter;
