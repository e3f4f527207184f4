//! The steps of a scheduler.

use super::request::{RequestTimer, per_token};
use super::{Clock, Stamp};
use crate::serve::catalogue::{BatchType, ByBatch};
use crate::serve::metrics::{Live, Metrics};

/// Times the steps of a scheduler's loop, each from the end of the one before.
///
/// The clock is read once per step. All tokens of a step are recorded together: sequences that had their last token
/// with the same earlier step have the same gap, which is then one recording with a count.
///
/// ```
/// use tach::serve::{BatchType, METRICS, RequestTimer, StepStats, StepTimer};
///
/// let mut steps = StepTimer::new(&METRICS);
/// let mut batch = vec![RequestTimer::arrived(&METRICS), RequestTimer::arrived(&METRICS)];
/// for _ in 0..3 {
///     // ... the model computes a token for each ...
///     let mut step = steps.step();
///     for request in &mut batch {
///         step.token(request);
///     }
///     step.end(&StepStats { queued: Some(0), ..StepStats::new(BatchType::Decode, 2) });
/// }
/// ```
#[derive(Debug)]
pub struct StepTimer<'a> {
    metrics: &'a Metrics,
    /// For steps while nothing is recorded, so that the caller has its stamp all the same.
    clock: Clock,
    ended: Stamp,
}

impl<'a> StepTimer<'a> {
    /// The first step begins now.
    #[must_use]
    pub fn new(metrics: &'a Metrics) -> Self {
        let clock = metrics.live().map_or_else(Clock::new, |live| live.clock.clone());
        let ended = clock.now();
        Self { metrics, clock, ended }
    }

    /// The next step begins now: to be called after waiting for requests, so that the wait is no part of it.
    pub fn begin(&mut self) {
        self.begin_at(self.clock.now());
    }

    /// As [`begin`](Self::begin), at `now`.
    pub fn begin_at(&mut self, now: Stamp) {
        self.ended = now;
    }

    /// The step's results are there, now. Reads the clock, once.
    #[inline]
    pub fn step(&mut self) -> Step<'_> {
        let now = self.clock.now();
        self.step_at(now)
    }

    /// As [`step`](Self::step), at `now`.
    #[inline]
    pub fn step_at(&mut self, now: Stamp) -> Step<'_> {
        let took = now.since(std::mem::replace(&mut self.ended, now));
        Step {
            live: self.metrics.live(),
            timer: std::marker::PhantomData,
            now,
            took,
            output: 0,
            counted: 0,
            gap: 0,
            n: 1,
            times: 0,
        }
    }
}

/// What a scheduler knows of a step; `None` is not recorded. Begin with [`StepStats::new`], as there may come to be more.
#[derive(Clone, Copy, Debug)]
pub struct StepStats {
    /// What the batch did.
    pub batch_type: BatchType,
    /// Requests in the batch.
    pub requests: u64,
    /// Tokens given to the model: the prompts' in a prefill, one per request in a decode.
    pub input_tokens: Option<u64>,
    /// Tokens that came with it for requests that another process times; those that are handed out by the
    /// [`Step`](super::Step) are known without. They tell how fast it was, and are no `num_output_tokens`, which is that
    /// process's.
    pub output_tokens: Option<u64>,
    /// Tokens in the context of all requests.
    pub context_tokens: Option<u64>,
    /// Requests that ended with it.
    pub terminated: Option<u64>,
    /// Requests that were pending when the batch was formed.
    pub pending: Option<u64>,
    /// Requests in the queue for prefill.
    pub queued: Option<u64>,
    /// KV cache blocks in use and in all, if there is such a cache.
    pub kv_blocks: Option<(u64, u64)>,
    /// How long it took to form the batch, in nanoseconds, if that was measured.
    pub creation: Option<u64>,
}

impl StepStats {
    /// A batch of so many requests; all else is not known, and not recorded unless it is filled in.
    #[must_use]
    pub const fn new(batch_type: BatchType, requests: u64) -> Self {
        Self {
            batch_type,
            requests,
            input_tokens: None,
            output_tokens: None,
            context_tokens: None,
            terminated: None,
            pending: None,
            queued: None,
            kv_blocks: None,
            creation: None,
        }
    }
}

/// One step, whose results are being handed out. What its tokens say is recorded when it is dropped, at the latest.
#[derive(Debug)]
#[must_use = "a step tells of nothing but the tokens that are handed out by it"]
pub struct Step<'a> {
    live: Option<&'static Live>,
    timer: std::marker::PhantomData<&'a mut StepTimer<'a>>,
    now: Stamp,
    /// Nanoseconds.
    took: u64,
    /// Output tokens.
    output: u64,
    /// Those of them that this is to count.
    counted: u64,
    /// A gap that `times` events of `n` tokens had.
    gap: u64,
    n: u64,
    times: u64,
}

impl Step<'_> {
    /// When the results were there.
    #[must_use]
    pub fn now(&self) -> Stamp {
        self.now
    }

    /// Nanoseconds since the end of the step before.
    #[must_use]
    pub fn took(&self) -> u64 {
        self.took
    }

    /// The request got `n` tokens in this step.
    #[inline]
    pub fn tokens(&mut self, request: &mut RequestTimer, n: u64) {
        let Some(live) = request.live() else { return };
        self.output = self.output.saturating_add(n);
        if !self.live.is_some_and(|own| std::ptr::eq(own, live)) {
            elsewhere(request, n, self.now);
            return;
        }
        self.counted = self.counted.wrapping_add(n);
        let Some(gap) = request.advance(live, n, self.now) else { return };
        if gap != self.gap || n != self.n {
            self.flush(live);
            (self.gap, self.n) = (gap, n);
        }
        self.times += 1;
    }

    fn flush(&mut self, live: &Live) {
        let times = std::mem::take(&mut self.times);
        if times > 0 {
            live.requests.itl.record_n(self.gap, times);
            live.needed.itl_per_token.record_n(per_token(self.gap, self.n), times.wrapping_mul(self.n));
        }
    }

    /// Records what the scheduler knows of the step.
    pub fn end(self, stats: &StepStats) {
        let Some(live) = self.live else { return };
        let by = ByBatch { batch_type: stats.batch_type };
        let batch = &live.batch;
        batch.batch_size.with(by).record(stats.requests);
        batch.batch_execution_time.with(by).record(self.took);
        let known = [
            (stats.input_tokens, &batch.batch_input_tokens),
            (stats.context_tokens, &batch.batch_context_tokens),
            (stats.terminated, &batch.batch_terminated_reqs),
            (stats.pending, &batch.batch_pending_reqs),
            (stats.creation, &batch.batch_creation_time),
        ];
        for (value, histogram) in known {
            if let Some(value) = value {
                histogram.with(by).record(value);
            }
        }
        if let Some(queued) = stats.queued {
            batch.reqs_queued.set(queued as f64);
        }
        let prompt = match stats.batch_type {
            BatchType::Prefill => stats.input_tokens.unwrap_or(0),
            BatchType::Decode => 0,
        };
        let output = self.output.saturating_add(stats.output_tokens.unwrap_or(0));
        live.more.iteration_tokens.record(prompt.saturating_add(output));
        if self.took > 0 {
            let seconds = self.took as f64 * 1e-9;
            if prompt > 0 {
                batch.batch_prompt_throughput.with(by).record_value(prompt as f64 / seconds);
            }
            if output > 0 {
                let generation = output as f64 / seconds;
                batch.batch_generation_throughput.with(by).record_value(generation);
                live.more.generation_throughput.set(generation);
            }
        }
        if let Some((used, total)) = stats.kv_blocks.filter(|(_, total)| *total > 0) {
            let share = used as f64 / total as f64;
            live.cache.cache_num_used_blocks.set(used as f64);
            live.cache.cache_num_total_blocks.set(total as f64);
            live.cache.cache_used_kv_pct.record_value(share * 100.0);
            live.more.kv_usage.set(share);
        }
    }
}

/// The request began to be timed before these metrics were attached, and is recorded where it began.
#[cold]
#[inline(never)]
fn elsewhere(request: &mut RequestTimer, n: u64, now: Stamp) {
    request.tokens_at(n, now);
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        if let Some(live) = self.live {
            self.flush(live);
            live.requests.output_tokens.add(self.counted);
        }
    }
}
