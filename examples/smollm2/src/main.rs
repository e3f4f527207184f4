//! A token server that runs a real language model and measures itself with tach.
//!
//! Several streams generate text at once over a queue of prompts. tach's timers follow each request and each step, and
//! record what an inference server is watched by. `/metrics` shows it while the program runs, under the names that are
//! asked for, a table shows it at the end, and an account kept in plain integers proves that nothing was lost.
//!
//! Reading order: [`cli`] → [`stream`] (what a model is to the server) → [`scheduler`] (where all measuring is) →
//! [`server`] (the threads) → [`metrics`] (where it is recorded to).

// Elsewhere there are no workers, and what only they need stays unused.
#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

mod account;
#[cfg(target_os = "linux")]
mod api;
mod check;
#[cfg(target_os = "linux")]
mod children;
mod cli;
mod console;
mod cost;
mod gate;
mod gguf;
mod intake;
mod ledger;
mod llama;
mod metrics;
mod mock;
#[cfg(target_os = "linux")]
mod processes;
mod progress;
mod prompts;
mod report;
mod request;
mod scheduler;
mod server;
#[cfg(test)]
mod server_tests;
mod stream;
mod tokenizer;
#[cfg(target_os = "linux")]
mod wire;
#[cfg(target_os = "linux")]
mod worker;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use tach::serve::Component;

use crate::account::Account;
use crate::cli::Options;
use crate::console::Console;
use crate::metrics::Recording;
use crate::server::Server;
use crate::stream::Engine;

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the server to its end; `false` when the metrics and the plain account differ.
fn run(options: &Options) -> Result<bool> {
    if !options.mock {
        llama::one_thread_per_stream()?;
    }
    if let Some(number) = options.worker {
        // Signals end it at once, as one that dies.
        return worker(options, number);
    }
    let interrupted = watch_for_interrupt().context("cannot catch Ctrl-C")?;
    if options.workers > 0 {
        return processes(options, &interrupted);
    }
    // Before the model is loaded: a taken port is worth knowing at once, and every series shows up at zero.
    let recording = Recording::start(options)?;
    let metrics = recording.metrics;

    let begin = Instant::now();
    let engine = load(options)?;
    metrics.model_load_time(begin.elapsed(), Component::Init);
    metrics.pipeline_load(&options.model_name());
    eprintln!("{}", engine.description);
    eprintln!(
        "{} streams on {} threads, {} clients over {} prompts",
        options.streams,
        options.threads,
        options.clients(),
        prompts::PROMPTS.len()
    );
    match recording.address() {
        Some(address) => {
            eprintln!("serving http://{address}/metrics; in another terminal:");
            eprintln!("  curl -s http://{address}/metrics | grep -E 'itl|inter_token|per_output_token'");
        }
        None if recording.is_on() => {}
        None => eprintln!("recording is off: /metrics is not served"),
    }

    let console = Console::new();
    let server = Server::new(options, engine, metrics, interrupted)?;
    metrics.model_load_time(begin.elapsed(), Component::Total);
    let (look, limit) = (|| server.progress(), server.token_limit());
    let outcome = progress::watched(look, limit, &recording, &console, || server.run(&console))?;

    let reading = recording.read();
    report::print(&outcome, recording.is_on().then_some(&reading), &options.run_label());
    cost::print(&outcome, options, recording.is_on())?;
    Ok(check::print(&Account::exact(outcome.ledger), &reading, None, recording.is_on()))
}

/// The same as several processes, this one the API.
#[cfg(target_os = "linux")]
fn processes(options: &Options, interrupted: &AtomicBool) -> Result<bool> {
    processes::run(options, interrupted)
}

/// One of its workers.
#[cfg(target_os = "linux")]
fn worker(options: &Options, number: usize) -> Result<bool> {
    worker::run(options, number).map(|()| true)
}

/// Processes read each other's recordings from files on tmpfs.
#[cfg(not(target_os = "linux"))]
fn processes(_options: &Options, _interrupted: &AtomicBool) -> Result<bool> {
    anyhow::bail!("--workers needs Linux")
}

#[cfg(not(target_os = "linux"))]
fn worker(_options: &Options, _number: usize) -> Result<bool> {
    anyhow::bail!("--worker needs Linux")
}

fn load(options: &Options) -> Result<Engine> {
    if options.mock {
        return Ok(mock::engine(options.streams, mock::Pace::like_a_small_model()));
    }
    llama::engine(options)
}

/// A flag that the first Ctrl-C (or SIGTERM) sets, after which the run drains; a second one exits at once.
fn watch_for_interrupt() -> Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: on the first signal the flag is still unset when the shutdown looks at it.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, flag.clone())?;
        signal_hook::flag::register(signal, flag.clone())?;
    }
    Ok(flag)
}
