//! The formats of any registry (`filled`): the readers of `tests/formats/`, which share nothing with the engine, have to
//! find in each what its snapshot has (`shown`).

mod composite;
mod filled;
mod names;
pub mod openmetrics;
pub mod otlp;
pub mod protobuf;
mod shown;

use std::collections::BTreeSet;
use tach::{Escaping, Snapshot};

/// Holds what each format of Prometheus prints of a snapshot without callbacks against it.
///
/// # Panics
///
/// One differs, or breaks a rule.
pub(crate) fn check(snapshot: &Snapshot, escaping: Escaping) {
    let observed = BTreeSet::new();
    for created in [false, true] {
        openmetrics::check(snapshot, &observed, escaping, created);
    }
    composite::check(snapshot, &observed, escaping);
    protobuf::check(snapshot, &observed, escaping);
}
