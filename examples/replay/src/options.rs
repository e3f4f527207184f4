//! The command line.

use std::path::PathBuf;

pub(crate) const HELP: &str = "\
replay [check | cost | serve] [TRACE] [--workers N] [--rounds N] [--only TEXT]
       [--listen ADDRESS] [--speed N] [--seed N] [--account FILE]

  check        replay the trace and compare all that was recorded with a plain account (what it does unless told)
  cost         what recording costs per token, tach's and that of others
  serve        replay the trace as time goes by, under /metrics
  TRACE        a file with the columns TIMESTAMP,ContextTokens,GeneratedTokens; without one, a small sample
  --workers N  engine replicas, each a thread: unless told 4 for the check, else 1
  --rounds N   runs of each contender of the cost, 11 unless told; how often the trace is served, 10 unless told

of cost:
  --only TEXT  only the contenders whose name has TEXT in it, for a profiler

of serve:
  --listen ADDRESS  127.0.0.1:0 unless told: loopback, a port that is free; printed
  --speed N         virtual seconds to a second: 1 unless told
  --seed N          at which request of the trace to begin, so that replicas differ: any number, 0 unless told
  --account FILE    begins when a line is read from the input; after another one, or at the end of the trace, nothing
                    more is recorded and FILE has every TTFT and ITL in nanoseconds; ends when the input does

Exit code: 0 if all is as it should be, 2 if a value differs, 1 after any other error.
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Check,
    Cost,
    Serve,
    Help,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) command: Command,
    pub(crate) path: Option<PathBuf>,
    pub(crate) workers: Option<usize>,
    pub(crate) rounds: Option<usize>,
    pub(crate) only: String,
    pub(crate) listen: String,
    pub(crate) speed: u64,
    pub(crate) seed: u64,
    pub(crate) account: Option<PathBuf>,
}

impl Options {
    pub(crate) fn from_args(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            command: Command::Check,
            path: None,
            workers: None,
            rounds: None,
            only: String::new(),
            listen: "127.0.0.1:0".to_owned(),
            speed: 1,
            seed: 0,
            account: None,
        };
        let mut args = args.enumerate();
        while let Some((place, arg)) = args.next() {
            match arg.as_str() {
                "check" if place == 0 => options.command = Command::Check,
                "cost" if place == 0 => options.command = Command::Cost,
                "serve" if place == 0 => options.command = Command::Serve,
                "-h" | "--help" => options.command = Command::Help,
                "--workers" => options.workers = Some(number(&arg, args.next(), 1)? as usize),
                "--rounds" => options.rounds = Some(number(&arg, args.next(), 1)? as usize),
                "--speed" => options.speed = number(&arg, args.next(), 1)?,
                "--seed" => options.seed = number(&arg, args.next(), 0)?,
                "--only" => options.only = text(args.next(), "--only takes a part of a name")?,
                "--listen" => options.listen = text(args.next(), "--listen takes an address, as 127.0.0.1:8001")?,
                "--account" => options.account = Some(text(args.next(), "--account takes a file's path")?.into()),
                _ if arg.starts_with('-') => return Err(format!("{arg} is no flag: --help lists them")),
                _ if options.path.is_some() => return Err(format!("{arg} is a second trace: give one")),
                _ => options.path = Some(arg.into()),
            }
        }
        Ok(options)
    }
}

fn text(value: Option<(usize, String)>, missing: &str) -> Result<String, String> {
    value.map(|(_, text)| text).ok_or_else(|| missing.to_owned())
}

fn number(flag: &str, value: Option<(usize, String)>, least: u64) -> Result<u64, String> {
    let value = value.map_or_else(String::new, |(_, value)| value);
    match value.parse() {
        Ok(n) if n >= least => Ok(n),
        _ => Err(format!("{flag} takes a whole number from {least} on, not {value:?}")),
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
        assert_eq!((options.command, options.rounds), (Command::Cost, Some(3)));
        assert_eq!(options.path, Some("trace.csv".into()));
        assert_eq!(parse("trace.csv").unwrap().command, Command::Check);
        assert_eq!(parse("check cost").unwrap().path, Some("cost".into()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let lines = [
            ("--worker 1", "--worker"),
            ("a b", "b"),
            ("--rounds 0", "\"0\""),
            ("--workers", "\"\""),
            ("serve --speed 0.5", "\"0.5\""),
            ("serve --account", "--account"),
        ];
        for (line, named) in lines {
            let error = parse(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
