//! The cell of a value where cells are a schema's buckets, for recordings: one table load and one addition.
//!
//! The upper bits of a value as an `f64`, its octave and the first bits of its mantissa, count bins: twice as many in an
//! octave as there are cells, so that no bin holds the ends of two (see [`super::Exponential`]). A table has an entry for
//! each bin. Its upper bits are the cell of the bin's smallest value; its lower ones are what makes the sum with a value
//! carry into them at the first one above the end that the bin holds, and nowhere where it holds none. All of it is
//! exact: what is added to an entry is the whole number itself.

use super::Exponential;
use super::layout::MANTISSA_BITS;
use std::sync::Arc;

/// Bits of an entry that a value is added to. Those above count cells, of which there are at most 256 in an octave.
const VALUE_BITS: u32 = 50;
/// The largest value that may have an entry.
pub(crate) const INDEXED_MAX: u64 = (1 << VALUE_BITS) - 1;

/// From a value to its cell. Without entries, for no value.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// By bin, from that of 1 on.
    entries: Arc<[u64]>,
    /// How far an `f64`'s bits are shifted to count bins.
    shift: u32,
}

impl Index {
    pub(super) fn empty() -> Self {
        Self { entries: [].into(), shift: 0 }
    }

    /// For the cells of `layout`, of values from 1 to its largest or to [`INDEXED_MAX`].
    pub(super) fn new(layout: &Exponential) -> Self {
        let precision = layout.schema() + 1;
        let shift = MANTISSA_BITS - precision;
        let entry = |bin: usize| {
            let (octave, part) = (bin >> precision, bin as u64 & ((1 << precision) - 1));
            // The first whole number in a bin, and the first behind it: no value at all, in low octaves.
            let begin = |part: u64| (((1 << precision) + part) << octave).div_ceil(1 << precision);
            let (lowest, behind) = (begin(part), begin(part + 1));
            let cell = layout.search(lowest);
            let above = layout.highest(cell) + 1;
            let carries_at = if above < behind { above } else { 1 << VALUE_BITS };
            ((cell as u64 + 1) << VALUE_BITS) - carries_at
        };
        let last = Self::bin(shift, layout.max().min(INDEXED_MAX));
        Self { entries: (0..=last - Self::bin(shift, 1)).map(entry).collect(), shift }
    }

    /// The bin of a value above zero and up to [`EXACT_MAX`](super::EXACT_MAX), counted from that of the smallest `f64`.
    #[inline(always)]
    pub(crate) fn bin(shift: u32, value: u64) -> usize {
        ((value.cast_signed() as f64).to_bits() >> shift) as usize
    }

    /// The cell of a value, from its bin's entry.
    #[inline(always)]
    pub(crate) fn cell(entry: u64, value: u64) -> u32 {
        (entry.wrapping_add(value) >> VALUE_BITS) as u32
    }

    pub(crate) fn shift(&self) -> u32 {
        self.shift
    }

    /// The entries of the bins from that of 1 on.
    pub(crate) fn entries(&self) -> &[u64] {
        &self.entries
    }

    /// The cell of a value that has an entry.
    pub(super) fn get(&self, value: u64) -> Option<usize> {
        if value == 0 || value > INDEXED_MAX {
            return None;
        }
        let entry = self.entries.get(Self::bin(self.shift, value) - Self::bin(self.shift, 1))?;
        Some(Self::cell(*entry, value) as usize)
    }
}

/// Marks the branch that calls it as the one to move out of the way of most recordings.
#[cold]
#[inline(always)]
pub(crate) const fn out_of_line() {}
