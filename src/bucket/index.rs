//! The cell of a value, for recordings: one table load and one addition, whatever the layout.
//!
//! The upper bits of a value as an `f64`, its octave and the first bits of its mantissa, count cells of equal width. Of
//! a layout of digits these are its cells. Exponential cells begin elsewhere, but in every octave alike: so the octave is
//! cut into bins of half that width, and a table says what to add to the bits in each bin. No bin holds the ends of two
//! cells (see [`super::Exponential`]): where one ends there, what is added makes the sum carry into the counted bits at
//! the first mantissa above the end, and elsewhere nowhere. All of it is exact, as a value up to
//! [`EXACT_MAX`](super::EXACT_MAX) is an `f64`.

use super::exponential::SCHEMA_MAX;
use super::layout::{EXPONENT_BIAS, MANTISSA_BITS};
use std::sync::{Arc, LazyLock};

/// How many bins the table has: those of an octave of the finest schema. Coarser ones have those of several octaves,
/// each alike, so that no recording needs to know how many there are.
const BINS: usize = 2 << SCHEMA_MAX;

/// The table of layouts whose cells are of equal width.
static EQUAL: LazyLock<Arc<[u64; BINS]>> = LazyLock::new(|| Arc::new([0; BINS]));

/// From a value to its cell, by arithmetic that all layouts share. In 16 bytes, cloned for each histogram.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// By bin: what to add to an `f64`'s bits.
    table: Arc<[u64; BINS]>,
    /// By how much the counted cells exceed the index.
    bias: u32,
    /// Below this a value is its own index.
    linear: u16,
    /// How far an `f64`'s bits are shifted to count bins, two for each cell of equal width.
    shift: u8,
}

impl Index {
    /// `2^precision` cells of equal width in an octave, from `2^precision` on; below that a value is its own index.
    pub(super) fn of_equal(precision: u32) -> Self {
        let linear = 1 << precision;
        let bias = ((EXPONENT_BIAS + u64::from(precision)) << precision) - linear;
        Self::new(EQUAL.clone(), precision, bias, linear)
    }

    /// Cells that end at `ends` in each octave: `2^precision` mantissas with the leading one as bit 63, rounded down.
    /// Before them a cell for zero.
    pub(super) fn of_ends(precision: u32, ends: &[u64]) -> Self {
        let width = 1 << (MANTISSA_BITS - precision);
        let entry = |bin: usize| {
            let start = (bin as u64 & ((2 << precision) - 1)) * (width / 2);
            // Those an `f64` has, without the leading one. A value has as many, and is above an end where it is above
            // the end rounded down.
            let mut ends = ends.iter().map(|end| end << 1 >> (u64::BITS - MANTISSA_BITS));
            let below = ends.clone().take_while(|end| *end < start).count() as u64;
            let carries_at = ends.nth(below as usize).filter(|end| *end < start + width / 2).map(|end| end + 1);
            // At what mantissa this cell, or else the next one, is to begin in the sum: either no further from those of
            // the bin than the width.
            let (cell, at) = carries_at.map_or((below, start), |at| (below + 1, at));
            ((cell + 1) * width).wrapping_sub(at)
        };
        Self::new(Arc::new(std::array::from_fn(entry)), precision, EXPONENT_BIAS << precision, 1)
    }

    fn new(table: Arc<[u64; BINS]>, precision: u32, bias: u64, linear: u64) -> Self {
        let shift = MANTISSA_BITS - 1 - precision;
        Self { table, bias: bias as u32, linear: linear as u16, shift: shift as u8 }
    }

    /// What [`Index::biased`] adds to an index, modulo 2^32.
    pub(crate) fn bias(&self) -> u32 {
        self.bias
    }

    /// The cell that holds `value`, which must not exceed [`EXACT_MAX`](super::EXACT_MAX), plus [`Index::bias`], modulo
    /// 2^32: whoever adds something to the index anyway need not take the bias away first.
    #[inline(always)]
    pub(crate) fn biased(&self, value: u64) -> u32 {
        if value < u64::from(self.linear) {
            // Latencies are large numbers.
            out_of_line();
            return (value as u32).wrapping_add(self.bias);
        }
        let bits = (value.cast_signed() as f64).to_bits();
        let sum = bits.wrapping_add(self.table[(bits >> self.shift) as usize % BINS]);
        (sum >> self.shift >> 1) as u32
    }

    /// The cell that holds `value`, which must not exceed [`EXACT_MAX`](super::EXACT_MAX).
    #[inline(always)]
    pub(crate) fn exact(&self, value: u64) -> usize {
        self.biased(value).wrapping_sub(self.bias) as usize
    }
}

/// Marks the branch that calls it as the one to move out of the way of most recordings.
#[cold]
#[inline(always)]
pub(crate) const fn out_of_line() {}
