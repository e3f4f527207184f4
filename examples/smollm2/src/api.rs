//! The API process: takes the clients' requests, gives them to workers, and measures what clients get.
//!
//! A request waits here until a worker has a free stream. From then on the worker tells each token and whether it was the
//! last; the clock is read here, once for each report. So times to tokens hold the way between the processes, too, as
//! those of a server's API do.
//!
//! Requests of a worker that dies end with an error, their clients send others, and the worker is started again.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use tach::serve::{Component, Finish, Stamp};

use crate::children::{Children, Event};
use crate::console::Console;
use crate::intake::{Intake, fits};
use crate::ledger::Ledger;
use crate::progress::Progress;
use crate::request::Request;
use crate::scheduler::{Answer, Ending};
use crate::server::show;
use crate::wire::{Order, Token};

/// How often a signal is looked for while nothing happens.
const LOOK: Duration = Duration::from_millis(50);

/// See the module.
pub(crate) struct Api<'a> {
    pub(crate) intake: Intake,
    pub(crate) clients: usize,
    /// Tokens to generate in all; `None` for no end.
    pub(crate) tokens: Option<u64>,
    /// Streams of each worker.
    pub(crate) streams: usize,
    pub(crate) show_text: bool,
    pub(crate) console: &'a Console,
    pub(crate) ledger: Ledger,
    /// By worker: the requests that it has.
    pub(crate) under_way: Vec<BTreeMap<u64, Request>>,
}

impl Api<'_> {
    /// Generates until the end, which it tells, and how long it took.
    pub(crate) fn run(
        &mut self,
        children: &mut Children,
        interrupted: &AtomicBool,
        progress: &Mutex<Progress>,
    ) -> Result<(Ending, Duration)> {
        // Relaxed: it orders nothing else.
        let interrupted = || interrupted.load(Ordering::Relaxed);
        // Clients come when the doors open: to load the models is no part of their waiting.
        while !interrupted() && !(0..children.count()).all(|worker| children.is_ready(worker)) {
            if let Some(event) = children.next(LOOK)? {
                self.take(event, children, self.now())?;
            }
        }
        let start = self.now();
        let mut newest = start;
        for _ in 0..self.clients {
            self.intake.arrive(&mut self.ledger, start)?;
        }
        self.dispatch(children);
        let ending = loop {
            if self.left() == 0 {
                break Ending::Tokens;
            }
            if interrupted() {
                break Ending::Interrupted;
            }
            if let Some(event) = children.next(LOOK)? {
                newest = self.now();
                self.take(event, children, newest)?;
                self.dispatch(children);
            }
            *progress.lock().unwrap_or_else(PoisonError::into_inner) = Progress {
                tokens: self.ledger.generated,
                running: self.ledger.running,
                waiting: self.ledger.waiting,
                kv_tokens: children.kv_tokens(),
            };
        };
        self.abort_all();
        Ok((ending, Duration::from_nanos(newest.since(start))))
    }

    fn now(&self) -> Stamp {
        self.intake.clock.now()
    }

    /// Tokens that are still to come.
    fn left(&self) -> u64 {
        self.tokens.map_or(u64::MAX, |tokens| tokens.saturating_sub(self.ledger.generated))
    }

    fn take(&mut self, event: Event, children: &Children, now: Stamp) -> Result<()> {
        match event {
            Event::Ready { worker, context, took } => {
                fits(&*self.intake.text, context, self.intake.max_tokens)?;
                self.intake.metrics.model_load_time(took, Component::Spawn);
                let pid = children.pid(worker).unwrap_or(0);
                self.console.note(&format!("worker-{worker}: process {pid}, ready after {:.1} s", took.as_secs_f64()));
                Ok(())
            }
            Event::Step { worker, tokens } => self.step(worker, &tokens, now),
            Event::Failed { worker, why } => bail!("worker-{worker}: {why}"),
            Event::Done => Ok(()),
            Event::Gone { worker, how } => self.gone(worker, &how, now),
        }
    }

    /// A worker's step brought tokens. Of the last one no more are taken than were asked for.
    fn step(&mut self, worker: usize, tokens: &[Token], now: Stamp) -> Result<()> {
        for Token { id, token, reason } in tokens {
            if self.left() == 0 {
                break;
            }
            let Some(request) = self.under_way[worker].get_mut(id) else {
                bail!("worker-{worker} has a token of request {id}, which it was not given");
            };
            request.timer.tokens_at(1, now);
            request.got(*token, now);
            self.ledger.token(request);
            if let Some(reason) = *reason {
                self.end(worker, *id, reason, now);
                self.intake.arrive(&mut self.ledger, now)?;
            }
        }
        Ok(())
    }

    fn gone(&mut self, worker: usize, how: &str, now: Stamp) -> Result<()> {
        let lost: Vec<u64> = self.under_way[worker].keys().copied().collect();
        self.console.note(&format!(
            "worker-{worker} {how}: {} requests end with an error, and it is started again",
            lost.len()
        ));
        for id in lost {
            self.end(worker, id, Finish::Error, now);
            self.intake.arrive(&mut self.ledger, now)?;
        }
        Ok(())
    }

    /// A request of a worker is over.
    fn end(&mut self, worker: usize, id: u64, reason: Finish, now: Stamp) {
        let Some(request) = self.under_way[worker].remove(&id) else { return };
        self.ledger.running -= 1;
        self.ledger.left(&request, reason, now.nanos());
        request.timer.finished_at(reason, now);
        if self.show_text {
            let answer = Answer { id, tokens: request.generated, reason };
            show(&*self.intake.text, &answer, self.console);
        }
    }

    /// Gives waiting requests to workers that have free streams, to the emptiest first.
    fn dispatch(&mut self, children: &mut Children) {
        while let Some(worker) = self.free(children) {
            let Some(request) = self.intake.admit(&mut self.ledger) else { break };
            let (id, limit, prompt) = (request.id, self.intake.max_tokens, request.prompt.clone());
            self.under_way[worker].insert(id, request);
            children.tell(worker, &Order::Run { id, limit, prompt });
        }
        self.intake.metrics.reqs_queued(self.intake.queue.len() as f64);
    }

    /// The emptiest of the workers that have a free stream.
    fn free(&self, children: &Children) -> Option<usize> {
        let held = |worker: usize| self.under_way[worker].len();
        let is_free = |worker: &usize| children.is_ready(*worker) && held(*worker) < self.streams;
        (0..children.count()).filter(is_free).min_by_key(|worker| held(*worker))
    }

    /// Ends every request that is not complete.
    fn abort_all(&mut self) {
        let now = self.now();
        let running = self.under_way.iter_mut().flat_map(|requests| std::mem::take(requests).into_values());
        for request in running.chain(self.intake.queue.drain(..)) {
            self.ledger.left(&request, Finish::Abort, now.nanos());
            request.timer.finished_at(Finish::Abort, now);
        }
        (self.ledger.running, self.ledger.waiting) = (0, 0);
        self.intake.metrics.reqs_queued(0.0);
    }
}
