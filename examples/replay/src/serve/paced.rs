//! Holds the engine back until virtual time has come, and looks away when told to stop.

use crate::engine::{End, Observer, StepFacts};
use crate::trace::Request;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// When virtual time comes.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    start: Instant,
    speed: u64,
    stop: Receiver<()>,
    stopped: bool,
}

impl Pace {
    /// `speed` virtual seconds to a second, until `stop` has no senders.
    pub(super) fn new(speed: u64, stop: Receiver<()>) -> Self {
        Self { start: Instant::now(), speed, stop, stopped: false }
    }

    /// Waits for a virtual time. False if it does not come, as this has been stopped.
    fn reaches(&mut self, now: u64) -> bool {
        let due = self.start + Duration::from_nanos(now / self.speed);
        self.stopped |= self.stop.recv_deadline(due) != Err(RecvTimeoutError::Timeout);
        !self.stopped
    }
}

/// What goes with a request.
pub(super) enum Ticket<T> {
    /// The engine knows of it before its time, and nobody else does.
    Early(Request),
    Watched(T),
}

/// Shows the engine to another observer at its pace. Once stopped the engine runs on unseen, and the requests that were
/// seen to begin are aborted.
#[derive(Debug)]
pub(super) struct Paced<O> {
    inner: O,
    pace: Pace,
}

impl<O> Paced<O> {
    pub(super) fn new(inner: O, pace: Pace) -> Self {
        Self { inner, pace }
    }

    pub(super) fn into_inner(self) -> O {
        self.inner
    }
}

impl<O: Observer> Observer for Paced<O> {
    type Ticket = Ticket<O::Ticket>;

    /// A replica looks one arrival ahead: if this waited, so would all steps until then.
    fn arrived(&mut self, request: &Request) -> Self::Ticket {
        Ticket::Early(*request)
    }

    fn queued(&mut self, ticket: &mut Self::Ticket) {
        if let (Ticket::Early(request), false) = (&*ticket, self.pace.stopped) {
            let mut watched = self.inner.arrived(request);
            self.inner.queued(&mut watched);
            *ticket = Ticket::Watched(watched);
        }
    }

    fn idle(&mut self, now: u64) {
        if self.pace.reaches(now) {
            self.inner.idle(now);
        }
    }

    fn scheduled(&mut self, ticket: &mut Self::Ticket, now: u64) {
        if let (Ticket::Watched(watched), false) = (ticket, self.pace.stopped) {
            self.inner.scheduled(watched, now);
        }
    }

    fn preempted(&mut self, ticket: &mut Self::Ticket) {
        if let (Ticket::Watched(watched), false) = (ticket, self.pace.stopped) {
            self.inner.preempted(watched);
        }
    }

    fn step<'t>(&mut self, step: &StepFacts, tokens: impl Iterator<Item = (&'t mut Self::Ticket, u64)>) {
        if !self.pace.reaches(step.now) {
            tokens.for_each(drop);
            return;
        }
        let watched = tokens.filter_map(|(ticket, n)| match ticket {
            Ticket::Early(_) => None,
            Ticket::Watched(watched) => Some((watched, n)),
        });
        self.inner.step(step, watched);
    }

    fn finished(&mut self, ticket: Self::Ticket, request: &Request, end: End, now: u64) {
        // Nobody notices in virtual time that a request has vanished.
        let end = if self.pace.stopped || end == End::Vanished { End::Abort } else { end };
        if let Ticket::Watched(watched) = ticket {
            self.inner.finished(watched, request, end, now);
        }
    }
}
