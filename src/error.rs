//! The one error type: what is wrong, with what, and what to do about it.

use std::fmt;
use std::io::Write as _;

/// Why a registry, a metric, a collector or an exporter could not be made, or a push was not taken.
///
/// Recording never fails, so this is met at start-up, and where one pushes by hand. The text names the metric and the
/// remedy.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<std::io::Error>,
}

/// What sort of mistake an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A metric, label or namespace name that the exposition formats do not allow, or that is reserved.
    Name,
    /// A name that is in use already for something else.
    Conflict,
    /// Buckets, a tick, a number of digits, a native schema or a maximum that do not make a histogram.
    Buckets,
    /// A setting that cannot be served.
    Setting,
    /// A receiver that did not take what was pushed.
    Push,
    /// A file that is no segment, or none that can be read.
    Segment,
    /// The system refused memory, a thread or an address.
    System,
}

/// Tells whoever runs the process something that no call can return. Where standard error is closed, nobody.
pub(crate) fn notice(text: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "tach: {text}");
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// An error that the system gave, with what was being done.
    pub(crate) fn system(message: impl Into<String>, source: std::io::Error) -> Self {
        Self { kind: ErrorKind::System, message: format!("{}: {source}", message.into()), source: Some(source) }
    }

    /// The same, with where it was met before its text.
    #[cfg(feature = "serve")]
    pub(crate) fn within(self, place: &str) -> Self {
        Self { message: format!("{place}: {}", self.message), ..self }
    }

    /// What sort of mistake it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
