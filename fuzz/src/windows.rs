//! Windows that were kept since before anything was recorded, as summaries on a page: what they have, the model has.

use crate::compare::{Counted, labels};
use crate::exposition::{Family, Labels, Type};
use crate::model::{Metric, Model, Value};
use crate::names::Names;
use crate::number::read;
use crate::scenario::{Kind, Scenario};
use crate::summary::summaries;
use std::collections::BTreeSet;
use std::time::Duration;
use tach::{Registry, Windows};

/// Long, so that no run is long enough for another beginning; and what a label says of it.
const LENGTH: (Duration, &str) = (Duration::from_secs(7200), "2h");
/// Those that there are unless told.
const SHARES: [f64; 3] = [0.5, 0.9, 0.99];

/// Windows, and the numbers of the histograms that have to be in them.
pub(crate) struct Kept {
    windows: Windows,
    sure: BTreeSet<usize>,
}

/// Windows of all histograms, where they are asked for and no metric has a name of theirs.
pub(crate) fn keep(scenario: &Scenario, registry: &Registry, model: &Model) -> Option<Kept> {
    if !scenario.windows {
        return None;
    }
    let windows = Windows::start(registry, &[], &[LENGTH.0]).ok()?.summaries().ok()?;
    // What was never seen is in none.
    let is_seen = |(number, metric): (usize, &Metric)| (metric.on && !metric.series.is_empty()).then_some(number);
    Some(Kept { windows, sure: model.metrics.iter().enumerate().filter_map(is_seen).collect() })
}

impl Kept {
    /// The windows.
    pub(crate) fn windows(&self) -> &Windows {
        &self.windows
    }

    /// Takes what windows are shown as off the families, and holds it against the model.
    ///
    /// # Panics
    ///
    /// They differ.
    pub(crate) fn take(&self, scenario: &Scenario, model: &Model, families: &mut Vec<Family>, names: Names) {
        for (number, metric) in model.metrics.iter().enumerate() {
            let description = &metric.description;
            let has_own = description.labels.iter().flatten().any(|label| ["window", "q"].contains(&&**label));
            let is_shown = metric.on && !metric.series.is_empty() && !has_own;
            if description.kind != Kind::Histogram || !is_shown {
                continue;
            }
            let [summary, values, rate] = windowed(metric).map(|name| {
                let index = families.iter().position(|family| family.name == names.metric(&name))?;
                Some(families.remove(index))
            });
            assert_eq!((summary.is_some(), summary.is_some()), (values.is_some(), rate.is_some()));
            match (summary, values) {
                (Some(summary), Some(values)) => check(scenario, metric, &summary, &values, names),
                _ => assert!(!self.sure.contains(&number), "{description:?} has no windows"),
            }
        }
    }
}

/// What a histogram's windows are called: the summary, the number of values, and how many to the second.
fn windowed(metric: &Metric) -> [String; 3] {
    let (base, unit) = (&metric.base, metric.description.unit.suffix());
    let summary = match base.strip_suffix(unit) {
        Some(stem) if !unit.is_empty() => format!("{stem}window_{unit}"),
        _ => format!("{base}_window"),
    };
    [summary, format!("{base}_window_values"), format!("{base}_window_rate")]
}

fn check(scenario: &Scenario, metric: &Metric, summary: &Family, values: &Family, names: Names) {
    assert_eq!((summary.kind, values.kind), (Type::Summary, Type::Gauge));
    let all = summaries(summary).expect("parsed before");
    assert_eq!((all.len(), values.samples.len()), (metric.series.len(), metric.series.len()));
    for (own, value) in &metric.series {
        let Value::Histogram(recorded) = value else { unreachable!("a histogram's values") };
        let mut labels: Labels = labels(scenario, &metric.description, own, names);
        labels.insert("window".to_owned(), LENGTH.1.to_owned());
        let found = all.iter().find(|summary| summary.labels == labels).expect("a summary of the series");
        let counted = Counted::of(&metric.description, recorded);
        assert_eq!(found.count, counted.count);
        if let Some(exact) = counted.exact {
            assert_eq!(read(&found.sum), Ok(exact.sum));
        }
        // Whatever there is was recorded since.
        let number = values.samples.iter().find(|sample| sample.labels == labels).expect("their number");
        assert_eq!(read(&number.value), Ok(counted.count as f64));
        assert_eq!(found.quantiles.iter().map(|(share, _)| *share).collect::<Vec<_>>(), SHARES);
        assert!(found.quantiles.iter().all(|(_, quantile)| quantile.is_nan() == (counted.count == 0)), "{found:?}");
    }
}
