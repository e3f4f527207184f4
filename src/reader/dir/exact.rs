//! Sums of floats that do not depend on the order of what is added: a total that moves from a dead process's file into
//! the folded one is added in another place, and must not fall by a rounding.

use smallvec::SmallVec;

/// A sum without rounding: its parts do not overlap, are in ascending order of their size, and none is zero.
#[derive(Clone, Debug, Default)]
pub(super) struct Exact(SmallVec<[f64; 2]>);

impl Exact {
    /// Adds a number. What is no total of a counter, NaN, infinite or negative, adds nothing.
    pub(super) fn add(&mut self, value: f64) {
        if value.is_finite() && value > 0.0 {
            self.include(value);
        }
    }

    fn include(&mut self, value: f64) {
        let mut carried = value;
        let mut parts = SmallVec::new();
        for &part in &self.0 {
            let (sum, rest) = sum(carried, part);
            if rest != 0.0 {
                parts.push(rest);
            }
            carried = sum;
        }
        if carried != 0.0 {
            parts.push(carried);
        }
        self.0 = parts;
    }

    /// The float that is nearest to the sum. Of two sums the larger one never has the smaller float.
    pub(super) fn nearest(&self) -> f64 {
        let mut parts = self.0.iter().rev();
        let mut total = parts.next().copied().unwrap_or(0.0);
        for &part in parts.by_ref() {
            let rest;
            (total, rest) = sum(total, part);
            if rest != 0.0 {
                // Half way between two floats: what is below decides.
                let next = parts.next().copied().unwrap_or(0.0);
                let (twice, same_side) = (rest * 2.0, next != 0.0 && (rest > 0.0) == (next > 0.0));
                if same_side && (total + twice) - total == twice {
                    total += twice;
                }
                break;
            }
        }
        // Beyond the largest float the parts say nothing.
        if total.is_finite() { total } else { f64::MAX }
    }

    /// A float that is not below the sum, at most one above the nearest.
    pub(super) fn not_below(&self) -> f64 {
        let nearest = self.nearest();
        let mut rest = self.clone();
        rest.include(-nearest);
        let is_above = rest.0.last().is_some_and(|part| *part > 0.0);
        if is_above && nearest < f64::MAX { nearest.next_up() } else { nearest }
    }
}

/// The rounded sum, and what the rounding left out.
fn sum(a: f64, b: f64) -> (f64, f64) {
    let (large, small) = if a.abs() < b.abs() { (b, a) } else { (a, b) };
    let total = large + small;
    (total, small - (total - large))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exact(values: &[f64]) -> Exact {
        let mut sum = Exact::default();
        values.iter().for_each(|value| sum.add(*value));
        sum
    }

    #[test]
    fn what_is_no_total_adds_nothing_and_too_much_is_the_largest() {
        assert_eq!(exact(&[1.5, f64::NAN, f64::INFINITY, -2.0, -0.0]).nearest(), 1.5);
        assert_eq!(exact(&[]).nearest(), 0.0);
        let huge = exact(&[f64::MAX, f64::MAX, 1.0]);
        assert_eq!((huge.nearest(), huge.not_below()), (f64::MAX, f64::MAX));
    }

    #[test]
    fn ties_are_decided_by_what_is_below() {
        let one = 1.0_f64;
        let half = f64::EPSILON / 2.0;
        assert_eq!(exact(&[one, half]).nearest(), 1.0);
        assert_eq!(exact(&[one, half, 1e-30]).nearest(), one.next_up());
        assert_eq!(exact(&[one, half]).not_below(), one.next_up());
        assert_eq!(exact(&[one, 2.0 * half]).not_below(), one.next_up());
    }

    proptest! {
        #[test]
        fn order_and_folding_never_make_it_fall(
            values in prop::collection::vec((0_u32..60, 0_u64..1 << 53), 1..12),
            split in 0_usize..12,
        ) {
            let values: Vec<f64> = values.iter().map(|(down, whole)| *whole as f64 / (1_u64 << down) as f64).collect();
            let total = exact(&values).nearest();
            // In 128-bit fixed point, where the sum is exact: 2^53 with 60 digits behind the point.
            let fixed: u128 = values.iter().map(|value| (value * (1_u64 << 60) as f64) as u128).sum();
            prop_assert_eq!(total, fixed as f64 / (1_u64 << 60) as f64);
            let backwards: Vec<f64> = values.iter().rev().copied().collect();
            prop_assert_eq!(exact(&backwards).nearest(), total);
            let (gone, alive) = values.split_at(split.min(values.len()));
            let folded = exact(gone).not_below();
            let mut after = exact(alive);
            after.add(folded);
            prop_assert!(after.nearest() >= total);
        }
    }
}
