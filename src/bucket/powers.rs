//! Where the buckets of a native schema end, counted in ticks: `2^(j/N) / tick`, with as many bits as it takes to round
//! it down correctly.
//!
//! Here a number from 1 up to 2 is a [`Natural`] of so many words: its highest bit is the one.

use super::Decimal;
use super::natural::Natural;

/// Words with which the ends are worked out at first. They leave one in 2^120 undecided.
const WORDS: usize = 3;
/// How far below the truth an end may be, in units of its last place: it is a product of nine roots and a quotient at
/// most, each cut off, and so is each product. That makes less than 64.
const ERROR: u64 = 128;

/// The ends of a schema's buckets, in one octave of ticks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ends {
    /// From 1 up to 2, ascending: 1 is bit 63, and what is below bit 0 is cut off.
    pub(super) mantissas: Vec<u64>,
    /// The bucket that the first of them ends in the octave of one tick, which is the bucket of one tick.
    pub(super) first: i32,
}

impl Ends {
    /// Those of `schema`, for ticks of `tick` of the unit.
    pub(super) fn new(schema: u32, tick: Decimal) -> Self {
        // Powers of two over the tick are quotients, whose digits are exact. All others are irrational: some precision
        // tells each of them from the next mantissa.
        (WORDS..).find_map(|words| Self::with(words, schema, tick)).expect("words do not run out")
    }

    /// `None` where numbers of so many words are too coarse to tell.
    fn with(words: usize, schema: u32, tick: Decimal) -> Option<Self> {
        let (ticks, exponent) = one_over(tick, words);
        let mut mantissas = Vec::with_capacity(1 << schema);
        let mut halved = 0;
        for (j, power) in powers_of_two(schema, words).iter().enumerate() {
            let (end, is_halved) = if j == 0 { (ticks.clone(), false) } else { product(power, &ticks, words) };
            // Where all lower bits are ones the truth may be the next mantissa.
            if j > 0 && end.may_carry(ERROR) {
                return None;
            }
            halved += usize::from(is_halved);
            mantissas.push(end.highest_word());
        }
        // The last ones lie in the octave that follows: in this one lie those with the same mantissas an octave below.
        mantissas.rotate_right(halved);
        Some(Self { mantissas, first: -(exponent << schema) - halved as i32 })
    }
}

/// `1 / tick` as a number from 1 up to 2, cut off, times a power of two: that number, and the exponent.
fn one_over(tick: Decimal, words: usize) -> (Natural, i32) {
    let (digits, power) = tick.parts();
    let (mut dividend, mut divisor) = (Natural::from(1), Natural::from(digits));
    for _ in 0..power.unsigned_abs() {
        if power < 0 { dividend.multiply(10) } else { divisor.multiply(10) }
    }
    let mut exponent = 0;
    while dividend < divisor {
        dividend.double();
        exponent -= 1;
    }
    loop {
        let mut doubled = divisor.clone();
        doubled.double();
        if doubled > dividend {
            break;
        }
        (divisor, exponent) = (doubled, exponent + 1);
    }
    let mut quotient = Natural::from(0);
    for _ in 0..words * 64 {
        quotient.double();
        if dividend >= divisor {
            dividend.subtract(&divisor);
            quotient.set_bit(0);
        }
        dividend.double();
    }
    (quotient, exponent)
}

/// `2^(j/N)` for each `j` below `N = 2^schema`, cut off.
fn powers_of_two(schema: u32, words: usize) -> Vec<Natural> {
    let one = Natural::power_of_two(words * 64 - 1);
    let mut powers = vec![one.clone()];
    let mut root = Natural::power_of_two(words * 64);
    for _ in 0..schema {
        root = square_root(&root, words);
        // Between two powers that are there, and after the last, goes the one before it times the new root.
        let between = |power: &Natural| if *power == one { root.clone() } else { product(power, &root, words).0 };
        powers = powers.iter().flat_map(|power| [power.clone(), between(power)]).collect();
    }
    powers
}

/// The square root of a number up to 2, cut off.
fn square_root(number: &Natural, words: usize) -> Natural {
    let number = number.shifted(words);
    let mut root = Natural::power_of_two(words * 64 - 1);
    for bit in (0..words * 64 - 1).rev() {
        let mut larger = root.clone();
        larger.set_bit(bit);
        let mut square = larger.times(&larger);
        square.double();
        if square <= number {
            root = larger;
        }
    }
    root
}

/// The product of two numbers from 1 up to 2, cut off, and whether it was halved to be one of them again.
fn product(a: &Natural, b: &Natural, words: usize) -> (Natural, bool) {
    let mut product = a.times(b);
    let is_halved = product.bits() == words * 128;
    if !is_halved {
        product.double();
    }
    (product.without(words), is_halved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_decides_little_and_three_what_four_do() {
        let mut undecided = 0;
        for tick in [1e-9, 1e-3, 1.0, 2.5, 0.3, 1e300, 5e-324, f64::MAX, 1.0 / 3.0, 0.5, 1024.0] {
            for schema in 0..=8 {
                let tick = Decimal::of(tick);
                let ends = Ends::with(3, schema, tick).expect("no tick here is hard");
                assert_eq!(Ends::with(4, schema, tick).as_ref(), Some(&ends));
                assert!((1..).find_map(|words| Ends::with(words, schema, tick)) == Some(ends));
                undecided += u32::from(Ends::with(1, schema, tick).is_none());
            }
        }
        // All but those of schema 0, which are quotients.
        assert_eq!(undecided, 11 * 8);
    }

    #[test]
    fn the_ends_of_ticks_of_one_are_the_powers() {
        let Ends { mantissas, first } = Ends::new(2, Decimal::of(1.0));
        assert_eq!(first, 0);
        // 2^(j/4) · 2^63, rounded down.
        let squared = |mantissa: u64| u128::from(mantissa) * u128::from(mantissa);
        assert_eq!(mantissas[0], 1 << 63);
        assert!(squared(mantissas[2]) < 1 << 127 && squared(mantissas[2] + 1) > 1 << 127);
        let fourth = |mantissa: u64| squared((squared(mantissa) >> 63) as u64);
        assert!((fourth(mantissas[1]) as f64 / 2_f64.powi(127) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn the_bucket_of_one_tick_is_that_of_the_tick() {
        // 1e-9 = 2^-29.897…; 2.5 = 2^1.32…; a power of two ends its bucket.
        for (tick, schema, first) in
            [(1e-9, 0, -29), (1e-9, 4, -478), (2.5, 0, 2), (2.5, 3, 11), (0.5, 5, -32), (4.0, 1, 4)]
        {
            assert_eq!(Ends::new(schema, Decimal::of(tick)).first, first, "{tick} {schema}");
        }
    }
}
