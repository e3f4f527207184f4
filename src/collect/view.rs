//! The same recordings under other names: a [`View`] makes families out of a snapshot's, in other units, with other
//! labels and other buckets. With them [`Snapshot::viewed`] makes a snapshot again, which every renderer prints.
//!
//! What can be shared is: a histogram's cells stay the source's, and the label sets, with what the lines of a page
//! begin with, are kept for as long as the sources have the same series.

#[cfg(test)]
mod faults;
mod plan;
mod table;

use super::histogram::Sums;
use super::snapshot::{FamilySnapshot, Snapshot};
use crate::describe::{Descriptor, Kind};
use crate::error::Error;
use crate::sync::Mutex;
use plan::Plan;
#[cfg_attr(not(any(test, feature = "serve")), allow(unused_imports, reason = "for name profiles"))]
pub(crate) use table::{Rule, Source, ViewFamily, ViewKind};

/// A table of families to be made out of a snapshot's.
#[derive(Debug)]
pub(crate) struct View {
    families: Vec<ViewFamily>,
    /// By family, what was worked out for the last snapshot.
    plans: Mutex<Vec<Option<Plan>>>,
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
        let plans = Mutex::new(families.iter().map(|_| None).collect());
        Ok(Self { families, plans })
    }

    /// The families, in the order of the table. Left out is one whose sources are not there, switched off or without
    /// series; where some are there, these make it. A source that does not fit (a label missing, another kind or tick)
    /// adds nothing.
    ///
    /// A series that several make starts anew, for [`Snapshot::since`] and for whoever reads its rate, when one of them
    /// is removed.
    ///
    /// Costs a search for each source among the families that moved, and copying the values; where histograms are
    /// merged, adding up their cells.
    pub(crate) fn apply(&self, base: &Snapshot) -> Vec<FamilySnapshot> {
        let mut plans = self.plans.lock();
        let mut sums = Sums::default();
        let apply = |(family, slot): (&ViewFamily, &mut Option<Plan>)| {
            let mut plan = slot.take();
            if !plan.as_mut().is_some_and(|plan| plan.holds(family, base)) {
                let new = Plan::new(family, base, plan.as_ref());
                if !new.has_source() {
                    // What is switched off keeps its totals, and so is to be the same series when it comes back.
                    *slot = plan;
                    return None;
                }
                plan = Some(new);
            }
            slot.insert(plan?).family(family, base, &mut sums)
        };
        self.families.iter().zip(plans.iter_mut()).filter_map(apply).collect()
    }

    /// The descriptions, without what their sources tell, of the histograms that are made of any of `sources`.
    #[cfg_attr(not(feature = "serve"), allow(dead_code, reason = "for profiles with windows"))]
    pub(crate) fn histograms_of(&self, sources: &[&str]) -> Vec<Descriptor> {
        let is_of = |family: &&ViewFamily| family.sources.iter().any(|source| sources.contains(&source.metric));
        let histograms = self.families.iter().filter(|family| family.kind == ViewKind::Histogram).filter(is_of);
        histograms.map(|family| family.describe(Kind::Histogram, &[])).collect()
    }
}
