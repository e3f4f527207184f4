//! Value ⇄ cell of a histogram that was declared with digits: pure arithmetic, no state.
//!
//! The layout is HdrHistogram's, cell for cell that of the `hdrhistogram` crate with lowest discernible value 1 and the
//! same number of significant digits. With `p` precision bits, values below `2^(p+1)` have a cell each; from there on
//! every octave `[2^e, 2^(e+1))` has `2^p` cells of equal width `2^(e-p)`:
//!
//! ```text
//! value    0 .. 2^(p+1)      one cell each
//!          2^(p+1) ..        2^p cells of width 2
//!          2^(p+2) ..        2^p cells of width 4, and so on
//! index    (e-p)·2^p + (v >> (e-p)),   e = floor(log2 v), for v ≥ 2^p;   v below that
//! ```
//!
//! The exponent and the top `p` bits after the leading one are just what the top bits of an `f64` hold, so the index is
//! one conversion and one shift. That is half the cost of `leading_zeros` where it compiles to `bsr` (x86-64 baseline).

use super::index::out_of_line;
use super::layout::{EXPONENT_BIAS, MANTISSA_BITS, MAX_TICKS};

/// The cells of one histogram: their number, and which value belongs to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogLinear {
    /// `2^p`: below this a value is its own index.
    linear: u64,
    /// `52 - p`: how far an `f64`'s bits are shifted.
    shift: u32,
    /// By how much the shifted bits exceed the index.
    bias: u64,
    /// The largest value that is not clamped, in ticks.
    max: u64,
}

impl LogLinear {
    /// A layout with `digits` significant decimal digits (1 to 3) for values up to `max` ticks.
    ///
    /// A cell is at most `10^-digits` of its value wide.
    pub(crate) const fn new(digits: u8, max: u64) -> Self {
        assert!(digits >= 1 && digits <= 3, "digits are checked at registration");
        assert!(max >= 1 && max <= MAX_TICKS, "the maximum is checked at registration");
        // As HdrHistogram: 2 · 10^digits sub-buckets, rounded up to a power of two, half of them per octave.
        let sub_buckets = (2 * 10_u64.pow(digits as u32)).next_power_of_two();
        let precision = sub_buckets.trailing_zeros() - 1;
        let linear = 1 << precision;
        Self {
            linear,
            shift: MANTISSA_BITS - precision,
            bias: ((EXPONENT_BIAS + precision as u64) << precision) - linear,
            max,
        }
    }

    /// The largest value that is not clamped, in ticks.
    pub(super) fn max(&self) -> u64 {
        self.max
    }

    /// The cell that holds `value`, which must not exceed [`MAX_TICKS`].
    pub(super) fn index(&self, value: u64) -> usize {
        // Clearing the bits that lie 12 below a set one keeps the conversion, which rounds beyond 2^53, from carrying
        // into the bits that make the index: the top 11 stay as they are, and no run of ones reaches the last place.
        // Values below 2^12 lose nothing by it.
        self.biased(value & !(value >> 12)).wrapping_sub(self.bias()) as usize
    }

    /// What [`LogLinear::biased`] adds to an index, modulo 2^32.
    pub(crate) const fn bias(&self) -> u32 {
        self.bias as u32
    }

    /// The cell that holds `value`, which must not exceed [`EXACT_MAX`](super::EXACT_MAX), plus [`LogLinear::bias`],
    /// modulo 2^32: whoever adds something to the index anyway need not take the bias away first.
    #[inline(always)]
    pub(crate) const fn biased(&self, value: u64) -> u32 {
        if value < self.linear {
            out_of_line();
            return (value + self.bias) as u32;
        }
        ((value as i64 as f64).to_bits() >> self.shift) as u32
    }

    /// The smallest value of a cell, in ticks.
    pub(super) fn lowest(&self, index: usize) -> u64 {
        let (index, octave) = self.octave(index);
        (index - octave * self.linear) << octave
    }

    /// The largest value of a cell, in ticks.
    pub(super) fn highest(&self, index: usize) -> u64 {
        let (_, octave) = self.octave(index);
        self.lowest(index) + ((1 << octave) - 1)
    }

    /// Whether a cell of both is the same cell.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.shift == other.shift
    }

    /// How often the cell width has doubled at `index`.
    fn octave(&self, index: usize) -> (u64, u64) {
        let index = index as u64;
        (index, (index / self.linear).saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges() -> impl Iterator<Item = u64> {
        (0..62).flat_map(|bit| {
            let power = 1_u64 << bit;
            [power.wrapping_sub(1), power, power + 1, power + power / 3]
        })
    }

    #[test]
    fn a_cell_holds_exactly_the_values_between_its_bounds() {
        for digits in 1..=3 {
            let layout = LogLinear::new(digits, MAX_TICKS);
            for value in edges().chain([MAX_TICKS, (1 << 53) + 1, (1 << 54) - 1, (1 << 61) - 1]) {
                let index = layout.index(value);
                assert!(layout.lowest(index) <= value && value <= layout.highest(index), "{digits} {value}");
                assert_eq!(layout.index(layout.lowest(index)), index, "{digits} {value}");
                assert_eq!(layout.index(layout.highest(index)), index, "{digits} {value}");
                if index < layout.index(MAX_TICKS) {
                    assert_eq!(layout.highest(index) + 1, layout.lowest(index + 1), "{digits} {value}");
                }
            }
        }
    }

    #[test]
    fn the_index_is_that_of_the_hdrhistogram_crate() {
        for digits in 1..=3 {
            let layout = LogLinear::new(digits, MAX_TICKS);
            let mut theirs = hdrhistogram::Histogram::<u64>::new_with_bounds(1, MAX_TICKS, digits).unwrap();
            for value in edges().chain([MAX_TICKS]) {
                let index = layout.index(value);
                assert_eq!(layout.lowest(index), theirs.lowest_equivalent(value), "{digits} {value}");
                assert_eq!(layout.highest(index), theirs.highest_equivalent(value), "{digits} {value}");
                // The crate keeps its index to itself, but its iterator over every recorded cell counts them.
                theirs.reset();
                theirs.record(value).unwrap();
                let cells = theirs.iter_all().take_while(|step| step.count_since_last_iteration() == 0).count();
                assert_eq!(cells, index, "{digits} {value}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_value_lies_in_its_cell(value in 0..=MAX_TICKS, digits in 1..=3_u8, cut in 0..62_u32) {
            let layout = LogLinear::new(digits, MAX_TICKS);
            let value = value >> cut;
            let index = layout.index(value);
            let theirs = hdrhistogram::Histogram::<u64>::new_with_bounds(1, MAX_TICKS, digits).unwrap();
            proptest::prop_assert_eq!(layout.lowest(index), theirs.lowest_equivalent(value));
            proptest::prop_assert_eq!(layout.highest(index), theirs.highest_equivalent(value));
        }
    }
}
