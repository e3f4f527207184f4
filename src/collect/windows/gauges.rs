//! Windows as metrics.
//!
//! As gauges and not as a summary: `docs/EXPOSITION.md` says why.

use super::super::snapshot::{FamilySnapshot, Snapshot, Values};
use super::Windows;
use super::described::{described, name};
use crate::describe::{Descriptor, Kind, LabelSets, LabelValues};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The values of one gauge, by label values.
type Rows = BTreeMap<LabelValues, f64>;

/// The gauges of one histogram.
#[derive(Default)]
struct Gauges {
    quantiles: Rows,
    values: Rows,
    rate: Rows,
}

impl Windows {
    /// `shown`, and the gauges for the windows that end with `now`, of what `view` makes of a difference.
    pub(crate) fn beside(&self, shown: &Snapshot, now: &Snapshot, view: impl Fn(&Snapshot) -> Snapshot) -> Snapshot {
        shown.beside(self.gauges(now, view))
    }

    fn gauges(&self, now: &Snapshot, view: impl Fn(&Snapshot) -> Snapshot) -> Vec<FamilySnapshot> {
        let mut found: BTreeMap<String, (Arc<Descriptor>, Gauges)> = BTreeMap::new();
        let differences = self.lengths.iter().filter_map(|&length| Some((length, self.difference(now, length)?)));
        for (length, difference) in differences {
            let seconds = difference.elapsed().unwrap_or_default().as_secs_f64();
            let window = name(length);
            for family in view(&difference).families() {
                let desc = &family.desc;
                if desc.kind != Kind::Histogram {
                    continue;
                }
                let (_, gauges) =
                    found.entry(desc.base.clone()).or_insert_with(|| (Arc::clone(desc), Gauges::default()));
                for (set, histogram) in family.labels.sets.iter().zip(family.values.histograms()) {
                    let labels = |last: &[&str]| -> LabelValues {
                        set.iter().cloned().chain(last.iter().map(|&value| value.into())).collect()
                    };
                    for &q in &self.quantiles {
                        gauges.quantiles.insert(labels(&[&window, &format!("{q:?}")]), histogram.quantile(q));
                    }
                    let count = histogram.count() as f64;
                    gauges.values.insert(labels(&[&window]), count);
                    gauges.rate.insert(labels(&[&window]), if seconds > 0.0 { count / seconds } else { 0.0 });
                }
            }
        }
        let families = |(desc, Gauges { quantiles, values, rate }): (Arc<Descriptor>, Gauges)| {
            let descs = described(&desc).into_iter().flatten();
            descs.zip([quantiles, values, rate]).map(|(desc, rows)| family(desc, now, rows)).collect::<Vec<_>>()
        };
        found.into_values().flat_map(families).collect()
    }
}

fn family(desc: Descriptor, now: &Snapshot, rows: Rows) -> FamilySnapshot {
    let (sets, values): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    FamilySnapshot {
        desc: Arc::new(desc),
        labels: Arc::new(LabelSets::since(now.began(), sets)),
        values: Values::Gauge(values.into()),
        noted: Default::default(),
    }
}
