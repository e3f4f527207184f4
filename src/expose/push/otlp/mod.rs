//! The pushing of OTLP requests: `builder` and `variables` are its settings, `exporter` the thread, `pusher` what that
//! does and when, `retry` and `response` what to make of an answer, `stats` what is counted.

mod builder;
mod exporter;
mod pusher;
mod response;
mod retry;
mod stats;
mod variables;

pub use builder::{Compression, OtlpBuilder};
pub use exporter::OtlpExporter;
