//! `tach`: looks at what processes record in their segments, while they live and afterwards.
//!
//! ```text
//! args      what it is told         outcome   how it ends
//! dump      one segment, or each of a directory, printed
//! collect   all of a directory, merged and served
//! top       all of a directory, on a terminal
//! human     values, times and tables for people
//! ```

#[cfg(not(target_os = "linux"))]
compile_error!("the program tach is for Linux, as segments are");

mod args;
mod collect;
mod dump;
mod human;
mod outcome;
mod top;

use args::Command;
use std::process::ExitCode;

fn main() -> ExitCode {
    let done = args::parse(std::env::args_os()).and_then(|command| match command {
        Command::Said(text) => outcome::print(&text),
        Command::Dump(options) => dump::run(&options),
        Command::Top(options) => top::run(&options),
        Command::Collect(options) => collect::run(&options),
    });
    outcome::exit_code(done)
}
