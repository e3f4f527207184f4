//! The plain account: integers that the scheduler keeps by itself, against which the metrics are checked.
//!
//! It shares no code with the recording calls. Times are nanoseconds, and where it can it adds up differently: the gaps
//! between a request's tokens are taken as last minus first instead of one by one.

use crate::request::{Active, FinishReason, Stamp};

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

/// See the module. Sums are nanoseconds, but for `batch`, which counts streams.
#[derive(Debug, Default, Clone)]
pub(crate) struct Ledger {
    pub(crate) generated: u64,
    pub(crate) prompt_tokens: u64,
    /// Requests in a slot.
    pub(crate) running: u64,
    /// Requests in the queue.
    pub(crate) waiting: u64,
    /// Tokens in all KV caches.
    pub(crate) kv_tokens: u64,
    /// Ended requests, by the number of the reason.
    pub(crate) finished: [u64; FinishReason::ALL.len()],
    pub(crate) first_token: Tally,
    pub(crate) inter_token: Tally,
    pub(crate) queue: Tally,
    pub(crate) end_to_end: Tally,
    pub(crate) step: Tally,
    pub(crate) batch: Tally,
}

impl Ledger {
    /// A slot produced a token; `active` is its request with that token in it.
    pub(crate) fn token(&mut self, active: &Active) {
        self.generated += 1;
        if active.generated.len() == 1 {
            self.prompt_tokens += active.prompt.len() as u64;
            self.first_token.add(active.first_token - active.request.arrived);
        }
    }

    /// A request left its slot at `now`.
    pub(crate) fn left(&mut self, active: &Active, reason: FinishReason, now: Stamp) {
        self.finished[reason as usize] += 1;
        let gaps = active.generated.len().saturating_sub(1) as u64;
        if gaps > 0 {
            self.inter_token.add_many(gaps, active.last_token - active.first_token);
        }
        if matches!(reason, FinishReason::Stop | FinishReason::Length) {
            self.end_to_end.add(now - active.request.arrived);
        }
    }
}
