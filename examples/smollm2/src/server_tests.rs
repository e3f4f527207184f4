//! Whole runs on mock models: every way in which a run can end, and the account equal to the metrics each time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;

use crate::check;
use crate::cli::Options;
use crate::console::Console;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::mock::{self, Pace};
use crate::request::FinishReason;
use crate::scheduler::Ending;
use crate::server::Server;
use crate::stream::{Engine, Stream};

const AT_ONCE: Pace = Pace { prompt_token: Duration::ZERO, token: Duration::ZERO };

struct Run {
    server: Server,
    metrics: Arc<Metrics>,
    interrupted: Arc<AtomicBool>,
    options: Options,
}

fn prepare(arguments: &str, change: impl FnOnce(Engine) -> Engine) -> Run {
    let options = Options::parse_from(["smollm2", "--mock"].into_iter().chain(arguments.split_whitespace()));
    let metrics = Arc::new(Metrics::new("mock", true).unwrap());
    let interrupted = Arc::new(AtomicBool::new(false));
    let engine = change(mock::engine(options.streams, AT_ONCE));
    let server = Server::new(&options, engine, metrics.clone(), interrupted.clone()).unwrap();
    Run { server, metrics, interrupted, options }
}

impl Run {
    /// Runs to the end; the metrics must agree with the account, and nothing may be left under way.
    fn finish(&self) -> (Ending, Ledger) {
        let outcome = self.server.run(&Console::new()).unwrap();
        self.agree(&outcome.ledger);
        (outcome.ending, outcome.ledger)
    }

    fn agree(&self, ledger: &Ledger) {
        let (compared, differences) = check::compare(ledger, &self.metrics.read());
        assert!(compared >= 20, "only {compared} values were compared");
        assert_eq!(differences, Vec::<String>::new());
        assert_eq!((ledger.running, ledger.waiting, ledger.kv_tokens), (0, 0, 0));
    }
}

fn ended(ledger: &Ledger, reason: FinishReason) -> u64 {
    ledger.finished[reason as usize]
}

#[test]
fn a_run_generates_exactly_the_tokens_asked_for() {
    for (arguments, clients) in [
        ("--tokens 500 --streams 5 --threads 3 --max-tokens 20", 10),
        ("--tokens 501 --streams 4 --threads 1", 8),
        ("--tokens 333 --streams 1 --threads 4 --clients 1 --max-tokens 7", 1),
        ("--tokens 100 --streams 8 --threads 2 --clients 3", 3),
        ("--tokens 1", 8),
    ] {
        let run = prepare(arguments, |engine| engine);
        let (ending, ledger) = run.finish();
        assert_eq!(ending, Ending::Tokens, "{arguments}");
        assert_eq!(ledger.generated, run.options.tokens, "{arguments}");
        assert_eq!(ledger.batch.sum, ledger.generated, "{arguments}");
        assert_eq!(ledger.first_token.count + ledger.inter_token.count, ledger.generated, "{arguments}");
        // A client whose answer came with the last step sends no other request; all the rest had one under way.
        let aborted = ended(&ledger, FinishReason::Abort);
        let streams = run.options.streams as u64;
        assert!(aborted <= clients && aborted + streams >= clients, "{arguments}: {aborted} aborted");
    }
}

#[test]
fn requests_end_by_the_end_token_or_by_their_limit() {
    let run = prepare("--tokens 2000 --max-tokens 30", |engine| engine);
    let (_, ledger) = run.finish();
    assert!(ended(&ledger, FinishReason::Stop) > 10, "{ledger:?}");
    assert!(ended(&ledger, FinishReason::Length) > 10, "{ledger:?}");
    assert_eq!(ledger.end_to_end.count, ended(&ledger, FinishReason::Stop) + ended(&ledger, FinishReason::Length));

    // One token each: no gap between tokens, ever.
    let run = prepare("--tokens 200 --max-tokens 1", |engine| engine);
    let (_, ledger) = run.finish();
    assert_eq!((ledger.first_token.count, ledger.inter_token.count), (200, 0));
    assert_eq!(ledger.end_to_end.count, 200);
}

#[test]
fn more_clients_than_streams_wait() {
    let slow = Pace { prompt_token: Duration::ZERO, token: Duration::from_micros(500) };
    let run = prepare("--tokens 200 --streams 2 --clients 6 --max-tokens 10", |_| mock::engine(2, slow));
    let (_, ledger) = run.finish();
    // All but the first two wait for about two answers, which take some milliseconds each.
    let mean = ledger.queue.sum / ledger.queue.count;
    assert!(mean > 2_000_000, "mean wait of {mean} ns: {ledger:?}");
    assert!(ledger.first_token.sum > ledger.queue.sum - ledger.queue.count);
}

#[test]
fn an_interrupt_aborts_what_is_under_way() {
    let run = prepare("--tokens 0 --clients 9", |engine| engine);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(30));
            run.interrupted.store(true, Ordering::Relaxed);
        });
        let (ending, ledger) = run.finish();
        assert_eq!(ending, Ending::Interrupted);
        assert_eq!(ended(&ledger, FinishReason::Abort), 9);
        assert!(ledger.generated > 0);
    });
}

#[test]
fn an_interrupt_before_the_start_generates_nothing() {
    let run = prepare("", |engine| engine);
    run.interrupted.store(true, Ordering::Relaxed);
    let (ending, ledger) = run.finish();
    assert_eq!((ending, ledger.generated, ledger.step.count), (Ending::Interrupted, 0, 0));
    assert_eq!(ended(&ledger, FinishReason::Abort), 8);
}

/// A stream that works for some tokens and then breaks.
struct Broken {
    left: u32,
    by_panic: bool,
}

impl Stream for Broken {
    fn prefill(&mut self, _prompt: &[u32], _seed: u64) -> Result<u32> {
        self.decode(1)
    }

    fn decode(&mut self, _last: u32) -> Result<u32> {
        if self.left > 0 {
            self.left -= 1;
            return Ok(1);
        }
        if self.by_panic {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        bail!("out of luck");
    }

    fn cached_tokens(&self) -> usize {
        1
    }

    fn clear(&mut self) {}
}

fn with_a_broken_stream(by_panic: bool) -> Run {
    prepare("--tokens 0 --threads 3", |mut engine| {
        engine.streams[2] = Box::new(Broken { left: 17, by_panic });
        engine
    })
}

#[test]
fn a_failing_model_ends_the_run_with_its_reason() {
    let run = with_a_broken_stream(false);
    let error = run.server.run(&Console::new()).err().expect("it should fail");
    assert!(format!("{error:#}").ends_with("failed: out of luck"), "{error:#}");
    let ledger = run.server.ledger();
    run.agree(&ledger);
    assert_eq!(ended(&ledger, FinishReason::Error), 1);
}

#[test]
fn a_panicking_model_ends_the_run_too() {
    let run = with_a_broken_stream(true);
    let error = run.server.run(&Console::new()).err().expect("it should fail");
    assert_eq!(error.to_string(), "1 of 3 workers panicked");
}

#[test]
fn a_request_that_cannot_fit_is_refused_before_the_run() {
    let options = Options::parse_from(["smollm2", "--mock", "--max-tokens", "60"]);
    let metrics = Arc::new(Metrics::new("mock", true).unwrap());
    let engine = Engine { context: 64, ..mock::engine(4, AT_ONCE) };
    let error = Server::new(&options, engine, metrics, Arc::default()).err().expect("it should be refused");
    assert!(error.to_string().contains("--max-tokens 60"), "{error}");
}
