//! Families that are not the registry's own: what other processes have recorded, say. They are in every snapshot, and
//! so in whatever an exporter serves.

use super::snapshot::{FamilySnapshot, Snapshot};
use crate::describe::Escaping;
use crate::registry::Registry;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Where they come from: called by each collection, with nothing locked.
pub(crate) struct Foreign(Box<dyn Fn() -> Snapshot + Send + Sync>);

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foreign").finish_non_exhaustive()
    }
}

impl Registry {
    /// Has every snapshot from now on contain the families that `source` gives, as they are: without the registry's
    /// namespace and constant labels.
    pub(crate) fn attach(&self, source: impl Fn() -> Snapshot + Send + Sync + 'static) {
        self.attached().push(Arc::new(Foreign(Box::new(source))));
    }

    pub(super) fn has_foreign(&self) -> bool {
        !self.attached().all::<Foreign>().is_empty()
    }

    /// What the sources give; of those that panic nothing.
    pub(super) fn foreign(&self) -> Vec<FamilySnapshot> {
        let read = |source: &Arc<Foreign>| catch_unwind(AssertUnwindSafe(|| (source.0)())).ok();
        let snapshots: Vec<_> = self.attached().all::<Foreign>().iter().filter_map(read).collect();
        snapshots.iter().flat_map(|snapshot| snapshot.families().iter().cloned()).collect()
    }
}

/// Adds foreign families. Where two are exposed under one name the registry's own one stays, or of two foreign ones the
/// first; but of the engine's own metrics, which each registry has, the foreign one: it tells of the processes that
/// record, and the registry's would tell of a collector that does not.
///
/// Samples count as names: a counter `a` gives `a_total`, which is no name of another.
pub(super) fn add(families: &mut Vec<FamilySnapshot>, foreign: Vec<FamilySnapshot>) {
    if foreign.is_empty() {
        return;
    }
    let is_engine = |family: &FamilySnapshot| family.desc.base.starts_with("tach_");
    let (engine, foreign): (Vec<_>, Vec<_>) = foreign.into_iter().partition(is_engine);
    families.splice(0..0, engine);
    families.extend(foreign);
    keep_first(families);
}

/// Of families that have a name in common in any escaping leaves the first: no page may have it twice.
pub(super) fn keep_first(families: &mut Vec<FamilySnapshot>) {
    let escapings = Escaping::telling(families.iter().any(|family| family.desc.utf8));
    let mut taken = std::collections::BTreeSet::new();
    families.retain(|family| {
        let names = family.desc.names_in(escapings);
        let is_free = !names.iter().any(|name| taken.contains(name));
        if is_free {
            taken.extend(names);
        }
        is_free
    });
}
