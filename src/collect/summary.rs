//! Quantiles beside totals: what a window is exposed as where a summary is asked for.

/// One series of a summary of windows ([`Windows::summaries`](crate::Windows::summaries)) in a
/// [`Snapshot`](crate::Snapshot): the quantiles of a window, and the totals of the histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct SummarySnapshot {
    pub(super) count: u64,
    pub(super) sum: f64,
    /// In ascending order of the shares.
    pub(super) quantiles: Box<[(f64, f64)]>,
}

impl SummarySnapshot {
    /// How many values the histogram has taken, whenever that was.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum, in the exposed unit.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// The quantiles of the window: each share of the values, ascending, and the value that so many do not exceed; NaN
    /// where the window has none.
    pub fn quantiles(&self) -> impl ExactSizeIterator<Item = (f64, f64)> {
        self.quantiles.iter().copied()
    }

    /// What was recorded since `earlier`; the quantiles are those of now.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        match self.count.checked_sub(earlier.count) {
            Some(count) => Self { count, sum: (self.sum - earlier.sum).max(0.0), quantiles: self.quantiles.clone() },
            None => self.clone(),
        }
    }
}
