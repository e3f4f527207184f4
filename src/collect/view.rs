//! The same recordings under other names: a [`View`] makes families out of a snapshot's, in other units, with other
//! labels and other buckets. With them [`Snapshot::viewed`] makes a snapshot again, which every renderer prints.
//!
//! What can be shared is: a histogram's cells stay the source's, and the label sets, with what the lines of a page
//! begin with, are kept for as long as the sources have the same series.

#[cfg(test)]
mod faults;
mod lives;
mod plan;
mod table;

use super::histogram::Sums;
use super::snapshot::{FamilySnapshot, Snapshot};
use crate::describe::{Descriptor, Kind};
use crate::error::Error;
use crate::sync::Mutex;
use lives::Lives;
use plan::Plan;
#[cfg_attr(not(any(test, feature = "serve")), allow(unused_imports, reason = "for name profiles"))]
pub(crate) use table::{Rule, Source, ViewFamily, ViewKind};

/// A table of families to be made out of a snapshot's.
#[derive(Debug)]
pub(crate) struct View {
    families: Vec<ViewFamily>,
    /// By family.
    kept: Mutex<Vec<Kept>>,
}

/// What is kept of a family from one snapshot to another.
#[derive(Debug, Default)]
struct Kept {
    /// What was worked out for the last snapshot.
    plan: Option<Plan>,
    lives: Lives,
}

impl View {
    /// Checks the table as far as that goes without its sources; tests check the rest, by `View::faults`.
    ///
    /// # Errors
    ///
    /// A name or label that no format allows, two families with a sample name in common, rules that are not one per
    /// label, a ladder that is not ascending, a power of ten beyond 18.
    pub(crate) fn new(families: Vec<ViewFamily>) -> Result<Self, Error> {
        table::check(&families)?;
        let kept = Mutex::new(families.iter().map(|_| Kept::default()).collect());
        Ok(Self { families, kept })
    }

    /// The families, in the order of the table. Left out is one whose sources are not there, switched off or without
    /// series; where some are there, these make it. A source that does not fit (a label missing, another kind or tick)
    /// adds nothing.
    ///
    /// A series that several make starts anew, for [`Snapshot::since`] and for whoever reads its rate, when one of them
    /// is removed, and where the source of one is switched off or on. Snapshots may come in any order: in each a series
    /// is the one that it is in all others.
    ///
    /// Costs a search for each source among the families that moved, and copying the values; where histograms are
    /// merged, adding up their cells.
    pub(crate) fn apply(&self, base: &Snapshot) -> Vec<FamilySnapshot> {
        let mut kept = self.kept.lock();
        let mut sums = Sums::default();
        let apply = |(family, Kept { plan, lives }): (&ViewFamily, &mut Kept)| {
            if !plan.as_mut().is_some_and(|plan| plan.holds(family, base)) {
                *plan = Some(Plan::new(family, base, lives));
            }
            plan.as_ref()?.family(family, base, &mut sums)
        };
        self.families.iter().zip(kept.iter_mut()).filter_map(apply).collect()
    }

    /// The descriptions, without what their sources tell, of the histograms that are made of any of `sources`.
    #[cfg_attr(not(feature = "serve"), allow(dead_code, reason = "for profiles with windows"))]
    pub(crate) fn histograms_of(&self, sources: &[&str]) -> Vec<Descriptor> {
        let is_of = |family: &&ViewFamily| family.sources.iter().any(|source| sources.contains(&source.metric));
        let histograms = self.families.iter().filter(|family| family.kind == ViewKind::Histogram).filter(is_of);
        histograms.map(|family| family.describe(Kind::Histogram, &[])).collect()
    }

    /// How many series are known, with those that are gone.
    #[cfg(test)]
    pub(crate) fn kept_series(&self) -> usize {
        self.kept.lock().iter().map(|kept| kept.lives.len()).sum()
    }
}
