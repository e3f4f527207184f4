//! tach
#![cfg_attr(tach_loom, allow(dead_code, unused_imports, reason = "the models reach the cores only"))]

mod bucket;
mod collect;
#[cfg(not(tach_loom))]
mod describe;
#[cfg(not(tach_loom))]
mod error;
#[cfg(not(tach_loom))]
mod expose;
mod record;
#[cfg(not(tach_loom))]
mod registry;
mod sync;

#[cfg(all(feature = "http", not(tach_loom)))]
#[doc(hidden)]
pub use expose::http;
#[cfg(all(feature = "http", not(tach_loom)))]
pub use expose::http::{Exporter, ExporterBuilder};
#[cfg(tach_loom)]
#[doc(hidden)]
pub use collect::model;
#[cfg(not(tach_loom))]
pub use {
    collect::{Collector, HistogramSnapshot, Snapshot},
    describe::{Level, Unit},
    error::{Error, ErrorKind},
    expose::text,
    record::{
        counter::{Counter, FloatCounter, UpDownCounter},
        gauge::Gauge,
        here::{LocalCounter, LocalFloatCounter, LocalHistogram, LocalUpDownCounter},
        histogram::Histogram,
    },
    registry::{Family, Labelled, Metric, MetricBuilder, Recording, Registry, RegistryBuilder, Unlabelled, global},
};
