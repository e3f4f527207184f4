//! What a connection is doing, since when, and until when it may.
//!
//! hyper has one timer, for request heads, and none for responses. So the stream and the service tell a [`Watch`] what
//! they see, and the connection's task ends it when the deadline of its phase has passed.
//!
//! ```text
//!  accepted ─► Head ─ head complete ─► Answering ─ response made ─► Answered ─ all of it written ─► Idle ─┐
//!               ▲                                                                                         │
//!               └──────────────────────────────────── first byte ─────────────────────────────────────────┘
//! ```

use super::builder::Limits;
use super::own::Refused;
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How long a closed connection may take to notice: its client has to be told before the rest of what it sent is thrown
/// away.
const LINGER: Duration = Duration::from_secs(1);

/// A client that has been waited for this long leaves for any that needs its place.
const GRACE: Duration = Duration::from_millis(500);

/// A client that reads for longer than this leaves for any that needs its place, although it takes something.
const READING: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A request's head is on its way, or the first one is awaited.
    Head,
    /// A request is being answered.
    Answering,
    /// The response is made, and being written.
    Answered,
    /// No request is under way.
    Idle,
    /// The last response is written, and the connection being closed.
    Closing,
}

/// The phase and deadline of one connection.
#[derive(Debug)]
pub(super) struct Watch {
    limits: Rc<Limits>,
    /// Told when the connection no longer is busy.
    freed: Rc<Notify>,
    phase: Cell<Phase>,
    since: Cell<Instant>,
    deadline: Cell<Instant>,
    /// When the client last took some of the response.
    took: Cell<Instant>,
    malformed: Cell<bool>,
    begun: Instant,
    /// Whether a request was let in, of a client that had shown who it is, if it has to.
    heard: Cell<bool>,
    /// Whether it had to.
    proven: Cell<bool>,
}

/// A connection that nothing but its client keeps, so that it could leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Waits {
    /// Its client has shown who it is, as it has to.
    pub(super) proven: bool,
    /// A request of it was let in.
    pub(super) heard: bool,
    /// It has yet to read a response.
    pub(super) reads: bool,
    /// Of one that was not heard, since it was accepted, whatever it asked: asking again must not keep its place. Of one
    /// that reads, since it last took something.
    pub(super) since: Instant,
    /// When it leaves for any that needs its place, before those whose clients have only just been waited for.
    pub(super) leaves: Instant,
}

impl Watch {
    /// For a connection that is accepted now.
    pub(super) fn new(limits: &Rc<Limits>, freed: &Rc<Notify>) -> Self {
        let now = Instant::now();
        Self {
            limits: Rc::clone(limits),
            freed: Rc::clone(freed),
            phase: Cell::new(Phase::Head),
            since: Cell::new(now),
            deadline: Cell::new(now + limits.header),
            took: Cell::new(now),
            malformed: Cell::new(false),
            begun: now,
            heard: Cell::new(false),
            proven: Cell::new(false),
        }
    }

    fn enter(&self, phase: Phase, limit: Duration) {
        let now = Instant::now();
        self.phase.set(phase);
        self.since.set(now);
        self.deadline.set(now + limit);
    }

    /// Bytes have come in.
    pub(super) fn received(&self) {
        if self.phase.get() == Phase::Idle {
            self.enter(Phase::Head, self.limits.header);
        }
    }

    /// A request's head is complete.
    pub(super) fn requested(&self) {
        self.enter(Phase::Answering, self.limits.response);
    }

    /// The response is made. Its deadline is that of the whole answer, so a client that reads slowly gains nothing.
    pub(super) fn answered(&self) {
        let now = Instant::now();
        self.phase.set(Phase::Answered);
        self.since.set(now);
        self.took.set(now);
    }

    /// The client has taken some of it, or the system for it.
    pub(super) fn took(&self) {
        self.took.set(Instant::now());
    }

    /// All that there was to write is written.
    pub(super) fn flushed(&self) {
        if self.phase.get() == Phase::Answered {
            self.enter(Phase::Idle, self.limits.idle);
            self.freed.notify_one();
        }
    }

    /// No more will be written.
    pub(super) fn closing(&self) {
        self.enter(Phase::Closing, LINGER);
        self.freed.notify_one();
    }

    /// When the connection is to be ended.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline.get()
    }

    /// Bytes are being written. Those that answer no request are hyper's refusal of what is none.
    pub(super) fn writing(&self) {
        if matches!(self.phase.get(), Phase::Head | Phase::Idle) {
            self.malformed.set(true);
        }
    }

    /// Why the connection was not served to its end, if it was not; `late`: its deadline has passed.
    pub(super) fn refused(&self, late: bool) -> Option<Refused> {
        if self.malformed.get() {
            return Some(Refused::Malformed);
        }
        let waits = matches!(self.phase.get(), Phase::Idle | Phase::Closing);
        (late && !waits).then_some(Refused::Late)
    }

    /// A request was let in, of a client that had shown who it is; `proven`: as it has to.
    pub(super) fn let_in(&self, proven: bool) {
        self.heard.set(true);
        self.proven.set(proven);
    }

    /// `None` while the answer is being made.
    pub(super) fn waits(&self) -> Option<Waits> {
        let (heard, reads) = (self.heard.get(), self.phase.get() == Phase::Answered);
        let since = if heard { self.since.get() } else { self.begun };
        let (since, leaves) = match self.phase.get() {
            Phase::Answering => return None,
            Phase::Answered => (self.took.get(), (self.took.get() + GRACE).min(self.since.get() + READING)),
            // Between requests nothing is lost.
            Phase::Idle | Phase::Closing if heard => (since, since),
            _ => (since, since + GRACE),
        };
        Some(Waits { proven: self.proven.get(), heard, reads, since, leaves })
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, Phase, Waits, Watch};
    use std::rc::Rc;
    use std::time::Duration;
    use tokio::sync::Notify;

    #[test]
    fn each_phase_has_its_deadline() {
        let secs = Duration::from_secs;
        let limits = Limits { header: secs(5), idle: secs(70), response: secs(30), ..Limits::default() };
        let watch = Watch::new(&Rc::new(limits), &Rc::new(Notify::new()));
        let left = |watch: &Watch| (watch.deadline() - watch.since.get()).as_secs();
        assert!(left(&watch) == 5 && watch.refused(true).is_some());
        let first = watch.deadline();
        // More bytes, or a flush of nothing, move nothing.
        watch.received();
        watch.flushed();
        assert_eq!((watch.deadline(), watch.phase.get()), (first, Phase::Head));

        watch.requested();
        assert_eq!((left(&watch), watch.waits()), (30, None));
        watch.let_in(false);
        let answer = watch.deadline();
        watch.received();
        watch.flushed();
        assert_eq!((watch.deadline(), watch.waits()), (answer, None));
        watch.answered();
        assert_eq!(watch.deadline(), answer);
        let made = watch.waits().unwrap();
        assert!(made.reads && made.leaves == made.since + super::GRACE);
        watch.took();
        assert!(watch.waits().unwrap().since >= made.since);
        // Something now and then is not enough.
        watch.took.set(made.since + 2 * super::READING);
        assert_eq!(watch.waits().unwrap().leaves, made.since + super::READING);

        watch.flushed();
        assert!(left(&watch) == 70 && watch.refused(true).is_none());
        assert!(watch.waits().is_some());
        watch.received();
        assert_eq!((left(&watch), watch.phase.get()), (5, Phase::Head));
        watch.closing();
        assert_eq!(left(&watch), 1);
    }

    #[test]
    fn who_is_not_let_in_has_waited_since_the_beginning() {
        let watch = Watch::new(&Rc::new(Limits::default()), &Rc::new(Notify::new()));
        for (heard, proven) in [(false, false), (true, false), (true, true)] {
            watch.requested();
            if heard {
                watch.let_in(proven);
            }
            watch.answered();
            watch.flushed();
            let since = if heard { watch.since.get() } else { watch.begun };
            let leaves = if heard { since } else { since + super::GRACE };
            assert_eq!(watch.waits(), Some(Waits { proven, heard, reads: false, since, leaves }));
        }
    }
}
