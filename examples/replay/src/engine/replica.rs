//! One replica: its queue, its batch, its cache.

use super::{Batch, End, Observer, Settings, StepFacts, times};
use crate::trace::Request;
use crossbeam_channel::Receiver;
use std::collections::VecDeque;

/// What a replica has done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) steps: u64,
    pub(crate) tokens: u64,
    pub(crate) preemptions: u64,
}

struct Sequence<T> {
    request: Request,
    ticket: T,
    generated: u64,
    /// Tokens that its next step brings.
    next: u64,
    /// Blocks that it holds.
    blocks: u64,
}

impl<T> Sequence<T> {
    fn plan(&mut self, drafts: bool) {
        let left = self.request.output - self.generated;
        let wanted = match (self.request.index + self.generated) % 13 {
            0 if drafts => 3,
            5 if drafts => 2,
            _ => 1,
        };
        self.next = wanted.min(left);
    }

    fn context(&self) -> u64 {
        self.request.prompt + self.generated
    }

    fn ends_next(&self) -> bool {
        self.generated + self.next == self.request.output
    }

    /// Blocks that it lacks for its next step.
    fn lacks(&self, block: u64) -> u64 {
        (self.context() + self.next).div_ceil(block) - self.blocks
    }

    /// Gives the tokens of a step.
    fn advance(&mut self, drafts: bool) -> u64 {
        let n = self.next;
        self.generated += n;
        self.plan(drafts);
        n
    }
}

/// A replica that serves what comes through its inbox.
pub(super) struct Replica<'a, O: Observer> {
    settings: &'a Settings,
    inbox: Receiver<(Request, O::Ticket)>,
    /// Taken out of the inbox before its time has come.
    next: Option<(Request, O::Ticket)>,
    observer: O,
    waiting: VecDeque<Sequence<O::Ticket>>,
    /// From the oldest to the youngest.
    running: Vec<Sequence<O::Ticket>>,
    free: u64,
    now: u64,
    tally: Tally,
}

impl<'a, O: Observer> Replica<'a, O> {
    pub(super) fn new(settings: &'a Settings, inbox: Receiver<(Request, O::Ticket)>, observer: O) -> Self {
        Self {
            settings,
            inbox,
            next: None,
            observer,
            waiting: VecDeque::new(),
            running: Vec::with_capacity(settings.batch_max),
            free: settings.blocks,
            now: 0,
            tally: Tally::default(),
        }
    }

    /// Serves until all requests are done and no more can come.
    pub(super) fn run(mut self) -> (O, Tally) {
        while self.receive() {
            match self.admit() {
                0 => self.decode(),
                admitted => self.prefill(admitted),
            }
        }
        (self.observer, self.tally)
    }

    /// Takes in what has arrived by now; where there is nothing to do, waits for more. False if there will be none.
    ///
    /// Waits for the next arrival in any case, to know that it is later than now: results depend on no thread's speed.
    fn receive(&mut self) -> bool {
        loop {
            let Some((request, mut ticket)) = self.next.take().or_else(|| self.inbox.recv().ok()) else {
                return !(self.running.is_empty() && self.waiting.is_empty());
            };
            let ready = request.at + times::tokenizing(request.prompt);
            if ready > self.now {
                if self.running.is_empty() && self.waiting.is_empty() {
                    self.now = ready;
                    self.observer.idle(self.now);
                } else {
                    self.next = Some((request, ticket));
                    return true;
                }
            }
            self.observer.queued(&mut ticket);
            self.waiting.push_back(Sequence { request, ticket, generated: 0, next: 0, blocks: 0 });
        }
    }

    /// Moves requests from the queue to the batch while there is room. Gives how many.
    fn admit(&mut self) -> usize {
        let (total, block) = (self.settings.blocks, self.settings.block);
        let mut admitted = 0;
        let mut tokens = 0;
        while let Some(mut sequence) = self.waiting.pop_front() {
            let request = sequence.request;
            if request.output == 0 {
                self.observer.finished(sequence.ticket, &request, End::Vanished, self.now);
                continue;
            }
            if (request.prompt + request.output).div_ceil(block) > total {
                self.observer.finished(sequence.ticket, &request, End::Error, self.now);
                continue;
            }
            sequence.plan(self.settings.drafts);
            let lacks = sequence.lacks(block);
            // Some room is left for those that run, or the newcomer would cost one of them its place at once.
            let spare = if self.running.is_empty() { 0 } else { total / 100 };
            let fits = self.running.len() < self.settings.batch_max
                && lacks + spare <= self.free
                && (admitted == 0 || tokens + sequence.context() <= self.settings.prefill_max);
            if !fits {
                self.waiting.push_front(sequence);
                break;
            }
            self.free -= lacks;
            sequence.blocks += lacks;
            tokens += sequence.context();
            self.observer.scheduled(&mut sequence.ticket, self.now);
            self.running.push(sequence);
            admitted += 1;
        }
        admitted
    }

    /// The newcomers' prompts, and what they had generated before they lost their place; each gets its next token.
    fn prefill(&mut self, admitted: usize) {
        let first = self.running.len() - admitted;
        let tokens: u64 = self.running[first..].iter().map(Sequence::context).sum();
        self.now += times::creation(admitted as u64) + times::prefill(tokens, self.tally.steps);
        self.step(Batch::Prefill, first, tokens);
    }

    /// A token for each request in the batch.
    fn decode(&mut self) {
        let mut i = 0;
        while i < self.running.len() {
            let lacks = self.running[i].lacks(self.settings.block);
            if lacks <= self.free {
                self.free -= lacks;
                self.running[i].blocks += lacks;
                i += 1;
            } else {
                self.preempt();
            }
        }
        let batch = self.running.len() as u64;
        if batch > 0 {
            let context = self.running.iter().map(Sequence::context).sum();
            self.now += times::creation(batch) + times::decode(batch, context, self.tally.steps);
            self.step(Batch::Decode, 0, batch);
        }
    }

    /// Takes the youngest out of the batch.
    fn preempt(&mut self) {
        let Some(mut sequence) = self.running.pop() else { return };
        self.free += std::mem::take(&mut sequence.blocks);
        self.observer.preempted(&mut sequence.ticket);
        self.waiting.push_front(sequence);
        self.tally.preemptions += 1;
    }

    /// Hands out the tokens of a step to the batch from `first` on.
    fn step(&mut self, batch: Batch, first: usize, input_tokens: u64) {
        let settings = self.settings;
        let taking_part = &self.running[first..];
        let terminated = taking_part.iter().filter(|sequence| sequence.ends_next()).count() as u64;
        let requests = taking_part.len() as u64;
        let facts = StepFacts {
            number: self.tally.steps,
            now: self.now,
            batch,
            requests,
            input_tokens,
            context_tokens: taking_part.iter().map(Sequence::context).sum(),
            terminated,
            pending: self.running.len() as u64 - requests,
            queued: self.waiting.len() as u64,
            blocks_used: settings.blocks - self.free,
            blocks_total: settings.blocks,
            creation: times::creation(requests),
        };
        let mut output = 0;
        let mut chain = self.now;
        let tokens = self.running[first..].iter_mut().map(|sequence| {
            let n = sequence.advance(settings.drafts);
            output += n;
            for _ in 0..settings.work {
                chain = (chain ^ output).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            }
            (&mut sequence.ticket, n)
        });
        self.observer.step(&facts, tokens);
        std::hint::black_box(chain);
        self.tally.steps += 1;
        self.tally.tokens += output;
        if terminated > 0 {
            self.retire();
        }
    }

    fn retire(&mut self) {
        let mut i = 0;
        while i < self.running.len() {
            let request = self.running[i].request;
            if self.running[i].generated == request.output {
                let sequence = self.running.remove(i);
                self.free += sequence.blocks;
                self.observer.finished(sequence.ticket, &request, End::of(&request), self.now);
            } else {
                i += 1;
            }
        }
    }
}
