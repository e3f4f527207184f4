//! Reading: shards are merged into a [`Snapshot`], on demand or by a background thread. Never writes a cell.

#[cfg(not(tach_loom))]
mod absent;
#[cfg(not(tach_loom))]
mod collector;
pub(crate) mod exchange;
#[cfg(not(tach_loom))]
pub(crate) mod exemplar;
#[cfg(not(tach_loom))]
mod foreign;
#[cfg(not(tach_loom))]
mod histogram;
#[cfg(not(tach_loom))]
mod merge;
#[cfg(tach_loom)]
pub mod model;
pub(crate) mod read;
#[cfg(not(tach_loom))]
mod series;
#[cfg(not(tach_loom))]
mod snapshot;
#[cfg(not(tach_loom))]
mod summary;
#[cfg(not(tach_loom))]
#[cfg_attr(not(any(test, feature = "serve")), allow(dead_code, reason = "for name profiles"))]
pub(crate) mod view;
#[cfg(all(test, not(tach_loom)))]
mod view_order_tests;
#[cfg(all(test, not(tach_loom)))]
mod view_props;
#[cfg(all(test, not(tach_loom)))]
mod view_tests;

#[cfg(not(tach_loom))]
mod windows;

#[cfg(not(tach_loom))]
pub(crate) use crate::bucket::ZERO_THRESHOLD;
#[cfg(not(tach_loom))]
pub(crate) use histogram::Sums;
#[cfg(not(tach_loom))]
pub(crate) use snapshot::{Data, FamilySnapshot, Values};
#[cfg(not(tach_loom))]
pub use {
    collector::Collector,
    exemplar::Exemplar,
    histogram::HistogramSnapshot,
    series::{Series, Value},
    snapshot::Snapshot,
    summary::SummarySnapshot,
    windows::Windows,
};
