//! Printing a snapshot, and serving it. Knows snapshots and descriptions; never a metric, a registry's insides or a
//! cell.

mod buffer;
mod exemplar;
mod families;
#[cfg(feature = "http")]
pub mod http;
mod lines;
mod names;
mod number;
pub mod openmetrics;
pub mod openmetrics_2;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod protobuf;
#[cfg(feature = "push")]
pub mod push;
mod spans;
pub mod text;
#[cfg(test)]
mod totals_tests;
mod wire;
