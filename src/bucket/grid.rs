//! A histogram's whole grid: the layout, where its cells are split, and how it is exposed unless a view says otherwise.

use super::split::Split;
use super::{Bound, Ladder, Layout, Resolution, Scale, Splits};

/// What every copy of one histogram agrees on.
#[derive(Debug)]
pub(crate) struct Grid {
    layout: Layout,
    /// The largest value that is not clamped, in ticks. Larger ones are recorded as the layout's largest.
    limit: u64,
    resolution: Resolution,
    splits: Splits,
    /// How it is exposed: the declared buckets.
    ladder: Ladder,
    /// Further bounds at which cells are split, which are not exposed.
    exact: Box<[Bound]>,
}

impl Grid {
    /// `limit`: the largest value that is not clamped, in ticks. `bounds` are exposed, `exact` are not; counts are exact
    /// at both. Each ascending.
    pub(crate) fn new(
        resolution: Resolution,
        limit: u64,
        scale: Scale,
        bounds: Box<[Bound]>,
        exact: Box<[Bound]>,
    ) -> Self {
        let mut declared: Vec<u64> = bounds.iter().chain(&exact).map(|bound| bound.ticks).collect();
        declared.sort_unstable();
        declared.dedup();
        let last = declared.last().copied().unwrap_or(0);
        let limit = limit.max(last);
        // A value that is clamped must stay above every bound.
        let layout = Layout::new(resolution, scale.tick(), limit.max(last + 1));
        let parts = declared
            .into_iter()
            .map(|above| Split { cell: layout.index(above), above })
            .filter(|part| part.above < layout.highest(part.cell))
            .collect();
        let splits = Splits::new(parts, layout.len());
        let mut grid = Self { layout, limit, resolution, splits, ladder: Ladder::without_bounds(scale), exact };
        grid.ladder = Ladder::new(&grid, scale, bounds);
        grid
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The largest value that is not clamped, in ticks.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// What was declared of the cells.
    pub(crate) fn resolution(&self) -> Resolution {
        self.resolution
    }

    /// How it is exposed unless a view says otherwise.
    pub(crate) fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Bounds at which counts are exact and which are not exposed, ascending.
    pub(crate) fn exact(&self) -> &[Bound] {
        &self.exact
    }

    pub(crate) fn splits(&self) -> &Splits {
        &self.splits
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
    /// For a declared bound, exposed or not, it holds all of them too.
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

    /// The place in the order of values where `value` is counted; for one above the maximum the last.
    pub(crate) fn rank_of(&self, value: u64) -> usize {
        let value = value.min(self.layout.max());
        let cell = self.layout.index(value);
        match self.splits.index(cell, value).checked_sub(self.layout.len()) {
            Some(part) => self.rank_of_part(part),
            None => self.rank_of_cell(cell),
        }
    }

    /// Whether each place of this is the same place in `other`, and stands for the same values there. `other` may have
    /// more places at its end.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.layout.is_like(&other.layout) && self.layout.max() <= other.layout.max() && self.parts() == other.parts()
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
        Grid::new(Resolution::Digits(digits), 1 << 20, Scale::new(1.0), bounds_at(bounds), Box::default())
    }

    fn bounds_at(bounds: &[u64]) -> Box<[Bound]> {
        bounds.iter().map(|&ticks| Bound { value: ticks as f64, ticks }).collect()
    }

    #[test]
    fn places_follow_the_order_of_values() {
        // Several bounds in one cell, on edges, in neighbouring cells.
        let grid = grid(1, &[0, 3, 31, 1000, 1001, 1005, 1023, 1024, 70_001, 70_002, 131_071]);
        let mut last = 0;
        for value in 0..=grid.layout().max() {
            let here = grid.rank_of(value);
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
        for bound in grid.ladder().bounds() {
            let last = grid.rank_up_to(bound.ticks).unwrap();
            assert_eq!(grid.values(last).1, bound.ticks);
            assert_eq!(grid.rank_of(bound.ticks), last);
            assert_eq!(grid.rank_of(bound.ticks + 1), last + 1);
        }
        // 1003 is no bound, and shares a place with 1002 and 1004.
        assert_eq!(grid.values(grid.rank_up_to(1003).unwrap()).1, 1001);
    }

    #[test]
    fn a_bound_that_is_not_exposed_is_exact_too() {
        let exposed = bounds_at(&[3, 1000, 70_001]);
        let grid = Grid::new(
            Resolution::Digits(1),
            1 << 10,
            Scale::new(1.0),
            exposed,
            bounds_at(&[1001, 1005, 70_001, 200_000]),
        );
        for ticks in [3, 1000, 1001, 1005, 70_001, 200_000] {
            let last = grid.rank_up_to(ticks).unwrap();
            assert_eq!((grid.values(last).1, grid.rank_of(ticks + 1)), (ticks, last + 1));
        }
        assert_eq!(grid.ladder().bounds().len(), 3);
        assert_eq!((grid.limit(), grid.layout().max()), (200_000, 200_001));
    }

    #[test]
    fn places_of_a_native_schema_follow_the_order_of_values_too() {
        let bounds = [0, 1, 3, 31, 1000, 1001, 1024, 70_001, 70_002];
        for schema in [0, 2, 4, 8] {
            let scale = Scale::new(1e-3);
            let grid = Grid::new(Resolution::Schema(schema), 1 << 17, scale, bounds_at(&bounds), bounds_at(&[5, 4000]));
            let mut last = (0, 0);
            for value in 1..=grid.layout().max() {
                let here = grid.rank_of(value);
                let (lowest, highest) = grid.values(here);
                assert!(lowest <= value && value <= highest, "{value} in {lowest}..={highest}");
                // Places between two that hold something hold nothing.
                assert_eq!(here != last.0, lowest == value, "{value}");
                assert!(here >= last.0 && (last.0..here).all(|place| grid.values(place).1 < value));
                assert_eq!(grid.rank_up_to(highest.min(grid.layout().max())), Some(here));
                let up_to = grid.rank_up_to(value).unwrap();
                assert!(value == grid.layout().max() || grid.values(up_to).1 <= value);
                last = (here, value);
            }
            assert_eq!(last.0 + 1, grid.len());
            for bound in bounds.iter().chain(&[5, 4000]) {
                assert_eq!(grid.values(grid.rank_of(*bound)).1, *bound);
            }
            assert_eq!(grid.ladder().inexact(&grid).count(), 0);
        }
    }
}
