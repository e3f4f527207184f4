//! Pushing over HTTP, for what no scraper reaches.
//!
//! [`Pushgateway`] takes what a batch job has measured when it is over. (`tach::otlp`, a feature of its own, pushes at
//! an interval.)

mod client;
mod gateway;
mod headers;
#[cfg(feature = "otlp")]
pub(super) mod otlp;
mod target;
#[cfg(feature = "tls")]
mod tls;
mod url;

pub use gateway::Pushgateway;
