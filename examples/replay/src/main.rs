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

use crate::engine::Settings;
use crate::full::Way;
use crate::options::{Command, Options};
use std::process::ExitCode;
use std::time::Instant;
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
    let workers = options.workers.unwrap_or(4);
    let mut good = true;
    for way in [Way::Step, Way::Mixed] {
        let start = Instant::now();
        let verdict = check::run(&trace, &Settings::new(workers), way, &METRICS)?;
        println!(
            "{way:?}: {} tokens in {} steps by {} workers, {} preemptions, {:.1} s",
            verdict.tokens,
            verdict.steps,
            workers,
            verdict.preemptions,
            start.elapsed().as_secs_f64()
        );
        if verdict.problems.is_empty() {
            println!(
                "  check: ok, all {} instruments recorded, {} series, {} values compared",
                verdict.instruments, verdict.series, verdict.compared
            );
        } else {
            good = false;
            println!("  check: FAILED, {} of {} values differ", verdict.problems.len(), verdict.compared);
            verdict.problems.iter().for_each(|problem| println!("    {problem}"));
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
