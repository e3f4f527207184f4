//! What a histogram's cells are exposed as: a scale from ticks to a unit, and bounds in that unit.

use super::native::Native;
use super::slots::Slots;
use super::{Decimal, Grid};
use std::sync::OnceLock;

/// How many of the exposed unit one tick is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    tick: f64,
    /// `1 / tick` where that is a whole number: dividing by it gives 0.025 for 25,000,000 ns, multiplying by 1e-9 need
    /// not.
    per_unit: Option<f64>,
}

impl Scale {
    pub(crate) fn new(tick: f64) -> Self {
        let per_unit = Decimal::of(1.0).divided_by(Decimal::of(tick));
        let exact = per_unit.filter(|n| *n > 0 && *n < 1 << 53 && 1.0 / *n as f64 == tick);
        Self { tick, per_unit: exact.map(|n| n as f64) }
    }

    pub(crate) fn tick(self) -> f64 {
        self.tick
    }

    /// `value · 10^power`, of the decimal that `value` was written as. It must be finite and not negative.
    pub(crate) fn shift(value: f64, power: i32) -> f64 {
        Decimal::of(value).shifted(power).value()
    }

    /// The same ticks in a unit of which one of this unit is `10^power`.
    pub(crate) fn shifted(self, power: i32) -> Self {
        Self::new(Self::shift(self.tick, power))
    }

    /// How many ticks `value`, in the exposed unit, is, rounded down; `None` beyond `u64`.
    pub(crate) fn ticks(self, value: f64) -> Option<u64> {
        Decimal::of(value).divided_by(Decimal::of(self.tick))
    }

    /// A value in the exposed unit to the nearest tick; `None` for NaN and negative ones. Saturates.
    #[inline]
    pub(crate) fn nearest(self, value: f64) -> Option<u64> {
        let ticks = self.per_unit.map_or_else(|| value / self.tick, |per_unit| value * per_unit);
        // `as` saturates, and rounds down what is not negative.
        (value >= 0.0).then_some((ticks + 0.5) as u64)
    }

    /// Ticks in the exposed unit.
    pub(crate) fn exposed(self, ticks: u128) -> f64 {
        match self.per_unit {
            Some(per_unit) => ticks as f64 / per_unit,
            None => ticks as f64 * self.tick,
        }
    }
}

/// One `le` bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bound {
    /// In the exposed unit, as declared.
    pub(crate) value: f64,
    /// The largest tick that does not exceed it.
    pub(crate) ticks: u64,
}

/// The exposed side of a histogram.
#[derive(Debug)]
pub(crate) struct Ladder {
    scale: Scale,
    bounds: Box<[Bound]>,
    /// Of each bound, the last place in the order of values that it includes.
    last_places: Box<[u32]>,
    slots: Slots,
    /// Made when first asked for.
    native: OnceLock<Native>,
}

impl Ladder {
    /// For the cells of `grid`; `bounds` ascending.
    pub(crate) fn new(grid: &Grid, scale: Scale, bounds: Box<[Bound]>) -> Self {
        // A histogram has fewer than 2^17 cells, and the first holds zero only, which no bound is below.
        let last = |bound: &Bound| grid.rank_up_to(bound.ticks).unwrap_or(0) as u32;
        let last_places = bounds.iter().map(last).collect();
        let slots = Slots::new(&bounds, grid.layout().max());
        Self { scale, bounds, last_places, slots, native: OnceLock::new() }
    }

    pub(crate) fn without_bounds(scale: Scale) -> Self {
        let slots = Slots::new(&[], 1);
        Self { scale, bounds: Box::default(), last_places: Box::default(), slots, native: OnceLock::new() }
    }

    pub(crate) fn scale(&self) -> Scale {
        self.scale
    }

    pub(crate) fn bounds(&self) -> &[Bound] {
        &self.bounds
    }

    /// Of each bound, the last place in the order of values that it includes.
    pub(crate) fn last_places(&self) -> &[u32] {
        &self.last_places
    }

    /// Which values share an exemplar.
    pub(crate) fn slots(&self) -> &Slots {
        &self.slots
    }

    /// The exponential buckets of the cells of `grid`, for which this was made. Costs up to a millisecond once.
    pub(crate) fn native(&self, grid: &Grid) -> &Native {
        self.native.get_or_init(|| Native::new(grid, self.scale))
    }

    /// The bounds at which counts of `grid`, for which this was made, are not exact: no cell ends there, or values are
    /// clamped below.
    #[cfg(test)]
    pub(crate) fn inexact<'a>(&'a self, grid: &'a Grid) -> impl Iterator<Item = f64> + 'a {
        let is_exact =
            |bound: &Bound, last: u32| bound.ticks < grid.layout().max() && grid.values(last as usize).1 == bound.ticks;
        let bounds = self.bounds.iter().zip(&self.last_places);
        bounds.filter(move |(bound, last)| !is_exact(bound, **last)).map(|(bound, _)| bound.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::Resolution;

    #[test]
    fn ticks_are_exposed_as_the_decimals_they_are() {
        let scale = Scale::new(1e-9);
        assert_eq!(scale.exposed(25_000_000), 0.025);
        assert_eq!(scale.exposed(300_000_000), 0.3);
        assert_eq!(Scale::new(1e-6).exposed(1_100_000), 1.1);
        assert_eq!(Scale::new(0.5).exposed(3), 1.5);
        assert_eq!(Scale::new(4.0).exposed(3), 12.0);
    }

    #[test]
    fn values_are_rounded_to_the_nearest_tick() {
        assert_eq!(Scale::new(1e-3).nearest(0.399), Some(399));
        assert_eq!(Scale::new(4.0).nearest(13.9), Some(3));
        assert_eq!(Scale::new(1.0).nearest(f64::INFINITY), Some(u64::MAX));
        assert_eq!(Scale::new(1.0).nearest(-0.0), Some(0));
        assert_eq!((Scale::new(1.0).nearest(f64::NAN), Scale::new(1.0).nearest(-1.0)), (None, None));
    }

    #[test]
    fn a_shifted_scale_is_the_one_that_would_have_been_declared() {
        for (tick, power, shifted) in [(1e-6, -3, 1e-9), (1e-6, 3, 1e-3), (1.0, -2, 0.01), (2.5, 1, 25.0)] {
            assert_eq!(Scale::new(tick).shifted(power), Scale::new(shifted));
        }
    }

    #[test]
    fn bounds_that_no_cell_ends_at_are_told() {
        let bounds = |ticks: &[u64]| ticks.iter().map(|&ticks| Bound { value: ticks as f64, ticks }).collect();
        let scale = Scale::new(1.0);
        let grid = Grid::new(Resolution::Digits(1), 2000, scale, bounds(&[1000]), bounds(&[1001]));
        let ladder = Ladder::new(&grid, scale, bounds(&[0, 7, 1000, 1001, 1003, 1999, 2000, 5000]));
        // The last cell before 2000 ends below it, and what is clamped is counted as 2000.
        assert_eq!(ladder.inexact(&grid).collect::<Vec<_>>(), [1003.0, 1999.0, 2000.0, 5000.0]);
        assert_eq!(grid.ladder().inexact(&grid).count(), 0);
    }
}
