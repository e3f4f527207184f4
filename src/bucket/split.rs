//! Exact declared bounds: a cell that holds one is split in two.
//!
//! The cells of [`super::Layout`] have binary edges, and 0.025 s is on none of them. A cell in which a declared bound
//! lies keeps the values up to the bound; those above it, of the same cell, go to a cell of their own behind the
//! layout's last. So every `le` is exact, and adding a cell and its upper parts gives HdrHistogram's cell back.

use std::sync::Arc;

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
    marks: Arc<[u64]>,
    parts: Box<[Split]>,
    /// The index of the first part.
    first: usize,
}

impl Splits {
    /// `parts` in ascending order of `above`, for a layout of `cells` cells.
    pub(crate) fn new(parts: Box<[Split]>, cells: usize) -> Self {
        let mut marks = vec![0; if parts.is_empty() { 0 } else { cells.div_ceil(64) }];
        for part in &parts {
            marks[part.cell / 64] |= 1 << (part.cell % 64);
        }
        Self { marks: marks.into(), parts, first: cells }
    }

    /// A bit per cell, whether it is split: what a recording reads. Empty when none is.
    pub(crate) fn marks(&self) -> &Arc<[u64]> {
        &self.marks
    }

    pub(crate) fn parts(&self) -> &[Split] {
        &self.parts
    }

    /// The index for a `value` whose cell is `cell`.
    #[inline(never)]
    pub(crate) fn index_in_split_cell(&self, cell: usize, value: u64) -> usize {
        let below = self.parts.partition_point(|part| part.above < value);
        match below.checked_sub(1) {
            Some(last) if self.parts[last].cell == cell => self.first + last,
            _ => cell,
        }
    }
}
