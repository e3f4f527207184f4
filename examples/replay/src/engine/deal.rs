//! The threads: one where requests arrive and are dealt out, one per replica.

use super::replica::{Replica, Tally};
use super::{Observer, Settings};
use crate::cpu;
use crate::trace::Request;
use std::thread;
use std::time::Duration;

/// When the replicas begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// While requests arrive.
    Meanwhile,
    /// When all have arrived: their threads never wait, and their CPU time is that of the loop.
    Afterwards,
}

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Outcome<O> {
    /// That of the thread of arrivals, then the replicas'.
    pub(crate) observers: Vec<O>,
    pub(crate) tally: Tally,
    /// CPU time of the replicas' threads in their loops.
    pub(crate) cpu: Duration,
}

/// Replays the trace. `observe` makes each thread's observer, on that thread.
pub(crate) fn run<O: Observer + Send>(
    trace: &[Request],
    settings: &Settings,
    start: Start,
    observe: impl Fn() -> O + Sync,
) -> Outcome<O> {
    let (outboxes, inboxes): (Vec<_>, Vec<_>) =
        (0..settings.workers).map(|_| crossbeam_channel::unbounded::<(Request, O::Ticket)>()).unzip();
    let mut arrivals = observe();
    let observe = &observe;
    thread::scope(|scope| {
        let serve = |inbox| {
            scope.spawn(move || {
                let replica = Replica::new(settings, inbox, observe());
                let before = cpu::of_this_thread();
                let done = replica.run();
                (done, cpu::of_this_thread() - before)
            })
        };
        let mut inboxes = inboxes.into_iter();
        let mut threads = Vec::new();
        if start == Start::Meanwhile {
            threads.extend(inboxes.by_ref().map(&serve));
        }
        for (request, outbox) in trace.iter().zip(outboxes.iter().cycle()) {
            let request = Request { at: settings.arrival(request.at), ..*request };
            let ticket = arrivals.arrived(&request);
            outbox.send((request, ticket)).expect("a replica ends after its outbox is gone");
        }
        drop(outboxes);
        threads.extend(inboxes.map(&serve));

        let mut outcome = Outcome { observers: vec![arrivals], tally: Tally::default(), cpu: Duration::ZERO };
        for thread in threads {
            let ((observer, tally), cpu) = thread.join().expect("a replica does not panic");
            outcome.observers.push(observer);
            outcome.tally.steps += tally.steps;
            outcome.tally.tokens += tally.tokens;
            outcome.tally.preemptions += tally.preemptions;
            outcome.cpu += cpu;
        }
        outcome
    })
}
