//! Medians: interrupts and neighbours only ever add time, so means are of no use here.

/// The value below which the share `q` of `samples` lies, not counting `NaN`s, which stand for discarded runs. Sorts in
/// place.
pub(crate) fn quantile(samples: &mut [f64], q: f64) -> f64 {
    samples.sort_unstable_by(f64::total_cmp); // NaNs come last: no computation here makes a negative one.
    let samples = &samples[..kept(samples)];
    if samples.is_empty() {
        return f64::NAN;
    }
    let at = q * (samples.len() - 1) as f64;
    let (low, high) = (samples[at.floor() as usize], samples[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

/// Samples that were not discarded.
pub(crate) fn kept(samples: &[f64]) -> usize {
    samples.iter().filter(|sample| !sample.is_nan()).count()
}

pub(crate) fn median(samples: &mut [f64]) -> f64 {
    quantile(samples, 0.5)
}

/// Half the distance between the quartiles, relative to the median: how far to trust the last digit.
pub(crate) fn spread(samples: &mut [f64]) -> f64 {
    (quantile(samples, 0.75) - quantile(samples, 0.25)) / 2.0 / median(samples)
}
