//! Families that are not the registry's own: what other processes have recorded, say. They are in every snapshot, and
//! so in whatever an exporter serves.

use super::snapshot::{FamilySnapshot, Snapshot};
use crate::describe::Escaping;
use crate::registry::Registry;
use std::collections::{BTreeSet, HashSet};
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
fn keep_first(families: &mut Vec<FamilySnapshot>) {
    let escapings = Escaping::telling(families.iter().any(|family| family.desc.utf8));
    keep_free(families, escapings, BTreeSet::new());
}

/// As [`keep_first`], where `taken` are names already.
fn keep_free(families: &mut Vec<FamilySnapshot>, escapings: &[Escaping], mut taken: BTreeSet<(Escaping, String)>) {
    families.retain(|family| {
        let names = family.desc.names_in(escapings);
        let is_free = !names.iter().any(|name| taken.contains(name));
        if is_free {
            taken.extend(names);
        }
        is_free
    });
}

/// Those of `extra` that have no name of `families`, nor of one before them, in any escaping. Makes the names of few
/// `families`, as there may be many, and this is done at every scrape.
pub(super) fn apart(families: &[FamilySnapshot], mut extra: Vec<FamilySnapshot>) -> Vec<FamilySnapshot> {
    let escapings = Escaping::telling(families.iter().chain(&extra).any(|family| family.desc.utf8));
    let near = |&escaping| (escaping, extra.iter().flat_map(|family| family.desc.near(escaping)).collect());
    let near: Vec<(Escaping, HashSet<String>)> = escapings.iter().map(near).collect();
    let is_near = |family: &&FamilySnapshot| near.iter().any(|(at, near)| near.contains(&*family.desc.stem(*at)));
    let taken = families.iter().filter(is_near).flat_map(|family| family.desc.names_in(escapings)).collect();
    keep_free(&mut extra, escapings, taken);
    extra
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::describe::{Descriptor, Kind, Resource};

    #[test]
    fn what_is_apart_is_what_would_stay() {
        let of = FamilySnapshot::target(&Resource::new()).unwrap();
        let family = |(base, kind, utf8): (&str, Kind, bool)| {
            let desc = Descriptor { base: base.to_owned(), kind, utf8, ..Descriptor::target(Box::new([])) };
            FamilySnapshot { desc: Arc::new(desc), ..FamilySnapshot::clone(&of) }
        };
        let plain =
            ["a", "a_total", "a_sum", "a_sum_count", "a_info", "a_dot_b", "a_b", "a__b", "U__a_2e_b", "_total", "b_a"];
        let kinds = [Kind::Counter, Kind::Gauge, Kind::Histogram, Kind::Info, Kind::Summary];
        let names = plain
            .iter()
            .map(|base| (*base, false))
            .chain(["a.b", "a-b", "a.total", "a.sum", "a_"].map(|base| (base, true)));
        let all: Vec<_> = names.flat_map(|(base, utf8)| kinds.map(|kind| family((base, kind, utf8)))).collect();
        let mut refused = 0;
        for one in &all {
            for other in &all {
                let mut both = vec![one.clone(), other.clone()];
                keep_first(&mut both);
                let apart = apart(std::slice::from_ref(one), vec![other.clone()]).len();
                assert_eq!(apart, both.len() - 1, "{:?} {:?}", one.desc, other.desc);
                refused += 1 - apart;
            }
        }
        assert!((all.len() + 1..all.len() * all.len() / 2).contains(&refused), "{refused}");
    }
}
