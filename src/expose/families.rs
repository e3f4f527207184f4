//! Which families a page shows, and in which order.

use super::number::has_series;
use crate::collect::{FamilySnapshot, Snapshot};
use crate::describe::Escaping;
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

    /// Those of `own` too, which have none of the names of `snapshot`.
    pub(super) fn with(snapshot: &'a Snapshot, own: Option<&'a Snapshot>) -> Self {
        let target = snapshot.target();
        let all = std::iter::once(snapshot).chain(own).flat_map(Snapshot::families);
        let is_shown = |family: &&FamilySnapshot| has_series(family) && !(target.is_some() && is_named_target(family));
        let mut list: Vec<_> = all.filter(is_shown).collect();
        // Two ascending runs at most, which takes one pass.
        list.sort_by(|a, b| a.desc.base.cmp(&b.desc.base));
        list.splice(..0, target);
        Self { list, earliest: snapshot.earliest() }
    }
}

/// Whether a family would be there by a name of `target_info`. A view's may be, or another process's: those that are
/// registered are refused.
fn is_named_target(family: &FamilySnapshot) -> bool {
    // Escaped otherwise than by underscores, no name is one of these that is not already.
    let name = Escaping::Underscores.metric(&family.desc.base);
    TARGET_NAMES.contains(&&*name)
}

/// The names that `target_info` has in the formats.
pub(super) const TARGET_NAMES: [&str; 2] = ["target", "target_info"];
