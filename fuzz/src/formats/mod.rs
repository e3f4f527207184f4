//! The formats of any registry (`filled`): the readers of `tests/formats/`, which share nothing with the engine, have to
//! find in each what its snapshot has (`shown`), and a difference of snapshots what is between the two (`difference`).

mod asked;
mod composite;
mod difference;
mod filled;
mod names;
pub mod openmetrics;
pub mod otlp;
pub mod protobuf;
mod shown;

pub(crate) use asked::with_target;

use crate::exposition::Labels;
use shown::Page;
use std::collections::BTreeSet;
use tach::{Escaping, HistogramBuckets, Snapshot};

/// Holds what each format of Prometheus prints of a snapshot without callbacks against it; `target`: the labels of
/// `target_info`, where it is shown.
///
/// # Panics
///
/// One differs, or breaks a rule.
pub(crate) fn check(snapshot: &Snapshot, target: Option<&Labels>, escaping: Escaping) {
    let page = Page { snapshot, observed: &BTreeSet::new(), target, buckets: HistogramBuckets::Both };
    for created in [false, true] {
        openmetrics::check(&page, escaping, created);
    }
    composite::check(&page, escaping);
    protobuf::check(&page, escaping);
}
