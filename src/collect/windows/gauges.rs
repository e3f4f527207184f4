//! Windows as metrics.
//!
//! As gauges and not as a summary: `docs/EXPOSITION.md` says why, and where the names come from.

use super::super::snapshot::{FamilySnapshot, Snapshot, Values};
use super::Windows;
use crate::describe::{Descriptor, Kind, LabelSets, LabelValues, Unit, same_label};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const WINDOW: &str = "window";
const QUANTILE: &str = "q";

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
    /// The gauges for the windows that end with `now`, of what `view` makes of the difference.
    pub(crate) fn gauges(&self, now: &Snapshot, view: impl Fn(&Snapshot) -> Snapshot) -> Vec<FamilySnapshot> {
        let mut found: BTreeMap<String, (Arc<Descriptor>, Gauges)> = BTreeMap::new();
        let differences = self.lengths.iter().filter_map(|&length| Some((length, self.difference(now, length)?)));
        for (length, difference) in differences {
            let seconds = difference.elapsed().unwrap_or_default().as_secs_f64();
            let window = name(length);
            for family in view(&difference).families() {
                let desc = &family.desc;
                let is_taken = desc.labels.iter().any(|label| [WINDOW, QUANTILE].contains(&label.as_str()));
                if desc.kind != Kind::Histogram || is_taken {
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
        let families = |(desc, gauges): (Arc<Descriptor>, Gauges)| {
            [
                family(
                    &desc,
                    now,
                    "_window",
                    desc.unit,
                    "Quantiles of the window",
                    &[WINDOW, QUANTILE],
                    gauges.quantiles,
                ),
                family(
                    &desc,
                    now,
                    "_window_values",
                    Unit::None,
                    "Number of values in the window",
                    &[WINDOW],
                    gauges.values,
                ),
                family(
                    &desc,
                    now,
                    "_window_rate",
                    Unit::None,
                    "Values per second in the window",
                    &[WINDOW],
                    gauges.rate,
                ),
            ]
        };
        found.into_values().flat_map(families).collect()
    }
}

/// A gauge of the histogram `of`.
fn family(
    of: &Descriptor,
    now: &Snapshot,
    suffix: &str,
    unit: Unit,
    help: &str,
    labels: &[&str],
    rows: Rows,
) -> FamilySnapshot {
    // The unit ends a name, where it is the gauge's own too. What counts keeps it within, as `_count` does: by that two
    // histograms which differ in their units alone stay two.
    let base = match (of.unit.suffix(), unit.suffix()) {
        (_, "") | ("", _) => format!("{}{suffix}", of.base),
        (unit, _) => {
            let stem = of.base.strip_suffix(unit).and_then(|stem| stem.strip_suffix('_'));
            format!("{}{suffix}_{unit}", stem.unwrap_or(&of.base))
        }
    };
    let desc = Descriptor {
        name: format!("{}{suffix}", of.name),
        base,
        utf8: of.utf8,
        dotted: format!("{}{suffix}", of.dotted),
        help: if of.help.is_empty() { format!("{help}.") } else { format!("{help} of: {}", of.help) },
        kind: Kind::Gauge,
        unit,
        level: of.level,
        aggregate: of.aggregate,
        labels: of.labels.iter().map(String::as_str).chain(labels.iter().copied()).map(str::to_owned).collect(),
        label_set: None,
        // As for the engine's own, a constant label by the same name gives way.
        const_labels: of
            .const_labels
            .iter()
            .filter(|(name, _)| !labels.iter().any(|own| same_label(own, name)))
            .cloned()
            .collect(),
        // The label sets are made for each snapshot.
        limit: usize::MAX,
        grid: None,
        exemplars: false,
    };
    let (sets, values): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    FamilySnapshot {
        desc: Arc::new(desc),
        labels: Arc::new(LabelSets::since(now.began(), sets)),
        values: Values::Gauge(values.into()),
        noted: Default::default(),
    }
}

/// A length as a label says it: in the largest unit of which it is a whole number.
pub(super) fn name(length: Duration) -> String {
    let (seconds, nanos) = (length.as_secs(), length.subsec_nanos());
    match (seconds, nanos) {
        (_, 1..) => format!("{}s", length.as_secs_f64()),
        (s, 0) if s % 3600 == 0 => format!("{}h", s / 3600),
        (s, 0) if s % 60 == 0 => format!("{}m", s / 60),
        (s, 0) => format!("{s}s"),
    }
}
