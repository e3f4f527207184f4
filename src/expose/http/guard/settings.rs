//! The settings of an exporter that keep it secret.

use crate::expose::http::builder::ExporterBuilder;
use std::path::PathBuf;

/// With the feature `tls`.
impl ExporterBuilder {
    /// A file that says how TLS is spoken, whose certificates and passwords are asked for, and which headers are sent,
    /// in the format that Prometheus's exporters share: `docs/EXPORTER.md` lists its keys. None unless told.
    ///
    /// The file and those that it names are looked at with every connection and request, and read again when they have
    /// changed. If that fails, or would leave open what was closed, things stay as they are and
    /// `tach_exporter_reload_errors_total` counts it.
    ///
    /// A right password is remembered; any other costs a bcrypt on a thread of its own, one at a time. One is checked or
    /// waits for each client's address (of IPv6, its first half): what comes from there meanwhile gets a 503. So a
    /// password that is not known yet waits for one check of each other address at most. The rate counts requests that
    /// showed what they have to, and apart from them those for `/-/healthy` without.
    ///
    /// # Errors
    ///
    /// [`start`](Self::start) fails when a file cannot be read, or says what cannot be served: the text names the file,
    /// the line and the key.
    #[must_use]
    pub fn web_config(mut self, path: impl Into<PathBuf>) -> Self {
        self.guard.web_config = Some(path.into());
        self
    }

    /// A token that requests may have in `Authorization: Bearer …`; called again, one more. Once there is one, or a
    /// password in [`web_config`](Self::web_config), a request with neither gets a 401, whatever it asks for.
    ///
    /// As good as a password of the same length, and cheap to check: 32 random bytes in hexadecimal are enough. Without
    /// TLS it can be read on the way.
    #[must_use]
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.guard.tokens.push(token.into());
        self
    }

    /// Whether `/-/healthy` is answered without password or token, for probes that have none. False unless told.
    ///
    /// A certificate is asked for before there is a request, so that no path can do without.
    #[must_use]
    pub fn open_health(mut self, open: bool) -> Self {
        self.guard.open_health = open;
        self
    }
}
