//! The command line: `cargo bench -- [--quick] [--no-criterion] [--instructions] [--list] [GROUP..]`.

use std::time::Duration;

use crate::groups::{self, memory, tail};

/// What this invocation is to do.
pub(crate) enum Command {
    Duel,
    Instructions,
    List,
    /// One contender in a process of its own; see `child.rs`.
    Child(Vec<String>),
}

/// How long and what.
pub(crate) struct Options {
    pub(crate) command: Command,
    pub(crate) quick: bool,
    pub(crate) criterion: bool,
    filters: Vec<String>,
}

/// Effort spent on one group's rounds.
pub(crate) struct Effort {
    /// Aimed-at duration of one timed run.
    pub(crate) run: Duration,
    pub(crate) rounds: usize,
    /// Groups whose single run is long stop here, after at least [`Effort::LEAST`] rounds.
    pub(crate) total: Duration,
}

impl Effort {
    pub(crate) const LEAST: usize = 7;
}

impl Options {
    /// Reads the process's arguments.
    pub(crate) fn from_args() -> Result<Options, String> {
        let quick = std::env::var_os("TACH_BENCH_QUICK").is_some_and(|value| value != "0");
        let mut options = Options { command: Command::Duel, quick, criterion: true, filters: Vec::new() };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--bench" => {} // Cargo adds it to every bench target.
                "--quick" => options.quick = true,
                "--no-criterion" => options.criterion = false,
                "--instructions" => options.command = Command::Instructions,
                "--list" => options.command = Command::List,
                "--child" => options.command = Command::Child(args.by_ref().collect()),
                flag if flag.starts_with('-') => {
                    return Err(format!(
                        "unknown option {flag}; known: --quick --no-criterion --instructions --list, and names of groups"
                    ));
                }
                group if known(group) => options.filters.push(group.to_owned()),
                group => return Err(format!("no group is named like {group}; --list shows them")),
            }
        }
        options.criterion &= !options.quick;
        Ok(options)
    }

    /// Whether the group is asked for: all are, unless names or parts of names were given.
    pub(crate) fn wants(&self, group: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|part| group.contains(part.as_str()))
    }

    pub(crate) fn effort(&self) -> Effort {
        if self.quick {
            Effort { run: Duration::from_micros(60), rounds: 40, total: Duration::from_millis(1500) }
        } else {
            Effort { run: Duration::from_micros(150), rounds: 300, total: Duration::from_secs(8) }
        }
    }
}

/// Names of everything that a filter can select.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    groups::ALL.iter().map(|(key, _)| *key).chain([tail::NAME]).chain(memory::NAMES)
}

fn known(part: &str) -> bool {
    names().any(|name| name.contains(part))
}
