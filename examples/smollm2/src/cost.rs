//! What recording cost, estimated.
//!
//! A recording is too short to be timed where it happens: reading the clock twice would cost several times as much as
//! what lies between. So the same calls run in a loop on metrics of their own after the run, and the run's counts are
//! multiplied by what one call took. The loop's caches are warm, which flatters the result: hence "estimate".

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::console;
use crate::metrics::Metrics;
use crate::report::seconds;
use crate::request::FinishReason;
use crate::server::Outcome;

/// Calls per round, and rounds; the median round counts.
const CALLS: u64 = 20_000;
const ROUNDS: usize = 11;

/// Measures and prints.
pub(crate) fn print(outcome: &Outcome, recording: bool) -> Result<()> {
    let metrics = Metrics::new("calibration", recording)?;
    // Values spread over what a run has, so that they do not all meet the same cell.
    let spread = |i: u64| 20_000_000 + (i % 1024) * 50_000;
    let token = median(|i| metrics.next_token(black_box(spread(i))));
    let step = median(|i| metrics.step(black_box(i % 8), black_box(spread(i)), black_box(i)));
    let request = median(|i| {
        metrics.arrived();
        metrics.admitted(black_box(spread(i)));
        metrics.first_token(black_box(spread(i)), black_box(40));
        metrics.completed(black_box(FinishReason::Length), black_box(spread(i)));
    });
    let clock = median(|_| {
        black_box(Instant::now());
    });

    let ledger = &outcome.ledger;
    let requests: u64 = ledger.finished.iter().sum();
    let spent = token * ledger.inter_token.count as f64 + step * ledger.step.count as f64 + request * requests as f64;
    let tokens = ledger.generated.max(1) as f64;
    let steps = Duration::from_nanos(ledger.step.sum).as_secs_f64();
    let share = if steps > 0.0 { 100.0 * spent / steps } else { 0.0 };
    let what = if recording { "recording" } else { "recording is off; the calls that stay" };
    console::out(&format!(
        "{what}, estimated by a loop of the same calls after the run\n\
         (with warm caches, so a lower bound):\n  \
         {} per token, {} per step, {} per request\n  \
         {} in all, {} per token generated, {share:.6} % of the step time\n  \
         not in it: the one clock reading per step, {}\n\n",
        seconds(token),
        seconds(step),
        seconds(request),
        seconds(spent),
        seconds(spent / tokens),
        seconds(clock),
    ));
    Ok(())
}

/// Seconds per call.
fn median(call: impl Fn(u64)) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..CALLS).for_each(&call);
            start.elapsed().as_secs_f64() / CALLS as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}
