//! A histogram's whole grid: the layout, the declared bounds, and the scale from ticks to the exposed unit.

use super::split::Split;
use super::{Decimal, Layout, Splits};

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

    /// A value in the exposed unit to the nearest tick; `None` for NaN and negative ones. Saturates.
    #[inline]
    pub(crate) fn ticks(self, value: f64) -> Option<u64> {
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

/// One declared `le` bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bound {
    /// In the exposed unit, as declared.
    pub(crate) value: f64,
    /// The largest tick that does not exceed it.
    pub(crate) ticks: u64,
}

/// What every copy of one histogram agrees on.
#[derive(Debug)]
pub(crate) struct Grid {
    layout: Layout,
    /// The largest value that is not clamped, in ticks. Larger ones are recorded as the layout's largest.
    limit: u64,
    digits: u8,
    scale: Scale,
    bounds: Box<[Bound]>,
    splits: Splits,
    /// Of each bound, the last place in the order of values that it includes.
    last_places: Box<[u32]>,
}

impl Grid {
    /// `bounds` ascending. `limit`: the largest value that is not clamped, in ticks.
    pub(crate) fn new(digits: u8, limit: u64, scale: Scale, bounds: Box<[Bound]>) -> Self {
        let last = bounds.last().map_or(0, |last| last.ticks);
        let limit = limit.max(last);
        // A value that is clamped must stay above every bound.
        let layout = Layout::new(digits, limit.max(last + 1));
        let mut parts: Vec<Split> = bounds
            .iter()
            .map(|bound| Split { cell: layout.index(bound.ticks), above: bound.ticks })
            .filter(|part| part.above < layout.highest(part.cell))
            .collect();
        parts.dedup();
        let splits = Splits::new(parts.into(), layout.len());
        let mut grid = Self { layout, limit, digits, scale, bounds, splits, last_places: Box::default() };
        // A histogram has fewer than 2^17 cells, and a bound's own cell ends at the bound.
        let last = |bound: &Bound| grid.rank_up_to(bound.ticks).expect("the cell of the bound at least") as u32;
        grid.last_places = grid.bounds.iter().map(last).collect();
        grid
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The largest value that is not clamped, in ticks.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    pub(crate) fn digits(&self) -> u8 {
        self.digits
    }

    pub(crate) fn scale(&self) -> Scale {
        self.scale
    }

    pub(crate) fn bounds(&self) -> &[Bound] {
        &self.bounds
    }

    pub(crate) fn splits(&self) -> &Splits {
        &self.splits
    }

    /// Of each bound, the last place in the order of values that it includes.
    pub(crate) fn last_places(&self) -> &[u32] {
        &self.last_places
    }

    /// The upper parts of split cells, in ascending order.
    pub(crate) fn parts(&self) -> &[Split] {
        self.splits.parts()
    }

    /// The order of values over all cells: a cell of the layout, then its upper parts, then the next cell. The place in
    /// it of the layout's cell `cell`.
    pub(crate) fn rank_of_cell(&self, cell: usize) -> usize {
        cell + self.parts().partition_point(|part| part.cell < cell)
    }

    /// The place in the order of values of the upper part `part`.
    pub(crate) fn rank_of_part(&self, part: usize) -> usize {
        self.parts()[part].cell + part + 1
    }

    /// The last place in the order of values that holds only values up to `ticks`; `None` when there is none.
    ///
    /// For a declared bound it holds all of them too.
    pub(crate) fn rank_up_to(&self, ticks: u64) -> Option<usize> {
        if ticks >= self.layout.max() {
            return Some(self.len() - 1);
        }
        let cell = self.layout.index(ticks);
        let last = match self.parts().partition_point(|part| part.above < ticks).checked_sub(1) {
            Some(part) if self.parts()[part].cell == cell => self.rank_of_part(part),
            _ => self.rank_of_cell(cell),
        };
        if self.values(last).1 <= ticks { Some(last) } else { last.checked_sub(1) }
    }

    /// The smallest and the largest value, in ticks, at a place in the order of values.
    pub(crate) fn values(&self, rank: usize) -> (u64, u64) {
        let parts = self.parts();
        // How many parts come before this place: part `i` is at `parts[i].cell + i + 1`.
        let before = {
            let (mut low, mut high) = (0, parts.len());
            while low < high {
                let middle = usize::midpoint(low, high);
                if parts[middle].cell + middle + 1 < rank { low = middle + 1 } else { high = middle }
            }
            low
        };
        let here = parts.get(before).filter(|part| part.cell + before + 1 == rank);
        let (cell, next) = match here {
            Some(part) => (part.cell, before + 1),
            None => (rank - before, before),
        };
        let lowest = here.map_or(self.layout.lowest(cell), |part| part.above + 1);
        let highest = match parts.get(next) {
            Some(part) if part.cell == cell => part.above,
            _ => self.layout.highest(cell),
        };
        (lowest, highest)
    }

    /// How many cells the layout and the upper parts take together.
    pub(crate) fn len(&self) -> usize {
        self.layout.len() + self.parts().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(digits: u8, bounds: &[u64]) -> Grid {
        let bounds = bounds.iter().map(|&ticks| Bound { value: ticks as f64, ticks }).collect();
        Grid::new(digits, 1 << 20, Scale::new(1.0), bounds)
    }

    fn index(grid: &Grid, value: u64) -> usize {
        let cell = grid.layout().index(value);
        grid.splits().index(cell, value)
    }

    fn rank(grid: &Grid, index: usize) -> usize {
        match index.checked_sub(grid.layout().len()) {
            Some(part) => grid.rank_of_part(part),
            None => grid.rank_of_cell(index),
        }
    }

    #[test]
    fn places_follow_the_order_of_values() {
        // Several bounds in one cell, on edges, in neighbouring cells.
        let grid = grid(1, &[0, 3, 31, 1000, 1001, 1005, 1023, 1024, 70_001, 70_002, 131_071]);
        let mut last = 0;
        for value in 0..=grid.layout().max() {
            let here = rank(&grid, index(&grid, value));
            assert!(here == last || here == last + 1, "{value}: {here} after {last}");
            last = here;
            let (lowest, highest) = grid.values(here);
            assert!(lowest <= value && value <= highest, "{value} in {lowest}..={highest}");
            assert_eq!(grid.layout().index(lowest), grid.layout().index(value));
        }
        assert_eq!(last + 1, grid.len());
    }

    #[test]
    fn a_declared_bound_is_exact() {
        let grid = grid(1, &[3, 1000, 1001, 1005, 70_001]);
        for bound in grid.bounds() {
            let last = grid.rank_up_to(bound.ticks).unwrap();
            assert_eq!(grid.values(last).1, bound.ticks);
            assert_eq!(rank(&grid, index(&grid, bound.ticks)), last);
            assert_eq!(rank(&grid, index(&grid, bound.ticks + 1)), last + 1);
        }
        // 1003 is no bound, and shares a place with 1002 and 1004.
        assert_eq!(grid.values(grid.rank_up_to(1003).unwrap()).1, 1001);
    }

    #[test]
    fn ticks_are_exposed_as_the_decimals_they_are() {
        let scale = Scale::new(1e-9);
        assert_eq!(scale.exposed(25_000_000), 0.025);
        assert_eq!(scale.exposed(300_000_000), 0.3);
        assert_eq!(Scale::new(1e-6).exposed(1_100_000), 1.1);
        assert_eq!(Scale::new(0.5).exposed(3), 1.5);
        assert_eq!(Scale::new(4.0).exposed(3), 12.0);
        assert_eq!(Scale::new(1e-3).ticks(0.399), Some(399));
        assert_eq!(Scale::new(4.0).ticks(13.9), Some(3));
        assert_eq!(Scale::new(1.0).ticks(f64::INFINITY), Some(u64::MAX));
        assert_eq!(Scale::new(1.0).ticks(-0.0), Some(0));
        assert_eq!((Scale::new(1.0).ticks(f64::NAN), Scale::new(1.0).ticks(-1.0)), (None, None));
    }
}
