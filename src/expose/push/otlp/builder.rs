//! The settings of an exporter that pushes.

use super::super::headers;
use super::super::target::{Target, Trust};
use super::super::url::{Endpoint, is_secret};
use super::exporter::OtlpExporter;
use super::retry::Backoff;
use super::transport::Transport;
use super::variables;
use crate::collect::Snapshot;
use crate::error::{Error, ErrorKind};
use crate::expose::otlp::{Histograms, Resource, Temporality};
use crate::registry::Registry;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Who pushes: the product, and then the exporter as OTLP names one in this language.
const AGENT: &str = concat!("tach/", env!("CARGO_PKG_VERSION"), " OTel-OTLP-Exporter-Rust/", env!("CARGO_PKG_VERSION"));

/// Longer than anybody waits, and short enough to be added to any time.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What is spoken with the receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP over HTTP, with protobuf.
    #[default]
    HttpProtobuf,
    /// OTLP over gRPC. Takes the feature `otlp-grpc`.
    Grpc,
}

/// How requests are made smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// To a fifth or less, for some milliseconds per megabyte.
    Gzip,
}

/// What is pushed of each snapshot.
#[derive(Clone)]
pub(super) struct View(pub(super) Arc<dyn Fn(&Snapshot) -> Snapshot + Send + Sync>);

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").finish_non_exhaustive()
    }
}

/// What the pusher is told.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) target: Target,
    pub(super) transport: Transport,
    pub(super) headers: HeaderMap,
    pub(super) compression: Compression,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) shutdown: Duration,
    pub(super) backoff: Backoff,
    pub(super) request_max: usize,
    pub(super) response_max: usize,
    pub(super) view: Option<View>,
}

/// Collects the settings of an [`OtlpExporter`].
#[derive(Clone)]
#[must_use = "nothing is pushed before it is started"]
pub struct OtlpBuilder {
    /// That of metrics; over `base`.
    pub(super) endpoint: Option<String>,
    /// The one of all signals, to which HTTP appends a path.
    pub(super) base: Option<String>,
    pub(super) protocol: Protocol,
    /// Whether gRPC with a host alone goes without TLS.
    pub(super) insecure: bool,
    pub(super) headers: Vec<(String, String)>,
    pub(super) compression: Compression,
    pub(super) temporality: Temporality,
    pub(super) histograms: Histograms,
    pub(super) resource: Resource,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) disabled: bool,
    pub(super) trust: Trust,
    shutdown: Duration,
    backoff: (Duration, Duration),
    request_max: usize,
    response_max: usize,
    view: Option<View>,
}

impl fmt::Debug for OtlpBuilder {
    // Without the headers, which may be secret, and a user's password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.url();
        let endpoint = if is_secret(&endpoint) { "(has an \"@\")" } else { &endpoint };
        f.debug_struct("OtlpBuilder")
            .field("protocol", &self.protocol)
            .field("endpoint", &endpoint)
            .field("resource", &self.resource)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

impl Default for OtlpBuilder {
    fn default() -> Self {
        Self {
            endpoint: None,
            base: None,
            protocol: Protocol::default(),
            insecure: false,
            headers: Vec::new(),
            compression: Compression::default(),
            temporality: Temporality::default(),
            histograms: Histograms::default(),
            resource: Resource::new(),
            interval: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            disabled: false,
            trust: Trust::default(),
            shutdown: Duration::from_secs(5),
            backoff: (Duration::from_secs(1), Duration::from_secs(30)),
            request_max: 64 << 20,
            response_max: 4 << 20,
            view: None,
        }
    }
}

impl OtlpBuilder {
    /// What OpenTelemetry's variables say, and the defaults where they say nothing: `docs/OTLP.md` lists them. Those of
    /// metrics (`OTEL_EXPORTER_OTLP_METRICS_…`) count before the general ones, and an empty value counts as none.
    ///
    /// # Errors
    ///
    /// Values that cannot be read or followed: the text names every such variable, its value and what is allowed. None
    /// where these say that nothing is pushed.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_vars(std::env::vars_os())
    }

    /// As [`OtlpBuilder::from_env`], from names and values given; others than its variables are ignored, and the last of
    /// a name counts.
    ///
    /// # Errors
    ///
    /// As for [`OtlpBuilder::from_env`].
    pub fn from_vars<N: Into<OsString>, V: Into<OsString>>(
        vars: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Error> {
        variables::read(vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// What is spoken with the receiver. [`Protocol::HttpProtobuf`] unless told.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Where to push to. By HTTP it is a URL with the path, `http://localhost:4318/v1/metrics` unless told; by gRPC one
    /// without, `http://localhost:4317` unless told, or `host:port` alone, which is spoken with by TLS. `https://` and TLS
    /// take the feature `tls`.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Whether gRPC speaks without TLS to an endpoint that is `host:port` alone. Not unless told.
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.insecure = insecure;
        self
    }

    /// A header of every request (in gRPC, metadata), for a token say; over an earlier one of the same name.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The file of the certificates, in PEM, that a receiver's may be of, where the endpoint is one by https. Those of
    /// the system unless told: the file that `SSL_CERT_FILE` names, or the first of those that systems have. It is read
    /// once, at the start.
    pub fn certificate(mut self, file: impl Into<PathBuf>) -> Self {
        self.trust.authorities = Some(file.into());
        self
    }

    /// The files of a certificate, with its chain, and of its key, both in PEM, to show to a receiver that asks for one.
    /// They are read once, at the start.
    pub fn client_certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.trust.own = Some((certificate.into(), key.into()));
        self
    }

    /// How requests are made smaller. Not at all unless told.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Since when totals count. [`Temporality::Cumulative`] unless told.
    pub fn temporality(mut self, temporality: Temporality) -> Self {
        self.temporality = temporality;
        self
    }

    /// What histograms become. [`Histograms::Exponential`] unless told.
    pub fn histograms(mut self, histograms: Histograms) -> Self {
        self.histograms = histograms;
        self
    }

    /// Whose metrics these are. [`Resource::new`] unless told.
    pub fn resource(mut self, resource: Resource) -> Self {
        self.resource = resource;
        self
    }

    /// The time between two pushes, above zero. 60 seconds unless told.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How long an attempt may take, from the look-up of the host to the end of the response; above zero, and
    /// [`Duration::MAX`] is no limit. 10 seconds unless told.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long the exporter may take to end when it is dropped, the last push and the collection for it included. 5
    /// seconds unless told; with zero there is no last push. Up to 100 ms are always waited for its thread.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown = timeout;
        self
    }

    /// The pause before the first further attempt, and the longest one. 1 and 30 seconds unless told.
    ///
    /// Each is twice the one before, times a random number from a half to one and a half; where the receiver names a
    /// later time, that counts. Pauses go on over intervals: what is due in one is pushed at its end.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.backoff = (first, longest);
        self
    }

    /// The most bytes of a request before compression. 64 MiB unless told, which is the most that receivers have to take.
    /// A larger one is not sent, and counted as a failure.
    pub fn request_max(mut self, bytes: usize) -> Self {
        self.request_max = bytes;
        self
    }

    /// The most bytes of a response that are read. 4 MiB unless told. A longer one is as one that cannot be read.
    pub fn response_max(mut self, bytes: usize) -> Self {
        self.response_max = bytes;
        self
    }

    /// What is pushed of each snapshot; all of it unless told. The last call counts.
    ///
    /// `view` is called on the exporter's thread, `tach-otlp`, once for each push. Where it panics, that push is dropped.
    pub fn view(mut self, view: impl Fn(&Snapshot) -> Snapshot + Send + Sync + 'static) -> Self {
        self.view = Some(View(Arc::new(view)));
        self
    }

    /// Starts the thread, which pushes for the first time after an interval.
    ///
    /// That the receiver is not there is no error; it may come later. With `OTEL_SDK_DISABLED` or without an exporter
    /// (`OTEL_METRICS_EXPORTER`) nothing is started or read, and what is given back does nothing.
    ///
    /// # Errors
    ///
    /// The endpoint is no URL, or one by https in a build without the feature `tls` or with certificates that cannot be
    /// read; the protocol is gRPC in a build without the feature `otlp-grpc`; a header is none, or one that the exporter
    /// sets itself; a time is zero. The system refuses a thread.
    pub fn start(self, registry: &Registry) -> Result<OtlpExporter, Error> {
        // Before anything can be wrong.
        if self.disabled {
            return Ok(OtlpExporter::idle());
        }
        let plan = self.plan()?;
        OtlpExporter::start(registry, plan, self.resource, self.temporality, self.histograms)
    }

    fn plan(&self) -> Result<Plan, Error> {
        let transport = self.transport()?;
        let endpoint = self.place("otlp: the endpoint")?;
        for (name, time) in [("interval", self.interval), ("timeout", self.timeout), ("backoff", self.backoff.0)] {
            if time.is_zero() {
                let text = format!("otlp: {name} is zero: give a time above zero");
                return Err(Error::new(ErrorKind::Setting, text));
            }
        }
        Ok(Plan {
            target: Target::new(endpoint, &self.trust, (self.protocol == Protocol::Grpc).then_some("h2"))?,
            transport,
            headers: all_headers(&self.headers, transport)?,
            compression: self.compression,
            interval: self.interval.min(FOREVER),
            timeout: self.timeout.min(FOREVER),
            shutdown: self.shutdown.min(FOREVER),
            backoff: Backoff::new(self.backoff.0.min(FOREVER), self.backoff.1.min(FOREVER)),
            request_max: match transport {
                Transport::Http => self.request_max,
                #[cfg(feature = "otlp-grpc")]
                Transport::Grpc => self.request_max.min(super::grpc::MESSAGE_MAX),
            },
            response_max: self.response_max,
            view: self.view.clone(),
        })
    }

    #[cfg(feature = "otlp-grpc")]
    pub(super) fn transport(&self) -> Result<Transport, Error> {
        Ok(if self.protocol == Protocol::Grpc { Transport::Grpc } else { Transport::Http })
    }

    #[cfg(not(feature = "otlp-grpc"))]
    pub(super) fn transport(&self) -> Result<Transport, Error> {
        if self.protocol == Protocol::Grpc {
            let text =
                "otlp: this build cannot push by gRPC: build it with the feature otlp-grpc, or push by http/protobuf";
            return Err(Error::new(ErrorKind::Setting, text));
        }
        Ok(Transport::Http)
    }

    /// The endpoint as it is spoken with.
    pub(super) fn url(&self) -> String {
        match (&self.endpoint, &self.base, self.protocol) {
            (Some(url), ..) | (None, Some(url), Protocol::Grpc) => url.clone(),
            (None, Some(url), Protocol::HttpProtobuf) => {
                let (base, rest) = url.split_at(url.find(['?', '#']).unwrap_or(url.len()));
                format!("{}/v1/metrics{rest}", base.trim_end_matches('/'))
            }
            (None, None, Protocol::HttpProtobuf) => "http://localhost:4318/v1/metrics".to_owned(),
            (None, None, Protocol::Grpc) => "http://localhost:4317".to_owned(),
        }
    }

    /// The endpoint in its parts; `what` names it in errors.
    pub(super) fn place(&self, what: &str) -> Result<Endpoint, Error> {
        match self.protocol {
            Protocol::HttpProtobuf => {
                let url = self.url();
                // What was written, and not what is made of it.
                let written = self.endpoint.as_ref().or(self.base.as_ref()).unwrap_or(&url);
                Endpoint::parse(what, written)?;
                Endpoint::parse_made(what, written, &url)
            }
            Protocol::Grpc => Endpoint::parse_grpc(what, &self.url(), self.insecure),
        }
    }
}

/// What HTTP/2 or gRPC says of a call itself, apart from `grpc-…`.
const OF_CALLS: [&str; 4] = ["te", "keep-alive", "proxy-connection", "upgrade"];

fn all_headers(pairs: &[(String, String)], transport: Transport) -> Result<HeaderMap, Error> {
    let is_of_call = |key: &str| transport != Transport::Http && (key.starts_with("grpc-") || OF_CALLS.contains(&key));
    let mut headers = HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static(AGENT))]);
    for (nth, (name, value)) in (1..).zip(pairs) {
        let (key, value) = headers::read("otlp", nth, (name, value), is_of_call)?;
        headers.insert(key, value);
    }
    headers.insert(CONTENT_TYPE, transport.content_type());
    Ok(headers)
}
