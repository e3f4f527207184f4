//! What a registry tells of its metrics and series in its segment's directory.

use crate::describe::{Aggregate, Descriptor, Kind, LabelValues, Level};
use crate::record::space::Place;
use crate::segment::record::{GridRecord, MetricRecord, Record, SeriesRecord, SlotsRecord, state};
use crate::segment::{At, Segment, unix_nanos};
use std::sync::Arc;
use std::time::SystemTime;

/// A metric that is in the directory.
#[derive(Clone, Debug)]
pub(super) struct Published {
    segment: Arc<Segment>,
    metric: At,
}

impl Published {
    /// Publishes a metric, `shown` or not. `None` where the segment has no room for it.
    pub(super) fn new(segment: &Arc<Segment>, desc: &Descriptor, shown: bool) -> Option<Self> {
        let metric = segment.publish(&Record::Metric(Box::new(record(desc))), shown_state(shown))?;
        Some(Self { segment: Arc::clone(segment), metric })
    }

    /// Whether the metric is to be exposed.
    pub(super) fn show(&self, shown: bool) {
        self.segment.set_state(self.metric, shown_state(shown));
    }

    /// Publishes a series. `None` where its cells are not in the segment, or it has no room for the record.
    pub(super) fn series(
        &self,
        place: &Place,
        began: SystemTime,
        values: &LabelValues,
        exemplars: Option<SlotsRecord>,
    ) -> Option<At> {
        let series = SeriesRecord {
            metric: self.metric.number,
            extent: place.extent.number()?,
            front: place.front_in_extent().into(),
            back: place.back_in_extent().into(),
            began: unix_nanos(began),
            values: values.iter().map(|value| (**value).to_owned()).collect(),
            exemplars,
        };
        self.segment.publish(&Record::Series(series), state::LIVE)
    }

    /// Says that a series is removed: before its cells may be given back.
    pub(super) fn remove(&self, series: At) {
        self.segment.set_state(series, state::REMOVED);
    }
}

fn shown_state(shown: bool) -> u64 {
    if shown { state::LIVE } else { state::HIDDEN }
}

/// The record of a description.
pub(crate) fn record(desc: &Descriptor) -> MetricRecord {
    let pairs = desc.const_labels.iter().flat_map(|(name, value)| [name.clone(), value.clone()]);
    MetricRecord {
        kind: match desc.kind {
            Kind::Counter | Kind::ObservedCounter => 1,
            Kind::FloatCounter | Kind::ObservedFloatCounter => 2,
            Kind::UpDownCounter => 3,
            // Neither an info nor a summary is in a registry.
            Kind::Gauge | Kind::ObservedGauge | Kind::Info | Kind::Summary => 4,
            Kind::Histogram => 5,
        },
        aggregate: match desc.aggregate {
            Aggregate::PerProcess => 0,
            Aggregate::Sum => 1,
            Aggregate::Max => 2,
            Aggregate::Min => 3,
            Aggregate::Last => 4,
        },
        level: match desc.level {
            Level::None => 0,
            Level::Basic => 1,
            Level::Detailed => 2,
        },
        utf8: desc.utf8,
        name: desc.name.clone(),
        base: desc.base.clone(),
        dotted: desc.dotted.clone(),
        help: desc.help.clone(),
        unit: desc.unit.suffix().to_owned(),
        labels: desc.labels.to_vec(),
        const_labels: pairs.collect(),
        grid: desc.grid.as_deref().map(GridRecord::of),
    }
}
