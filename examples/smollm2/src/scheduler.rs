//! What happens between two steps: settle what was computed, take in requests, plan the next step.
//!
//! A scheduler is plain data. The workers hand it from one to the other (see `server`), so nothing here runs at the
//! same time as anything else here, and nothing here waits.
//!
//! Clients are closed-loop: each has one request under way and sends the next one as soon as the answer is complete.
//! With more clients than slots a queue forms, first come, first served.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Error;

use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::request::{Active, FinishReason, Request, Slot, Stamp};

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

/// See the module.
pub(crate) struct Scheduler {
    /// The prompts' tokens; requests go round.
    prompts: Vec<Arc<[u32]>>,
    clients: usize,
    /// Tokens to generate in all; `None` for no end.
    tokens: Option<u64>,
    queue: VecDeque<Request>,
    next_id: u64,
    /// End of the step before this one.
    previous: Stamp,
    /// The one clock reading of the step under way: its end.
    pub(crate) now: Stamp,
    pub(crate) ledger: Ledger,
    pub(crate) ending: Option<Ending>,
    pub(crate) failure: Option<Error>,
}

/// Locks a slot. Only a worker that panics leaves one poisoned, and then the run ends.
pub(crate) fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Scheduler {
    pub(crate) fn new(prompts: Vec<Arc<[u32]>>, clients: usize, tokens: Option<u64>) -> Self {
        assert!(!prompts.is_empty());
        Self {
            prompts,
            clients,
            tokens,
            queue: VecDeque::new(),
            next_id: 0,
            previous: 0,
            now: 0,
            ledger: Ledger::default(),
            ending: None,
            failure: None,
        }
    }

    /// The start: every client sends its first request.
    pub(crate) fn open(&mut self, slots: &[Mutex<Slot>], metrics: &Metrics, interrupted: bool) {
        for _ in 0..self.clients {
            self.arrive(metrics);
        }
        self.plan(slots, metrics, interrupted);
    }

    /// The end of a step, when all its slots are published.
    pub(crate) fn settle(&mut self, slots: &[Mutex<Slot>], metrics: &Metrics, interrupted: bool) {
        let (mut batch, mut answered, mut kv_tokens) = (0u64, 0, 0);
        for slot in slots {
            let mut slot = lock(slot);
            if std::mem::take(&mut slot.scheduled) {
                match (slot.failure.take(), &slot.active) {
                    (None, Some(active)) => {
                        batch += 1;
                        self.ledger.token(active);
                    }
                    (failure, _) => self.failure = failure,
                }
                if let Some(reason) = slot.finished.take() {
                    slot.stream.clear();
                    if let Some(active) = slot.active.take() {
                        self.ledger.left(&active, reason, self.now);
                        self.ledger.running -= 1;
                        answered += 1;
                    }
                }
            }
            kv_tokens += slot.stream.cached_tokens() as u64;
        }

        let step_time = self.now - self.previous;
        self.previous = self.now;
        metrics.step(batch, step_time, kv_tokens);
        self.ledger.step.add(step_time);
        self.ledger.batch.add(batch);
        self.ledger.kv_tokens = kv_tokens;

        for _ in 0..answered {
            self.arrive(metrics);
        }
        self.plan(slots, metrics, interrupted);
    }

    /// Fills free slots and schedules the next step, or ends the run.
    fn plan(&mut self, slots: &[Mutex<Slot>], metrics: &Metrics, interrupted: bool) {
        let left = self.tokens.map_or(u64::MAX, |tokens| tokens.saturating_sub(self.ledger.generated));
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
            self.abort_all(slots, metrics);
            return;
        }
        let mut scheduled = 0;
        for slot in slots {
            let mut slot = lock(slot);
            if slot.active.is_none() {
                slot.active = self.admit(metrics);
            }
            // The last step computes no more tokens than were asked for.
            slot.scheduled = slot.active.is_some() && scheduled < left;
            scheduled += u64::from(slot.scheduled);
        }
    }

    /// A client sends its next request, now.
    fn arrive(&mut self, metrics: &Metrics) {
        let prompt = (self.next_id % self.prompts.len() as u64) as usize;
        self.queue.push_back(Request { id: self.next_id, prompt, arrived: self.now });
        self.next_id += 1;
        metrics.arrived();
        self.ledger.waiting += 1;
    }

    /// The request that has waited longest, for a free slot.
    fn admit(&mut self, metrics: &Metrics) -> Option<Active> {
        let request = self.queue.pop_front()?;
        let waited = self.now - request.arrived;
        metrics.admitted(waited);
        self.ledger.queue.add(waited);
        self.ledger.waiting -= 1;
        self.ledger.running += 1;
        let prompt = self.prompts[request.prompt].clone();
        Some(Active { request, prompt, generated: Vec::new(), first_token: 0, last_token: 0 })
    }

    /// Counts every request that is not complete as aborted and empties slots and queue.
    fn abort_all(&mut self, slots: &[Mutex<Slot>], metrics: &Metrics) {
        for slot in slots {
            let mut slot = lock(slot);
            slot.stream.clear();
            if let Some(active) = slot.active.take() {
                metrics.ended(FinishReason::Abort);
                self.ledger.left(&active, FinishReason::Abort, self.now);
                self.ledger.running -= 1;
            }
        }
        for _ in self.queue.drain(..) {
            metrics.gave_up_waiting();
            self.ledger.finished[FinishReason::Abort as usize] += 1;
            self.ledger.waiting -= 1;
        }
        metrics.kv_tokens(0);
        self.ledger.kv_tokens = 0;
    }
}
