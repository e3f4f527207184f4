//! The settings of an exporter.

use super::address::{self, Address};
use super::exporter::Exporter;
#[cfg(feature = "tls")]
use super::guard;
use super::negotiate::Offer;
use super::networks::Networks;
use super::scrape::Showing;
use crate::collect::Snapshot;
use crate::describe::{HistogramBuckets, Resource};
use crate::error::{Error, ErrorKind};
use crate::registry::Registry;
use hyper::HeaderMap;
use hyper::header::{self, HeaderName};
use std::fmt;
use std::time::Duration;

/// Longer than anybody waits, and short enough to be added to any time.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What bounds the exporter's clients.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Connections open at once.
    pub(super) connections: usize,
    /// Scrapes from their request to the last byte of their response.
    pub(super) scrapes: usize,
    /// From a scrape's request until its page is made.
    pub(super) scrape: Duration,
    /// From the first byte of a request, or from the start of a connection, to the end of the request's head.
    pub(super) header: Duration,
    /// Between the requests of a connection.
    pub(super) idle: Duration,
    /// From the end of a request's head to the last byte of its response.
    pub(super) response: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            scrapes: 32,
            scrape: Duration::from_secs(10),
            header: Duration::from_secs(5),
            // Longer than the usual minute between scrapes, so that these find their connection again.
            idle: Duration::from_secs(75),
            response: Duration::from_secs(30),
        }
    }
}

/// Collects the settings of an [`Exporter`].
///
/// Beyond those that can be set: a request's head has at most 16 KiB and 64 headers (431 otherwise), requests with a
/// body are refused (413), and a client that sends nothing more has one second to read the end of its last response.
#[derive(Clone)]
pub struct ExporterBuilder {
    listen: String,
    socket_mode: u32,
    allow: Vec<String>,
    headers: Vec<(String, String)>,
    limits: Limits,
    offer: Offer,
    showing: Showing,
    target: Option<Resource>,
    #[cfg(feature = "tls")]
    pub(super) guard: guard::Wanted,
}

/// Without the values of headers: they may be anybody's secrets.
impl fmt::Debug for ExporterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        let mut all = f.debug_struct("ExporterBuilder");
        all.field("listen", &self.listen).field("socket_mode", &format_args!("0o{:o}", self.socket_mode));
        all.field("allow", &self.allow).field("headers", &headers).field("limits", &self.limits);
        all.field("offer", &self.offer);
        #[cfg(feature = "tls")]
        all.field("guard", &self.guard);
        all.finish_non_exhaustive()
    }
}

/// The same, checked.
pub(super) struct Setup {
    pub(super) address: Address,
    pub(super) socket_mode: u32,
    pub(super) networks: Networks,
    pub(super) headers: HeaderMap,
    pub(super) limits: Limits,
    pub(super) offer: Offer,
    pub(super) showing: Showing,
    #[cfg(feature = "tls")]
    pub(super) guard: guard::Plan,
    /// Whoever reaches the address can read the metrics.
    pub(super) open_to_all: bool,
}

impl Default for ExporterBuilder {
    fn default() -> Self {
        Self {
            listen: address::DEFAULT.to_owned(),
            socket_mode: 0o660,
            allow: Vec::new(),
            headers: Vec::new(),
            limits: Limits::default(),
            offer: Offer::new(),
            showing: Showing::default(),
            target: None,
            #[cfg(feature = "tls")]
            guard: guard::Wanted::default(),
        }
    }
}

impl ExporterBuilder {
    /// Where to listen: an IP address and a port, as `127.0.0.1:9464`, `[::1]:9464` or `localhost:9464`.
    /// `127.0.0.1:9464` unless told. Or `unix:` and an absolute path, as `unix:/run/tach.sock`.
    ///
    /// Port 0 takes any free port, which [`Exporter::local_addr`] tells. `0.0.0.0` and `[::]` open the metrics to
    /// whoever reaches the machine.
    ///
    /// The file of a Unix socket is removed when the exporter is dropped. One that is left of a process which was
    /// killed is replaced; one that somebody listens on, or that is no socket, is an error.
    #[must_use]
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = address.into();
        self
    }

    /// Who may connect to a Unix socket, as the permissions of its file; connecting takes the right to write. `0o660`,
    /// which is the owner and the group, unless told. Of no account for other sockets.
    #[must_use]
    pub fn socket_mode(mut self, mode: u32) -> Self {
        self.socket_mode = mode;
        self
    }

    /// A network whose clients may connect, as `10.0.0.0/8` or `fd00::/8`, or an address; called again, one more. Once
    /// there is one all others are closed when accepted, unheard and unanswered, those of the machine itself
    /// (`127.0.0.0/8`, `::1`) included. All may connect unless told.
    ///
    /// An address proves little: it may be that of a proxy, or one that several share.
    #[must_use]
    pub fn allow(mut self, network: impl Into<String>) -> Self {
        self.allow.push(network.into());
        self
    }

    /// A header that every response to a request has besides its own, as `Strict-Transport-Security`; called again, one
    /// more, and of one name the last counts. None unless told.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// How many connections may be open at once, at least 1. 64 unless told.
    ///
    /// When all are, a new one takes the place of one that is not being answered: first of those that have shown no right
    /// password, token or certificate, where that is asked for, whatever they ask; then of the address that has most
    /// connections (of IPv6, its first half counts); then of those that never asked, or of the idlest. Who reads its answer
    /// too slowly, as [`scrapes_max`](Self::scrapes_max) has it, is no longer being answered. Who has sent no
    /// request yet is given half a second before it leaves for an address that has as many. A refusal ends its
    /// connection. When for a second all are being answered, or the others are of addresses that have fewer than the
    /// new one's, the new one gets a 503 and is closed; with TLS it is closed without.
    #[must_use]
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.limits.connections = connections;
        self
    }

    /// How many scrapes may be under way at once, from the request to the last byte of the response, at least 1. 32
    /// unless told.
    ///
    /// Each may hold a page of its own in memory, although those that come together share one. Further ones wait, for
    /// as long as [`scrape_timeout`](Self::scrape_timeout) lets them. While they do, connections leave whose clients have
    /// taken nothing of their page for half a second, or have read it for five, of the address that has most scrapes.
    #[must_use]
    pub fn scrapes_max(mut self, scrapes: usize) -> Self {
        self.limits.scrapes = scrapes;
        self
    }

    /// How long a scrape may wait for its page, above zero. 10 seconds unless told.
    ///
    /// When that is over it gets a 503 with `Retry-After`, which happens when a callback of an observed metric is slow,
    /// or [`scrapes_max`](Self::scrapes_max) others take long. The time that Prometheus allows, as its request says
    /// (`X-Prometheus-Scrape-Timeout-Seconds`), less half a second, counts where it is shorter.
    #[must_use]
    pub fn scrape_timeout(mut self, timeout: Duration) -> Self {
        self.limits.scrape = timeout;
        self
    }

    /// How long a client may take to send the head of a request, from its first byte, or from when the connection was
    /// accepted; above zero. 5 seconds unless told. Then the connection is closed.
    #[must_use]
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.limits.header = timeout;
        self
    }

    /// How long a connection may wait for another request, above zero. 75 seconds unless told. Then it is closed.
    ///
    /// More than the interval of the scrapes lets them share a connection.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.limits.idle = timeout;
        self
    }

    /// How long the whole answer to a request may take, from its head to the last byte of the response, above zero. 30
    /// seconds unless told. Then the connection is closed, so a client that reads slowly cannot hold a page for longer.
    #[must_use]
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.limits.response = timeout;
        self
    }

    /// Whether OpenMetrics has a sample `_created` for each counter and histogram, which says when it began; false unless
    /// told. A scraper that does not know it takes it for a series of its own. Protobuf always tells, without a sample.
    #[must_use]
    pub fn created(mut self, created: bool) -> Self {
        self.offer = self.offer.created(created);
        self
    }

    /// Whether who asks for OpenMetrics in version 2.0.0 gets it; false unless told, as there is only a release candidate
    /// of it (2.0.0-rc0), whose scrapers are experimental too. Nobody else gets it: 1.0.0 is for who names no version.
    ///
    /// See [`openmetrics_2`](crate::openmetrics_2).
    #[must_use]
    pub fn openmetrics_2(mut self, openmetrics_2: bool) -> Self {
        self.offer = self.offer.openmetrics_2(openmetrics_2);
        self
    }

    /// Which buckets histograms have in protobuf and OpenMetrics 2.0: native and classic ones together unless told, or
    /// one sort only.
    #[must_use]
    pub fn histogram_buckets(mut self, buckets: HistogramBuckets) -> Self {
        self.offer = self.offer.histogram_buckets(buckets);
        self
    }

    /// Whose metrics these are, as the metric `target_info`, with which every page begins: an Info metric in OpenMetrics,
    /// a gauge with the value 1 elsewhere, and a label for each attribute of `resource`. It is not shown unless told.
    ///
    /// What pushes the same registry by OTLP should be given the same resource: that is how readers know that both are
    /// one. The names `target` and `target_info` are kept from the registry's metrics then; of a view's those are left
    /// out. See [`Snapshot::target_info`].
    #[must_use]
    pub fn target_info(mut self, resource: Resource) -> Self {
        self.target = Some(resource);
        self
    }

    /// What is exposed of each snapshot; all of it unless told. The last call counts.
    ///
    /// `view` is called on the exporter's thread, `tach-exporter`, once for each collection, however many scrapes
    /// it answers. Every connection waits meanwhile, so it must be quick. Where it panics, the scrape gets a
    /// 500 and the next one another try.
    ///
    /// ```
    /// # let (registry, earlier) = (tach::Registry::new(), tach::Registry::new().snapshot());
    /// // Only what has happened since the start.
    /// let exporter = tach::Exporter::builder().listen("127.0.0.1:0").view(move |now| now.since(&earlier));
    /// let exporter = exporter.start(&registry)?;
    /// # Ok::<(), tach::Error>(())
    /// ```
    #[must_use]
    pub fn view(mut self, view: impl Fn(&Snapshot) -> Snapshot + Send + Sync + 'static) -> Self {
        self.showing = self.showing.view(view);
        self
    }

    /// Opens the socket and starts the threads. When this returns, connections are accepted.
    ///
    /// # Errors
    ///
    /// The address is none, or the system does not let the process listen there, as the port is taken: the text names
    /// the address and the remedy. A limit is zero, a network or header is none, or a Unix socket is to have networks
    /// or permissions that nobody could connect with. An attribute for `target_info` can be no label, or a metric has
    /// that name. The system refuses a thread.
    pub fn start(mut self, registry: &Registry) -> Result<Exporter, Error> {
        let limits = &mut self.limits;
        for (name, count) in [("connections_max", limits.connections), ("scrapes_max", limits.scrapes)] {
            if count == 0 {
                return Err(zero(name, "at least 1"));
            }
        }
        for (name, limit) in [
            ("scrape_timeout", &mut limits.scrape),
            ("header_timeout", &mut limits.header),
            ("idle_timeout", &mut limits.idle),
            ("response_timeout", &mut limits.response),
        ] {
            if limit.is_zero() {
                return Err(zero(name, "a time above zero"));
            }
            *limit = FOREVER.min(*limit);
        }
        let address = address::parse(&self.listen)?;
        let networks = Networks::read(&self.allow)?;
        if matches!(address, Address::Unix(_)) {
            check_unix(&networks, self.socket_mode)?;
        }
        let headers = headers(&self.headers)?;
        #[cfg(feature = "tls")]
        let guard = guard::Plan::new(self.guard)?;
        #[cfg(feature = "tls")]
        let asks = guard.asks();
        #[cfg(not(feature = "tls"))]
        let asks = false;
        let showing = match &self.target {
            Some(resource) => self.showing.target(resource)?,
            None => self.showing,
        };
        let setup = Setup {
            open_to_all: address.reachable().is_some_and(|at| networks.admit_all(at)) && !asks,
            address,
            socket_mode: self.socket_mode,
            networks,
            headers,
            limits: self.limits,
            offer: self.offer,
            showing,
            #[cfg(feature = "tls")]
            guard,
        };
        Exporter::start(registry, setup)
    }
}

/// Those that the exporter sets itself, or that say how a message is sent.
const OWN_HEADERS: [HeaderName; 11] = [
    header::ALLOW,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::DATE,
    header::RETRY_AFTER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::VARY,
    header::WWW_AUTHENTICATE,
];

fn headers(texts: &[(String, String)]) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in texts {
        let wrong = |what: &str| Error::new(ErrorKind::Setting, format!("exporter: header {name:?} {what}"));
        let header: HeaderName =
            name.parse().map_err(|_| wrong("is no name of a header: use letters, digits and '-'"))?;
        if OWN_HEADERS.contains(&header) {
            return Err(wrong("is the exporter's own to set: leave it out"));
        }
        let value = value.parse().map_err(|_| wrong("has a value with characters that no header may have"))?;
        headers.insert(header, value);
    }
    Ok(headers)
}

/// Checks the settings of a Unix socket.
fn check_unix(networks: &Networks, mode: u32) -> Result<(), Error> {
    if !networks.is_empty() {
        let text = "exporter: allow is for clients with an IP address, and those of a Unix socket have none: leave it out, \
                    and set socket_mode";
        return Err(Error::new(ErrorKind::Setting, text));
    }
    if mode & !0o777 == 0 && mode & 0o200 != 0 {
        return Ok(());
    }
    let text = format!(
        "exporter: socket_mode is 0o{mode:o}: give permissions in octal that let the owner write, as connecting takes that: \
         0o600 for the owner only, 0o660 for its group too, 0o666 for everybody"
    );
    Err(Error::new(ErrorKind::Setting, text))
}

fn zero(name: &str, instead: &str) -> Error {
    Error::new(ErrorKind::Setting, format!("exporter: {name} is zero, so nothing could be served: give {instead}"))
}
