//! Requests, and the slots in which they run.

use std::sync::Arc;

use anyhow::{Context, Error, Result};

use crate::metrics::Metrics;
use crate::stream::{Stream, Text};

/// Nanoseconds since the run started.
pub(crate) type Stamp = u64;

/// Why a request ended. The names are those of vLLM's label `finished_reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FinishReason {
    /// The model said that it was done.
    Stop,
    /// It reached the largest number of tokens.
    Length,
    /// The run ended first.
    Abort,
    /// The model failed.
    Error,
}

impl FinishReason {
    /// Every reason, in the order of its number.
    pub(crate) const ALL: [FinishReason; 4] = [Self::Stop, Self::Length, Self::Abort, Self::Error];

    /// The label's value.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Abort => "abort",
            Self::Error => "error",
        }
    }

    /// What the newest token, the `generated`-th, means for the request.
    pub(crate) fn after(token_ends: bool, generated: usize, max_tokens: usize) -> Option<Self> {
        if token_ends {
            Some(Self::Stop)
        } else if generated >= max_tokens {
            Some(Self::Length)
        } else {
            None
        }
    }
}

/// A request as a client sends it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Counts up from 0; sets the sampling seed.
    pub(crate) id: u64,
    /// Which prompt, by its place in the list.
    pub(crate) prompt: usize,
    /// When it arrived.
    pub(crate) arrived: Stamp,
}

/// A request that holds a slot.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) request: Request,
    /// The prompt's tokens.
    pub(crate) prompt: Arc<[u32]>,
    /// Tokens generated, the one that ended it included.
    pub(crate) generated: Vec<u32>,
    /// When the first token was ready; meaningless before it.
    pub(crate) first_token: Stamp,
    /// When the newest token was ready; meaningless before the first.
    pub(crate) last_token: Stamp,
}

/// One of the streams that run at the same time.
///
/// In a step a worker computes it, publishes it, and then whichever worker comes last settles the step for all slots.
pub(crate) struct Slot {
    pub(crate) stream: Box<dyn Stream>,
    pub(crate) active: Option<Active>,
    /// Takes part in the step under way.
    pub(crate) scheduled: bool,
    /// What the step computed, until it is published.
    token: Option<Result<u32>>,
    /// Set when the request ended in this step, until it is settled.
    pub(crate) finished: Option<FinishReason>,
    /// Why the model failed, when it did.
    pub(crate) failure: Option<Error>,
}

/// What publishing needs to know beside the slot.
pub(crate) struct Terms<'a> {
    pub(crate) text: &'a dyn Text,
    pub(crate) metrics: &'a Metrics,
    pub(crate) max_tokens: usize,
}

impl Slot {
    pub(crate) fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream, active: None, scheduled: false, token: None, finished: None, failure: None }
    }

    /// Runs the model for one token: the prompt at first, the newest token afterwards.
    pub(crate) fn compute(&mut self, seed: u64) {
        let Some(active) = &self.active else { return };
        let token = match active.generated.last() {
            None => self.stream.prefill(&active.prompt, seed.wrapping_add(active.request.id)),
            Some(&last) => self.stream.decode(last),
        };
        self.token = Some(token.with_context(|| format!("request {} failed", active.request.id)));
    }

    /// Takes the computed token as one that was ready at `now` and records all that follows from it.
    pub(crate) fn publish(&mut self, now: Stamp, terms: &Terms<'_>) {
        let (Some(active), Some(token)) = (&mut self.active, self.token.take()) else { return };
        let token = match token {
            Ok(token) => token,
            Err(error) => {
                self.failure = Some(error);
                self.finished = Some(FinishReason::Error);
                terms.metrics.ended(FinishReason::Error);
                return;
            }
        };
        if active.generated.is_empty() {
            active.first_token = now;
            terms.metrics.first_token(now - active.request.arrived, active.prompt.len() as u64);
        } else {
            terms.metrics.next_token(now - active.last_token);
        }
        active.last_token = now;
        active.generated.push(token);
        self.finished = FinishReason::after(terms.text.is_end(token), active.generated.len(), terms.max_tokens);
        if let Some(reason) = self.finished {
            terms.metrics.completed(reason, now - active.request.arrived);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_token_outranks_the_limit() {
        assert_eq!(FinishReason::after(false, 1, 3), None);
        assert_eq!(FinishReason::after(false, 2, 3), None);
        assert_eq!(FinishReason::after(false, 3, 3), Some(FinishReason::Length));
        assert_eq!(FinishReason::after(true, 1, 3), Some(FinishReason::Stop));
        assert_eq!(FinishReason::after(true, 3, 3), Some(FinishReason::Stop));
        assert_eq!(FinishReason::after(false, 1, 1), Some(FinishReason::Length));
    }

    #[test]
    fn reasons_are_numbered_as_listed() {
        for (number, reason) in FinishReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number, "{}", reason.label());
        }
    }
}
