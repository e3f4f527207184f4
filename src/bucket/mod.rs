//! Which value belongs in which cell of a histogram, and what a cell stands for: pure arithmetic without state.

mod decimal;
mod exponential;
mod grid;
mod index;
mod ladder;
mod layout;
mod log_linear;
mod native;
mod natural;
mod powers;
mod slots;
mod split;

pub(crate) use decimal::Decimal;
pub(crate) use exponential::{Exponential, SCHEMA_MAX};
pub(crate) use grid::Grid;
pub(crate) use index::{INDEXED_MAX, Index, out_of_line};
pub(crate) use ladder::{Bound, Ladder, Scale};
pub(crate) use layout::{EXACT_MAX, Layout, MAX_TICKS, Resolution};
pub(crate) use log_linear::LogLinear;
pub(crate) use native::ZERO_THRESHOLD;
#[cfg(target_os = "linux")]
pub(crate) use slots::SLOTS_MAX;
pub(crate) use slots::Slots;
pub(crate) use split::Splits;
