//! Printing a snapshot, and serving it. Knows snapshots and descriptions; never a metric, a registry's insides or a
//! cell.

#[cfg(feature = "http")]
pub mod http;
mod lines;
mod number;
pub mod openmetrics;
pub mod protobuf;
pub mod text;
mod wire;
