//! The table at the end.

use std::fmt::Write;

use tach::HistogramSnapshot;

use crate::console;
use crate::ledger::REASONS;
use crate::metrics::{By, Reading};
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

/// What the table shows: rows of the catalogue, and whether they are times.
const ROWS: [(&str, By, bool); 11] = [
    ("time_to_first_token", None, true),
    ("itl", None, true),
    ("time_per_output_token", None, true),
    ("request_queue_time", None, true),
    ("request_prefill_time", None, true),
    ("request_latency", Some(("finished_reason", "stop")), true),
    ("request_latency", Some(("finished_reason", "length")), true),
    ("batch_execution_time", Some(("batch_type", "CE")), true),
    ("batch_execution_time", Some(("batch_type", "TG")), true),
    ("batch_size", Some(("batch_type", "CE")), false),
    ("batch_size", Some(("batch_type", "TG")), false),
];

fn table(reading: &Reading) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:<24}{:>7}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}",
        "", "count", "mean", "p50", "p90", "p99", "p99.9", "max"
    );
    for (row, by, is_time) in ROWS {
        if let Some(histogram) = reading.histogram(row, by) {
            let _ = write!(text, "{:<24}{:>7}", label(row, by), histogram.count());
            for value in cells(histogram, is_time) {
                let _ = write!(text, "{value:>8}");
            }
            text.push('\n');
        }
    }
    text.push('\n');
    let reasons = REASONS.map(|(_, reason)| ("requests_finished", Some(("finished_reason", reason))));
    for (row, by) in [("num_input_tokens", None), ("num_output_tokens", None)].into_iter().chain(reasons) {
        if let Some(total) = reading.counter(row, by) {
            let _ = writeln!(text, "{:<24}{total:>7}", label(row, by));
        }
    }
    for row in ["num_requests_running", "num_requests_waiting", "kv_tokens"] {
        if let Some(level) = reading.level(row) {
            let _ = writeln!(text, "{row:<24}{level:>7}");
        }
    }
    text.push('\n');
    text
}

fn label(row: &str, by: By) -> String {
    by.map_or_else(|| row.to_owned(), |(_, value)| format!("{row} {value}"))
}

/// Mean, quantiles and maximum, as text. Times are in milliseconds.
fn cells(histogram: &HistogramSnapshot, is_time: bool) -> [String; 6] {
    let quantile = |q| histogram.quantile(q);
    let mean = histogram.sum() / histogram.count() as f64;
    [mean, quantile(0.5), quantile(0.9), quantile(0.99), quantile(0.999), histogram.max()].map(|value| {
        match (histogram.count(), is_time) {
            (0, _) => "-".to_owned(),
            (_, true) => seconds(value * 1e-3),
            (_, false) => three_digits(value),
        }
    })
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
    use crate::metrics::Recording;
    use std::time::Duration;
    use tach::serve::Settings;

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
    fn an_empty_histogram_shows_dashes_and_times_are_scaled() {
        let recording = Recording::unserved(&Settings::default()).unwrap();
        recording.metrics.itl(Duration::from_micros(53_100));
        let reading = recording.read();
        assert_eq!(cells(reading.histogram("time_to_first_token", None).unwrap(), true), ["-"; 6]);
        let cells = cells(reading.histogram("itl", None).unwrap(), true);
        assert_eq!((cells[0].as_str(), cells[5].as_str()), ("53.1 ms", "53.1 ms"));
    }
}
