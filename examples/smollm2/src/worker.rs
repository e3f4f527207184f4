//! A worker process: a model, its streams and their KV caches, and the loop of steps over them.
//!
//! It takes [`Order`]s from standard input, tells [`Report`]s on standard output, and records what only it knows: steps,
//! batches, the cache, how long the model took to load. What a request got and how long it took is recorded by the API,
//! and nothing is by both.
//!
//! The end of its input is its own end: also where the API was killed.

use std::io::{BufRead, Write};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Instant;

use anyhow::{Context, Result};
use tach::serve::{BatchType, Component, Metrics, StepStats, StepTimer};

use crate::cli::Options;
use crate::ledger::{Batch, Ledger};
use crate::metrics::Recording;
use crate::request::after;
use crate::scheduler::computed;
use crate::server::announce_cache;
use crate::stream::{Engine, Stream};
use crate::wire::{Order, Report, Token};

/// A stream and what it generates.
struct Lane {
    stream: Box<dyn Stream>,
    job: Option<Job>,
}

/// A request, as far as a worker has to know it.
struct Job {
    id: u64,
    limit: usize,
    prompt: Vec<u32>,
    generated: usize,
    last: u32,
}

/// See the module.
pub(crate) struct Worker {
    engine: Engine,
    lanes: Vec<Lane>,
    metrics: &'static Metrics,
    steps: StepTimer<'static>,
    seed: u64,
    kv_capacity: u64,
    ledger: Ledger,
}

/// Runs worker `number` to its end.
pub(crate) fn run(options: &Options, number: usize) -> Result<()> {
    // Before the model is loaded, so that what comes meanwhile waits in no pipe.
    let orders = orders()?;
    let recording = Recording::in_segment(options, &format!("worker-{number}"))?;
    let begin = Instant::now();
    let engine = crate::load(options)?;
    recording.metrics.model_load_time(begin.elapsed(), Component::Init);
    recording.metrics.pipeline_load(&options.model_name());
    let worker = Worker::new(engine, recording.metrics, options.seed);
    recording.metrics.model_load_time(begin.elapsed(), Component::Total);
    worker.serve(&orders, &mut std::io::stdout().lock())
}

/// Orders as they come, read by a thread of its own: a step does not wait for one.
fn orders() -> Result<Receiver<Result<Order>>> {
    let (give, orders) = channel();
    let read = move || {
        for line in std::io::stdin().lock().lines() {
            let order = line.context("no order can be read").and_then(|line| line.parse());
            if give.send(order).is_err() {
                break;
            }
        }
    };
    std::thread::Builder::new().name("orders".to_owned()).spawn(read)?;
    Ok(orders)
}

impl Worker {
    pub(crate) fn new(mut engine: Engine, metrics: &'static Metrics, seed: u64) -> Self {
        let lanes: Vec<_> = engine.streams.drain(..).map(|stream| Lane { stream, job: None }).collect();
        let kv_capacity = (lanes.len() * engine.context) as u64;
        announce_cache(metrics, kv_capacity);
        Self { engine, lanes, metrics, steps: StepTimer::new(metrics), seed, kv_capacity, ledger: Ledger::default() }
    }

    /// Does what it is told until nobody tells it anything.
    pub(crate) fn serve(mut self, orders: &Receiver<Result<Order>>, out: &mut impl Write) -> Result<()> {
        tell(out, &Report::Ready { context: self.engine.context })?;
        loop {
            let order = if self.lanes.iter().any(|lane| lane.job.is_some()) {
                match orders.try_recv() {
                    Err(TryRecvError::Empty) => None,
                    Err(TryRecvError::Disconnected) => return Ok(()),
                    Ok(order) => Some(order?),
                }
            } else {
                let Ok(order) = orders.recv() else { return Ok(()) };
                // What it waited is no part of the next step.
                self.steps.begin();
                Some(order?)
            };
            match order {
                Some(Order::Run { id, limit, prompt }) => {
                    self.take(Job { id, limit, prompt, generated: 0, last: 0 })?
                }
                Some(Order::Stop) => {
                    self.stop();
                    tell(out, &Report::Done(self.ledger.clone()))?;
                }
                None => {
                    if let Err(error) = self.step(out) {
                        // The API may be what failed.
                        let _ = tell(out, &Report::Failed(format!("{error:#}")));
                        return Err(error);
                    }
                }
            }
        }
    }

    fn take(&mut self, job: Job) -> Result<()> {
        let lane = self.lanes.iter_mut().find(|lane| lane.job.is_none());
        let lane = lane.with_context(|| format!("request {} came when all streams were taken", job.id))?;
        lane.job = Some(job);
        Ok(())
    }

    /// Computes a token for each request, tells them, and records the step.
    fn step(&mut self, out: &mut impl Write) -> Result<()> {
        let (mut batch, mut tokens, mut prompts) = (Batch::default(), Vec::new(), Vec::new());
        for Lane { stream, job: place } in &mut self.lanes {
            let Some(job) = place else { continue };
            let token = match job.generated {
                0 => stream.prefill(&job.prompt, self.seed.wrapping_add(job.id)),
                _ => stream.decode(job.last),
            };
            job.last = token.with_context(|| format!("request {} failed", job.id))?;
            batch.requests += 1;
            batch.context += stream.cached_tokens() as u64;
            if job.generated == 0 {
                batch.prompts += job.prompt.len() as u64;
                prompts.push(job.prompt.len());
            }
            job.generated += 1;
            let reason = after(self.engine.text.is_end(job.last), job.generated, job.limit);
            tokens.push(Token { id: job.id, token: job.last, reason });
            if reason.is_some() {
                batch.ended += 1;
                stream.clear();
                *place = None;
            }
            batch.kv_tokens += stream.cached_tokens() as u64;
        }
        let step = self.steps.step();
        let output = tokens.len() as u64;
        prompts.iter().for_each(|prompt| self.ledger.prefilled.add(*prompt as u64));
        self.ledger.step(&batch, step.took(), output);
        // Before it is recorded: killed between the two, it is told and not recorded, and never the other way round.
        tell(out, &Report::Step { tokens, account: self.ledger.clone() })?;

        let batch_type = if batch.prompts > 0 { BatchType::Prefill } else { BatchType::Decode };
        step.end(&StepStats {
            input_tokens: Some(batch.input()),
            output_tokens: Some(output),
            context_tokens: Some(batch.context),
            terminated: Some(batch.ended),
            kv_blocks: Some((batch.kv_tokens, self.kv_capacity)),
            ..StepStats::new(batch_type, batch.requests)
        });
        prompts.iter().for_each(|prompt| computed(self.metrics, *prompt));
        self.metrics.kv_tokens(batch.kv_tokens as f64);
        Ok(())
    }

    /// Leaves everything.
    fn stop(&mut self) {
        for lane in &mut self.lanes {
            lane.job = None;
            lane.stream.clear();
        }
        self.ledger.kv_tokens = 0;
        self.metrics.kv_tokens(0.0);
        self.metrics.kv_usage(0.0);
        self.metrics.cache_num_used_blocks(0.0);
    }
}

fn tell(out: &mut impl Write, report: &Report) -> Result<()> {
    // In one piece: what is killed in the middle has told nothing.
    out.write_all(format!("{report}\n").as_bytes()).and_then(|()| out.flush()).context("the API is gone")
}
