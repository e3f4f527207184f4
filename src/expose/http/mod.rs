//! Serving snapshots over HTTP.
//!
//! What an answer looks like is decided by plain functions: `request` reads a request's head (with `encoding`,
//! `negotiate` and `query`), `respond` makes the response, `page` and `landing` its content. Around them stand thin
//! shells: `exporter` owns the thread and its runtime, `accept` the listening socket, `connection` one client, `stream`
//! and `watch` its deadlines, and `scrape` asks the collector. All of it runs on one thread of its own: nothing here is
//! shared, locked or ever waited for by a recording.

mod accept;
mod address;
mod builder;
mod connection;
mod encoding;
mod exporter;
mod landing;
mod memory;
mod negotiate;
mod page;
mod places;
mod query;
mod request;
mod respond;
mod scrape;
mod stream;
mod watch;

pub use builder::ExporterBuilder;
pub use exporter::Exporter;
#[doc(hidden)]
pub use memory::serve_bytes;
#[doc(hidden)]
pub use negotiate::{Format, negotiate};
