//! The exporter's thread: it owns the runtime, and with it every connection.

use super::accept::Server;
use super::address::{self, Listening};
use super::builder::{ExporterBuilder, Setup};
use super::negotiate::Body;
use super::own::Own;
use super::scrape::Scraper;
use super::socket::{Bound, Listener};
use crate::collect::Collector;
use crate::error::{Error, notice};
use crate::registry::Registry;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, OnceLock, mpsc};
use std::thread::JoinHandle;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

/// Serves a registry's metrics over HTTP, on threads of its own, until dropped.
///
/// `GET /metrics` gives the format that `Accept` prefers: OpenMetrics text, as Prometheus does unless told otherwise,
/// protobuf, as it does for native histograms, or the Prometheus text format 0.0.4, to all others too. It is gzipped
/// where that is taken; `?name[]=tokens_total`, also several times, asks for those metrics only. A scrape shows
/// everything that was recorded before it was sent, on this thread or any that it synchronised with. It never touches a
/// recording thread, and scrapes that come together share one collection and one rendering of each format.
///
/// `GET /` gives a page that leads there, and `GET /-/healthy` a 200 without a collection, for probes; `HEAD` works for
/// all of them. Among the registry's metrics are those of the exporter, `tach_exporter_*`: how it answered, and whom
/// it turned away.
///
/// Listens on the loopback interface unless told otherwise: there is neither encryption nor a password, unless the
/// feature `tls` is on and the settings ask for them. `docs/EXPORTER.md` lists all settings, and what to think of before
/// a network can reach them.
///
/// Costs two threads, `tach-exporter` (with a tokio runtime of its own, apart from any that the process has) and
/// `tach-collector`, and keeps the last page of each format in memory, whose buffer serves the next one. A thousand
/// histograms and ten thousand counters make a page of under 2 MB.
///
/// Dropping it closes every connection, joins the threads and frees the port; it waits for a collection, a rendering
/// or the check of a password (up to a second, by the cost of its hash) under way, and may be done anywhere, in
/// asynchronous code too.
///
/// ```
/// use std::io::{Read, Write};
/// use tach::{Exporter, Registry};
///
/// let registry = Registry::new();
/// registry.counter("tokens").build()?.add(5);
/// let exporter = Exporter::builder().listen("127.0.0.1:0").start(&registry)?;
///
/// let mut client = std::net::TcpStream::connect(exporter.local_addr())?;
/// client.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
/// let mut response = String::new();
/// client.read_to_string(&mut response)?;
/// assert!(response.starts_with("HTTP/1.1 200 OK\r\n"));
/// assert!(response.contains("\ntokens_total 5\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "an exporter stops when it is dropped"]
pub struct Exporter {
    address: SocketAddr,
    /// Set once not everybody who reaches it can read the metrics.
    closed: Arc<OnceLock<()>>,
    /// Removes the file of a Unix socket in the end.
    #[cfg(unix)]
    file: Option<super::unix::SocketFile>,
    /// Dropped to stop the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Held here too, so that it ends after the exporter's thread and on the thread that drops this.
    _collector: Arc<Collector>,
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Exporter {
    /// Settings to choose for a new exporter.
    #[must_use = "an exporter exists once it is started"]
    pub fn builder() -> ExporterBuilder {
        ExporterBuilder::default()
    }

    /// Where it listens: with the port that the system chose, if port 0 was asked for. `0.0.0.0:0` for a Unix socket,
    /// whose place [`Exporter::socket_path`] tells.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The file of the Unix socket that it listens on; `None` if it listens on an IP address.
    #[must_use]
    pub fn socket_path(&self) -> Option<&Path> {
        #[cfg(unix)]
        return self.file.as_ref().map(super::unix::SocketFile::path);
        #[cfg(not(unix))]
        None
    }

    /// Whether everybody who reaches its address can read the metrics: it is not a loopback address or a Unix socket,
    /// [`allow`](ExporterBuilder::allow) names no networks, or such as are all addresses of IPv4 or IPv6 together, and
    /// there is neither a password nor a token nor a certificate to show.
    ///
    /// One that starts so says it on standard error, in a line. The landing page says it, and the metric
    /// `tach_exporter_open_to_all`. A change of the web configuration counts once the next connection or request has
    /// come.
    #[must_use]
    pub fn is_open_to_all(&self) -> bool {
        self.closed.get().is_none()
    }

    pub(super) fn start(registry: &Registry, setup: Setup) -> Result<Self, Error> {
        let listening = address::listen(&setup.address, setup.socket_mode)?;
        let Listening { bound, address, .. } = listening;
        let closed = Arc::new(OnceLock::new());
        if !setup.open_to_all {
            closed.get_or_init(|| ());
        }
        let own_closed = Arc::clone(&closed);
        let collector = Arc::new(Collector::start(registry, None)?);
        let (stop, stopped) = oneshot::channel();
        let (sender, ready) = mpsc::sync_channel(1);
        let scraping = Arc::clone(&collector);
        let (const_labels, showing) = (registry.const_labels(), setup.showing.clone());
        let run = move || {
            // The caller waits for it.
            let ready = |result| drop(sender.send(result));
            let own = Rc::new(Own::new(own_closed, &const_labels));
            serve(bound, setup, own, scraping, stopped, ready);
        };
        let thread = std::thread::Builder::new().name("tach-exporter".to_owned()).spawn(run);
        let thread = thread.map_err(|error| Error::system("cannot start the thread tach-exporter", error))?;
        let exporter = Self {
            address,
            closed,
            #[cfg(unix)]
            file: listening.file,
            stop: Some(stop),
            thread: Some(thread),
            _collector: collector,
        };
        let started = ready.recv().unwrap_or_else(|_| Err(io::Error::other("its thread has ended")));
        started.map_err(|error| Error::system(format!("cannot serve on {address}"), error))?;
        showing.keep_names(|names| registry.reserve(names))?;
        if exporter.is_open_to_all() {
            notice(format_args!(
                "whoever reaches {address} can read the metrics: listen on 127.0.0.1, name networks that are let in, \
                 or have passwords or certificates asked for (web_config, TACH_WEB_CONFIG)"
            ));
        }
        Ok(exporter)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // While its socket is open, so that nobody else has taken its place.
        #[cfg(unix)]
        drop(self.file.take());
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported already.
            let _ = thread.join();
        }
    }
}

/// The thread: serves until stopped. The runtime is made and dropped here, as it must not be dropped in asynchronous
/// code.
fn serve(
    bound: Bound,
    setup: Setup,
    own: Rc<Own>,
    collector: Arc<Collector>,
    stopped: oneshot::Receiver<()>,
    ready: impl FnOnce(io::Result<()>),
) {
    let runtime = tokio::runtime::Builder::new_current_thread().thread_name("tach-password").enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return ready(Err(error)),
    };
    // Dropped before the runtime, and every connection with it.
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async {
        let listener = match Listener::new(bound) {
            Ok(listener) => listener,
            Err(error) => return ready(Err(error)),
        };
        let scraper = Scraper::new(collector, Body::render, setup.limits.scrapes, setup.limits.scrape);
        let scraper = scraper.showing(setup.showing.clone(), Rc::clone(&own));
        tokio::task::spawn_local(Rc::new(Server::new(setup, scraper, own)).run(listener));
        ready(Ok(()));
        // An error is the sender's end, which means the same.
        let _ = stopped.await;
    });
}
