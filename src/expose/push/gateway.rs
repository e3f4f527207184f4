//! Pushes to a Pushgateway.

use super::super::text;
use super::client::{self, Fault, Message, Reply, excerpt};
use super::headers;
use super::target::{Target, Trust};
use super::url::{Endpoint, start};
use crate::collect::Snapshot;
use crate::describe::check_label;
use crate::error::{Error, ErrorKind};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Uri};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Of a response at most so many bytes are read.
const RESPONSE_MAX: usize = 64 << 10;

/// Where a batch job leaves its metrics when it is over: a group at a Pushgateway, which keeps the last push for the
/// scrapes to come.
///
/// Each push is a request of its own that is not repeated when it fails. It waits for the answer, on a thread that it
/// starts for it, and may be called anywhere, in asynchronous code too (which stands still meanwhile).
///
/// ```no_run
/// use tach::push::Pushgateway;
///
/// let registry = tach::Registry::new();
/// registry.counter("rows").build()?.add(1000);
/// Pushgateway::new("http://localhost:9091", "nightly")?.group("shard", "a/7")?.put(&registry.snapshot())?;
/// # Ok::<(), tach::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pushgateway {
    endpoint: Endpoint,
    /// Their values are sensitive, so that nothing shows them.
    headers: HeaderMap,
    trust: Trust,
    timeout: Duration,
}

impl Pushgateway {
    /// The group of this job at the Pushgateway that is reached by `url`, as `http://localhost:9091`.
    ///
    /// # Errors
    ///
    /// The URL is none, or one by https in a build without the feature `tls`; the job has no name, or one of more than the
    /// some 64 KB that a request's path can have.
    pub fn new(url: &str, job: &str) -> Result<Self, Error> {
        let mut endpoint = Endpoint::parse("pushgateway: the URL", url)?;
        if job.is_empty() {
            return Err(Error::new(ErrorKind::Setting, "pushgateway: the job has no name: give it one"));
        }
        if endpoint.path.contains('?') {
            let text = format!("pushgateway: the URL is {:?}, where no query can be: leave it out", start(url));
            return Err(Error::new(ErrorKind::Setting, text));
        }
        endpoint.path = format!("{}/metrics", endpoint.path.trim_end_matches('/'));
        push_label(&mut endpoint.path, "job", job)?;
        let headers = HeaderMap::new();
        Ok(Self { endpoint, headers, trust: Trust::default(), timeout: Duration::from_secs(10) })
    }

    /// Another label that the group is told by, with any value. It is put on all series, over one of the same name.
    ///
    /// # Errors
    ///
    /// The name is no label name, or `job`; the path of job and labels becomes longer than a request's can be, some 64 KB.
    pub fn group(mut self, label: &str, value: &str) -> Result<Self, Error> {
        check_label("pushgateway", label, true, false)?;
        if label == "job" {
            return Err(Error::new(ErrorKind::Name, "pushgateway: the job is named already: choose another label"));
        }
        push_label(&mut self.endpoint.path, label, value)?;
        Ok(self)
    }

    /// A header of every request, for a password or a token say (`Authorization`); over an earlier one of the same name.
    /// Nothing shows its value.
    ///
    /// # Errors
    ///
    /// It is no header, or one that each request has anyway.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        let (name, value) = headers::read("pushgateway", self.headers.len() + 1, (name, value), |_| false)?;
        self.headers.insert(name, value);
        Ok(self)
    }

    /// How long a push may take. 10 seconds unless told.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The file of the certificates, in PEM, that a gateway's may be of, where the URL is one by https. Those of the
    /// system unless told.
    #[must_use]
    pub fn certificate(mut self, file: impl Into<PathBuf>) -> Self {
        self.trust.authorities = Some(file.into());
        self
    }

    /// Replaces all that the group has by this snapshot.
    ///
    /// # Errors
    ///
    /// The gateway is not reached in time, or does not take it: the text has the status and the start of its answer.
    pub fn put(&self, snapshot: &Snapshot) -> Result<(), Error> {
        self.send(Method::PUT, text::render(snapshot))
    }

    /// Replaces what the group has under the names that are in this snapshot, and leaves the rest.
    ///
    /// # Errors
    ///
    /// As for [`Pushgateway::put`].
    pub fn post(&self, snapshot: &Snapshot) -> Result<(), Error> {
        self.send(Method::POST, text::render(snapshot))
    }

    /// Removes all that the group has.
    ///
    /// # Errors
    ///
    /// As for [`Pushgateway::put`].
    pub fn delete(&self) -> Result<(), Error> {
        self.send(Method::DELETE, String::new())
    }

    fn send(&self, method: Method, page: String) -> Result<(), Error> {
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(text::CONTENT_TYPE));
        let message = Message { method: method.clone(), headers, body: Bytes::from(page) };
        let failed = |text: String| {
            let Endpoint { authority, path, secure, .. } = &self.endpoint;
            let scheme = if *secure { "https" } else { "http" };
            Error::new(ErrorKind::Push, format!("pushgateway: {method} {scheme}://{authority}{}: {text}", start(path)))
        };
        let target = Target::new(self.endpoint.clone(), &self.trust, None)?;
        let end = async {
            tokio::time::sleep(self.timeout).await;
            self.timeout
        };
        match run(client::send(&target, message, RESPONSE_MAX, end))? {
            Ok(Reply { status: 200..=299, .. }) => Ok(()),
            Ok(Reply { status, body, .. }) => Err(failed(match body {
                Ok(body) => format!("was answered {status}: {}", excerpt(&body)),
                Err(problem) => format!("was answered {status}, but {problem}"),
            })),
            Err(Fault::Connection(problem) | Fault::Response(problem)) => Err(failed(problem)),
            Err(Fault::Timeout(timeout)) => Err(failed(format!("no answer within {timeout:?}"))),
        }
    }
}

/// Runs a request to its end, on a thread of its own: the calling one may have a runtime already.
fn run<T: Send>(request: impl Future<Output = T> + Send) -> Result<T, Error> {
    let run = || -> io::Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let result = runtime.block_on(request);
        // A look-up of a name cannot be broken off.
        runtime.shutdown_background();
        Ok(result)
    };
    let ran = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("tach-push".to_owned()).spawn_scoped(scope, run)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("its thread has ended")))
    });
    ran.map_err(|error| Error::system("cannot push", error))
}

/// Appends a label to a path, unless that is none by then.
fn push_label(path: &mut String, label: &str, value: &str) -> Result<(), Error> {
    path.extend(["/", label]);
    push_value(path, value);
    path.parse::<Uri>().map(|_| ()).map_err(|error| {
        let (length, start) = (path.len(), start(path));
        let text = format!(
            "pushgateway: with {label} the group is the path {start}, of {length} bytes, which no request can have \
             ({error}): give shorter values"
        );
        Error::new(ErrorKind::Setting, text)
    })
}

/// Appends a value to a path. One that would be more than one part of it, or none, goes as base64.
fn push_value(path: &mut String, value: &str) {
    if value.is_empty() || value.contains('/') || value.chars().all(|c| c == '.') {
        path.push_str("@base64/");
        push_base64(path, value.as_bytes());
        return;
    }
    path.push('/');
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// Base64 for URLs, without padding but for what is empty.
fn push_base64(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_usize, |bits, at| bits << 8 | usize::from(chunk.get(at).copied().unwrap_or(0)));
        for digit in 0..=chunk.len() {
            out.push(char::from(DIGITS[bits >> (18 - 6 * digit) & 63]));
        }
    }
    if bytes.is_empty() {
        out.push('=');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_paths() {
        let path = |job, label, value| {
            Pushgateway::new("http://h:1/sub/", job).unwrap().group(label, value).unwrap().endpoint.path
        };
        assert_eq!(path("a", "b", "c"), "/sub/metrics/job/a/b/c");
        assert_eq!(path("ä %", "b", "x=y~."), "/sub/metrics/job/%C3%A4%20%25/b/x%3Dy~.");
        assert_eq!(path("a/b", "path", "/"), "/sub/metrics/job@base64/YS9i/path@base64/Lw");
        assert_eq!(path("a/bc", "path", ""), "/sub/metrics/job@base64/YS9iYw/path@base64/=");
        assert_eq!(path("/?~", "path", ".."), "/sub/metrics/job@base64/Lz9-/path@base64/Li4");
        assert_eq!(Pushgateway::new("http://h:1", "a").unwrap().endpoint.path, "/metrics/job/a");
    }

    #[test]
    fn what_is_no_group_is_refused() {
        let gateway = || Pushgateway::new("http://h:1", "a").unwrap();
        assert!(gateway().group("job", "b").unwrap_err().to_string().contains("another label"));
        assert_eq!(gateway().group("a-b", "b").unwrap_err().kind(), ErrorKind::Name);
        let long = "x".repeat(70_000);
        let job = Pushgateway::new("http://h:1", &long).unwrap_err();
        let group = gateway().group("zone", "a").unwrap().group("s", &long).unwrap_err();
        for error in [job, group] {
            let (kind, text) = (error.kind(), error.to_string());
            assert!(kind == ErrorKind::Setting && text.contains("bytes") && text.len() < 500, "{text}");
        }
        // As long as it can be.
        let longest = &long[..65_534 - "/metrics/job/a/s/".len()];
        assert_eq!(gateway().group("s", longest).unwrap().endpoint.path.len(), 65_534);
        assert!(gateway().group("s", &format!("{longest}x")).is_err());
        for (url, job) in [("http://h:1", ""), ("http://h:1/?a=b", "a"), ("h", "a")] {
            assert_eq!(Pushgateway::new(url, job).unwrap_err().kind(), ErrorKind::Setting);
        }
    }

    #[test]
    fn what_a_header_says_is_not_shown() {
        let gateway = Pushgateway::new("http://h:1", "a").unwrap().header("Authorization", "Basic c2VjcmV0").unwrap();
        assert!(!format!("{gateway:?}").contains("c2VjcmV0") && format!("{gateway:?}").contains("authorization"));
        for (name, value) in [("a b c2VjcmV0", "x"), ("x", "c2VjcmV0\n"), ("Content-Type", "c2VjcmV0"), ("host", "x")] {
            let error = gateway.clone().header(name, value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Setting);
            assert!(!error.to_string().contains("c2VjcmV0"), "{error}");
        }
    }
}
