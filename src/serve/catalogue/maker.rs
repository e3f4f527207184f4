//! Makes the metrics of the rows.

use super::{Instrument, Kind};
use crate::registry::MetricBuilder;
use crate::serve::Profiles;
use crate::{Aggregate, Counter, Error, Gauge, Histogram, Recording, Registry, Unit, UpDownCounter};

/// The most series of an instrument with an open label, the path of a request say.
pub(super) const OPEN_LIMIT: usize = 500;

pub(super) const NONE: Unit = Unit::None;
pub(super) const MILLIS: Unit = Unit::Milliseconds;
pub(super) const BYTES: Unit = Unit::Bytes;
pub(super) const RATIO: Unit = Unit::Ratio;
pub(super) const PERCENT: Unit = Unit::Other("percent");
pub(super) const PERCENT_UTILIZATION: Unit = Unit::Other("percent_utilization");
pub(super) const TOKENS: Unit = Unit::Other("tokens");
pub(super) const TOKENS_PER_SECOND: Unit = Unit::Other("tokens_per_second");
pub(super) const GIB_PER_SECOND: Unit = Unit::Other("GiB_per_second");
pub(super) const REQS: Unit = Unit::Other("reqs");
pub(super) const BLOCKS: Unit = Unit::Other("blocks");
pub(super) const LOADS: Unit = Unit::Other("loads");
pub(super) const CLIENTS: Unit = Unit::Other("clients");
pub(super) const ATTEMPTS: Unit = Unit::Other("attempts");
pub(super) const ATTACHES: Unit = Unit::Other("attaches");
pub(super) const PEERS: Unit = Unit::Other("peers");
pub(super) const HINTS: Unit = Unit::Other("hints");
pub(super) const IMAGES: Unit = Unit::Other("images");
pub(super) const PATCHES: Unit = Unit::Other("patches");
pub(super) const CLIPS: Unit = Unit::Other("clips");
pub(super) const FRAMES: Unit = Unit::Other("frames");
pub(super) const PIXELS: Unit = Unit::Other("pixels");
pub(super) const ITEMS: Unit = Unit::Other("items");
pub(super) const TOOLS: Unit = Unit::Other("tools");

/// Instruments that keep exemplars: those on whose graphs one asks which request that was.
const EXEMPLARS: [&str; 5] =
    ["time_to_first_token", "itl", "time_per_output_token", "request_latency", "requests_finished"];

/// The name of a row's metric in its registry.
fn name(row: &Instrument) -> String {
    format!("maxserve.{}", row.name)
}

/// Where the rows' metrics are made.
pub(crate) struct Maker<'a> {
    registry: &'a Registry,
    profiles: &'a Profiles,
    /// Where those are made that no profile shows: switched off for good.
    void: Registry,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(registry: &'a Registry, profiles: &'a Profiles) -> Result<Self, Error> {
        let void = Registry::builder().recording(Recording::Noop).build()?;
        Ok(Self { registry, profiles, void })
    }

    fn registry(&self, row: &Instrument) -> &Registry {
        let wanted = row.level as u8 <= crate::STATIC_MAX_LEVEL as u8 && self.profiles.show(row);
        if wanted { self.registry } else { &self.void }
    }

    fn describe<M: crate::Metric>(row: &Instrument, builder: MetricBuilder<M>) -> MetricBuilder<M> {
        builder.help(row.help).unit(row.unit).level(row.level)
    }

    pub(super) fn counter(&self, row: &Instrument) -> MetricBuilder<Counter> {
        let builder = Self::describe(row, self.registry(row).counter(name(row)));
        if EXEMPLARS.contains(&row.name) { builder.exemplars() } else { builder }
    }

    pub(super) fn updown_counter(&self, row: &Instrument) -> MetricBuilder<UpDownCounter> {
        Self::describe(row, self.registry(row).updown_counter(name(row)))
    }

    pub(super) fn gauge(&self, row: &Instrument) -> MetricBuilder<Gauge> {
        let aggregate = if row.kind == Kind::Amount { Aggregate::Sum } else { Aggregate::PerProcess };
        Self::describe(row, self.registry(row).gauge(name(row)).aggregate(aggregate))
    }

    pub(super) fn histogram(&self, row: &Instrument) -> MetricBuilder<Histogram> {
        let ladder = &row.ladder;
        let builder = Self::describe(row, self.registry(row).histogram(name(row)))
            .tick(ladder.tick)
            .max(ladder.max)
            .buckets(ladder.bounds.iter().copied())
            .exact_at(self.profiles.bounds(row));
        if EXEMPLARS.contains(&row.name) { builder.exemplars() } else { builder }
    }
}
