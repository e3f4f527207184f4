//! The duel: tach beside its peers, on the same work, in one run. `benches/README.md` says how and what for.

mod child;
mod contender;
mod contenders;
mod criterion_pass;
mod groups;
mod instructions;
mod options;
mod report;
mod rounds;
mod stats;
mod values;

use std::process::ExitCode;

use crate::groups::{memory, tail};
use crate::options::{Command, Options};
use crate::report::Row;

fn main() -> ExitCode {
    let done = Options::from_args().and_then(|options| match &options.command {
        Command::Duel => duel(&options),
        Command::Instructions => instructions::run(&options).map(|rows| report::print(&rows)),
        Command::List => {
            options::names().for_each(|name| println!("{name}"));
            Ok(())
        }
        Command::Child(arguments) => child::answer(arguments).map(|answer| println!("{answer}")),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn duel(options: &Options) -> Result<(), String> {
    report::warn_if_busy();
    let effort = options.effort();
    let mut rows = memory::run(options);
    let memory = rows.len();
    for (key, build) in groups::ALL.iter().filter(|(key, _)| options.wants(key)) {
        eprintln!("{key} ..");
        let group = build();
        let outcomes = rounds::run(&group, &effort);
        let criterion = if options.criterion { criterion_pass::run(&group) } else { vec![None; outcomes.len()] };
        rows.extend(
            outcomes
                .into_iter()
                .zip(criterion)
                .map(|(outcome, criterion)| Row::from_outcome(&group, outcome, criterion)),
        );
    }
    rows.extend(tail::run(options));
    rows.rotate_left(memory); // Measured first, before this process has grown; shown last.
    let host = report::host();
    println!("\n{host}");
    report::print(&rows);
    let path = report::write_json(&rows, &host).map_err(|error| format!("target/duel.json: {error}"))?;
    println!("\n{}", path.display());
    Ok(())
}
