//! Who wants a collection, and what the last one gave: the meeting point of requesters and the collector.
//!
//! A request is answered by a collection that *begins after* it: the collector takes the requests that are waiting,
//! then collects, then answers just those. All that wait together share one collection; one that comes while it is
//! under way waits for the next. The lock is the edge HAND-OVER: what a requester recorded before asking happens before
//! the collection, and the collection before the answer.

use crate::sync::{Condvar, Mutex, wait};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Called with the result, on the collecting thread.
type Answer<T> = Box<dyn FnOnce(T) + Send>;

/// Requests taken together.
pub(crate) struct Batch<T>(Vec<Answer<T>>);

struct State<T> {
    waiting: Vec<Answer<T>>,
    latest: Option<T>,
    /// Collect although nobody asks: the interval has passed.
    due: bool,
    stopped: bool,
}

/// The meeting point.
pub(crate) struct Exchange<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

impl<T: Clone> Exchange<T> {
    pub(crate) fn new() -> Self {
        let state = State { waiting: Vec::new(), latest: None, due: false, stopped: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Asks for a collection that begins after this call. Once stopped, `answer` is dropped without being called.
    pub(crate) fn ask(&self, answer: Answer<T>) {
        let mut state = self.state.lock();
        if !state.stopped {
            state.waiting.push(answer);
            // Edge HAND-OVER. (The mutation leaves the collector asleep.)
            if !cfg!(tach_mutate = "ask-wake") {
                self.changed.notify_all();
            }
        }
    }

    /// What the last collection gave.
    pub(crate) fn latest(&self) -> Option<T> {
        self.state.lock().latest.clone()
    }

    /// Makes [`Exchange::next`] return although nobody asks.
    pub(crate) fn tick(&self) {
        self.state.lock().due = true;
        // Edge HAND-OVER. (The mutation leaves the collector asleep.)
        if !cfg!(tach_mutate = "tick-wake") {
            self.changed.notify_all();
        }
    }

    /// Ends it: waiting requests are dropped, and `next` returns `None`.
    pub(crate) fn stop(&self) {
        let waiting = {
            let mut state = self.state.lock();
            state.stopped = true;
            // Edge HAND-OVER. (The mutation leaves the collector asleep.)
            if !cfg!(tach_mutate = "stop-wake") {
                self.changed.notify_all();
            }
            std::mem::take(&mut state.waiting)
        };
        // Outside the lock: dropping an answer may run its owner's code.
        drop(waiting);
    }

    /// Waits for requests and takes them, before their collection begins. `None` when stopped.
    pub(crate) fn next(&self) -> Option<Batch<T>> {
        let mut state = self.state.lock();
        while state.waiting.is_empty() && !state.due && !state.stopped {
            state = wait(&self.changed, state);
        }
        state.due = false;
        if state.stopped {
            return None;
        }
        // Edge HAND-OVER: taken now, so that what comes later waits for the next. (The mutation takes them in
        // `publish`.)
        let taken = if MUTATED { Vec::new() } else { std::mem::take(&mut state.waiting) };
        Some(Batch(taken))
    }

    /// Keeps the result of a collection and answers the requests it was made for.
    pub(crate) fn publish(&self, batch: Batch<T>, result: T) {
        let mut answers = batch.0;
        {
            let mut state = self.state.lock();
            state.latest = Some(result.clone());
            if MUTATED {
                answers.append(&mut state.waiting);
            }
        }
        for answer in answers {
            let result = result.clone();
            // One requester's panic, which has been reported, ends neither the other answers nor the collector.
            let _ = catch_unwind(AssertUnwindSafe(|| answer(result)));
        }
    }
}

/// The mutation of HAND-OVER: requests are taken after their collection, and some get what is too old.
const MUTATED: bool = cfg!(tach_mutate = "hand-over");
