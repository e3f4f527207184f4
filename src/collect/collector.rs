//! The background thread that merges shards into snapshots.

use super::Snapshot;
use super::exchange::Exchange;
use crate::error::{Error, ErrorKind};
use crate::registry::Registry;
use std::fmt;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// A thread named `tach-collector` that merges a registry's shards, when asked and at an interval.
///
/// Many requests at once cost one collection. (This is not what other Prometheus libraries call a collector, a source
/// of metrics: that is [`Registry::observe_gauge`] here.) Dropping it stops the thread, after the collection under way.
pub struct Collector {
    registry: Registry,
    exchange: Arc<Exchange<Snapshot>>,
    threads: Vec<JoinHandle<()>>,
    /// Dropped to end the interval's thread.
    interval: Option<mpsc::Sender<()>>,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl Collector {
    /// Starts the thread. With an interval it collects then too, whether or not anybody asks.
    ///
    /// # Errors
    ///
    /// An interval of zero; the system refuses a thread.
    pub fn start(registry: &Registry, interval: Option<Duration>) -> Result<Self, Error> {
        if interval.is_some_and(|interval| interval.is_zero()) {
            let text = "collector: an interval of zero would never pause: give a longer one, or none";
            return Err(Error::new(ErrorKind::Setting, text));
        }
        let exchange = Arc::new(Exchange::new());
        let mut collector =
            Self { registry: registry.clone(), exchange: Arc::clone(&exchange), threads: Vec::new(), interval: None };
        let registry = registry.clone();
        collector.spawn("tach-collector", move || {
            // Whatever ends this thread, nobody waits for it any more.
            let _stop = Stop(&exchange);
            while let Some(batch) = exchange.next() {
                exchange.publish(batch, registry.snapshot());
            }
        })?;
        if let Some(interval) = interval {
            let (sender, stop) = mpsc::channel::<()>();
            collector.interval = Some(sender);
            let exchange = Arc::clone(&collector.exchange);
            collector.spawn("tach-interval", move || {
                while stop.recv_timeout(interval) == Err(mpsc::RecvTimeoutError::Timeout) {
                    exchange.tick();
                }
            })?;
        }
        Ok(collector)
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
        self.threads.push(thread.map_err(|error| Error::system(format!("cannot start the thread {name}"), error))?);
        Ok(())
    }

    /// What the last collection gave; `None` before the first. Never waits for one.
    #[must_use]
    pub fn latest(&self) -> Option<Snapshot> {
        self.exchange.latest()
    }

    /// Waits for a collection that begins after this call. Not to be called by an answer or a callback: it would wait
    /// for itself.
    #[must_use]
    pub fn refresh(&self) -> Snapshot {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.request(move |snapshot| {
            // Nobody receives when the caller is gone, which is its right.
            let _ = sender.send(snapshot);
        });
        receiver.recv().unwrap_or_else(|_| self.registry.snapshot())
    }

    /// Has `answer` called, on the collector's thread, with a snapshot that is begun after this call. Must be quick.
    pub fn request(&self, answer: impl FnOnce(Snapshot) + Send + 'static) {
        self.exchange.ask(Box::new(answer));
    }
}

/// Stops the exchange when dropped.
struct Stop<'a>(&'a Exchange<Snapshot>);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.interval = None;
        self.exchange.stop();
        for thread in self.threads.drain(..) {
            // Its own thread may be the one that drops it, in an answer; and a panic there has been reported already.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}
