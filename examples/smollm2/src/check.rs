//! The self-check: what was recorded must equal the plain account.

use tach::HistogramSnapshot;

use crate::account::Account;
use crate::console;
use crate::ledger::{Expected, Tally};
use crate::metrics::Reading;

/// Compares and prints the verdict; `false` when anything differs.
pub(crate) fn print(account: &Account, reading: &Reading, before: Option<&Reading>, recording: bool) -> bool {
    if !recording {
        console::out("check: skipped, recording is off\n");
        return true;
    }
    let Comparison { compared, within, absent, differences } = compare(account, reading, before);
    if differences.is_empty() {
        let within = match within {
            0 => String::new(),
            within => format!("; {within} of them to the last step of a worker that died"),
        };
        let rest = match absent {
            0 => String::new(),
            absent => format!("; {absent} that it has are in no chosen profile, or above the level"),
        };
        console::out(&format!("check: ok ({compared} values equal the scheduler's own account{within}{rest})\n"));
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
    /// Of which the account has no more than the least and the most.
    pub(crate) within: usize,
    /// Metrics that no chosen profile has, or that lie above the level.
    pub(crate) absent: usize,
    pub(crate) differences: Vec<String>,
}

/// Compares everything that the account has with what was recorded, since `before` where others had recorded there.
pub(crate) fn compare(account: &Account, reading: &Reading, before: Option<&Reading>) -> Comparison {
    use Expected::{Count, Level, Sizes, Times};
    let mut comparison = Comparison::default();
    for ((row, by, least), (_, _, most)) in account.least.expected().into_iter().zip(account.most.expected()) {
        let name = match by {
            None => row.to_owned(),
            Some((label, value)) => format!("{row}{{{label}=\"{value}\"}}"),
        };
        let histogram = || reading.histogram(row, by).map(|h| (h, before.and_then(|before| before.histogram(row, by))));
        let found = match (least, most) {
            (Count(least), Count(most)) => reading.counter(row, by).map(|found| {
                let base = before.and_then(|before| before.counter(row, by)).unwrap_or(0);
                comparison.exactly(&name, found.saturating_sub(base), least, most);
            }),
            // What ended before has none.
            (Level(least), Level(most)) => {
                let found = reading.level(row);
                found.map(|found| comparison.nearly(&name, found, least as f64, most as f64))
            }
            // A millisecond is a million nanoseconds.
            (Times(least), Times(most)) => histogram().map(|h| comparison.histogram(&name, h, least, most, 1e-6)),
            (Sizes(least), Sizes(most)) => histogram().map(|h| comparison.histogram(&name, h, least, most, 1.0)),
            _ => unreachable!("the least and the most are of one kind"),
        };
        comparison.absent += usize::from(found.is_none());
    }
    comparison
}

impl Comparison {
    fn histogram(
        &mut self,
        name: &str,
        (recorded, before): (&HistogramSnapshot, Option<&HistogramSnapshot>),
        least: Tally,
        most: Tally,
        scale: f64,
    ) {
        let (count, sum) = before.map_or((0, 0.0), |before| (before.count(), before.sum()));
        self.exactly(&format!("{name} count"), recorded.count().saturating_sub(count), least.count, most.count);
        self.nearly(&format!("{name} sum"), recorded.sum() - sum, least.sum as f64 * scale, most.sum as f64 * scale);
        // A worker may have been killed in the midst of one recording of its last step.
        if !recorded.is_exact() && least == most {
            self.differences.push(format!("{name}: the snapshot is not exact"));
        }
    }

    fn exactly(&mut self, name: &str, recorded: u64, least: u64, most: u64) {
        self.note(name, recorded, least, most, (least..=most).contains(&recorded));
    }

    /// Sums are integers inside and become floating-point numbers only when they are read: equal but for that rounding.
    fn nearly(&mut self, name: &str, recorded: f64, least: f64, most: f64) {
        let rounding = 1e-12 * recorded.abs().max(most.abs());
        self.note(name, recorded, least, most, recorded >= least - rounding && recorded <= most + rounding);
    }

    fn note<T: std::fmt::Debug + PartialEq>(&mut self, name: &str, recorded: T, least: T, most: T, equal: bool) {
        self.compared += 1;
        self.within += usize::from(least != most);
        if !equal {
            let to = if least == most { String::new() } else { format!(" to {most:?}") };
            self.differences.push(format!("{name}: recorded {recorded:?}, the account has {least:?}{to}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;
    use crate::metrics::Recording;
    use std::time::Duration;
    use tach::serve::{BatchType, Finish, Settings};

    fn exact(ledger: &Ledger) -> Account {
        Account::exact(ledger.clone())
    }

    #[test]
    fn what_was_there_before_does_not_count_and_a_step_may_be_missing() {
        let recording = Recording::unserved(&Settings::default()).unwrap();
        let record = |n: u64| {
            recording.metrics.output_tokens(n);
            recording.metrics.batch_size(n, BatchType::Decode);
        };
        record(5);
        let before = recording.read();
        record(3);
        let mut account = Account::default();
        for tokens in [2, 3] {
            let mut ledger = Ledger { generated: tokens, ..Ledger::default() };
            ledger.batch[0].add(tokens);
            account.advance(ledger);
        }
        let found = compare(&account, &recording.read(), Some(&before));
        assert_eq!((found.differences, found.within), (Vec::new(), 2));
        record(1);
        let found = compare(&account, &recording.read(), Some(&before)).differences;
        assert_eq!(found[0], "num_output_tokens: recorded 4, the account has 2 to 3");
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn a_difference_is_named() {
        let recording = Recording::unserved(&Settings::default()).unwrap();
        let mut ledger = Ledger::default();
        assert_eq!(compare(&exact(&ledger), &recording.read(), None).differences, Vec::<String>::new());

        recording.metrics.output_tokens(7);
        recording.metrics.ttft(Duration::from_millis(1_500));
        recording.metrics.batch_size(3, BatchType::Decode);
        recording.metrics.requests_finished(Finish::Stop);
        ledger.batch[0].add(4);
        assert_eq!(
            compare(&exact(&ledger), &recording.read(), None).differences,
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
