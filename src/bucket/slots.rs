//! Which values of a histogram share an exemplar: those of one bucket, or, where no bounds are declared, of one or two
//! doublings. So what is rare because it is large has a place of its own.

use super::Bound;

/// The most slots that a histogram has. Of more buckets neighbours share one.
pub(crate) const SLOTS_MAX: usize = 64;
/// The most where there are no bounds.
const OCTAVES_MAX: usize = 32;

/// The slots of a histogram.
#[derive(Debug)]
pub(crate) struct Slots {
    /// The largest value, in ticks, of each bucket but the last.
    bounds: Box<[u64]>,
    /// How many buckets or doublings there are, and how many of them share a slot.
    parts: usize,
    each: usize,
}

impl Slots {
    /// For these bounds, ascending, and values up to `max` ticks.
    pub(crate) fn new(bounds: &[Bound], max: u64) -> Self {
        let bounds: Box<[u64]> = bounds.iter().map(|bound| bound.ticks).collect();
        let (parts, most) = match bounds.len() {
            0 => (octave(max) + 1, OCTAVES_MAX),
            len => (len + 1, SLOTS_MAX),
        };
        Self { bounds, parts, each: parts.div_ceil(most) }
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.div_ceil(self.each)
    }

    /// The slot of a value, which never falls as the value rises.
    pub(crate) fn index(&self, value: u64) -> usize {
        let part = match &*self.bounds {
            [] => octave(value).min(self.parts - 1),
            bounds => bounds.partition_point(|bound| *bound < value),
        };
        part / self.each
    }
}

/// 0 for 0 and 1, then one more for each doubling.
fn octave(value: u64) -> usize {
    value.max(1).ilog2() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(bounds: impl Iterator<Item = u64>, max: u64) -> Slots {
        let bounds: Vec<_> = bounds.map(|ticks| Bound { value: ticks as f64, ticks }).collect();
        Slots::new(&bounds, max)
    }

    #[test]
    fn each_bucket_has_its_own() {
        let slots = slots([10, 20, 50].into_iter(), 1000);
        assert_eq!(slots.len(), 4);
        let of = [0, 10, 11, 20, 21, 50, 51, u64::MAX].map(|value| slots.index(value));
        assert_eq!(of, [0, 0, 1, 1, 2, 2, 3, 3]);
    }

    #[test]
    fn of_many_buckets_neighbours_share_one() {
        for buckets in [63, 64, 65, 100, 128, 129, 1000] {
            let slots = slots(1..buckets, 2000);
            assert!(slots.len() <= SLOTS_MAX && slots.len() * 2 > buckets.min(64) as usize);
            let of: Vec<usize> = (1..=buckets).map(|value| slots.index(value)).collect();
            assert!(of.is_sorted() && of[0] == 0 && of.last() == Some(&(slots.len() - 1)), "{buckets}: {of:?}");
            assert_eq!(slots.index(u64::MAX), slots.len() - 1);
        }
    }

    #[test]
    fn without_bounds_there_is_one_for_a_doubling_or_two() {
        for max in [1, 2, 1000, 3_600_000_000_000, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 62, u64::MAX] {
            let slots = slots(std::iter::empty(), max);
            assert!((1..=OCTAVES_MAX).contains(&slots.len()));
            assert_eq!(
                (slots.index(0), slots.index(max), slots.index(u64::MAX)),
                (0, slots.len() - 1, slots.len() - 1)
            );
            let mut last = 0;
            for octave in 0..64 {
                let here = slots.index(1 << octave);
                assert!(here == last || here == last + 1);
                last = here;
            }
        }
        let hour = slots(std::iter::empty(), 3_600_000_000_000);
        assert_ne!(hour.index(1_000_000), hour.index(4_000_000));
    }
}
