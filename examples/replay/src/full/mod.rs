//! An observer that records the whole catalogue through `tach::serve`, and keeps a book beside it.

mod ends;
mod parts;
mod peek;
mod starts;
mod steps;

use crate::account::{Book, Limits};
use crate::engine::{Batch, End, Observer, StepFacts, tokenizing};
use crate::trace::Request;
use std::time::Duration;
use tach::serve::{BatchType, Finish, Metrics, Objectives, RequestTimer, Stamp, StepStats, StepTimer, Turn};

pub(crate) use peek::Peek;
pub(crate) use starts::load;

/// The stamp of virtual time 0, in nanoseconds.
const EPOCH: u64 = 1_000_000_000_000;
/// When it is noticed, in virtual time, that a request has vanished: the metrics' own clock stands there.
pub(crate) const NOTICED: u64 = 4_000_000_000_000;

/// Virtual time as the timers take it.
pub(crate) const fn stamp(virtual_nanos: u64) -> Stamp {
    Stamp::from_nanos(EPOCH + virtual_nanos)
}

/// The account's objectives, as tach takes them.
pub(crate) fn objectives() -> Objectives {
    let limits = Limits::default();
    Objectives {
        ttft: Some(Duration::from_nanos(limits.ttft)),
        tpot: Some(Duration::from_nanos(limits.tpot)),
        e2e: Some(Duration::from_nanos(limits.e2e)),
    }
}

/// How the tokens of a step are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// All of them together.
    Step,
    /// Those of every other request by its own timer.
    Mixed,
}

/// What goes with a request.
pub(crate) struct Ticket<S> {
    timer: RequestTimer,
    even: bool,
    story: S,
}

/// The observer of one thread.
pub(crate) struct Full<B> {
    metrics: &'static Metrics,
    steps: StepTimer<'static>,
    way: Way,
    pub(crate) book: B,
    pub(crate) peek: Option<Peek>,
}

impl<B: Book> Full<B> {
    pub(crate) fn new(metrics: &'static Metrics, way: Way, peek: Option<Peek>) -> Self {
        Self { metrics, steps: StepTimer::new(metrics), way, book: B::default(), peek }
    }

    /// Looks at what goes up and down, if that is wanted, while something is under way.
    fn peek(&mut self, wanted: impl FnOnce(&Peek) -> bool) {
        if let Some(peek) = self.peek.as_mut().filter(|peek| wanted(peek)) {
            peek.look();
        }
    }
}

impl<B: Book> Observer for Full<B> {
    type Ticket = Ticket<B::Story>;

    fn arrived(&mut self, request: &Request) -> Self::Ticket {
        let ready = request.at + tokenizing(request.prompt);
        let mut timer = RequestTimer::arrived_at(self.metrics, stamp(request.at));
        let turn = if request.index.is_multiple_of(3) { Turn::First } else { Turn::Later };
        timer.input_at(request.prompt, turn, stamp(ready));
        let story = self.book.arrived(request, ready);
        starts::request(self.metrics, &mut self.book, request);
        parts::request(self.metrics, &mut self.book, request.index);
        self.peek(|_| request.index == 0);
        Ticket { timer, even: request.index.is_multiple_of(2), story }
    }

    fn queued(&mut self, ticket: &mut Self::Ticket) {
        ticket.timer.admitted();
        self.book.queued(&mut ticket.story);
    }

    fn idle(&mut self, now: u64) {
        self.steps.begin_at(stamp(now));
        self.book.idle(now);
    }

    fn scheduled(&mut self, ticket: &mut Self::Ticket, now: u64) {
        ticket.timer.scheduled_at(stamp(now));
        self.book.scheduled(&mut ticket.story, now);
    }

    fn preempted(&mut self, ticket: &mut Self::Ticket) {
        ticket.timer.preempted();
        self.book.preempted(&mut ticket.story);
    }

    fn step<'t>(&mut self, facts: &StepFacts, tokens: impl Iterator<Item = (&'t mut Self::Ticket, u64)>) {
        let mut step = self.steps.step_at(stamp(facts.now));
        let mut output = 0;
        tokens.for_each(|(ticket, n)| {
            self.book.tokens(&mut ticket.story, n, facts.now);
            if self.way == Way::Step || ticket.even {
                step.tokens(&mut ticket.timer, n);
                output += n;
            } else {
                ticket.timer.tokens_at(n, step.now());
            }
        });
        step.end(&stats(facts));
        self.book.step(facts, output);
        steps::step(self.metrics, &mut self.book, facts);
        // Another thread may set a gauge to zero before it is seen here: then it is looked at again.
        self.peek(|peek| facts.number == 0 || facts.queued > 0 && !peek.is_done());
    }

    fn finished(&mut self, ticket: Self::Ticket, request: &Request, end: End, now: u64) {
        let finish = match end {
            End::Stop => Finish::Stop,
            End::Length => Finish::Length,
            End::Error => Finish::Error,
            End::Abort => Finish::Abort,
            End::Vanished => {
                drop(ticket.timer);
                self.book.finished(ticket.story, end, NOTICED);
                return;
            }
        };
        ticket.timer.finished_at(finish, stamp(now));
        self.book.finished(ticket.story, end, now);
        ends::request(self.metrics, &mut self.book, request, end, now);
    }
}

const fn batch_type(batch: Batch) -> BatchType {
    match batch {
        Batch::Prefill => BatchType::Prefill,
        Batch::Decode => BatchType::Decode,
    }
}

fn stats(facts: &StepFacts) -> StepStats {
    let mut stats = StepStats::new(batch_type(facts.batch), facts.requests);
    stats.input_tokens = Some(facts.input_tokens);
    stats.context_tokens = Some(facts.context_tokens);
    stats.terminated = Some(facts.terminated);
    stats.pending = Some(facts.pending);
    stats.queued = Some(facts.queued);
    stats.kv_blocks = Some((facts.blocks_used, facts.blocks_total));
    stats.creation = Some(facts.creation);
    stats
}
