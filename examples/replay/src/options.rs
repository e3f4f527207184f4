//! The command line.

use std::path::PathBuf;

pub(crate) const HELP: &str = "\
replay [check | cost] [TRACE] [--workers N] [--rounds N] [--only TEXT]

  check        replay the trace and compare all that was recorded with a plain account (what it does unless told)
  cost         what recording costs per token, tach's and that of others
  TRACE        a file with the columns TIMESTAMP,ContextTokens,GeneratedTokens; without one, a small sample
  --workers N  engine replicas, each a thread: unless told 4 for the check, 1 for the cost
  --rounds N   runs of each contender of the cost: 11 unless told
  --only TEXT  only the contenders whose name has TEXT in it, for a profiler

Exit code: 0 if all is as it should be, 2 if a value differs, 1 after any other error.
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Check,
    Cost,
    Help,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) command: Command,
    pub(crate) path: Option<PathBuf>,
    pub(crate) workers: Option<usize>,
    pub(crate) rounds: usize,
    pub(crate) only: String,
}

impl Options {
    pub(crate) fn from_args(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { command: Command::Check, path: None, workers: None, rounds: 11, only: String::new() };
        let mut args = args.enumerate();
        while let Some((place, arg)) = args.next() {
            match arg.as_str() {
                "check" if place == 0 => options.command = Command::Check,
                "cost" if place == 0 => options.command = Command::Cost,
                "-h" | "--help" => options.command = Command::Help,
                "--workers" => options.workers = Some(number(&arg, args.next())?),
                "--rounds" => options.rounds = number(&arg, args.next())?,
                "--only" => options.only = args.next().map(|(_, text)| text).ok_or("--only takes a part of a name")?,
                _ if arg.starts_with('-') => return Err(format!("{arg} is no flag: --help lists them")),
                _ if options.path.is_some() => return Err(format!("{arg} is a second trace: give one")),
                _ => options.path = Some(arg.into()),
            }
        }
        Ok(options)
    }
}

fn number(flag: &str, value: Option<(usize, String)>) -> Result<usize, String> {
    let value = value.map_or_else(String::new, |(_, value)| value);
    match value.parse() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(format!("{flag} takes a whole number from 1 on, not {value:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::from_args(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_command_comes_first_and_may_be_left_out() {
        let options = parse("cost trace.csv --rounds 3").unwrap();
        assert_eq!((options.command, options.rounds), (Command::Cost, 3));
        assert_eq!(options.path, Some("trace.csv".into()));
        assert_eq!(parse("trace.csv").unwrap().command, Command::Check);
        assert_eq!(parse("check cost").unwrap().path, Some("cost".into()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, named) in [("--worker 1", "--worker"), ("a b", "b"), ("--rounds 0", "\"0\""), ("--workers", "\"\"")]
        {
            let error = parse(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
