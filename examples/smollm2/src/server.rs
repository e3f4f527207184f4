//! The threads of the generation loop.
//!
//! All workers walk through each step together:
//!
//! 1. *compute*: each takes scheduled slots, one after the other, and runs the model for one token: a whole prompt for a
//!    new request, the newest token for the others. A new request's prompt therefore delays the tokens of its
//!    neighbours, as in a real server without chunked prefill, and the tail of the inter-token latency shows it;
//! 2. *meet*: the last to finish reads the clock, once for the step, hands out the tokens and plans the next step.
//!
//! So it is now one worker that records and now another, and requests' timers move between them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, bail};
use tach::serve::{CacheConfig, Metrics};

use crate::cli::Options;
use crate::console::Console;
use crate::gate::Gate;
use crate::intake::{fits, prompt};
use crate::ledger::{Ledger, REASONS};
use crate::progress::Progress;
use crate::request::Slot;
use crate::scheduler::{Answer, Ending, Scheduler, Terms, lock};
use crate::stream::{Engine, Text};

/// See the module.
pub(crate) struct Server {
    gate: Gate<Scheduler>,
    slots: Vec<Mutex<Slot>>,
    /// The next slot to compute in this step.
    next: AtomicUsize,
    text: Arc<dyn Text>,
    interrupted: Arc<AtomicBool>,
    threads: usize,
    tokens: Option<u64>,
    seed: u64,
    show_text: bool,
}

/// How a run went.
pub(crate) struct Outcome {
    pub(crate) ending: Ending,
    pub(crate) ledger: Ledger,
    /// From the first step's start to the last one's end.
    pub(crate) elapsed: Duration,
}

/// Tells how large the KV caches are, in all.
pub(crate) fn announce_cache(metrics: &Metrics, capacity: u64) {
    metrics.kv_tokens_capacity(capacity as f64);
    metrics.kv_block_size(1.0);
    metrics.cache_config_info(&CacheConfig {
        block_size: 1,
        num_blocks: capacity,
        cache_dtype: "float32",
        enable_prefix_caching: false,
        gpu_memory_utilization: 0.0,
    });
}

/// Prints what a finished request said.
pub(crate) fn show(text: &dyn Text, answer: &Answer, console: &Console) {
    let said = text.decode(&answer.tokens).unwrap_or_else(|error| format!("(no text: {error:#})"));
    console.say(&format!(
        "── request {} · {} tokens · {}\n> {}\n{}\n",
        answer.id,
        answer.tokens.len(),
        REASONS[answer.reason as usize].1,
        prompt(answer.id),
        said.trim()
    ));
}

impl Server {
    pub(crate) fn new(
        options: &Options,
        engine: Engine,
        metrics: &'static Metrics,
        interrupted: Arc<AtomicBool>,
    ) -> Result<Self> {
        fits(&*engine.text, engine.context, options.max_tokens)?;
        let kv_capacity = (engine.streams.len() * engine.context) as u64;
        announce_cache(metrics, kv_capacity);
        let text: Arc<dyn Text> = engine.text.into();
        let tokens = (options.tokens > 0).then_some(options.tokens);
        let scheduler = Scheduler::new(Terms {
            text: text.clone(),
            metrics,
            clients: options.clients(),
            tokens,
            max_tokens: options.max_tokens,
            kv_capacity,
        });
        Ok(Self {
            gate: Gate::new(options.threads, scheduler),
            slots: engine.streams.into_iter().map(|stream| Mutex::new(Slot::new(stream))).collect(),
            next: AtomicUsize::new(0),
            text,
            interrupted,
            threads: options.threads,
            tokens,
            seed: options.seed,
            show_text: options.show_text,
        })
    }

    /// Generates until the end.
    pub(crate) fn run(&self, console: &Console) -> Result<Outcome> {
        let panicked = std::thread::scope(|scope| {
            let mut workers = Vec::new();
            for number in 0..self.threads {
                let builder = std::thread::Builder::new().name(format!("worker-{number}"));
                workers.push(builder.spawn_scoped(scope, move || self.work(console))?);
            }
            Ok::<_, std::io::Error>(workers.into_iter().filter_map(|worker| worker.join().err()).count())
        })?;
        if panicked > 0 {
            bail!("{panicked} of {} workers panicked", self.threads);
        }
        self.gate.with(|scheduler| match (scheduler.failure.take(), scheduler.ending) {
            (Some(failure), _) => Err(failure),
            (None, None) => bail!("the workers stopped before the run had ended"),
            (None, Some(ending)) => {
                let elapsed = Duration::from_nanos(scheduler.elapsed());
                Ok(Outcome { ending, ledger: scheduler.ledger.clone(), elapsed })
            }
        })
    }

    /// One worker, from the first step to the last.
    fn work(&self, console: &Console) {
        let _party = self.gate.party();
        let mut going = self.turn(Scheduler::open, console);
        while going == Some(true) {
            // Relaxed: each number is handed out once; the slots' locks and the gate order all else.
            while let Some(slot) = self.slots.get(self.next.fetch_add(1, Ordering::Relaxed)) {
                let mut slot = lock(slot);
                if slot.scheduled {
                    slot.compute(self.seed);
                }
            }
            going = self.turn(Scheduler::settle, console);
        }
    }

    /// Meets the others, has the last one take `action`, and tells whether the run goes on.
    fn turn(&self, action: fn(&mut Scheduler, &[Mutex<Slot>], bool), console: &Console) -> Option<bool> {
        let turn = |scheduler: &mut Scheduler| {
            action(scheduler, &self.slots, self.interrupted.load(Ordering::Relaxed));
            for answer in scheduler.answers.drain(..) {
                if self.show_text {
                    show(&*self.text, &answer, console);
                }
            }
            // Relaxed: the gate's lock orders it before every worker's next look.
            self.next.store(0, Ordering::Relaxed);
        };
        self.gate.meet(turn, |scheduler| scheduler.ending.is_none())
    }

    /// How far the run is.
    pub(crate) fn progress(&self) -> Progress {
        self.gate.with(|scheduler| Progress {
            tokens: scheduler.ledger.generated,
            running: scheduler.ledger.running,
            waiting: scheduler.ledger.waiting,
            kv_tokens: scheduler.ledger.kv_tokens,
        })
    }

    /// The plain account as it stands.
    #[cfg(test)]
    pub(crate) fn ledger(&self) -> Ledger {
        self.gate.with(|scheduler| scheduler.ledger.clone())
    }

    /// Tokens after which the run ends, if it does.
    pub(crate) fn token_limit(&self) -> Option<u64> {
        self.tokens
    }
}
