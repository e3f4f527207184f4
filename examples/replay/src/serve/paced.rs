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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Account, Entry};
    use crate::engine::{self, Settings, Start};
    use crate::full::{Full, Way};
    use crate::serve::written;
    use crate::trace;
    use crossbeam_channel::bounded;
    use std::thread;
    use tach::serve::Metrics;

    static NOWHERE: Metrics = Metrics::new();

    fn full() -> Full<Account> {
        Full::new(&NOWHERE, Way::Step, None)
    }

    fn paced(pace: &Pace) -> Account {
        let trace = trace::read(None).unwrap();
        let observe = || Paced::new(full(), pace.clone());
        let outcome = engine::run(&trace, &Settings::new(2), Start::Meanwhile, observe);
        Account::merged(outcome.observers.into_iter().map(|observer| observer.into_inner().book))
    }

    #[test]
    fn the_pace_changes_no_value() {
        let trace = trace::read(None).unwrap();
        let outcome = engine::run(&trace, &Settings::new(2), Start::Meanwhile, full);
        let wanted = written::account(Account::merged(outcome.observers.into_iter().map(|observer| observer.book)));
        let (_running, stop) = bounded(0);
        assert!(wanted.contains("time_to_first_token"));
        assert_eq!(written::account(paced(&Pace::new(u64::MAX, stop))), wanted);
    }

    #[test]
    fn once_stopped_nothing_is_seen_and_nothing_is_left_under_way() {
        let (running, stop) = bounded(0);
        drop(running);
        assert_eq!(paced(&Pace::new(1, stop)).into_sorted(), []);

        let (running, stop) = bounded::<()>(0);
        let pace = Pace::new(100, stop);
        let stopper = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            drop(running);
        });
        let series = paced(&pace).into_sorted();
        for wanted in ["running", "awaiting_admission", "waiting", "scheduled"] {
            let of = |name: &str| name == format!("num_requests_{wanted}");
            // None at all, where it was stopped before the first request.
            let mut levels = series.iter().filter(|(name, _, _)| of(name)).map(|(_, _, entry)| entry);
            assert!(levels.all(|entry| *entry == Entry::Level(0)), "{wanted}: {series:?}");
        }
        stopper.join().unwrap();
    }
}
