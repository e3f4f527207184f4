//! Whole numbers of any size, with just the operations that [`super::powers`] needs.

use std::cmp::Ordering;

/// A whole number: its words, the lowest first, without zeros at the high end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Natural(Vec<u64>);

impl From<u128> for Natural {
    fn from(value: u128) -> Self {
        Self(vec![value as u64, (value >> 64) as u64]).trimmed()
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_length = self.0.len().cmp(&other.0.len());
        by_length.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

impl Natural {
    pub(super) fn power_of_two(exponent: usize) -> Self {
        let mut words = vec![0; exponent / 64];
        words.push(1 << (exponent % 64));
        Self(words)
    }

    fn trimmed(mut self) -> Self {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    /// How many bits there are up to the highest that is set.
    pub(super) fn bits(&self) -> usize {
        self.0.last().map_or(0, |word| self.0.len() * 64 - word.leading_zeros() as usize)
    }

    pub(super) fn multiply(&mut self, factor: u64) {
        let mut carry = 0;
        for word in &mut self.0 {
            let product = u128::from(*word) * u128::from(factor) + carry;
            (*word, carry) = (product as u64, product >> 64);
        }
        if carry > 0 {
            self.0.push(carry as u64);
        }
    }

    pub(super) fn double(&mut self) {
        self.multiply(2);
    }

    pub(super) fn times(&self, other: &Self) -> Self {
        let mut words = vec![0_u64; self.0.len() + other.0.len()];
        for (at, here) in self.0.iter().enumerate() {
            let mut carry = 0;
            for (word, there) in words[at..].iter_mut().zip(&other.0) {
                let sum = u128::from(*here) * u128::from(*there) + u128::from(*word) + carry;
                (*word, carry) = (sum as u64, sum >> 64);
            }
            words[at + other.0.len()] = carry as u64;
        }
        Self(words).trimmed()
    }

    /// Takes away `other`, which must not be larger.
    pub(super) fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (at, word) in self.0.iter_mut().enumerate() {
            let (less, first) = word.overflowing_sub(other.0.get(at).copied().unwrap_or(0));
            let (less, second) = less.overflowing_sub(u64::from(borrow));
            (*word, borrow) = (less, first || second);
        }
        debug_assert!(!borrow, "what is taken away is not larger");
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// Sets a bit at or below the highest that is set; of zero, the lowest.
    pub(super) fn set_bit(&mut self, bit: usize) {
        if self.0.is_empty() {
            self.0.push(0);
        }
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    /// With so many zero words more at the low end.
    pub(super) fn shifted(&self, words: usize) -> Self {
        Self([vec![0; words], self.0.clone()].concat()).trimmed()
    }

    /// Without so many words at the low end.
    pub(super) fn without(&self, words: usize) -> Self {
        Self(self.0.get(words..).unwrap_or_default().to_vec())
    }

    pub(super) fn highest_word(&self) -> u64 {
        self.0.last().copied().unwrap_or(0)
    }

    /// Whether adding `n` would change the highest word.
    pub(super) fn may_carry(&self, n: u64) -> bool {
        match &self.0[..self.0.len().saturating_sub(1)] {
            [] => true,
            [lowest, others @ ..] => lowest.checked_add(n).is_none() && others.iter().all(|word| *word == u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigUint;

    fn theirs(number: &Natural) -> BigUint {
        let bytes: Vec<u8> = number.0.iter().flat_map(|word| word.to_le_bytes()).collect();
        BigUint::from_bytes_le(&bytes)
    }

    proptest::proptest! {
        #[test]
        fn operations_are_those_of_num_bigint(
            a in proptest::collection::vec(proptest::prop_oneof![0..3_u64, u64::MAX - 2..=u64::MAX, 0..=u64::MAX], 0..6),
            b in proptest::collection::vec(proptest::prop_oneof![0..3_u64, u64::MAX - 2..=u64::MAX, 0..=u64::MAX], 0..6),
            n in 1..=u64::MAX,
        ) {
            let (a, b) = (Natural(a).trimmed(), Natural(b).trimmed());
            proptest::prop_assert_eq!(theirs(&a.times(&b)), theirs(&a) * theirs(&b));
            proptest::prop_assert_eq!(a.cmp(&b), theirs(&a).cmp(&theirs(&b)));
            let (mut difference, less) = if a >= b { (a.clone(), &b) } else { (b.clone(), &a) };
            difference.subtract(less);
            proptest::prop_assert_eq!(theirs(&difference) + theirs(less), theirs(&a).max(theirs(&b)));
            proptest::prop_assert_eq!(difference.clone().trimmed(), difference);
            let mut product = a.clone();
            product.multiply(n);
            proptest::prop_assert_eq!(theirs(&product), theirs(&a) * n);
            proptest::prop_assert_eq!(a.bits() as u64, theirs(&a).bits());
            proptest::prop_assert_eq!(theirs(&a.shifted(2)), theirs(&a) << 128);
            proptest::prop_assert_eq!(theirs(&a.without(2)), theirs(&a) >> 128);
        }
    }

    #[test]
    fn a_carry_reaches_the_highest_word_only_through_ones() {
        let number = |words: &[u64]| Natural(words.to_vec());
        assert!(number(&[7]).may_carry(1));
        assert!(number(&[u64::MAX, 7]).may_carry(1) && !number(&[u64::MAX - 1, 7]).may_carry(1));
        assert!(number(&[u64::MAX - 5, u64::MAX, 7]).may_carry(6));
        assert!(!number(&[u64::MAX - 5, u64::MAX - 1, 7]).may_carry(6));
    }
}
