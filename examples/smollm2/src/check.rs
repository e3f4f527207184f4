//! The self-check: what was recorded must equal the plain account.

use crate::console;
use crate::ledger::{Ledger, Tally};
use crate::metrics::{self, Reading};
use crate::request::FinishReason;

/// Compares and prints the verdict; `false` when anything differs.
pub(crate) fn print(ledger: &Ledger, reading: &Reading, recording: bool) -> bool {
    if !recording {
        console::out("check: skipped, recording is off\n");
        return true;
    }
    let (compared, differences) = compare(ledger, reading);
    if differences.is_empty() {
        console::out(&format!("check: ok ({compared} values equal the scheduler's own account)\n"));
    } else {
        console::out(&format!("check: FAILED, {} of {compared} values differ\n", differences.len()));
        for difference in &differences {
            console::out(&format!("  {difference}\n"));
        }
    }
    differences.is_empty()
}

/// How many values were compared, and what differs.
pub(crate) fn compare(ledger: &Ledger, reading: &Reading) -> (usize, Vec<String>) {
    let mut comparison = Comparison::default();
    for &(name, recorded) in &reading.counters {
        let wanted = match name {
            metrics::GENERATION_TOKENS => Some(ledger.generated),
            metrics::PROMPT_TOKENS => Some(ledger.prompt_tokens),
            _ => None,
        };
        comparison.exactly(name, recorded, wanted);
    }
    for reason in FinishReason::ALL {
        let name = format!("{}{{finished_reason=\"{}\"}}", metrics::REQUEST_SUCCESS, reason.label());
        comparison.exactly(&name, reading.finished[reason as usize], Some(ledger.finished[reason as usize]));
    }
    for &(name, recorded) in &reading.levels {
        let wanted = match name {
            metrics::REQUESTS_RUNNING => Some(ledger.running),
            metrics::REQUESTS_WAITING => Some(ledger.waiting),
            metrics::KV_CACHE_TOKENS => Some(ledger.kv_tokens),
            _ => None,
        };
        comparison.nearly(name, recorded, wanted.map(|level| level as f64));
    }
    for summary in &reading.histograms {
        let tally = tally(ledger, summary.name);
        let scale = if summary.is_time() { 1e-9 } else { 1.0 };
        comparison.exactly(&format!("{} count", summary.name), summary.count, tally.map(|tally| tally.count));
        comparison.nearly(&format!("{} sum", summary.name), summary.sum, tally.map(|tally| tally.sum as f64 * scale));
        if !summary.exact {
            comparison.differences.push(format!("{}: the snapshot is not exact", summary.name));
        }
    }
    (comparison.compared, comparison.differences)
}

fn tally(ledger: &Ledger, name: &str) -> Option<Tally> {
    Some(match name {
        metrics::TIME_TO_FIRST_TOKEN => ledger.first_token,
        metrics::INTER_TOKEN_LATENCY => ledger.inter_token,
        metrics::QUEUE_TIME => ledger.queue,
        metrics::E2E_LATENCY => ledger.end_to_end,
        metrics::STEP_TIME => ledger.step,
        metrics::BATCH_SIZE => ledger.batch,
        _ => return None,
    })
}

#[derive(Default)]
struct Comparison {
    compared: usize,
    differences: Vec<String>,
}

impl Comparison {
    fn exactly(&mut self, name: &str, recorded: u64, wanted: Option<u64>) {
        self.note(name, recorded, wanted, wanted == Some(recorded));
    }

    /// Sums are integers inside and become floating-point seconds only when they are read: equal but for that rounding.
    fn nearly(&mut self, name: &str, recorded: f64, wanted: Option<f64>) {
        let equal = wanted.is_some_and(|wanted| (recorded - wanted).abs() <= 1e-12 * wanted.abs());
        self.note(name, recorded, wanted, equal);
    }

    fn note<T: std::fmt::Debug>(&mut self, name: &str, recorded: T, wanted: Option<T>, equal: bool) {
        self.compared += 1;
        match wanted {
            _ if equal => {}
            None => self.differences.push(format!("{name}: recorded {recorded:?}, but the account has no such value")),
            Some(wanted) => self.differences.push(format!("{name}: recorded {recorded:?}, the account has {wanted:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn a_difference_is_named() {
        let metrics = Metrics::new("test", true).unwrap();
        let ledger = Ledger::default();
        assert_eq!(compare(&ledger, &metrics.read()).1, Vec::<String>::new());

        metrics.first_token(1_500_000_000, 7);
        let differences = compare(&ledger, &metrics.read()).1;
        assert_eq!(
            differences,
            [
                "prompt_tokens: recorded 7, the account has 0",
                "generation_tokens: recorded 1, the account has 0",
                "time_to_first_token count: recorded 1, the account has 0",
                "time_to_first_token sum: recorded 1.5, the account has 0.0",
            ]
        );
    }
}
