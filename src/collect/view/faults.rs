//! Whether a table fits what it is of: for tests, as a table is data, and so are the bounds at which instruments count
//! exactly.

use super::table::{ViewFamily, cells, places};
use super::{Snapshot, View};

impl View {
    /// What of the table does not fit `base`, in which every source ought to be: sources and labels that it does not
    /// have, kinds and ticks that do not go together, bounds at which the counts of a source are not exact.
    pub(crate) fn faults(&self, base: &Snapshot) -> Vec<String> {
        self.families.iter().flat_map(|family| faults(family, base)).collect()
    }
}

fn faults(family: &ViewFamily, base: &Snapshot) -> Vec<String> {
    let mut faults = Vec::new();
    let mut scale = None;
    for rules in &family.sources {
        let mut fault = |text: String| faults.push(format!("{}: {} {text}", family.name, rules.metric));
        let Some(source) = base.families().iter().find(|source| source.desc.name == rules.metric) else {
            fault("is not in the snapshot".to_owned());
            continue;
        };
        if !family.has_kind(&source.desc) {
            fault(format!("is a {}, of which no {:?} can be made", source.desc.kind, family.kind));
            continue;
        }
        if places(rules, &source.desc).is_none() {
            fault(format!("has the labels {:?}, not all that the rules name", source.desc.labels));
        }
        if let Some((grid, declared)) = cells(source) {
            if *scale.get_or_insert(declared.scale()) != declared.scale() {
                fault(format!("has ticks of {}, unlike the sources before it", declared.scale().tick()));
            }
            for bound in family.ladder(grid, declared).inexact(grid) {
                fault(format!("has no exact count up to {bound} of {:?}", family.unit));
            }
        }
    }
    faults
}
