//! Whole runs on mock models: every way in which a run can end, and the account equal to the metrics each time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;
use tach::serve::Finish;

use crate::account::Account;
use crate::check;
use crate::cli::Options;
use crate::console::Console;
use crate::ledger::Ledger;
use crate::metrics::{Recording, settings};
use crate::mock::{self, Pace};
use crate::scheduler::Ending;
use crate::server::Server;
use crate::stream::{Engine, Stream};

const AT_ONCE: Pace = Pace { prompt_token: Duration::ZERO, token: Duration::ZERO };

/// Values that the account has and the profile maxserve exposes.
const VALUES: usize = 69;

struct Run {
    server: Server,
    recording: Recording,
    interrupted: Arc<AtomicBool>,
    options: Options,
}

fn options(arguments: &str) -> Options {
    Options::parse_from(["smollm2", "--mock"].into_iter().chain(arguments.split_whitespace()))
}

fn prepare(arguments: &str, change: impl FnOnce(Engine) -> Engine) -> Run {
    let options = options(arguments);
    let recording = Recording::unserved(&settings(&options).unwrap()).unwrap();
    run_to(recording, options, change)
}

fn run_to(recording: Recording, options: Options, change: impl FnOnce(Engine) -> Engine) -> Run {
    let interrupted = Arc::new(AtomicBool::new(false));
    let engine = change(mock::engine(options.streams, AT_ONCE));
    let server = Server::new(&options, engine, recording.metrics, interrupted.clone()).unwrap();
    Run { server, recording, interrupted, options }
}

impl Run {
    /// Runs to the end; the metrics must agree with the account, and nothing may be left under way.
    fn finish(&self) -> (Ending, Ledger) {
        let outcome = self.server.run(&Console::new()).unwrap();
        self.agree(&outcome.ledger);
        (outcome.ending, outcome.ledger)
    }

    fn agree(&self, ledger: &Ledger) {
        let comparison = check::compare(&Account::exact(ledger.clone()), &self.recording.read(), None);
        assert_eq!(comparison.differences, Vec::<String>::new());
        // All but what maxserve does not have: the latency per token.
        assert_eq!((comparison.compared, comparison.absent), (VALUES, 1));
        assert_eq!((ledger.running, ledger.waiting, ledger.kv_tokens), (0, 0, 0));
    }
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
        assert_eq!((ledger.batch[0].sum + ledger.batch[1].sum), ledger.generated, "{arguments}");
        assert_eq!(ledger.first_token.count + ledger.inter_token.count, ledger.generated, "{arguments}");
        // A client whose answer came with the last step sends no other request; all the rest had one under way.
        let aborted = ledger.ended(Finish::Abort);
        let streams = run.options.streams as u64;
        assert!(aborted <= clients && aborted + streams >= clients, "{arguments}: {aborted} aborted");
    }
}

#[test]
fn requests_end_by_the_end_token_or_by_their_limit() {
    let run = prepare("--tokens 2000 --max-tokens 30", |engine| engine);
    let (_, ledger) = run.finish();
    assert!(ledger.ended(Finish::Stop) > 10, "{ledger:?}");
    assert!(ledger.ended(Finish::Length) > 10, "{ledger:?}");
    assert_eq!(ledger.answer_tokens.sum, ledger.generated);

    // One token each: no gap between tokens, ever.
    let run = prepare("--tokens 200 --max-tokens 1", |engine| engine);
    let (_, ledger) = run.finish();
    assert_eq!((ledger.first_token.count, ledger.inter_token.count), (200, 0));
    assert_eq!((ledger.answer_tokens.count, ledger.mean_per_token.count), (200, 0));
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
        assert_eq!(ledger.ended(Finish::Abort), 9);
        assert!(ledger.generated > 0);
    });
}

#[test]
fn an_interrupt_before_the_start_generates_nothing() {
    let run = prepare("", |engine| engine);
    run.interrupted.store(true, Ordering::Relaxed);
    let (ending, ledger) = run.finish();
    assert_eq!((ending, ledger.generated, ledger.steps().count), (Ending::Interrupted, 0, 0));
    assert_eq!(ledger.ended(Finish::Abort), 8);
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
    assert_eq!(ledger.ended(Finish::Error), 1);
}

#[test]
fn a_panicking_model_ends_the_run_too() {
    let run = with_a_broken_stream(true);
    let error = run.server.run(&Console::new()).err().expect("it should fail");
    assert_eq!(error.to_string(), "1 of 3 workers panicked");
    // What nobody ends is aborted when it is dropped.
    assert_eq!(run.recording.read().level("num_requests_running"), Some(8.0));
    drop(run.server);
    let reading = run.recording.read();
    assert_eq!(reading.level("num_requests_running"), Some(0.0));
    assert!(reading.counter("requests_finished", Some(("finished_reason", "abort"))) >= Some(8));
}

#[test]
fn a_request_that_cannot_fit_is_refused_before_the_run() {
    let options = options("--max-tokens 60");
    let metrics = Recording::unserved(&settings(&options).unwrap()).unwrap().metrics;
    let engine = Engine { context: 64, ..mock::engine(4, AT_ONCE) };
    let error = Server::new(&options, engine, metrics, Arc::default()).err().expect("it should be refused");
    assert!(error.to_string().contains("--max-tokens 60"), "{error}");
}

/// What is served.
fn scrape(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// The only test that records to `METRICS`, which takes one recording at a time.
#[test]
fn every_profile_shows_what_a_run_recorded_under_its_names() {
    let all = [
        ("maxserve", ["maxserve_num_output_tokens_total", "maxserve_itl_milliseconds_count"]),
        ("vllm", ["vllm:generation_tokens_total", "vllm:inter_token_latency_seconds_count"]),
        ("sglang", ["sglang:generation_tokens_total", "sglang:inter_token_latency_seconds_count"]),
        ("genai", ["gen_ai_client_token_usage_sum", "gen_ai_server_time_to_first_token_seconds_count"]),
    ];
    let together = all.map(|(profile, _)| profile).join(",");
    for chosen in all.iter().map(|(profile, _)| *profile).chain([&*together]) {
        let options = options(&format!("--tokens 300 --listen 127.0.0.1:0 --profile {chosen}"));
        let run = run_to(Recording::start(&options).unwrap(), options, |engine| engine);
        let outcome = run.server.run(&Console::new()).unwrap();
        let comparison = check::compare(&Account::exact(outcome.ledger.clone()), &run.recording.read(), None);
        assert_eq!(comparison.differences, Vec::<String>::new(), "{chosen}");
        assert!(comparison.compared > 3, "{chosen}: {}", comparison.compared);
        let text = scrape(run.recording.address().unwrap());
        for (profile, names) in all {
            for name in names {
                let values = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
                let total: f64 = values.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum();
                assert_eq!(total > 0.0, chosen.contains(profile), "{chosen}: {name} {total}");
            }
        }
    }
}

#[test]
fn what_is_off_records_nothing_and_serves_nothing() {
    let run = prepare("--tokens 100 --metrics-off", |engine| engine);
    assert!(!run.recording.is_on());
    let outcome = run.server.run(&Console::new()).unwrap();
    assert_eq!(outcome.ledger.generated, 100);
    assert_eq!(run.recording.read().counter("num_output_tokens", None), None);
}
