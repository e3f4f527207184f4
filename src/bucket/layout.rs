//! Value ⇄ cell of a histogram, by whichever of the two layouts it was declared with.

use super::{Exponential, LogLinear};
use std::fmt;

/// The largest value a layout can track, in ticks: every larger one is clamped to it or to a smaller maximum.
pub(crate) const MAX_TICKS: u64 = (1 << 62) - 1;
/// The largest value up to which every integer is an `f64`.
pub(crate) const EXACT_MAX: u64 = (1 << 53) - 1;
/// Bits of an `f64` below its exponent.
pub(super) const MANTISSA_BITS: u32 = 52;
/// Exponent bias of an `f64`.
pub(super) const EXPONENT_BIAS: u64 = 1023;

/// What was declared of a histogram's cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// Significant decimal digits, 1 to 3: HdrHistogram's cells.
    Digits(u8),
    /// A schema of Prometheus' native histograms, 0 to [`SCHEMA_MAX`](super::SCHEMA_MAX): its own buckets.
    Schema(u8),
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digits(digits) => write!(f, "{digits} digits"),
            Self::Schema(schema) => write!(f, "native schema {schema}"),
        }
    }
}

/// The cells of one histogram: their number, and which value belongs to which.
#[derive(Clone, Debug)]
pub(crate) enum Layout {
    LogLinear(LogLinear),
    Exponential(Exponential),
}

impl Layout {
    /// For values up to `max` ticks of `tick` each.
    pub(crate) fn new(resolution: Resolution, tick: f64, max: u64) -> Self {
        match resolution {
            Resolution::Digits(digits) => Self::LogLinear(LogLinear::new(digits, max)),
            Resolution::Schema(schema) => Self::Exponential(Exponential::new(schema, tick, max)),
        }
    }

    /// The largest value that is not clamped, in ticks.
    pub(crate) fn max(&self) -> u64 {
        match self {
            Self::LogLinear(cells) => cells.max(),
            Self::Exponential(cells) => cells.max(),
        }
    }

    /// How many cells values up to the maximum need.
    pub(crate) fn len(&self) -> usize {
        self.index(self.max()) + 1
    }

    /// The cell that holds `value`, which must not exceed [`MAX_TICKS`].
    pub(crate) fn index(&self, value: u64) -> usize {
        match self {
            Self::LogLinear(cells) => cells.index(value),
            Self::Exponential(cells) => cells.index(value),
        }
    }

    /// The smallest value of a cell that is not empty, in ticks.
    pub(crate) fn lowest(&self, index: usize) -> u64 {
        match self {
            Self::LogLinear(cells) => cells.lowest(index),
            Self::Exponential(cells) => cells.lowest(index),
        }
    }

    /// The largest value of a cell, in ticks; of a cell without values that of the cell before.
    pub(crate) fn highest(&self, index: usize) -> u64 {
        match self {
            Self::LogLinear(cells) => cells.highest(index),
            Self::Exponential(cells) => cells.highest(index),
        }
    }

    /// Whether a cell of both is the same cell.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::LogLinear(here), Self::LogLinear(there)) => here.is_like(there),
            (Self::Exponential(here), Self::Exponential(there)) => here.is_like(there),
            _ => false,
        }
    }
}
