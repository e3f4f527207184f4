//! What recording cost, estimated.
//!
//! A recording is too short to be timed where it happens: reading the clock twice would cost several times as much as
//! what lies between. So the same calls run in a loop on metrics of their own after the run, and the run's counts are
//! multiplied by what one call took. The loop's caches are warm, which flatters the result: hence "estimate".

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Result;
use tach::serve::{BatchType, Clock, Finish, RequestTimer, Stamp, StepStats, StepTimer, Turn};

use crate::cli::Options;
use crate::console;
use crate::metrics::{Recording, settings};
use crate::report::seconds;
use crate::server::Outcome;

/// Calls per round, and rounds; the median round counts.
const CALLS: u64 = 20_000;
const ROUNDS: usize = 11;

/// Measures and prints.
pub(crate) fn print(outcome: &Outcome, options: &Options, recording: bool) -> Result<()> {
    let mut settings = settings(options)?;
    if settings.recording == tach::Recording::Process {
        // By the same code, and in no file: a collector would take these for requests.
        settings.recording = tach::Recording::Sharded;
    }
    let metrics = Recording::unserved(&settings)?.metrics;
    let steps = RefCell::new(StepTimer::new(metrics));
    // A clock of its own, by which steps are as long as in a run, and not all alike: they do not meet one cell.
    let time = Cell::new(Stamp::from_nanos(0));
    let later = |i: u64| {
        time.set(Stamp::from_nanos(time.get().nanos() + 20_000_000 + (i % 1024) * 50_000));
        time.get()
    };
    let step = |i: u64, requests: &mut [RequestTimer]| {
        let mut steps = steps.borrow_mut();
        let mut step = steps.step_at(later(i));
        for request in requests {
            step.token(request);
        }
        step.end(black_box(&StepStats { kv_blocks: Some((i, 8192)), ..StepStats::new(BatchType::Decode, 4) }));
        metrics.kv_tokens(i as f64);
    };
    // As many requests as a step of the run had, in the mean.
    let (ledger, clock) = (&outcome.ledger, Clock::new());
    let batch = (ledger.generated as f64 / ledger.steps().count.max(1) as f64).round().max(1.0);
    let mut requests: Vec<_> = (0..batch as u64).map(|_| RequestTimer::arrived_at(metrics, time.get())).collect();
    let alone = median(|i| step(i, &mut []));
    let token = ((median(|i| step(i, &mut requests)) - alone) / batch).max(0.0);
    let request = median(|i| {
        let mut request = RequestTimer::arrived_at(metrics, later(i));
        metrics.request_params_max_tokens(64);
        metrics.request_params_n(1);
        request.input_at(black_box(40), Turn::First, time.get());
        request.admitted();
        request.scheduled_at(time.get());
        request.tokens_at(1, later(i));
        metrics.prefill_computed_tokens(black_box(40));
        metrics.cache_misses(black_box(40));
        request.finished_at(black_box(Finish::Length), time.get());
    });
    let clock = median(|_| {
        black_box(clock.now());
    });

    let (steps, ended) = (ledger.steps(), ledger.ended.iter().map(|ended| ended.count).sum::<u64>());
    // Of a request the clock is read when it is tokenized and when it gets a slot.
    let spent =
        token * ledger.generated as f64 + (alone + clock) * steps.count as f64 + (request + 2.0 * clock) * ended as f64;
    let tokens = ledger.generated.max(1) as f64;
    let run = Duration::from_nanos(steps.sum).as_secs_f64();
    let share = if run > 0.0 { 100.0 * spent / run } else { 0.0 };
    let what = if recording { "recording" } else { "recording is off; the calls that stay" };
    console::out(&format!(
        "{what}, estimated by a loop of the same calls after the run\n\
         (with warm caches, so a lower bound):\n  \
         {} per token in a step of {batch}, {} per step, {} per request, {} per clock reading\n  \
         {} in all, {} per token generated, {share:.6} % of the step time\n\n",
        seconds(token),
        seconds(alone),
        seconds(request),
        seconds(clock),
        seconds(spent),
        seconds(spent / tokens),
    ));
    Ok(())
}

/// Seconds per call.
fn median(mut call: impl FnMut(u64)) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..CALLS).for_each(&mut call);
            start.elapsed().as_secs_f64() / CALLS as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}
