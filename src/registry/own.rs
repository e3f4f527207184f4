//! The metrics that the engine keeps of itself, one set per registry.

use super::{Recording, Registry};
use crate::describe::LabelValues;
use crate::describe::{Aggregate, Descriptor, Kind, Level, Unit, is_legal_label};
use crate::record::local;
use crate::record::shard::Regions;
use crate::sync::{AtomicU64, Ordering};
use std::sync::Arc;

/// What collecting has met: of one collection, or in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Met {
    /// Histograms of a shard that were read again, as they changed meanwhile.
    pub(crate) retries: u64,
    /// Histograms of a shard whose sum may lack values recorded during the read.
    pub(crate) inexact: u64,
    /// Callbacks that panicked.
    pub(crate) panics: u64,
}

/// The descriptions of the engine's own metrics, and the totals that no other part keeps.
#[derive(Debug)]
pub(crate) struct Own {
    overflow_recordings: Arc<Descriptor>,
    overflow_series: Arc<Descriptor>,
    clamped: Arc<Descriptor>,
    retries: Arc<Descriptor>,
    inexact: Arc<Descriptor>,
    panics: Arc<Descriptor>,
    shards: Arc<Descriptor>,
    memory: Arc<Descriptor>,
    series: Arc<Descriptor>,
    pub(crate) collect: Arc<Descriptor>,
    segment_fallbacks: Arc<Descriptor>,
    totals: [AtomicU64; 3],
}

impl Own {
    pub(super) fn new(const_labels: &Arc<[(String, String)]>) -> Self {
        let utf8 = const_labels.iter().any(|(name, _)| !is_legal_label(name));
        let describe = |kind, name: &str, unit, labels: &[&str], help: &str| {
            Arc::new(Descriptor {
                name: name.to_owned(),
                base: Descriptor::base(None, name, kind, unit),
                utf8,
                dotted: Descriptor::dotted(None, name, kind),
                help: help.to_owned(),
                kind,
                unit,
                level: Level::None,
                aggregate: Aggregate::default(),
                labels: labels.iter().map(|&label| label.to_owned()).collect(),
                label_set: None,
                const_labels: Descriptor::giving_way(const_labels, labels),
                limit: usize::MAX,
                grid: None,
                exemplars: false,
            })
        };
        let counter = |name, labels: &[&str], help| describe(Kind::Counter, name, Unit::None, labels, help);
        let gauge = |name, unit, labels: &[&str], help| describe(Kind::Gauge, name, unit, labels, help);
        Self {
            overflow_recordings: counter(
                "tach_overflow_recordings",
                &[],
                "Recordings that went to cells shared by threads: past the memory budget or the number of shards, \
                 or from a thread that was ending.",
            ),
            overflow_series: counter(
                "tach_overflow_series",
                &[],
                "Look-ups of label values that got a family's overflow series: past its limit or the memory budget, \
                 or too long.",
            ),
            clamped: counter(
                "tach_clamped",
                &["metric"],
                "Values above a histogram's maximum, which were recorded as the maximum.",
            ),
            retries: counter(
                "tach_snapshot_retries",
                &[],
                "Histograms of a shard that were read once more because they changed while they were read.",
            ),
            inexact: counter(
                "tach_snapshot_inexact",
                &[],
                "Histograms of a shard whose sum may lack values that were recorded during the read.",
            ),
            panics: counter("tach_callback_panics", &[], "Callbacks of observed metrics that panicked."),
            shards: gauge(
                "tach_shards",
                Unit::None,
                &["state"],
                "Shards of the process: in use by a thread, or idle until a thread adopts them.",
            ),
            memory: gauge(
                "tach_memory",
                Unit::Bytes,
                &[],
                "Address space that the registry's cells take; resident memory is less.",
            ),
            series: gauge("tach_series", Unit::None, &[], "Series in this exposition, without those of tach itself."),
            collect: gauge("tach_collect", Unit::Seconds, &[], "How long merging the shards took for this exposition."),
            segment_fallbacks: counter(
                "tach_segment_fallbacks",
                &[],
                "Cells or descriptions for which the segment had no room: they are in the memory of this process alone. \
                 One where there is no segment at all.",
            ),
            totals: [AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0)],
        }
    }

    /// Adds what one collection met, and gives the totals.
    pub(crate) fn count(&self, met: Met) -> Met {
        let [retries, inexact, panics] = [met.retries, met.inexact, met.panics];
        let add = |total: &AtomicU64, n| {
            // Relaxed: a lone total.
            total.fetch_add(n, Ordering::Relaxed) + n
        };
        let totals = &self.totals;
        Met { retries: add(&totals[0], retries), inexact: add(&totals[1], inexact), panics: add(&totals[2], panics) }
    }
}

/// What an own metric says at one moment.
#[derive(Debug)]
pub(crate) enum Figures {
    Totals(Vec<(LabelValues, u64)>),
    Values(Vec<(LabelValues, f64)>),
}

impl Registry {
    /// The engine's own metrics, but for how long the collection took. `clamped`: how many values were, by the base
    /// names of the histograms; `series`: how many there are; `met`: to be added to what was met before.
    pub(crate) fn own_figures(
        &self,
        clamped: Vec<(String, u64)>,
        series: usize,
        met: Met,
        regions: &Regions,
    ) -> Vec<(Arc<Descriptor>, Figures)> {
        let own = self.own();
        let met = own.count(met);
        let space = self.space();
        let (shards, idle) = local::shards().map_or((0, 0), |shards| shards.census());
        let labels = |values: &[&str]| -> LabelValues { values.iter().map(|&value| value.into()).collect() };
        let total = |desc: &Arc<Descriptor>, total| (Arc::clone(desc), Figures::Totals(vec![(labels(&[]), total)]));
        let value = |desc: &Arc<Descriptor>, value| (Arc::clone(desc), Figures::Values(vec![(labels(&[]), value)]));
        let states = vec![(labels(&["idle"]), idle as f64), (labels(&["in_use"]), (shards - idle) as f64)];
        let mut figures = vec![
            total(&own.overflow_recordings, space.overflowed()),
            total(&own.overflow_series, self.overflowed_series()),
            total(&own.retries, met.retries),
            total(&own.inexact, met.inexact),
            total(&own.panics, met.panics),
            (Arc::clone(&own.shards), Figures::Values(states)),
            value(&own.memory, space.bytes(regions) as f64),
            value(&own.series, series as f64),
        ];
        if !clamped.is_empty() {
            let clamped = clamped.iter().map(|(name, total)| (labels(&[name]), *total)).collect();
            figures.push((Arc::clone(&own.clamped), Figures::Totals(clamped)));
        }
        if self.config().recording == Recording::Process {
            figures.push(total(&own.segment_fallbacks, self.segment_fallbacks()));
        }
        figures
    }
}
