//! What a metric is called and what it means: plain data that registering, collecting and exposing share.

mod buckets;
mod descriptor;
mod domain;
mod escaping;
mod label;
mod name;
mod resource;
mod series;

pub use buckets::HistogramBuckets;
#[cfg_attr(not(feature = "http"), allow(unused_imports, reason = "for the exporter"))]
pub(crate) use descriptor::TARGET_NAMES;
pub(crate) use descriptor::{Descriptor, Kind};
pub use domain::{Closed, Domain, DomainIf, Known, Open};
pub use escaping::Escaping;
pub(crate) use escaping::{is_legal_label, is_legal_metric, same_label};
pub use label::{Label, LabelSet, LabelText, LabelValue};
pub(crate) use name::{check_exposed, check_label, check_metric, check_namespace};
pub use resource::Resource;
#[cfg(feature = "otlp")]
pub(crate) use resource::pairs;
pub(crate) use series::{Form, LabelSets, LabelValues, Part, Pieces};

/// The label that a gauge of which there is one per process gets where several are read as one, and the one it gets if it
/// has that already.
pub(crate) const PROCESS: [&str; 2] = ["process", "tach_process"];

/// The unit a metric is exposed in. It becomes a suffix of the exposed name unless the name has it already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// A plain number; no suffix.
    #[default]
    None,
    /// Seconds. A histogram's ticks are nanoseconds unless told otherwise.
    Seconds,
    /// Milliseconds. A histogram's ticks are nanoseconds unless told otherwise.
    Milliseconds,
    /// Bytes.
    Bytes,
    /// A share of one, 0.0 to 1.0. A histogram's ticks are millionths unless told otherwise.
    Ratio,
    /// Joules. A histogram's ticks are microjoules unless told otherwise.
    Joules,
    /// Any other, by the word that is to be the suffix: `Unit::Other("tokens")`.
    Other(&'static str),
}

impl Unit {
    /// The suffix of the exposed name, without the underscore; empty for none.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Bytes => "bytes",
            Self::Ratio => "ratio",
            Self::Joules => "joules",
            Self::Other(word) => word,
        }
    }

    /// How many seconds one of the unit is; one where it is no unit of time.
    pub(crate) const fn seconds(self) -> f64 {
        if matches!(self, Self::Milliseconds) { 1e-3 } else { 1.0 }
    }

    /// What one tick of a histogram is in this unit, unless told otherwise.
    pub(crate) const fn tick(self) -> f64 {
        match self {
            Self::Seconds => 1e-9,
            Self::Milliseconds | Self::Ratio | Self::Joules => 1e-6,
            Self::None | Self::Bytes | Self::Other(_) => 1.0,
        }
    }

    /// The largest value a histogram tracks in this unit, unless told otherwise.
    pub(crate) const fn max(self) -> f64 {
        match self {
            Self::Seconds => 3_600.0,
            Self::Milliseconds => 3_600_000.0,
            Self::Bytes => (1_u64 << 42) as f64,
            Self::Ratio => 1_000.0,
            Self::Joules => 1e6,
            Self::None | Self::Other(_) => (1_u64 << 32) as f64,
        }
    }
}

/// The highest level that is compiled in: [`Level::Detailed`], or less by the features `max_level_basic` and
/// `max_level_none`.
///
/// A metric above it is never switched on, whatever the registry's level, and the methods of `serve::Metrics` for such
/// metrics are empty.
pub const STATIC_MAX_LEVEL: Level = if cfg!(feature = "max_level_none") {
    Level::None
} else if cfg!(feature = "max_level_basic") {
    Level::Basic
} else {
    Level::Detailed
};

/// How much is measured. A metric is recorded and exposed when its level does not exceed the registry's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For a registry: nothing. For a metric: always.
    None,
    /// What every deployment wants.
    #[default]
    Basic,
    /// What one looks at when something is wrong.
    Detailed,
}

/// How the values of a gauge that several processes have become one, where a collector reads them from their segments.
///
/// Counters and histograms are summed, those of processes that have ended too; up-down counters and gauges only over
/// processes that live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Aggregate {
    /// A series per process, with the label `process`.
    #[default]
    PerProcess,
    /// The sum.
    Sum,
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// The one that was set last, by the system's clock. Setting it costs reading that clock, some 20 to 30 ns, in mode
    /// [`Recording::Process`](crate::Recording::Process).
    Last,
}
