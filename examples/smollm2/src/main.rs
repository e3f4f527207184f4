//! A token server that runs a real language model and measures itself with tach.
//!
//! Several streams generate text at once over a queue of prompts. Every step of the generation loop records what an
//! inference server is watched by: time to first token, inter-token latency, queue time, batch size and step time,
//! tokens, running and waiting requests, KV cache in use. `/metrics` shows it while the program runs, a table when it
//! ends, and an account kept in plain integers proves that nothing was lost.
//!
//! Reading order: [`cli`] → [`stream`] (what a model is to the server) → [`scheduler`] → [`server`] (the threads) →
//! [`metrics`] (everything that is recorded, and the only file that names tach).

mod check;
mod cli;
mod console;
mod cost;
mod gate;
mod gguf;
mod ledger;
mod llama;
mod metrics;
mod mock;
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

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use clap::Parser;

use crate::cli::{Listen, Options};
use crate::console::Console;
use crate::metrics::Metrics;
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
    let interrupted = watch_for_interrupt().context("cannot catch Ctrl-C")?;
    let metrics = Arc::new(Metrics::new(&model_name(options), !options.metrics_off)?);

    // Before the model is loaded: a taken port is worth knowing at once, and every series shows up at zero.
    let exporter = match (&options.listen, options.metrics_off) {
        (Listen::Off, _) => None,
        (Listen::At(_), true) => {
            eprintln!("recording is off: /metrics is not served");
            None
        }
        (Listen::At(address), false) => Some(metrics.serve(*address)?),
    };

    let engine = load(options)?;
    eprintln!("{}", engine.description);
    eprintln!(
        "{} streams on {} threads, {} clients over {} prompts",
        options.streams,
        options.threads,
        options.clients(),
        prompts::PROMPTS.len()
    );
    if let Some(exporter) = &exporter {
        let address = exporter.local_addr();
        eprintln!("serving http://{address}/metrics; in another terminal:");
        eprintln!("  curl -s http://{address}/metrics | grep inter_token_latency");
    }

    let console = Console::new();
    let server = Server::new(options, engine, metrics.clone(), interrupted)?;
    let outcome = progress::watched(&server, &console, || server.run(&console))?;

    let reading = metrics.read();
    report::print(&outcome, metrics.is_recording().then_some(&reading), &options.run_label());
    cost::print(&outcome, metrics.is_recording())?;
    Ok(check::print(&outcome.ledger, &reading, metrics.is_recording()))
}

/// The label `model_name` of every series: the file's name without its ending.
fn model_name(options: &Options) -> String {
    if options.mock {
        return "mock".to_owned();
    }
    let path: &Path = &options.model;
    path.file_stem().map_or_else(|| "model".to_owned(), |stem| stem.to_string_lossy().into_owned())
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
