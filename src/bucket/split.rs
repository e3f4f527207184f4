//! Exact declared bounds: a cell that holds one is split in two.
//!
//! The cells of [`super::Layout`] have binary edges, and 0.025 s is on none of them. A cell in which a declared bound
//! lies keeps the values up to the bound; those above it, of the same cell, go to a cell of their own behind the
//! layout's last. So every `le` is exact, and adding a cell and its upper parts gives HdrHistogram's cell back.

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
    parts: Box<[Split]>,
    /// The index of the first part.
    first: usize,
}

impl Splits {
    /// `parts` in ascending order of `above`, for a layout of `cells` cells.
    pub(crate) fn new(parts: Box<[Split]>, cells: usize) -> Self {
        Self { parts, first: cells }
    }

    pub(crate) fn parts(&self) -> &[Split] {
        &self.parts
    }

    /// The split cells from the first to the last of `cells`.
    pub(crate) fn among(&self, cells: RangeInclusive<usize>) -> impl Iterator<Item = usize> + '_ {
        let first = self.parts.partition_point(|part| part.cell < *cells.start());
        self.parts[first..].iter().map(|part| part.cell).take_while(move |cell| cell <= cells.end())
    }

    /// The index for a `value` whose cell is `cell`, which may be split.
    pub(crate) fn index(&self, cell: usize, value: u64) -> usize {
        let below = self.parts.partition_point(|part| part.above < value);
        match below.checked_sub(1) {
            Some(last) if self.parts[last].cell == cell => self.first + last,
            _ => cell,
        }
    }
}
