//! The table at the end.

use std::fmt::Write;

use crate::console;
use crate::metrics::{Reading, Summary};
use crate::request::FinishReason;
use crate::scheduler::Ending;
use crate::server::Outcome;

/// Prints how the run went and what was recorded, if anything was.
pub(crate) fn print(outcome: &Outcome, reading: Option<&Reading>, run: &str) {
    console::out(&headline(outcome, run));
    if let Some(reading) = reading {
        console::out(&table(reading));
    }
}

fn headline(outcome: &Outcome, run: &str) -> String {
    let ended = match outcome.ending {
        Ending::Tokens => "all tokens generated",
        Ending::Interrupted => "interrupted",
        Ending::Failed => "failed",
    };
    let elapsed = outcome.elapsed.as_secs_f64();
    let tokens = outcome.ledger.generated;
    let rate = if elapsed > 0.0 { tokens as f64 / elapsed } else { 0.0 };
    format!("\n{ended}: {tokens} tokens in {elapsed:.2} s = {rate:.1} tokens/s\n{run}\n\n")
}

fn table(reading: &Reading) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:<20}{:>7}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}",
        "", "count", "mean", "p50", "p90", "p99", "p99.9", "max"
    );
    for summary in &reading.histograms {
        let _ = write!(text, "{:<20}{:>7}", summary.name, summary.count);
        for value in cells(summary) {
            let _ = write!(text, "{value:>8}");
        }
        text.push('\n');
    }
    text.push('\n');
    for (name, total) in &reading.counters {
        let _ = writeln!(text, "{name:<20}{total:>7}");
    }
    for reason in FinishReason::ALL {
        let name = format!("requests: {}", reason.label());
        let _ = writeln!(text, "{name:<20}{:>7}", reading.finished[reason as usize]);
    }
    for (name, level) in &reading.levels {
        let _ = writeln!(text, "{name:<20}{level:>7}");
    }
    text.push('\n');
    text
}

/// Mean, quantiles and maximum, as text.
fn cells(summary: &Summary) -> Vec<String> {
    let mean = summary.sum / summary.count as f64;
    let values = [&[mean], &summary.quantiles[..], &[summary.max]].concat();
    let show = |value: &f64| match (summary.count, summary.is_time()) {
        (0, _) => "-".to_owned(),
        (_, true) => seconds(*value),
        (_, false) => three_digits(*value),
    };
    values.iter().map(show).collect()
}

/// Seconds with a fitting unit and three significant digits.
pub(crate) fn seconds(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let (scaled, unit) = match value {
        // The limits lie where three digits round up to the next unit.
        v if v < 0.999_5e-6 => (v * 1e9, "ns"),
        v if v < 0.999_5e-3 => (v * 1e6, "µs"),
        v if v < 0.999_5 => (v * 1e3, "ms"),
        v => (v, "s"),
    };
    format!("{} {unit}", three_digits(scaled))
}

fn three_digits(value: f64) -> String {
    match value {
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_a_unit() {
        for (value, text) in [
            (0.0, "0"),
            (3.14e-9, "3.14 ns"),
            (0.000_053_1, "53.1 µs"),
            (0.002_5, "2.50 ms"),
            (0.0531, "53.1 ms"),
            (0.881, "881 ms"),
            (0.999_9, "1.00 s"),
            (9.999, "10.0 s"),
            (61.25, "61.2 s"),
            (1234.5, "1234 s"),
        ] {
            assert_eq!(seconds(value), text);
        }
    }

    #[test]
    fn an_empty_histogram_shows_dashes() {
        let summary = Summary { name: "step_time", ..Summary::default() };
        assert_eq!(cells(&summary), ["-"; 6]);
    }
}
