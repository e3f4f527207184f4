//! Which value belongs in which cell of a histogram, and what a cell stands for: pure arithmetic without state.

mod decimal;
mod grid;
mod layout;
mod split;

pub(crate) use decimal::Decimal;
pub(crate) use grid::{Bound, Grid, Scale};
pub(crate) use layout::{EXACT_MAX, Layout, MAX_TICKS};
pub(crate) use split::Splits;
