//! The threads of the generation loop.
//!
//! All workers walk through each step together:
//!
//! 1. *compute*: each takes scheduled slots, one after the other, and runs the model for one token: a whole prompt for a
//!    new request, the newest token for the others. A new request's prompt therefore delays the tokens of its
//!    neighbours, as in a real server without chunked prefill, and the tail of the inter-token latency shows it;
//! 2. *meet*: the last to finish reads the clock, once for the step;
//! 3. *publish*: each records the tokens of the slots that it computed, with that reading;
//! 4. *meet*: the last to finish settles the step and plans the next one.
//!
//! So tokens are recorded from all workers at once, and what belongs to the step from whichever comes last.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::cli::Options;
use crate::console::Console;
use crate::gate::Gate;
use crate::ledger::Ledger;
use crate::metrics::{Metrics, Progress};
use crate::prompts::PROMPTS;
use crate::request::{Slot, Terms};
use crate::scheduler::{Ending, Scheduler, lock};
use crate::stream::{Engine, Text};

/// See the module.
pub(crate) struct Server {
    gate: Gate<Scheduler>,
    slots: Vec<Mutex<Slot>>,
    /// The next slot to compute in this step.
    next: AtomicUsize,
    text: Box<dyn Text>,
    metrics: Arc<Metrics>,
    interrupted: Arc<AtomicBool>,
    threads: usize,
    max_tokens: usize,
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

impl Server {
    pub(crate) fn new(
        options: &Options,
        engine: Engine,
        metrics: Arc<Metrics>,
        interrupted: Arc<AtomicBool>,
    ) -> Result<Self> {
        let prompts = PROMPTS.iter().map(|prompt| engine.text.encode_chat(prompt).map(Arc::from));
        let prompts = prompts.collect::<Result<Vec<Arc<[u32]>>>>()?;
        let longest = prompts.iter().map(|prompt| prompt.len()).max().unwrap_or(0);
        ensure!(
            longest + options.max_tokens <= engine.context,
            "the longest prompt has {longest} tokens, so that with --max-tokens {} a request may not fit the model's {}",
            options.max_tokens,
            engine.context,
        );
        let tokens = (options.tokens > 0).then_some(options.tokens);
        let scheduler = Scheduler::new(prompts, options.clients(), tokens);
        Ok(Self {
            gate: Gate::new(options.threads, scheduler),
            slots: engine.streams.into_iter().map(|stream| Mutex::new(Slot::new(stream))).collect(),
            next: AtomicUsize::new(0),
            text: engine.text,
            metrics,
            interrupted,
            threads: options.threads,
            max_tokens: options.max_tokens,
            tokens,
            seed: options.seed,
            show_text: options.show_text,
        })
    }

    /// Generates until the end.
    pub(crate) fn run(&self, console: &Console) -> Result<Outcome> {
        let start = Instant::now();
        let panicked = std::thread::scope(|scope| {
            let mut workers = Vec::new();
            for number in 0..self.threads {
                let builder = std::thread::Builder::new().name(format!("worker-{number}"));
                workers.push(builder.spawn_scoped(scope, move || self.work(start, console))?);
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
                let elapsed = Duration::from_nanos(scheduler.now);
                Ok(Outcome { ending, ledger: scheduler.ledger.clone(), elapsed })
            }
        })
    }

    /// One worker, from the first step to the last.
    fn work(&self, start: Instant, console: &Console) {
        let _party = self.gate.party();
        let terms = Terms { text: &*self.text, metrics: &self.metrics, max_tokens: self.max_tokens };
        let mut mine = Vec::with_capacity(self.slots.len());
        let mut going = self.turn(Scheduler::open);
        while going == Some(true) {
            mine.clear();
            // Relaxed: each number is handed out once; the slots' locks and the gate order all else.
            while let Some(slot) = self.slots.get(self.next.fetch_add(1, Ordering::Relaxed)) {
                let mut locked = lock(slot);
                if locked.scheduled {
                    locked.compute(self.seed);
                    mine.push(slot);
                }
            }
            let read_clock = |scheduler: &mut Scheduler| scheduler.now = start.elapsed().as_nanos() as u64;
            let Some(now) = self.gate.meet(read_clock, |scheduler| scheduler.now) else { return };
            for slot in &mine {
                let mut slot = lock(slot);
                slot.publish(now, &terms);
                if self.show_text && slot.finished.is_some() {
                    self.show(&slot, console);
                }
            }
            going = self.turn(Scheduler::settle);
        }
    }

    /// Meets the others, has the last one take `action`, and tells whether the run goes on.
    fn turn(&self, action: fn(&mut Scheduler, &[Mutex<Slot>], &Metrics, bool)) -> Option<bool> {
        let turn = |scheduler: &mut Scheduler| {
            action(scheduler, &self.slots, &self.metrics, self.interrupted.load(Ordering::Relaxed));
            // Relaxed: the gate's lock orders it before every worker's next look.
            self.next.store(0, Ordering::Relaxed);
        };
        self.gate.meet(turn, |scheduler| scheduler.ending.is_none())
    }

    /// Prints what a finished request said.
    fn show(&self, slot: &Slot, console: &Console) {
        let (Some(active), Some(reason)) = (&slot.active, slot.finished) else { return };
        let text = self.text.decode(&active.generated).unwrap_or_else(|error| format!("(no text: {error:#})"));
        console.say(&format!(
            "── request {} · {} tokens · {}\n> {}\n{}\n",
            active.request.id,
            active.generated.len(),
            reason.label(),
            PROMPTS[active.request.prompt],
            text.trim()
        ));
    }

    /// How far the run is: from the metrics, or from the plain account when nothing is recorded.
    pub(crate) fn progress(&self) -> Progress {
        if self.metrics.is_recording() {
            return self.metrics.progress();
        }
        self.gate.with(|scheduler| Progress {
            tokens: scheduler.ledger.generated,
            running: scheduler.ledger.running,
            waiting: scheduler.ledger.waiting,
            kv_tokens: scheduler.ledger.kv_tokens,
            inter_token: None,
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
