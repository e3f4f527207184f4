//! Target `bucket`: histograms against the `hdrhistogram` crate, against plain counting, and against the definition of
//! native buckets in whole numbers.

use crate::model::in_powers;
use arbitrary::{Arbitrary, Result, Unstructured};
use hdrhistogram::Histogram as Hdr;
use num_bigint::BigUint;
use std::fmt;
use tach::{HistogramSnapshot, Recording, Registry, SpanContext};

/// A histogram with ticks of one and without a unit, and what is recorded to it.
#[derive(Clone, Debug)]
struct Input {
    digits: u8,
    max: f64,
    bounds: Vec<f64>,
    sync: bool,
    /// Recorded, value and how often, before a snapshot and after it.
    before: Vec<(u64, u64)>,
    after: Vec<(u64, u64)>,
    quantiles: Vec<f64>,
    /// In place of digits.
    schema: Option<u8>,
}

const VALUES_MAX: usize = 48;
/// Above this a float cannot hold every whole number, and what a bound is depends on how it is written.
const WHOLE_END: u64 = 1 << 53;

fn value(u: &mut Unstructured, bounds: &[f64]) -> Result<u64> {
    if !bounds.is_empty() && u.arbitrary()? {
        // At a bound and beside it, where it matters.
        let bound = *u.choose(bounds)? as u64;
        return Ok(bound.saturating_add(u.int_in_range(0..=2)?).saturating_sub(1));
    }
    Ok(u.arbitrary::<u64>()? >> u.int_in_range(0..=63)?)
}

fn values(u: &mut Unstructured, bounds: &[f64]) -> Result<Vec<(u64, u64)>> {
    let len = u.int_in_range(0..=VALUES_MAX)?;
    (0..len)
        .map(|_| {
            let times = if u.arbitrary()? { 1 } else { u64::from(u.arbitrary::<u32>()?) };
            Ok((value(u, bounds)?, times))
        })
        .collect()
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let digits = u.int_in_range(1..=3)?;
        let max = (u.arbitrary::<u64>()? >> u.int_in_range(2..=62)?).max(1) as f64;
        let len = u.int_in_range(0..=8)?;
        let mut bounds = Vec::with_capacity(len);
        for _ in 0..len {
            let whole = (u.arbitrary::<u64>()? >> u.int_in_range(10..=63)?) % WHOLE_END;
            bounds.push(whole as f64 + if u.ratio(1, 4)? { 0.5 } else { 0.0 });
        }
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        // The last bound is the maximum, or a maximum drops the bounds above it.
        let max = match bounds.last() {
            Some(last) if u.ratio(1, 4)? => last.max(1.0),
            _ => max,
        };
        bounds.retain(|bound| *bound <= max);
        let before = values(u, &bounds)?;
        let after = values(u, &bounds)?;
        let quantile = |u: &mut Unstructured| Ok(f64::from(u.arbitrary::<u32>()?) / f64::from(u32::MAX));
        let quantiles = (0..4).map(|_| quantile(u)).collect::<Result<_>>()?;
        let sync = u.arbitrary()?;
        let schema = if u.arbitrary()? { Some(u.int_in_range(0..=6)?) } else { None };
        Ok(Self { digits, max, bounds, sync, before, after, quantiles, schema })
    }
}

/// Runs the recordings that `data` stands for.
///
/// # Panics
///
/// An expectation failed.
pub fn run(data: &[u8]) {
    let Ok(input) = Input::arbitrary(&mut Unstructured::new(data)) else { return };
    let recording = if input.sync { Recording::Sync } else { Recording::Sharded };
    let registry = Registry::builder().recording(recording).build().expect("nothing to refuse");
    let builder = registry.histogram("h").max(input.max).buckets(input.bounds.clone()).exemplars();
    let builder = match input.schema {
        Some(schema) => builder.native_schema(schema),
        None => builder.digits(input.digits),
    };
    let built = builder.build();
    // What a maximum is in ticks: its shortest decimal, which for 2^62 is above what a histogram can hold.
    let ticks = in_powers(input.max, 0);
    let histogram = match built {
        Ok(histogram) => histogram,
        Err(error) => return assert!(ticks >= 1 << 62, "{input:?}: {error}"),
    };
    let limit = u64::try_from(ticks).expect("a maximum that was taken");
    // What is clamped stays above every bound.
    let max = limit.max(input.bounds.last().map_or(0, |last| *last as u64 + 1));

    for (value, times) in &input.before {
        match times {
            1 => histogram.record_with_exemplar(*value, &span(*value)),
            times => histogram.record_n(*value, *times),
        }
    }
    let first = registry.snapshot();
    let mut local = histogram.local();
    input.after.iter().for_each(|(value, times)| local.record_n(*value, *times));
    let second = registry.snapshot();

    let clamp = |values: &[(u64, u64)]| -> Vec<(u64, u64)> {
        values.iter().filter(|(_, times)| *times > 0).map(|(value, times)| ((*value).min(max), *times)).collect()
    };
    let (before, after) = (clamp(&input.before), clamp(&input.after));
    let all = [before.clone(), after.clone()].concat();
    let find = |snapshot: &tach::Snapshot| snapshot.histogram("h", &[]).expect("it is registered").clone();
    check_exemplars(max, &input.before, &find(&first));
    for (values, raw, seen) in [(before, &input.before[..], find(&first)), (all, &[][..], find(&second))] {
        check(&input, max, &values, &seen);
        check_extremes(&values, &seen);
        if !raw.is_empty() {
            let above = raw.iter().filter(|(value, _)| *value > limit).map(|(_, times)| *times).sum::<u64>();
            assert_eq!(seen.clamped(), above);
        }
    }
    // The difference is a histogram of its own, but for its smallest and largest value.
    check(&input, max, &after, &find(&second.since(&first)));
}

/// The span of a value, whose id is the value's.
fn span(value: u64) -> SpanContext {
    SpanContext::new((u128::from(value) + 1).to_be_bytes(), [1; 8]).expect("ids that are not zero")
}

/// Each exemplar is of a value that was recorded once, and they ascend.
fn check_exemplars(max: u64, recorded: &[(u64, u64)], seen: &HistogramSnapshot) {
    let mut last = -1.0;
    for exemplar in seen.exemplars() {
        let value = (u128::from_be_bytes(exemplar.trace_id) - 1) as u64;
        assert!(recorded.contains(&(value, 1)), "{exemplar:?}");
        assert_eq!(exemplar.value, value.min(max) as f64);
        assert!(exemplar.value >= last, "{exemplar:?} after {last}");
        last = exemplar.value;
    }
    assert_eq!(last >= 0.0, recorded.iter().any(|(_, times)| *times == 1));
}

/// Counts, buckets and quantiles of `seen`, which holds `values`, each with its number of times.
fn check(input: &Input, max: u64, values: &[(u64, u64)], seen: &HistogramSnapshot) {
    let count: u64 = values.iter().map(|(_, times)| times).sum();
    assert!(seen.is_exact());
    assert_eq!(seen.count(), count);

    if input.schema.is_none() {
        check_cells(input, max, values, seen);
    }

    let not_above =
        |bound: f64| -> u64 { values.iter().filter(|(value, _)| *value <= bound as u64).map(|(_, times)| times).sum() };
    for &bound in &input.bounds {
        assert_eq!(seen.bucket_count_le(bound), not_above(bound), "le {bound}");
    }
    let buckets: Vec<_> = input.bounds.iter().map(|&bound| (bound, not_above(bound))).collect();
    assert_eq!(seen.buckets().collect::<Vec<_>>(), buckets);
    assert_eq!((seen.bucket_count_le(f64::INFINITY), seen.bucket_count_le(-1.0)), (count, 0));

    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let error = match input.schema {
        Some(schema) => 0.5_f64.powi(schema.into()).exp2() - 1.0,
        None => 10_f64.powi(-i32::from(input.digits)),
    };
    for q in input.quantiles.iter().copied().chain([0.0, 0.5, 0.999, 1.0]) {
        let found = seen.quantile(q);
        if count == 0 {
            assert!(found.is_nan());
            continue;
        }
        let rank = ((q * count as f64).ceil() as u64).clamp(1, count);
        let mut below = 0;
        let exact = sorted.iter().find(|(_, times)| {
            below += times;
            below >= rank
        });
        let exact = exact.expect("a rank up to the count").0 as f64;
        assert!(exact <= found && found <= exact * (1.0 + error) * (1.0 + 1e-15), "quantile {q}: {found} for {exact}");
        if let Some(schema) = input.schema
            && found < WHOLE_END as f64
            && found != seen.max()
            && !input.bounds.iter().any(|bound| bound.floor() == found)
        {
            check_end(exact as u64, found as u64, schema);
        }
        // Undeclared bounds: never too many, and none that is clearly below is missed.
        let bound = exact.min((WHOLE_END - 1) as f64).floor();
        let (here, wanted) = (seen.bucket_count_le(bound), not_above(bound));
        assert!(here <= wanted, "le {bound}: {here} of {wanted}");
        assert!(here >= not_above((bound * (1.0 - error)).floor() - 1.0), "le {bound}: only {here} of {wanted}");
    }
}

/// The cells, which are those of the crate.
fn check_cells(input: &Input, max: u64, values: &[(u64, u64)], seen: &HistogramSnapshot) {
    let mut theirs = Hdr::<u64>::new_with_bounds(1, max.max(2), input.digits).expect("bounds within the crate's range");
    values.iter().for_each(|(value, times)| theirs.record_n(*value, *times).expect("clamped"));
    let ours = seen.to_hdr();
    let shape = |hdr: &Hdr<u64>| (hdr.len(), hdr.distinct_values(), hdr.low(), hdr.high(), hdr.sigfig());
    assert_eq!(shape(&ours), shape(&theirs));
    // Compares all cells.
    assert!(ours == theirs, "{:?} are not {:?}", Cells(&ours), Cells(&theirs));
}

/// The native bucket of a value above zero: the least `i` with `value^N ≤ 2^i`.
fn native_bucket(value: u64, schema: u8) -> u64 {
    (BigUint::from(value).pow(1 << schema) - 1_u32).bits()
}

/// Whether `found`, a quantile that is none of the bounds or the largest value, ends the bucket of `exact`.
fn check_end(exact: u64, found: u64, schema: u8) {
    let own = if exact == 0 { None } else { Some(native_bucket(exact, schema)) };
    assert_eq!(
        own,
        if found == 0 { None } else { Some(native_bucket(found, schema)) },
        "{exact} is counted up to {found}"
    );
    assert!(own < Some(native_bucket(found + 1, schema)), "{exact} is counted only up to {found}");
}

/// The cells that are not empty, for a message.
struct Cells<'a>(&'a Hdr<u64>);

impl fmt::Debug for Cells<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = self.0.iter_recorded().map(|cell| (cell.value_iterated_to(), cell.count_at_value()));
        f.debug_map().entries(cells).finish()
    }
}

/// The smallest and the largest value, and the sum, which are exact.
fn check_extremes(values: &[(u64, u64)], seen: &HistogramSnapshot) {
    let Some(least) = values.iter().map(|(value, _)| *value).min() else {
        assert!(seen.min().is_nan() && seen.max().is_nan() && seen.mean().is_nan());
        assert_eq!(seen.sum(), 0.0);
        return;
    };
    let most = values.iter().map(|(value, _)| *value).max().expect("there is a least one");
    assert_eq!((seen.min(), seen.max()), (least as f64, most as f64));
    let sum = values.iter().fold(0_u64, |sum, (value, times)| sum.wrapping_add(value.wrapping_mul(*times)));
    assert_eq!(seen.sum(), sum as f64, "one thread's sum wraps at 2^64 ticks");
}
