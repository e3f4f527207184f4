//! Windows as metrics.
//!
//! As gauges unless summaries are asked for: `docs/EXPOSITION.md` says why.

use super::super::histogram::HistogramSnapshot;
use super::super::snapshot::{FamilySnapshot, Snapshot, Values};
use super::super::summary::SummarySnapshot;
use super::Windows;
use super::described::{described, name};
use crate::describe::{Descriptor, Kind, LabelSets, LabelValues};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

/// The values of one metric, by label values, and when their totals began.
type Rows<T> = BTreeMap<LabelValues, (SystemTime, T)>;

/// What the windows of one histogram are.
#[derive(Default)]
struct Gauges {
    quantiles: Rows<f64>,
    /// In their place.
    summaries: Rows<SummarySnapshot>,
    values: Rows<f64>,
    rate: Rows<f64>,
}

impl Windows {
    /// The gauges for the windows that end with `now`, of what `view` makes of the difference.
    pub(super) fn gauges(&self, now: &Snapshot, view: impl Fn(&Snapshot) -> Snapshot) -> Vec<FamilySnapshot> {
        // Of the same series as the differences.
        let totals = self.summaries.then(|| view(&now.part(|family| self.names.has(&family.desc.name))));
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
                    let began = now.began();
                    if let Some(totals) = &totals {
                        if let Some((began, total)) = total(totals, &desc.base, set) {
                            let summary = self.summary(histogram, total);
                            gauges.summaries.insert(labels(&[&window]), (began, summary));
                        }
                    } else {
                        for &q in &self.quantiles {
                            let value = histogram.quantile(q);
                            gauges.quantiles.insert(labels(&[&window, &format!("{q:?}")]), (began, value));
                        }
                    }
                    let count = histogram.count() as f64;
                    let rate = if seconds > 0.0 { count / seconds } else { 0.0 };
                    gauges.values.insert(labels(&[&window]), (began, count));
                    gauges.rate.insert(labels(&[&window]), (began, rate));
                }
            }
        }
        let families = |(of, gauges): (Arc<Descriptor>, Gauges)| -> Vec<FamilySnapshot> {
            let Some([quantiles, values, rate]) = described(&of, self.summaries) else { return Vec::new() };
            let gauge = |values: Vec<f64>| Values::Gauge(values.into());
            let first = match self.summaries {
                true => family(quantiles, gauges.summaries, Values::Summary),
                false => family(quantiles, gauges.quantiles, gauge),
            };
            vec![first, family(values, gauges.values, gauge), family(rate, gauges.rate, gauge)]
        };
        found.into_values().flat_map(families).collect()
    }

    /// The quantiles of `window`, beside the totals of the histogram that it is one of.
    fn summary(&self, window: &HistogramSnapshot, total: &HistogramSnapshot) -> SummarySnapshot {
        let mut quantiles: Box<[_]> = self.quantiles.iter().map(|&q| (q, window.quantile(q))).collect();
        quantiles.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        SummarySnapshot { count: total.count(), sum: total.sum(), quantiles }
    }
}

/// When a histogram's totals began, and what they are.
fn total<'a>(totals: &'a Snapshot, base: &str, set: &LabelValues) -> Option<(SystemTime, &'a HistogramSnapshot)> {
    let family = totals.family(base)?;
    let values: Vec<&str> = set.iter().map(|value| &**value).collect();
    let index = family.index(&values)?;
    Some((family.labels.began[index], family.values.histograms().get(index)?))
}

fn family<T>(desc: Descriptor, rows: Rows<T>, values: impl Fn(Vec<T>) -> Values) -> FamilySnapshot {
    let (series, numbers): (Vec<_>, Vec<_>) =
        rows.into_iter().map(|(set, (began, value))| ((set, began), value)).unzip();
    let labels = Arc::new(LabelSets::new(series));
    FamilySnapshot { desc: Arc::new(desc), labels, values: values(numbers), noted: Default::default() }
}
