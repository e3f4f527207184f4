//! The decimal number that a float was written as.
//!
//! `0.025` is no binary fraction, yet whoever declares the bound 0.025 s and records nanoseconds means 25,000,000 of
//! them exactly. The shortest decimal that reads back as the float is what was written; the division is done on that.

/// `digits · 10^exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    digits: u128,
    exponent: i32,
}

impl Decimal {
    /// The shortest decimal that reads back as `value`, which must be finite and not negative.
    pub(crate) fn of(value: f64) -> Self {
        assert!(value.is_finite() && value >= 0.0, "bounds, ticks and maxima are checked before");
        // `{:e}` prints the shortest digits: `2.5e-2`; and a sign before minus zero, which adding zero takes away.
        let text = format!("{:e}", value + 0.0);
        let (mantissa, exponent) = text.split_once('e').expect("{:e} always prints an exponent");
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}").parse().expect("17 digits at most");
        let exponent: i32 = exponent.parse().expect("within 400");
        Self { digits, exponent: exponent - fraction.len() as i32 }
    }

    /// `self · 10^power`.
    pub(crate) fn shifted(self, power: i32) -> Self {
        Self { digits: self.digits, exponent: self.exponent.saturating_add(power) }
    }

    /// The digits, and the power of ten by which they are multiplied.
    pub(super) fn parts(self) -> (u128, i32) {
        (self.digits, self.exponent)
    }

    /// The nearest float; infinite beyond the largest.
    pub(crate) fn value(self) -> f64 {
        format!("{}e{}", self.digits, self.exponent).parse().expect("digits and an exponent are a float")
    }

    /// `self / unit`, rounded down; `None` beyond `u64`, or when `unit` is zero.
    pub(crate) fn divided_by(self, unit: Self) -> Option<u64> {
        let shift = self.exponent - unit.exponent;
        let power = 10_u128.checked_pow(shift.unsigned_abs());
        let quotient = if shift >= 0 {
            if self.digits == 0 { 0 } else { self.digits.checked_mul(power?)?.checked_div(unit.digits)? }
        } else {
            // A divisor beyond u128 exceeds every dividend here.
            match power.and_then(|power| unit.digits.checked_mul(power)) {
                Some(divisor) => self.digits.checked_div(divisor)?,
                None => 0,
            }
        };
        u64::try_from(quotient).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(value: f64, tick: f64) -> Option<u64> {
        Decimal::of(value).divided_by(Decimal::of(tick))
    }

    #[test]
    fn decimals_are_divided_as_they_were_written() {
        assert_eq!(ticks(0.025, 1e-9), Some(25_000_000));
        assert_eq!(ticks(0.3, 1e-9), Some(300_000_000));
        assert_eq!(ticks(2560.0, 1e-9), Some(2_560_000_000_000));
        assert_eq!(ticks(0.1, 0.3), Some(0));
        assert_eq!(ticks(1.5, 1.0), Some(1));
        assert_eq!(ticks(0.0, 1e-300), Some(0));
        assert_eq!(ticks(-0.0, 1.0), Some(0));
        assert_eq!(ticks(7.0, 2.5), Some(2));
        assert_eq!(ticks(1e300, 1.0), None);
        assert_eq!(ticks(1e-300, 1.0), Some(0));
        assert_eq!(ticks(1.0, 0.0), None);
    }

    #[test]
    fn the_point_is_moved_as_on_paper() {
        let moved = |value: f64, power| Decimal::of(value).shifted(power).value();
        assert_eq!((moved(300.0, -3), moved(0.3, 3), moved(1e-6, -3)), (0.3, 300.0, 1e-9));
        assert_eq!((moved(12.3, -2), moved(0.0, 5), moved(1.0, 400)), (0.123, 0.0, f64::INFINITY));
    }
}
