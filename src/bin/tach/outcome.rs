//! How the program ends, and what it then says.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// What a command came to that did not fail altogether.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Fine,
    /// Some of it failed, which has been said.
    Partly,
    /// All was read, and some of it was not as documented.
    Faulty,
}

/// Why a command ends early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Nobody reads what it prints any more, which is no failure.
    Pipe,
    Failed(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Pipe } else { Self::Failed(error.to_string()) }
    }
}

impl From<tach::Error> for Stop {
    fn from(error: tach::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Says something that is no part of the output. Where even that fails there is nobody to tell.
pub(crate) fn say(text: impl Display) {
    let _ = writeln!(io::stderr(), "tach: {text}");
}

/// Prints a text and nothing else.
pub(crate) fn print(text: &str) -> Result<Done, Stop> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Done::Fine)
}

/// 0: fine; 1: an error; 2: read, but with faults.
pub(crate) fn exit_code(done: Result<Done, Stop>) -> ExitCode {
    match done {
        Ok(Done::Fine) | Err(Stop::Pipe) => ExitCode::SUCCESS,
        Ok(Done::Faulty) => ExitCode::from(2),
        Ok(Done::Partly) => ExitCode::FAILURE,
        Err(Stop::Failed(text)) => {
            say(text);
            ExitCode::FAILURE
        }
    }
}
