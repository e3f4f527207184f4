//! The plain account: integers that the scheduler keeps by itself, against which the metrics are checked.
//!
//! It shares no code with tach's timers. Times are nanoseconds, and where it can it adds up differently: the gaps
//! between a request's tokens are taken as last minus first instead of one by one.

use tach::serve::Finish;

use crate::metrics::By;
use crate::request::{Nanos, Request};

/// Every reason for a request's end with its label, in the order of its number.
pub(crate) const REASONS: [(Finish, &str); 4] =
    [(Finish::Stop, "stop"), (Finish::Length, "length"), (Finish::Abort, "abort"), (Finish::Error, "error")];

/// The labels of steps without a prompt, and with one.
pub(crate) const STEPS: [&str; 2] = ["TG", "CE"];

/// How many values there were, and their sum.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    pub(crate) sum: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, value: u64) {
        self.add_many(1, value);
    }

    /// `count` values that add up to `sum`.
    pub(crate) fn add_many(&mut self, count: u64, sum: u64) {
        self.count += count;
        self.sum += sum;
    }
}

/// What a step was about.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) requests: u64,
    /// Tokens of the prompts in it.
    pub(crate) prompts: u64,
    /// Tokens in the contexts of its requests.
    pub(crate) context: u64,
    /// Requests that ended with it.
    pub(crate) ended: u64,
    /// Tokens that all KV caches hold after it.
    pub(crate) kv_tokens: u64,
}

impl Batch {
    /// Tokens given to the model: with a prompt among them those of the prompts.
    pub(crate) fn input(&self) -> u64 {
        if self.prompts > 0 { self.prompts } else { self.requests }
    }
}

/// See the module.
#[derive(Debug, Default, Clone)]
pub(crate) struct Ledger {
    pub(crate) generated: u64,
    /// Tokens of prompts, when they are tokenized; when they are computed, which is told by whoever computes.
    pub(crate) prompts: Tally,
    pub(crate) prefilled: Tally,
    /// Requests in a slot.
    pub(crate) running: u64,
    /// Requests in the queue.
    pub(crate) waiting: u64,
    /// Tokens in all KV caches.
    pub(crate) kv_tokens: u64,
    /// From arrival to the end, by the number of the reason.
    pub(crate) ended: [Tally; REASONS.len()],
    pub(crate) tokenizing: Tally,
    pub(crate) queue: Tally,
    pub(crate) first_token: Tally,
    pub(crate) prefill: Tally,
    pub(crate) inter_token: Tally,
    pub(crate) mean_per_token: Tally,
    pub(crate) decode: Tally,
    pub(crate) inference: Tally,
    pub(crate) output: Tally,
    pub(crate) answer_tokens: Tally,
    /// Steps, by the number of the label: time, requests, tokens fed, tokens in their contexts, requests that ended.
    pub(crate) step: [Tally; 2],
    pub(crate) batch: [Tally; 2],
    pub(crate) fed: [Tally; 2],
    pub(crate) context: [Tally; 2],
    pub(crate) terminated: [Tally; 2],
    /// Tokens of a step, prompts' and generated ones.
    pub(crate) iteration: Tally,
}

/// What a metric has to say.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected {
    Count(u64),
    Level(u64),
    /// In nanoseconds; milliseconds are exposed.
    Times(Tally),
    Sizes(Tally),
}

impl Ledger {
    /// A request was tokenized.
    pub(crate) fn tokenized(&mut self, tokens: usize, took: Nanos) {
        self.prompts.add(tokens as u64);
        self.tokenizing.add(took);
    }

    /// A slot produced a token; it is in the request.
    pub(crate) fn token(&mut self, request: &Request) {
        self.generated += 1;
        if request.generated.len() == 1 {
            let times = &request.times;
            self.first_token.add(times.first_token - times.arrived);
            self.prefill.add(times.first_token - times.scheduled);
        }
    }

    /// A step is over, and gave so many tokens.
    pub(crate) fn step(&mut self, batch: &Batch, took: Nanos, tokens: u64) {
        let number = usize::from(batch.prompts > 0);
        self.step[number].add(took);
        self.batch[number].add(batch.requests);
        self.fed[number].add(batch.input());
        self.context[number].add(batch.context);
        self.terminated[number].add(batch.ended);
        self.iteration.add(batch.prompts + tokens);
        self.kv_tokens = batch.kv_tokens;
    }

    /// A request ended at `now`.
    pub(crate) fn left(&mut self, request: &Request, reason: Finish, now: Nanos) {
        let times = &request.times;
        self.ended[reason as usize].add(now - times.arrived);
        self.output.add(now - times.tokenized);
        let tokens = request.generated.len() as u64;
        if tokens == 0 {
            return;
        }
        let decode = times.last_token - times.first_token;
        self.answer_tokens.add(tokens);
        self.decode.add(decode);
        self.inference.add(times.last_token - times.scheduled);
        if tokens > 1 {
            let gaps = tokens - 1;
            self.inter_token.add_many(gaps, decode);
            // To the nearest nanosecond.
            self.mean_per_token.add((2 * decode + gaps) / (2 * gaps));
        }
    }

    /// Every number of it, in one order.
    pub(crate) fn numbers(&mut self) -> Vec<&mut u64> {
        // By their names, so that none can be forgotten.
        let Self {
            generated,
            prompts,
            prefilled,
            running,
            waiting,
            kv_tokens,
            ended,
            tokenizing,
            queue,
            first_token,
            prefill,
            inter_token,
            mean_per_token,
            decode,
            inference,
            output,
            answer_tokens,
            step,
            batch,
            fed,
            context,
            terminated,
            iteration,
        } = self;
        let times = [tokenizing, queue, first_token, prefill, inter_token, mean_per_token, decode, inference, output];
        let sizes = [prompts, prefilled, answer_tokens, iteration];
        let steps = [step, batch, fed, context, terminated].into_iter().flatten();
        let tallies = times.into_iter().chain(sizes).chain(ended).chain(steps);
        let levels = [generated, running, waiting, kv_tokens].into_iter();
        levels.chain(tallies.flat_map(|tally| [&mut tally.count, &mut tally.sum])).collect()
    }

    /// Requests that ended for a reason.
    #[cfg(test)]
    pub(crate) fn ended(&self, reason: Finish) -> u64 {
        self.ended[reason as usize].count
    }

    /// Steps in all, and their time.
    pub(crate) fn steps(&self) -> Tally {
        let [mut all, prompts] = self.step;
        all.add_many(prompts.count, prompts.sum);
        all
    }

    /// What the rows of the catalogue have to say, by name and label.
    pub(crate) fn expected(&self) -> Vec<(&'static str, By, Expected)> {
        use Expected::{Count, Level, Sizes, Times};
        let mut rows = vec![
            ("num_input_tokens", None, Count(self.prompts.sum)),
            ("num_output_tokens", None, Count(self.generated)),
            ("cache.misses", None, Count(self.prefilled.sum)),
            ("num_requests_running", None, Level(self.running + self.waiting)),
            ("num_requests_scheduled", None, Level(self.running)),
            ("num_requests_waiting", None, Level(self.waiting)),
            ("num_requests_awaiting_admission", None, Level(0)),
            ("kv_tokens", None, Level(self.kv_tokens)),
            ("cache.num_used_blocks", None, Level(self.kv_tokens)),
            ("input_processing_time", None, Times(self.tokenizing)),
            ("request_queue_time", None, Times(self.queue)),
            ("time_to_first_token", None, Times(self.first_token)),
            ("request_prefill_time", None, Times(self.prefill)),
            ("itl", None, Times(self.inter_token)),
            // Each event brings one token here.
            ("itl_per_token", None, Times(self.inter_token)),
            ("time_per_output_token", None, Times(self.mean_per_token)),
            ("request_decode_time", None, Times(self.decode)),
            ("request_inference_time", None, Times(self.inference)),
            ("output_processing_time", None, Times(self.output)),
            ("input_tokens_per_request", Some(("turn", "first")), Sizes(self.prompts)),
            ("request_prefill_computed_tokens", None, Sizes(self.prefilled)),
            ("output_tokens_per_request", None, Sizes(self.answer_tokens)),
            ("max_num_generation_tokens", None, Sizes(self.answer_tokens)),
            ("iteration_tokens", None, Sizes(self.iteration)),
        ];
        for ((_, reason), ended) in REASONS.iter().zip(self.ended) {
            let by = Some(("finished_reason", *reason));
            rows.push(("requests_finished", by, Count(ended.count)));
            rows.push(("request_latency", by, Times(ended)));
        }
        for (number, label) in STEPS.into_iter().enumerate() {
            let by = Some(("batch_type", label));
            rows.push(("batch_execution_time", by, Times(self.step[number])));
            rows.push(("batch_size", by, Sizes(self.batch[number])));
            rows.push(("batch_input_tokens", by, Sizes(self.fed[number])));
            rows.push(("batch_context_tokens", by, Sizes(self.context[number])));
            rows.push(("batch_terminated_reqs", by, Sizes(self.terminated[number])));
        }
        rows
    }
}
