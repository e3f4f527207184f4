//! Compares a histogram with all the values that it should have.

use super::compare::Comparison;
use tach::HistogramSnapshot;
use tach::serve::Ladder;

/// Two digits: a reported value exceeds the true one by at most this part of it.
const PRECISION: u64 = 100;

const QUANTILES: [f64; 6] = [0.01, 0.5, 0.9, 0.99, 0.999, 1.0];

/// `values` in ticks, ascending.
pub(super) fn compare(
    comparison: &mut Comparison,
    what: &str,
    ladder: &Ladder,
    histogram: &HistogramSnapshot,
    values: &[u64],
) {
    // What is exposed is the ticks times the size of one, as a float: this way back is exact up to 2^51 ticks.
    let ticks = |exposed: f64| (exposed / ladder.tick).round() as u64;
    let count = values.len() as u64;
    comparison.equal(&format!("{what}: the count"), histogram.count(), count);
    let (recorded, sum) = (ticks(histogram.sum()), values.iter().sum());
    let rounded = sum > 1 << 51 && recorded.abs_diff(sum) <= sum >> 51;
    comparison.that(recorded == sum || rounded, || {
        format!("{what}: the sum is {recorded} ticks as recorded, and {sum} in the account")
    });
    comparison.that(histogram.is_exact(), || format!("{what}: the sum is not that of the counted values"));
    comparison.equal(&format!("{what}: values beyond the maximum"), histogram.clamped(), 0);
    let (Some(&min), Some(&max)) = (values.first(), values.last()) else { return };
    comparison.equal(&format!("{what}: the smallest, in ticks"), ticks(histogram.min()), min);
    comparison.equal(&format!("{what}: the largest, in ticks"), ticks(histogram.max()), max);
    for q in QUANTILES {
        let rank = ((q * count as f64).ceil() as usize).clamp(1, values.len());
        let exact = values[rank - 1];
        let reported = ticks(histogram.quantile(q));
        let within = reported >= exact && (reported - exact) * PRECISION <= exact;
        comparison.that(within, || {
            format!("{what}: quantile {q} is reported as {reported} ticks, the value of rank {rank} is {exact}")
        });
    }
    for &bound in ladder.bounds {
        // A hair more, as a decimal bound need not be a float.
        let limit = (bound / ladder.tick * (1.0 + 1e-12)).floor() as u64;
        let below = values.partition_point(|value| *value <= limit) as u64;
        comparison.equal(&format!("{what}: values up to {bound}"), histogram.bucket_count_le(bound), below);
    }
}
