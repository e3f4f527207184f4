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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Account;
    use crate::check::compare;
    use crate::mock::{self, Pace};
    use anyhow::bail;
    use tach::serve::Settings;

    const AT_ONCE: Pace = Pace { prompt_token: std::time::Duration::ZERO, token: std::time::Duration::ZERO };

    /// What a worker tells when these are its orders, and how it ended.
    fn reports(engine: Engine, recording: &Recording, orders: &[Order]) -> (Vec<Report>, Result<()>) {
        let (give, take) = channel();
        orders.iter().for_each(|order| give.send(Ok(order.to_string().parse().unwrap())).unwrap());
        let mut told = Vec::new();
        // Ends after `stop`, and where there is none, with what it generates.
        let worker = Worker::new(engine, recording.metrics, 42);
        let ended = if orders.contains(&Order::Stop) {
            drop(give);
            worker.serve(&take, &mut told)
        } else {
            let mut out = Until { told: &mut told, give: Some(give) };
            worker.serve(&take, &mut out)
        };
        let lines = String::from_utf8(told).unwrap();
        (lines.lines().map(|line| line.parse().unwrap()).collect(), ended)
    }

    /// Takes reports until two requests have ended, and then has the worker stopped.
    struct Until<'a> {
        told: &'a mut Vec<u8>,
        give: Option<std::sync::mpsc::Sender<Result<Order>>>,
    }

    impl Write for Until<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.told.extend(bytes);
            let text = String::from_utf8_lossy(self.told);
            if text.matches(":stop").count() + text.matches(":length").count() == 2
                && let Some(give) = self.give.take()
            {
                give.send(Ok(Order::Stop)).unwrap();
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn request(id: u64, limit: usize) -> Order {
        Order::Run { id, limit, prompt: vec![1, 2, 3] }
    }

    #[test]
    fn each_token_is_told_and_the_last_account_is_what_was_recorded() {
        let recording = Recording::unserved(&Settings::default()).unwrap();
        let (reports, ended) = reports(mock::engine(2, AT_ONCE), &recording, &[request(0, 5), request(1, 1)]);
        ended.unwrap();
        assert!(matches!(reports[0], Report::Ready { context: 4096 }));
        let mut tokens = [0, 0];
        let mut last = [None, None];
        for report in &reports[1..reports.len() - 1] {
            let Report::Step { tokens: step, .. } = report else { panic!("{report:?}") };
            for token in step {
                assert_eq!(last[token.id as usize], None, "a token after the last one");
                tokens[token.id as usize] += 1;
                last[token.id as usize] = token.reason;
            }
        }
        assert!(tokens[0] <= 5 && tokens[1] == 1 && last.iter().all(Option::is_some), "{tokens:?} {last:?}");
        let Some(Report::Done(account)) = reports.last() else { panic!("{reports:?}") };
        assert_eq!((account.prefilled.count, account.prefilled.sum, account.kv_tokens), (2, 6, 0));
        assert_eq!(account.iteration.sum, 6 + tokens[0] + tokens[1]);
        let comparison = compare(&Account::exact(account.clone()), &recording.read(), None);
        assert_eq!(comparison.differences, Vec::<String>::new());
        // What the API records is not recorded here.
        let reading = recording.read();
        assert_eq!(reading.counter("num_output_tokens", None), Some(0));
        let speed = Some(("batch_type", "TG"));
        let steps = account.step[0].count;
        assert_eq!(reading.histogram("batch_generation_throughput", speed).unwrap().count(), steps);
    }

    #[test]
    fn more_requests_than_streams_are_refused() {
        let recording = Recording::unserved(&Settings::default()).unwrap();
        let orders = [request(0, 5), request(1, 5), Order::Stop];
        let error = reports(mock::engine(1, AT_ONCE), &recording, &orders).1.unwrap_err();
        assert_eq!(error.to_string(), "request 1 came when all streams were taken");
    }

    struct Broken;

    impl Stream for Broken {
        fn prefill(&mut self, _prompt: &[u32], _seed: u64) -> Result<u32> {
            bail!("out of luck")
        }

        fn decode(&mut self, _last: u32) -> Result<u32> {
            Ok(1)
        }

        fn cached_tokens(&self) -> usize {
            0
        }

        fn clear(&mut self) {}
    }

    #[test]
    fn a_model_that_fails_is_told_with_its_reason_and_nothing_is_recorded_of_the_step() {
        let recording = Recording::unserved(&Settings::default()).unwrap();
        let engine = Engine { streams: vec![Box::new(Broken)], ..mock::engine(1, AT_ONCE) };
        let (reports, ended) = reports(engine, &recording, &[request(7, 5)]);
        assert!(ended.is_err());
        let Some(Report::Failed(why)) = reports.last() else { panic!("{reports:?}") };
        assert_eq!(why, "request 7 failed: out of luck");
        assert_eq!(reading_steps(&recording), 0);
    }

    fn reading_steps(recording: &Recording) -> u64 {
        recording.read().histogram("batch_size", Some(("batch_type", "CE"))).unwrap().count()
    }
}
