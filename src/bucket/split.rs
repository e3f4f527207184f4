//! Exact declared bounds: a cell that holds one is split in two.
//!
//! The cells of [`super::Layout`] have binary edges, and 0.025 s is on none of them. A cell in which a declared bound
//! lies keeps the values up to the bound; those above it, of the same cell, go to a cell of their own behind the
//! layout's last. So every `le` is exact, and adding a cell and its upper parts gives HdrHistogram's cell back.
//!
//! Which part a value belongs to takes one table load and, where no two bounds are closer than an eighth of an octave,
//! one compare; otherwise a search.

use std::hint::select_unpredictable;
use std::ops::RangeInclusive;

/// The upper part of a cell that a bound splits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    /// The cell that is split.
    pub(crate) cell: usize,
    /// This part holds the cell's values above `above`, up to the next bound in the same cell.
    pub(crate) above: u64,
}

/// The cells that are split, in ascending order.
#[derive(Debug)]
pub(crate) struct Splits {
    /// In ascending order of `above`, and behind the last one that no value is above.
    parts: Box<[Split]>,
    /// The index of the first part.
    first: usize,
    /// The bin of the first part.
    from: usize,
    /// By [`bin`], from the first part's to the one after the last's: how many parts have theirs before it.
    before: Box<[u32]>,
}

/// An eighth of an octave, and smaller for no larger value. A value does not exceed [`MAX_TICKS`](super::MAX_TICKS).
#[inline(always)]
fn bin(value: u64) -> usize {
    ((value.cast_signed() as f64).to_bits() >> 49) as usize
}

impl Splits {
    /// `parts` in ascending order of `above`, for a layout of `cells` cells.
    pub(crate) fn new(mut parts: Vec<Split>, cells: usize) -> Self {
        let bins = match (parts.first(), parts.last()) {
            (Some(first), Some(last)) => bin(first.above)..bin(last.above) + 2,
            _ => 0..1,
        };
        let from = bins.start;
        let before = bins.map(|here| parts.partition_point(|part| bin(part.above) < here) as u32).collect();
        parts.push(Split { cell: usize::MAX, above: u64::MAX });
        Self { parts: parts.into(), first: cells, from, before }
    }

    pub(crate) fn parts(&self) -> &[Split] {
        &self.parts[..self.parts.len() - 1]
    }

    /// The split cells from the first to the last of `cells`.
    pub(crate) fn among(&self, cells: RangeInclusive<usize>) -> impl Iterator<Item = usize> + '_ {
        let first = self.parts().partition_point(|part| part.cell < *cells.start());
        self.parts()[first..].iter().map(|part| part.cell).take_while(move |cell| cell <= cells.end())
    }

    /// How many parts hold only values below `value`, of which there are at least `from`.
    #[cold]
    #[inline(never)]
    fn search(&self, from: usize, value: u64) -> usize {
        from + self.parts[from..].partition_point(|part| part.above < value)
    }

    /// The index for a `value` whose cell is `cell`, which may be split.
    #[inline(always)]
    pub(crate) fn index(&self, cell: usize, value: u64) -> usize {
        let here = bin(value).saturating_sub(self.from).min(self.before.len() - 1);
        let mut below = self.before[here] as usize;
        // The first without a branch: whether it is below is what no predictor knows.
        below += usize::from(self.parts[below].above < value);
        if self.parts[below].above < value {
            below = self.search(below, value);
        }
        // Without a branch either.
        let last = below.wrapping_sub(1);
        let is_part = self.parts.get(last).is_some_and(|part| part.cell == cell);
        select_unpredictable(is_part, self.first.wrapping_add(last), cell)
    }
}

#[cfg(test)]
mod tests {
    use super::super::MAX_TICKS;
    use super::*;
    use std::collections::BTreeSet;

    proptest::proptest! {
        /// Bounds close together and far apart, and values at them, beside them and anywhere.
        #[test]
        fn the_part_of_a_value_is_that_of_a_search(
            bounds in proptest::collection::btree_set((0..62_u32, 0..MAX_TICKS), 0..40),
            values in proptest::collection::vec((0..62_u32, 0..MAX_TICKS), 0..40),
        ) {
            const CELLS: usize = 1000;
            let bounds: BTreeSet<u64> = bounds.into_iter().map(|(cut, bound)| bound >> cut).collect();
            // Of cells of equal width, more than one bound in some.
            let cell = |value: u64| (value >> 53) as usize;
            let parts: Vec<Split> = bounds.iter().map(|&above| Split { cell: cell(above), above }).collect();
            let splits = Splits::new(parts.clone(), CELLS);
            let beside = bounds.iter().flat_map(|&bound| [bound.saturating_sub(1), bound, bound + 1]);
            for value in values.into_iter().map(|(cut, value)| value >> cut).chain(beside).chain([0, MAX_TICKS]) {
                let below = parts.iter().rposition(|part| part.above < value);
                let found = below.filter(|&last| parts[last].cell == cell(value)).map(|last| CELLS + last);
                proptest::prop_assert_eq!(splits.index(cell(value), value), found.unwrap_or(cell(value)), "{}", value);
            }
        }
    }
}
