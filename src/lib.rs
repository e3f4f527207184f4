//! **tach** measures token-generation loops from within: recording costs what `x += 1` costs, nothing waits, nothing is
//! queued, nothing is lost, and Prometheus reads the result.
//!
//! A measurement is an addition to a memory cell that only this thread writes. A collector reads the cells of all
//! threads, merges them into a [`Snapshot`], and the [`Exporter`] serves it.
//!
//! ```
//! use tach::{Exporter, Registry, Unit};
//!
//! let registry = Registry::new();
//! let tokens = registry.counter("tokens").help("Tokens generated.").build()?;
//! let itl = registry
//!     .histogram("itl")
//!     .help("Time between two tokens of a request.")
//!     .unit(Unit::Seconds)
//!     .buckets([0.01, 0.025, 0.05, 0.1])
//!     .build()?;
//! let exporter = Exporter::builder().listen("127.0.0.1:0").start(&registry)?;
//! println!("curl http://{}/metrics", exporter.local_addr());
//!
//! tokens.inc();
//! itl.record(12_500_000); // ticks: nanoseconds
//!
//! let snapshot = registry.snapshot();
//! assert_eq!(snapshot.counter("tokens", &[]), Some(1));
//! assert_eq!(snapshot.histogram("itl", &[]).unwrap().max(), 0.0125);
//! # Ok::<(), tach::Error>(())
//! ```
//!
//! # What it costs, and what it does not do
//!
//! - Memory is threads × series: a counter takes 8 bytes per thread, a histogram some pages. [`RegistryBuilder`] has a
//!   budget.
//! - Recording from a signal handler that interrupts a recording may lose one of the two.
//! - A child after `fork` has copies of its parent's totals and no collector.
//! - Across metrics a snapshot is no single instant.
//!
//! # How it works
//!
//! The modules in the order in which a measurement passes them; dependencies point to the left only.
//!
//! ```text
//! record    handles, a thread's shard, cells: the hot path      (bucket: value ⇄ cell; sync: std or loom)
//! registry  names, labels, levels, where cells come from: cold  (describe: what a metric is called; error)
//! collect   shards → snapshot, on demand or in the background
//! expose    snapshot → a format → HTTP
//! ```
//!
//! Beside them `serve`, the vocabulary of inference servers; `segment`, a registry's cells in a file, and `reader`,
//! which reads such files from outside; and on all of it the program `tach`.
//!
//! `docs/ARCHITECTURE.md` tells it at length, `docs/ORDERINGS.md` argues every atomic access, `docs/DESIGN.md` says
//! why.

#![cfg_attr(tach_loom, allow(dead_code, unused_imports, reason = "the models reach the cores only"))]

// So that what the derives write names this crate from within it too.
extern crate self as tach;

mod bucket;
mod collect;
#[cfg(not(tach_loom))]
mod describe;
#[cfg(not(tach_loom))]
mod error;
#[cfg(not(tach_loom))]
mod expose;
#[cfg(all(target_os = "linux", not(tach_loom)))]
pub mod reader;
mod record;
#[cfg(not(tach_loom))]
mod registry;
mod segment;
#[cfg(all(feature = "serve", not(tach_loom)))]
pub mod serve;
mod sync;

#[cfg(tach_loom)]
#[doc(hidden)]
pub use collect::model;
#[cfg(not(tach_loom))]
#[doc(hidden)]
pub use describe::{DomainIf, Known};
#[cfg(all(feature = "http", not(tach_loom)))]
#[doc(hidden)]
pub use expose::http;
#[cfg(all(feature = "http", not(tach_loom)))]
pub use expose::http::{Endpoint, Exporter, ExporterBuilder};
#[cfg(all(feature = "otlp", not(tach_loom)))]
pub use expose::otlp;
#[cfg(all(feature = "push", not(tach_loom)))]
pub use expose::push;
#[cfg(tach_loom)]
#[doc(hidden)]
pub use segment::model as segment_model;
#[cfg(all(feature = "derive", not(tach_loom)))]
pub use tach_derive::{LabelSet, LabelValue};
#[cfg(not(tach_loom))]
pub use {
    collect::{Collector, Exemplar, HistogramSnapshot, Series, Snapshot, SummarySnapshot, Value, Windows},
    describe::{
        Aggregate, Closed, Domain, Escaping, HistogramBuckets, Label, LabelSet, LabelText, LabelValue, Level, Open,
        Resource, STATIC_MAX_LEVEL, Unit,
    },
    error::{Error, ErrorKind},
    expose::{openmetrics, openmetrics_2, protobuf, text},
    record::{
        counter::{Counter, FloatCounter, UpDownCounter},
        gauge::Gauge,
        here::{LocalCounter, LocalFloatCounter, LocalHistogram, LocalUpDownCounter},
        histogram::Histogram,
        trace::SpanContext,
    },
    registry::{
        Family, Labelled, LazyCounter, Metric, MetricBuilder, Recording, Registry, RegistryBuilder, Typed, TypedFamily,
        Unlabelled, global,
    },
};
