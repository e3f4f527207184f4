//! The self-check: what was recorded must equal the plain account.

use tach::HistogramSnapshot;

use crate::console;
use crate::ledger::{Expected, Ledger, Tally};
use crate::metrics::Reading;

/// Compares and prints the verdict; `false` when anything differs.
pub(crate) fn print(ledger: &Ledger, reading: &Reading, recording: bool) -> bool {
    if !recording {
        console::out("check: skipped, recording is off\n");
        return true;
    }
    let Comparison { compared, absent, differences } = compare(ledger, reading);
    if differences.is_empty() {
        let rest = match absent {
            0 => String::new(),
            absent => format!("; {absent} that it has are in no chosen profile, or above the level"),
        };
        console::out(&format!("check: ok ({compared} values equal the scheduler's own account{rest})\n"));
    } else {
        console::out(&format!("check: FAILED, {} of {compared} values differ\n", differences.len()));
        for difference in &differences {
            console::out(&format!("  {difference}\n"));
        }
    }
    differences.is_empty()
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Comparison {
    pub(crate) compared: usize,
    /// Metrics that no chosen profile has, or that lie above the level.
    pub(crate) absent: usize,
    pub(crate) differences: Vec<String>,
}

/// Compares everything that the account has with what was recorded.
pub(crate) fn compare(ledger: &Ledger, reading: &Reading) -> Comparison {
    let mut comparison = Comparison::default();
    for (row, by, expected) in ledger.expected() {
        let name = match by {
            None => row.to_owned(),
            Some((label, value)) => format!("{row}{{{label}=\"{value}\"}}"),
        };
        let found = match expected {
            Expected::Count(total) => reading.counter(row, by).map(|found| comparison.exactly(&name, found, total)),
            Expected::Level(level) => reading.level(row).map(|found| comparison.nearly(&name, found, level as f64)),
            // A millisecond is a million nanoseconds.
            Expected::Times(tally) => reading.histogram(row, by).map(|h| comparison.histogram(&name, h, tally, 1e-6)),
            Expected::Sizes(tally) => reading.histogram(row, by).map(|h| comparison.histogram(&name, h, tally, 1.0)),
        };
        comparison.absent += usize::from(found.is_none());
    }
    comparison
}

impl Comparison {
    fn histogram(&mut self, name: &str, recorded: &HistogramSnapshot, wanted: Tally, scale: f64) {
        self.exactly(&format!("{name} count"), recorded.count(), wanted.count);
        self.nearly(&format!("{name} sum"), recorded.sum(), wanted.sum as f64 * scale);
        if !recorded.is_exact() {
            self.differences.push(format!("{name}: the snapshot is not exact"));
        }
    }

    fn exactly(&mut self, name: &str, recorded: u64, wanted: u64) {
        self.note(name, recorded, wanted, wanted == recorded);
    }

    /// Sums are integers inside and become floating-point numbers only when they are read: equal but for that rounding.
    fn nearly(&mut self, name: &str, recorded: f64, wanted: f64) {
        self.note(name, recorded, wanted, (recorded - wanted).abs() <= 1e-12 * wanted.abs());
    }

    fn note<T: std::fmt::Debug>(&mut self, name: &str, recorded: T, wanted: T, equal: bool) {
        self.compared += 1;
        if !equal {
            self.differences.push(format!("{name}: recorded {recorded:?}, the account has {wanted:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Recording;
    use std::time::Duration;
    use tach::serve::{BatchType, Finish, Settings};

    #[test]
    fn a_difference_is_named() {
        let recording = Recording::unserved(&Settings::default()).unwrap();
        let mut ledger = Ledger::default();
        assert_eq!(compare(&ledger, &recording.read()).differences, Vec::<String>::new());

        recording.metrics.output_tokens(7);
        recording.metrics.ttft(Duration::from_millis(1_500));
        recording.metrics.batch_size(3, BatchType::Decode);
        recording.metrics.requests_finished(Finish::Stop);
        ledger.batch[0].add(4);
        assert_eq!(
            compare(&ledger, &recording.read()).differences,
            [
                "num_output_tokens: recorded 7, the account has 0",
                "time_to_first_token count: recorded 1, the account has 0",
                "time_to_first_token sum: recorded 1500.0, the account has 0.0",
                "requests_finished{finished_reason=\"stop\"}: recorded 1, the account has 0",
                "batch_size{batch_type=\"TG\"} sum: recorded 3.0, the account has 4.0",
            ]
        );
    }
}
