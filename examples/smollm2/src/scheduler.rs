//! What happens between two steps: settle what was computed, take in requests, plan the next step.
//!
//! A scheduler is plain data. The workers hand it from one to the other (see `server`), so nothing here runs at the
//! same time as anything else here, and nothing here waits.
//!
//! All measuring is here, and in `intake`: the lines with `timer`, `steps`, `step` and `metrics`. Those with `ledger` and
//! `times` keep the plain account that the self-check needs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Error;
use tach::serve::{BatchType, Finish, Metrics, Stamp, StepStats, StepTimer};

use crate::intake::Intake;
use crate::ledger::{Batch, Ledger};
use crate::request::{Slot, after};
use crate::stream::Text;

/// Why the run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The tokens asked for are generated.
    Tokens,
    /// Ctrl-C.
    Interrupted,
    /// The model failed; [`Scheduler::failure`] says how.
    Failed,
}

/// What a scheduler works to.
pub(crate) struct Terms {
    pub(crate) text: Arc<dyn Text>,
    pub(crate) metrics: &'static Metrics,
    pub(crate) clients: usize,
    /// Tokens to generate in all; `None` for no end.
    pub(crate) tokens: Option<u64>,
    /// Tokens of one request.
    pub(crate) max_tokens: usize,
    /// Tokens that all KV caches together can hold.
    pub(crate) kv_capacity: u64,
}

/// An answer, complete or not.
pub(crate) struct Answer {
    pub(crate) id: u64,
    pub(crate) tokens: Vec<u32>,
    pub(crate) reason: Finish,
}

/// See the module.
pub(crate) struct Scheduler {
    terms: Terms,
    intake: Intake,
    steps: StepTimer<'static>,
    /// The start of the run, and the end of the newest step: the one clock reading of it.
    start: Stamp,
    now: Stamp,
    /// Since the one before the newest was settled.
    pub(crate) answers: Vec<Answer>,
    pub(crate) ledger: Ledger,
    pub(crate) ending: Option<Ending>,
    pub(crate) failure: Option<Error>,
}

/// Locks a slot. Only a worker that panics leaves one poisoned, and then the run ends.
pub(crate) fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A prompt is computed, and nothing of it was cached.
pub(crate) fn computed(metrics: &Metrics, prompt: usize) {
    metrics.prefill_computed_tokens(prompt as u64);
    metrics.cache_misses(prompt as u64);
}

impl Scheduler {
    pub(crate) fn new(terms: Terms) -> Self {
        let intake = Intake::new(terms.text.clone(), terms.metrics, terms.max_tokens, true);
        let now = intake.clock.now();
        let steps = StepTimer::new(terms.metrics);
        Self {
            terms,
            intake,
            steps,
            start: now,
            now,
            answers: Vec::new(),
            ledger: Ledger::default(),
            ending: None,
            failure: None,
        }
    }

    /// From the first step's start to the latest one's end, in nanoseconds.
    pub(crate) fn elapsed(&self) -> u64 {
        self.now.since(self.start)
    }

    /// The start: every client sends its first request.
    pub(crate) fn open(&mut self, slots: &[Mutex<Slot>], interrupted: bool) {
        // A step of nothing: the first real one begins where it ends.
        self.start = self.steps.step().now();
        self.now = self.start;
        for _ in 0..self.terms.clients {
            self.arrive();
        }
        self.plan(slots, interrupted);
    }

    /// The end of a step, when all its slots are computed.
    pub(crate) fn settle(&mut self, slots: &[Mutex<Slot>], interrupted: bool) {
        let (terms, began, before) = (&self.terms, self.now, self.ledger.generated);
        let mut step = self.steps.step();
        self.now = step.now();
        let mut batch = Batch::default();
        for slot in slots {
            let mut slot = lock(slot);
            if std::mem::take(&mut slot.scheduled)
                && let Some(mut request) = slot.active.take()
            {
                batch.requests += 1;
                batch.context += slot.stream.cached_tokens() as u64;
                if request.generated.is_empty() {
                    batch.prompts += request.prompt.len() as u64;
                }
                let finished = match slot.token.take() {
                    Some(Ok(token)) => {
                        step.token(&mut request.timer);
                        if request.generated.is_empty() {
                            computed(terms.metrics, request.prompt.len());
                            self.ledger.prefilled.add(request.prompt.len() as u64);
                        }
                        request.got(token, self.now);
                        self.ledger.token(&request);
                        after(terms.text.is_end(token), request.generated.len(), terms.max_tokens)
                    }
                    failed => {
                        self.failure = failed.and_then(Result::err);
                        Some(Finish::Error)
                    }
                };
                if let Some(reason) = finished {
                    slot.stream.clear();
                    batch.ended += 1;
                    self.ledger.running -= 1;
                    self.ledger.left(&request, reason, self.now.nanos());
                    request.timer.finished_at(reason, self.now);
                    self.answers.push(Answer { id: request.id, tokens: request.generated, reason });
                } else {
                    slot.active = Some(request);
                }
            }
            batch.kv_tokens += slot.stream.cached_tokens() as u64;
        }

        let batch_type = if batch.prompts > 0 { BatchType::Prefill } else { BatchType::Decode };
        step.end(&StepStats {
            input_tokens: Some(batch.input()),
            context_tokens: Some(batch.context),
            terminated: Some(batch.ended),
            pending: Some(self.intake.queue.len() as u64),
            queued: Some(self.intake.queue.len() as u64),
            // A cache here grows by a token: that is its block.
            kv_blocks: Some((batch.kv_tokens, terms.kv_capacity)),
            ..StepStats::new(batch_type, batch.requests)
        });
        terms.metrics.kv_tokens(batch.kv_tokens as f64);
        self.ledger.step(&batch, self.now.nanos() - began.nanos(), self.ledger.generated - before);

        for _ in 0..batch.ended {
            self.arrive();
        }
        self.plan(slots, interrupted);
    }

    /// Fills free slots and schedules the next step, or ends the run.
    fn plan(&mut self, slots: &[Mutex<Slot>], interrupted: bool) {
        let left = self.terms.tokens.map_or(u64::MAX, |tokens| tokens.saturating_sub(self.ledger.generated));
        self.ending = if self.failure.is_some() {
            Some(Ending::Failed)
        } else if left == 0 {
            Some(Ending::Tokens)
        } else if interrupted {
            Some(Ending::Interrupted)
        } else {
            None
        };
        if self.ending.is_some() {
            self.abort_all(slots);
            return;
        }
        let mut scheduled = 0;
        for slot in slots {
            let mut slot = lock(slot);
            if slot.active.is_none() {
                slot.active = self.intake.admit(&mut self.ledger);
            }
            // The last step computes no more tokens than were asked for.
            slot.scheduled = slot.active.is_some() && scheduled < left;
            scheduled += u64::from(slot.scheduled);
        }
    }

    /// A client sends its next request, at the end of the step that completed its last one.
    fn arrive(&mut self) {
        if let Err(error) = self.intake.arrive(&mut self.ledger, self.now) {
            self.failure = Some(error);
        }
    }

    /// Ends every request that is not complete and empties slots and queue.
    fn abort_all(&mut self, slots: &[Mutex<Slot>]) {
        let now = self.intake.clock.now();
        let running = slots.iter().filter_map(|slot| {
            let mut slot = lock(slot);
            slot.stream.clear();
            slot.active.take()
        });
        for request in running.chain(self.intake.queue.drain(..)) {
            self.ledger.left(&request, Finish::Abort, now.nanos());
            // To drop it would be the same, but for a clock reading that the account does not have.
            request.timer.finished_at(Finish::Abort, now);
        }
        (self.ledger.running, self.ledger.waiting, self.ledger.kv_tokens) = (0, 0, 0);
        self.terms.metrics.kv_tokens(0.0);
        self.terms.metrics.kv_usage(0.0);
        self.terms.metrics.cache_num_used_blocks(0.0);
    }
}
