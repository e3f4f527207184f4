//! Runs of buckets, as Prometheus' formats have those of native histograms.

/// Buckets that are not empty, ascending, as spans and counts. A span has its distance from the one before (the first its
/// index) and its length; up to `gap_max` empty buckets in a row are part of one, with counts of zero.
pub(super) fn split(
    buckets: impl Iterator<Item = (i32, u64)>,
    gap_max: i32,
    spans: &mut Vec<(i32, u32)>,
    counts: &mut Vec<u64>,
) {
    spans.clear();
    counts.clear();
    // The span that goes on, if it has a length.
    let (mut offset, mut length, mut next) = (0, 0, 0);
    for (index, count) in buckets {
        let gap = index - next;
        if length > 0 && gap <= gap_max {
            (0..gap).for_each(|_| counts.push(0));
            length += gap.unsigned_abs() + 1;
        } else {
            spans.extend((length > 0).then_some((offset, length)));
            (offset, length) = (gap, 1);
        }
        counts.push(count);
        next = index + 1;
    }
    spans.extend((length > 0).then_some((offset, length)));
}

#[cfg(test)]
mod tests {
    use super::split;

    /// What a reader makes of them.
    fn join(spans: &[(i32, u32)], counts: &[u64]) -> Vec<(i32, u64)> {
        let (mut index, mut counts) = (0, counts.iter());
        let mut buckets = Vec::new();
        for (offset, length) in spans {
            index += offset;
            for _ in 0..*length {
                buckets.push((index, *counts.next().unwrap()));
                index += 1;
            }
        }
        assert!(counts.next().is_none());
        buckets
    }

    #[test]
    fn short_gaps_are_empty_buckets_and_longer_ones_end_a_span() {
        let (mut spans, mut counts) = (vec![(9, 9)], vec![9]);
        let buckets = [(-3, 5), (-2, 2), (1, 7), (5, 1)];
        split(buckets.into_iter(), 2, &mut spans, &mut counts);
        assert_eq!((&*spans, &*counts), (&[(-3, 5), (3, 1)][..], &[5, 2, 0, 0, 7, 1][..]));
        split(buckets.into_iter(), 1, &mut spans, &mut counts);
        assert_eq!((&*spans, &*counts), (&[(-3, 2), (2, 1), (3, 1)][..], &[5, 2, 7, 1][..]));
        split(std::iter::empty(), 2, &mut spans, &mut counts);
        assert_eq!((spans.len(), counts.len()), (0, 0));
    }

    proptest::proptest! {
        #[test]
        fn any_buckets_read_back(
            buckets in proptest::collection::btree_map(-50..50, 1_u64..=u64::MAX, 0..20),
            gap_max in 1..=2,
        ) {
            let (mut spans, mut counts) = (Vec::new(), Vec::new());
            split(buckets.clone().into_iter(), gap_max, &mut spans, &mut counts);
            let mut found = join(&spans, &counts);
            found.retain(|(_, count)| *count != 0);
            proptest::prop_assert_eq!(found, buckets.into_iter().collect::<Vec<_>>());
        }
    }
}
