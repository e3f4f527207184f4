//! Output: results on standard output, progress on standard error, without one tearing the other.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

/// Writes to standard output. A reader that has gone away (`| head`) is no reason to fail.
pub(crate) fn out(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

fn err(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// The two streams of a run.
pub(crate) struct Console {
    terminal: bool,
    /// Whether the status line is on the screen.
    shown: Mutex<bool>,
}

impl Console {
    pub(crate) fn new() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { terminal: std::io::stderr().is_terminal() && !dumb, shown: Mutex::new(false) }
    }

    /// Whether the status is one line that changes in place.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Shows the status: in place on a terminal (and cut at its right edge), as a line of its own elsewhere.
    pub(crate) fn status(&self, line: &str) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if self.terminal {
            err(&format!("\r\x1b[2K\x1b[?7l{line}\x1b[?7h"));
            *shown = true;
        } else {
            err(&format!("{line}\n"));
        }
    }

    /// Writes lines to standard output, above the status.
    pub(crate) fn say(&self, text: &str) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut *shown) {
            err("\r\x1b[2K");
        }
        out(&format!("{text}\n"));
    }

    /// Writes a line to standard error, above the status.
    pub(crate) fn note(&self, text: &str) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let before = if std::mem::take(&mut *shown) { "\r\x1b[2K" } else { "" };
        err(&format!("{before}{text}\n"));
    }

    /// Leaves the status as it stands and goes to a new line.
    pub(crate) fn end_status(&self) {
        if std::mem::take(&mut *self.shown.lock().unwrap_or_else(PoisonError::into_inner)) {
            err("\n");
        }
    }
}
