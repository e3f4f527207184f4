//! The exporter's thread: it owns the runtime, and with it every connection.

use super::accept::Server;
use super::address;
use super::builder::{ExporterBuilder, Limits};
use super::negotiate::Body;
use super::scrape::{Scraper, Viewing};
use crate::collect::Collector;
use crate::error::Error;
use crate::registry::Registry;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

/// Serves a registry's metrics over HTTP, on threads of its own, until dropped.
///
/// `GET /metrics` gives the format that `Accept` prefers: OpenMetrics text, as Prometheus does unless told otherwise,
/// protobuf, as it does for native histograms, or the Prometheus text format 0.0.4, to all others too. It is gzipped
/// where that is taken; `?name[]=tokens_total`, also several times, asks for those metrics only. `GET /` gives a page
/// that leads there; `HEAD` works for both. A scrape shows everything that was recorded before it was sent, on this
/// thread or any that it synchronised with. It never touches a recording thread, and scrapes that come together share
/// one collection and one rendering of each format.
///
/// Listens on the loopback interface unless told otherwise: there is neither encryption nor a password.
///
/// Costs two threads, `tach-exporter` (with a tokio runtime of its own, apart from any that the process has) and
/// `tach-collector`, and keeps the last page of each format in memory, whose buffer serves the next one. A thousand
/// histograms and ten thousand counters make a page of under 2 MB.
///
/// Dropping it closes every connection, joins the threads and frees the port; it waits for a collection or rendering
/// under way, and may be done anywhere, in asynchronous code too.
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

    /// Where it listens: with the port that the system chose, if port 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn start(
        registry: &Registry,
        listen: &str,
        limits: Limits,
        view: Option<Viewing>,
    ) -> Result<Self, Error> {
        let (listener, address) = address::listen(listen)?;
        let collector = Arc::new(Collector::start(registry, None)?);
        let (stop, stopped) = oneshot::channel();
        let (sender, ready) = mpsc::sync_channel(1);
        let scraping = Arc::clone(&collector);
        let run = move || {
            // The caller waits for it.
            let ready = |result| drop(sender.send(result));
            serve(listener, limits, view, scraping, stopped, ready);
        };
        let thread = std::thread::Builder::new().name("tach-exporter".to_owned()).spawn(run);
        let thread = thread.map_err(|error| Error::system("cannot start the thread tach-exporter", error))?;
        let exporter = Self { address, stop: Some(stop), thread: Some(thread), _collector: collector };
        let started = ready.recv().unwrap_or_else(|_| Err(io::Error::other("its thread has ended")));
        started.map_err(|error| Error::system(format!("cannot serve on {address}"), error))?;
        Ok(exporter)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
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
    listener: TcpListener,
    limits: Limits,
    view: Option<Viewing>,
    collector: Arc<Collector>,
    stopped: oneshot::Receiver<()>,
    ready: impl FnOnce(io::Result<()>),
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return ready(Err(error)),
    };
    // Dropped before the runtime, and every connection with it.
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async {
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return ready(Err(error)),
        };
        let scraper = Scraper::new(collector, Body::render, limits.scrapes, limits.scrape).viewing(view);
        tokio::task::spawn_local(Rc::new(Server::new(limits, scraper)).run(listener));
        ready(Ok(()));
        // An error is the sender's end, which means the same.
        let _ = stopped.await;
    });
}
