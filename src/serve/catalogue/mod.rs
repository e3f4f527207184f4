//! The catalogue: every instrument of an inference server, as data.
//!
//! One row says all: from it come the method of [`Metrics`](super::Metrics), the registration, the late-bound look-up,
//! the page `docs/METRICS.md`, and the tests. The rows are in the files named after what they measure; a row reads
//!
//! ```text
//! method: Kind "name" UNIT LADDER Level [by Set { label: Enum, .. } | open { label: type, .. }], "help";
//! ```

mod batch;
mod bind;
mod cache;
mod disaggregated;
mod dkv;
mod labels;
mod ladders;
mod legacy;
mod maker;
mod media;
mod more;
mod needed;
mod requests;
mod rows;
mod tools;
mod vision;
mod vllm;

pub use labels::*;
pub use ladders::Ladder;
pub(crate) use maker::Maker;

use super::late::Measurement;
use crate::{Error, Label, Level, Unit};

/// What an instrument takes, and what it is exposed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Counts one at a time: a counter.
    Event,
    /// Adds a whole number: a counter.
    Count,
    /// Adds a whole number that may be negative: exposed as a gauge.
    Delta,
    /// Is set to a value: a gauge, of which each process of a fleet has its own.
    Value,
    /// Is set to an amount: a gauge, which is added up over the processes of a fleet.
    Amount,
    /// A distribution of times.
    Time,
    /// A distribution of whole numbers.
    Size,
    /// A distribution of fractional numbers.
    Real,
}

/// Where an instrument comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// MAX serve has it.
    MaxServe,
    /// MAX serve had it once.
    Gone,
    /// It is tach's own: what the timers know besides, and what other servers' names need.
    Own,
    /// As `Own`, and made only where the names of a chosen profile need it.
    Needed,
}

/// One row of the catalogue.
#[derive(Debug)]
pub struct Instrument {
    /// The name, without `maxserve.` before it.
    pub name: &'static str,
    /// The method of [`Metrics`](super::Metrics).
    pub method: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// The unit it is exposed in.
    pub unit: Unit,
    /// The buckets of a distribution.
    pub ladder: Ladder,
    /// From which level on it is recorded.
    pub level: Level,
    /// Its labels, in order.
    pub labels: &'static [Label],
    /// Where it comes from.
    pub origin: Origin,
    /// What it tells.
    pub help: &'static str,
    /// Records a measurement to it.
    pub(crate) late: fn(&Instruments, &Measurement<'_>) -> Result<(), Refusal>,
}

impl Instrument {
    /// Whether it is a distribution.
    #[must_use]
    pub const fn is_histogram(&self) -> bool {
        matches!(self.kind, Kind::Time | Kind::Size | Kind::Real)
    }
}

/// The handles of all instruments.
#[derive(Debug)]
pub(crate) struct Instruments {
    pub(crate) requests: requests::Requests,
    pub(crate) batch: batch::Batch,
    pub(crate) cache: cache::Cache,
    pub(crate) dkv: dkv::Dkv,
    pub(crate) disaggregated: disaggregated::Disaggregated,
    pub(crate) vision: vision::Vision,
    pub(crate) media: media::Media,
    pub(crate) tools: tools::Tools,
    pub(crate) more: more::More,
    pub(crate) needed: needed::Needed,
    pub(crate) vllm: vllm::Vllm,
    pub(crate) legacy: legacy::Legacy,
}

impl Instruments {
    pub(crate) fn new(maker: &Maker<'_>) -> Result<Self, Error> {
        Ok(Self {
            requests: requests::Requests::new(maker)?,
            batch: batch::Batch::new(maker)?,
            cache: cache::Cache::new(maker)?,
            dkv: dkv::Dkv::new(maker)?,
            disaggregated: disaggregated::Disaggregated::new(maker)?,
            vision: vision::Vision::new(maker)?,
            media: media::Media::new(maker)?,
            tools: tools::Tools::new(maker)?,
            more: more::More::new(maker)?,
            needed: needed::Needed::new(maker)?,
            vllm: vllm::Vllm::new(maker)?,
            legacy: legacy::Legacy::new(maker)?,
        })
    }
}

const GROUPS: [&[Instrument]; 12] = [
    &requests::ROWS,
    &batch::ROWS,
    &cache::ROWS,
    &dkv::ROWS,
    &disaggregated::ROWS,
    &vision::ROWS,
    &media::ROWS,
    &tools::ROWS,
    &more::ROWS,
    &needed::ROWS,
    &vllm::ROWS,
    &legacy::ROWS,
];

/// Every instrument, in the order of the tables.
pub fn catalogue() -> impl Iterator<Item = &'static Instrument> {
    GROUPS.into_iter().flatten()
}
