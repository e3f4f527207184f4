//! Serving snapshots over HTTP.
//!
//! What an answer looks like is decided by plain functions: `request` reads a request's head (with `encoding`,
//! `negotiate` and `query`), `respond` makes the response, `page` and `landing` its content. Around them stand thin
//! shells: `endpoint` for servers that there are already; and for one of its own `exporter`, which owns the thread and
//! its runtime, `accept` the listening socket (with `address`, `socket`, `unix` and `networks`), `connection` one client,
//! `stream` and `watch` its deadlines, `guard` TLS and passwords, `scrape` asks the collector, and `own` counts what they
//! meet. All of that runs on one thread: nothing there is shared, locked or ever waited for by a recording.

mod accept;
mod address;
mod builder;
mod connection;
mod encoding;
mod endpoint;
mod exporter;
#[cfg(feature = "tls")]
mod guard;
mod landing;
mod memory;
mod negotiate;
mod networks;
mod own;
mod page;
mod places;
mod query;
mod request;
mod respond;
mod scrape;
mod socket;
mod stream;
#[cfg(unix)]
mod unix;
mod watch;

pub use builder::ExporterBuilder;
pub use endpoint::Endpoint;
pub use exporter::Exporter;
#[cfg(feature = "tls")]
#[doc(hidden)]
pub use guard::check_web_config;
#[doc(hidden)]
pub use memory::serve_bytes;
#[doc(hidden)]
pub use negotiate::{Format, Offer, negotiate};
