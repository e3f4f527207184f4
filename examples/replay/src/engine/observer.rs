//! Who watches the engine.

use crate::trace::Request;

/// What a batch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Batch {
    Prefill,
    Decode,
}

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Stop,
    Length,
    Error,
    Abort,
    /// As an abort, but nobody says so: what follows the request is dropped.
    Vanished,
}

impl End {
    /// How a request ends that got all its tokens.
    pub(crate) fn of(request: &Request) -> Self {
        match request.index % 31 {
            7 => Self::Error,
            5 => Self::Abort,
            17 => Self::Vanished,
            2 | 13 | 23 => Self::Length,
            _ => Self::Stop,
        }
    }
}

/// A step that has just been computed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepFacts {
    /// The replica's steps before.
    pub(crate) number: u64,
    /// When its results were there.
    pub(crate) now: u64,
    pub(crate) batch: Batch,
    pub(crate) requests: u64,
    pub(crate) input_tokens: u64,
    pub(crate) context_tokens: u64,
    pub(crate) terminated: u64,
    pub(crate) pending: u64,
    pub(crate) queued: u64,
    pub(crate) blocks_used: u64,
    pub(crate) blocks_total: u64,
    /// Time to form the batch, in nanoseconds.
    pub(crate) creation: u64,
}

/// What records. All times are virtual: nanoseconds since the first arrival.
///
/// Each thread has an observer of its own: the one where requests arrive, and each replica's. What belongs to a request
/// is its ticket, which goes with it from thread to thread.
pub(crate) trait Observer {
    type Ticket: Send + 'static;

    /// A request arrives, on the thread of arrivals.
    fn arrived(&mut self, request: &Request) -> Self::Ticket;

    /// The replica takes it into its queue.
    fn queued(&mut self, _ticket: &mut Self::Ticket) {}

    /// The replica had nothing to do until now.
    fn idle(&mut self, _now: u64) {}

    /// The request has a place in the batch.
    fn scheduled(&mut self, _ticket: &mut Self::Ticket, _now: u64) {}

    /// The request has lost its place in the batch.
    fn preempted(&mut self, _ticket: &mut Self::Ticket) {}

    /// A step is done, in which these requests got so many tokens. Must go through all of `tokens`, which moves the
    /// engine's own state on as it goes, as the loop of a server does.
    fn step<'t>(&mut self, step: &StepFacts, tokens: impl Iterator<Item = (&'t mut Self::Ticket, u64)>);

    /// The request is over.
    fn finished(&mut self, _ticket: Self::Ticket, _request: &Request, _end: End, _now: u64) {}
}
