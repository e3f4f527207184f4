//! The definitions, written down a second time: what follows from the life of a request, and from a step.

use super::{Account, BARE, Book, by};
use crate::engine::{Batch, End, StepFacts};
use crate::trace::Request;

/// The objectives, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) ttft: u64,
    pub(crate) tpot: u64,
    pub(crate) e2e: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { ttft: 500_000_000, tpot: 30_000_000, e2e: 6_000_000_000 }
    }
}

/// What there is to know of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Story {
    arrived: u64,
    ready: u64,
    admitted: bool,
    in_batch: bool,
    first_scheduled: Option<u64>,
    first_token: Option<u64>,
    last_token: u64,
    tokens: u64,
}

impl Account {
    pub(super) fn begin(&mut self, request: &Request, ready: u64) -> Story {
        for name in ["num_requests_running", "num_requests_awaiting_admission", "num_requests_waiting"] {
            self.level(name, BARE, 1);
        }
        self.count("num_input_tokens", BARE, request.prompt);
        let turn = if request.index.is_multiple_of(3) { "first" } else { "later" };
        self.value("input_tokens_per_request", by("turn", turn), request.prompt);
        self.value("input_processing_time", BARE, ready - request.at);
        Story {
            arrived: request.at,
            ready,
            admitted: false,
            in_batch: false,
            first_scheduled: None,
            first_token: None,
            last_token: 0,
            tokens: 0,
        }
    }

    pub(super) fn admit(&mut self, story: &mut Story) {
        story.admitted = true;
        self.level("num_requests_awaiting_admission", BARE, -1);
    }

    pub(super) fn place(&mut self, story: &mut Story, now: u64) {
        story.in_batch = true;
        self.level("num_requests_waiting", BARE, -1);
        self.level("num_requests_scheduled", BARE, 1);
        if story.first_scheduled.is_none() {
            story.first_scheduled = Some(now);
            self.value("request_queue_time", BARE, now - story.arrived);
        }
    }

    pub(super) fn displace(&mut self, story: &mut Story) {
        story.in_batch = false;
        self.level("num_requests_waiting", BARE, 1);
        self.level("num_requests_scheduled", BARE, -1);
        self.count("cache.preemption_count", BARE, 1);
    }

    pub(super) fn output(&mut self, story: &mut Story, n: u64, now: u64) {
        self.count("num_output_tokens", BARE, n);
        if story.first_token.is_some() {
            let gap = now - story.last_token;
            self.itl.push(gap);
            self.itl_per_token.extend((0..n).map(|_| nearest(gap.into(), n.into())));
        } else {
            story.first_token = Some(now);
            self.value("time_to_first_token", BARE, now - story.arrived);
            if let Some(scheduled) = story.first_scheduled {
                self.value("request_prefill_time", BARE, now - scheduled);
            }
        }
        story.last_token = now;
        story.tokens += n;
    }

    pub(super) fn end(&mut self, story: &Story, end: End, gone: u64) {
        if !story.admitted {
            self.level("num_requests_awaiting_admission", BARE, -1);
        }
        self.level(if story.in_batch { "num_requests_scheduled" } else { "num_requests_waiting" }, BARE, -1);
        self.level("num_requests_running", BARE, -1);
        let reason = match end {
            End::Stop => "stop",
            End::Length => "length",
            End::Error => "error",
            End::Abort | End::Vanished => "abort",
        };
        let latency = gone - story.arrived;
        self.count("requests_finished", by("finished_reason", reason), 1);
        self.value("request_latency", by("finished_reason", reason), latency);
        self.value("output_processing_time", BARE, gone - story.ready);
        let Some(first) = story.first_token else { return };
        self.value("output_tokens_per_request", BARE, story.tokens);
        self.value("max_num_generation_tokens", BARE, story.tokens);
        let decode = story.last_token - first;
        self.value("request_decode_time", BARE, decode);
        if let Some(scheduled) = story.first_scheduled {
            self.value("request_inference_time", BARE, story.last_token - scheduled);
        }
        let tpot = (story.tokens > 1).then(|| nearest(decode.into(), u128::from(story.tokens - 1)));
        if let Some(tpot) = tpot {
            self.value("time_per_output_token", BARE, tpot);
        }
        if matches!(end, End::Stop | End::Length) {
            self.judge(first - story.arrived, tpot.unwrap_or(0), story.last_token - story.arrived);
        }
    }

    fn judge(&mut self, ttft: u64, tpot: u64, e2e: u64) {
        let limits = self.limits;
        let mut good = 1;
        for (objective, took, limit) in
            [("ttft", ttft, limits.ttft), ("tpot", tpot, limits.tpot), ("e2e", e2e, limits.e2e)]
        {
            if took > limit {
                good = 0;
                self.count("requests_missed", by("objective", objective), 1);
            }
        }
        self.count("requests_good", BARE, good);
    }

    pub(super) fn batch(&mut self, step: &StepFacts, output: u64) {
        let took = step.now - std::mem::replace(&mut self.last_step, step.now);
        let (batch, prompt) = match step.batch {
            Batch::Prefill => (by("batch_type", "CE"), step.input_tokens),
            Batch::Decode => (by("batch_type", "TG"), 0),
        };
        self.last("num_requests_queued", BARE, step.queued as f64);
        self.value("batch_size", batch, step.requests);
        self.value("batch_execution_time", batch, took);
        self.value("batch_creation_time", batch, step.creation);
        self.value("batch_input_tokens", batch, step.input_tokens);
        self.value("batch_context_tokens", batch, step.context_tokens);
        self.value("batch_terminated_reqs", batch, step.terminated);
        self.value("batch_pending_reqs", batch, step.pending);
        self.value("iteration_tokens", BARE, prompt + output);
        if prompt > 0 {
            self.value("batch_prompt_throughput", batch, thousandths_per_second(prompt, took));
        }
        if output > 0 {
            self.value("batch_generation_throughput", batch, thousandths_per_second(output, took));
            self.last("generation_throughput", BARE, output as f64 * 1e9 / took as f64);
        }
        let (used, total) = (step.blocks_used, step.blocks_total);
        self.last("cache.num_used_blocks", BARE, used as f64);
        self.last("cache.num_total_blocks", BARE, total as f64);
        self.last("kv_usage", BARE, used as f64 / total as f64);
        self.value("cache.used_kv_pct", BARE, nearest(u128::from(used) * 100_000, total.into()));
    }
}

fn thousandths_per_second(n: u64, nanos: u64) -> u64 {
    nearest(u128::from(n) * 1_000_000_000_000, nanos.into())
}

/// The quotient, to the nearest whole number; halves up.
fn nearest(dividend: u128, divisor: u128) -> u64 {
    ((2 * dividend + divisor) / (2 * divisor)) as u64
}
