//! Replays a trace of LLM requests through a mock engine as fast as it goes, records the full catalogue of
//! `tach::serve`, and checks what was recorded, or measures what it cost; or as time goes by, to be scraped. `README.md`
//! says how.

mod account;
mod check;
mod cost;
mod cpu;
mod engine;
mod full;
mod options;
mod peers;
mod serve;
mod trace;

use crate::check::Verdict;
use crate::engine::Settings;
use crate::full::Way;
use crate::options::{Command, Options};
use crate::trace::Request;
use std::process::ExitCode;
use std::time::Instant;
use tach::Snapshot;
use tach::serve::METRICS;

fn main() -> ExitCode {
    match Options::from_args(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("replay: {message}");
            ExitCode::from(1)
        }
    }
}

fn run(options: &Options) -> Result<ExitCode, String> {
    if options.command == Command::Help {
        print!("{}", options::HELP);
        return Ok(ExitCode::SUCCESS);
    }
    let trace = trace::read(options.path.as_deref())?;
    match &options.path {
        Some(path) => println!("trace: {}, {} requests", path.display(), trace.len()),
        None => println!(
            "NO TRACE WAS GIVEN: this replays the built-in sample of {} requests, which only shows that the program\n\
             works. Give the path of a real trace; README.md says where there is one.",
            trace.len()
        ),
    }
    if options.command == Command::Cost {
        cost::run(&trace, options.workers.unwrap_or(1), options.rounds.unwrap_or(11), &options.only)?;
        return Ok(ExitCode::SUCCESS);
    }
    if options.command == Command::Serve {
        serve::run(&trace, options)?;
        return Ok(ExitCode::SUCCESS);
    }
    let settings = Settings::new(options.workers.unwrap_or(4));
    let start = Instant::now();
    let (step, _) = check::run(&trace, &settings, Way::Step, &METRICS)?;
    let mut good = report("Step", &settings, &step, start);
    let start = Instant::now();
    let (mixed, sharded) = check::run(&trace, &settings, Way::Mixed, &METRICS)?;
    good &= report("Mixed", &settings, &mixed, start);
    good &= process(&trace, &settings, &sharded)?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// `sharded` is the end of the run in memory.
#[cfg(target_os = "linux")]
fn process(trace: &[Request], settings: &Settings, sharded: &Snapshot) -> Result<bool, String> {
    let start = Instant::now();
    let verdict = check::run_process(trace, settings, Way::Mixed, &METRICS, sharded)?;
    Ok(report("Mixed, PROCESS", settings, &verdict, start))
}

#[cfg(not(target_os = "linux"))]
fn process(_: &[Request], _: &Settings, _: &Snapshot) -> Result<bool, String> {
    println!("Mixed, PROCESS: NOT REPLAYED, segments are for Linux");
    Ok(true)
}

/// Prints what a check found. Whether it is as it should be.
fn report(name: &str, settings: &Settings, verdict: &Verdict, start: Instant) -> bool {
    println!(
        "{name}: {} tokens in {} steps by {} workers, {} preemptions, {:.1} s",
        verdict.tokens,
        verdict.steps,
        settings.workers,
        verdict.preemptions,
        start.elapsed().as_secs_f64()
    );
    if verdict.problems.is_empty() {
        println!(
            "  check: ok, all {} instruments recorded, {} series, {} values compared",
            verdict.instruments, verdict.series, verdict.compared
        );
    } else {
        println!("  check: FAILED, {} of {} values differ", verdict.problems.len(), verdict.compared);
        verdict.problems.iter().for_each(|problem| println!("    {problem}"));
    }
    verdict.problems.is_empty()
}
