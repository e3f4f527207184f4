//! Which families a page shows, and in which order.

use super::number::has_series;
use crate::collect::{FamilySnapshot, Snapshot};
use std::time::SystemTime;

/// The families of a page, in their order: what tells whose they are, and then the others by their names. Without those
/// that have no series, and so nothing to say yet.
#[derive(Clone, Debug)]
pub(super) struct Families<'a> {
    pub(super) list: Vec<&'a FamilySnapshot>,
    /// The earliest that a total can have begun.
    pub(super) earliest: SystemTime,
}

impl<'a> Families<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        Self::with(snapshot, None)
    }

    /// Those of `own` too, which the exporter keeps of itself and which take the place of any of `snapshot` so named.
    pub(super) fn with(snapshot: &'a Snapshot, own: Option<&'a Snapshot>) -> Self {
        let target = snapshot.target();
        let others = snapshot.families().iter().filter(|family| own.is_none() || !family.desc.is_named_exporter());
        let all = others.chain(own.into_iter().flat_map(Snapshot::families));
        let is_shown =
            |family: &&FamilySnapshot| has_series(family) && !(target.is_some() && family.desc.is_named_target());
        let mut list: Vec<_> = all.filter(is_shown).collect();
        // Two ascending runs at most, which takes one pass.
        list.sort_by(|a, b| a.desc.base.cmp(&b.desc.base));
        list.splice(..0, target);
        Self { list, earliest: snapshot.earliest() }
    }
}
