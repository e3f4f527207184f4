//! Which value belongs in which cell of a histogram, and what a cell stands for: pure arithmetic without state.

mod decimal;
mod grid;
mod ladder;
mod layout;
mod native;
mod split;

pub(crate) use decimal::Decimal;
pub(crate) use grid::Grid;
pub(crate) use ladder::{Bound, Ladder, Scale};
pub(crate) use layout::{EXACT_MAX, Layout, MAX_TICKS};
pub(crate) use native::ZERO_THRESHOLD;
pub(crate) use split::Splits;
