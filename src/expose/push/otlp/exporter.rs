//! The thread that pushes, and what holds it.

use super::builder::{OtlpBuilder, Plan};
use super::pusher::{Flush, Pusher, Stop};
use super::stats::Stats;
use crate::error::{Error, ErrorKind};
use crate::expose::otlp::{Encoder, Histograms, Resource, Temporality};
use crate::registry::Registry;
use std::fmt;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc as commands, watch};

/// What its end is given at least, where there is nothing to do.
const LEAST_END: Duration = Duration::from_millis(100);

/// Pushes a registry's metrics by OTLP over HTTP or gRPC, at an interval and once more when dropped.
///
/// One request is under way at a time. Where the receiver does not take it for now, it is sent again after a pause; once
/// the next one is due, that takes its place, and is sent when the pause is over. Cumulative totals lose nothing by that,
/// and with [`Temporality::Delta`] the next one begins where the last that was taken ended. A request with deltas whose
/// answer was lost is sent again as it was until it is answered, and only then the next. The metrics `tach_otlp_…` of the
/// same registry count what becomes of the pushes.
///
/// Costs a thread, `tach-otlp`, with a tokio runtime of its own, which collects, encodes and sends. Recording threads
/// notice nothing of it.
///
/// Dropping it pushes for the last time and waits for that, for
/// [`shutdown_timeout`](OtlpBuilder::shutdown_timeout) at most. An attempt under way gets half of that. A callback or view
/// that takes longer cannot be broken off: its thread is left behind, and ends after it without a push.
///
/// ```no_run
/// use tach::otlp::{OtlpExporter, Resource};
///
/// let registry = tach::Registry::new();
/// let exporter = OtlpExporter::builder()
///     .endpoint("http://localhost:4318/v1/metrics")
///     .resource(Resource::new().service("llm"))
///     .start(&registry)?;
/// registry.counter("tokens").build()?.add(5);
/// exporter.shutdown()?; // or drop it
/// # Ok::<(), tach::Error>(())
/// ```
#[must_use = "an exporter stops when it is dropped"]
pub struct OtlpExporter(Option<Running>);

struct Running {
    flushes: commands::UnboundedSender<Flush>,
    stop: watch::Sender<Option<Stop>>,
    thread: JoinHandle<()>,
    /// What became of the last push. Locked, so that it can be shared; only its owner looks.
    ended: Mutex<mpsc::Receiver<Result<(), String>>>,
    stats: Arc<Stats>,
    timeout: Duration,
    shutdown: Duration,
}

impl fmt::Debug for OtlpExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpExporter").field("running", &self.0.is_some()).finish_non_exhaustive()
    }
}

impl OtlpExporter {
    /// Settings to choose for a new exporter. [`OtlpBuilder::from_env`] takes them from the environment.
    pub fn builder() -> OtlpBuilder {
        OtlpBuilder::default()
    }

    /// One that does nothing.
    pub(super) fn idle() -> Self {
        Self(None)
    }

    pub(super) fn start(
        registry: &Registry,
        plan: Plan,
        resource: Resource,
        temporality: Temporality,
        histograms: Histograms,
    ) -> Result<Self, Error> {
        let stats = Arc::new(Stats::new(registry)?);
        let (flushes, asked) = commands::unbounded_channel();
        let (stop, stopping) = watch::channel(None);
        let (timeout, shutdown) = (plan.timeout, plan.shutdown);
        let encoder = Encoder::new(resource).temporality(temporality).histograms(histograms);
        let pusher = Pusher::new(registry.clone(), plan, encoder, Arc::clone(&stats), stopping);
        // There, as a runtime must not be dropped in asynchronous code, which the caller may be.
        let (ready, begun) = mpsc::sync_channel(1);
        let (end, ended) = mpsc::sync_channel(1);
        let run = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = ready.send(Err(error));
                    return;
                }
            };
            let _ = ready.send(Ok(()));
            let result = runtime.block_on(pusher.run(asked));
            // A look-up of a name cannot be broken off.
            runtime.shutdown_background();
            // Nobody receives when it was left behind.
            let _ = end.send(result);
        };
        let thread = std::thread::Builder::new().name("tach-otlp".to_owned()).spawn(run);
        let thread = thread.map_err(|error: io::Error| Error::system("cannot start the thread tach-otlp", error))?;
        let begun = begun.recv().unwrap_or_else(|_| Err(io::Error::other("its thread has ended")));
        begun.map_err(|error| Error::system("cannot push by OTLP", error))?;
        Ok(Self(Some(Running { flushes, stop, thread, ended: Mutex::new(ended), stats, timeout, shutdown })))
    }

    /// Pushes now, and waits until the receiver has taken it: with further attempts where these are allowed, for as long
    /// as a single one may take; a callback or view that takes longer is waited for. Not to be called by one, which would
    /// wait for itself.
    ///
    /// # Errors
    ///
    /// The receiver did not take it in time, or at all; the text says why. The next push has what this one had, or what an
    /// earlier one had of which the receiver gave no answer.
    pub fn flush(&self) -> Result<(), Error> {
        let Some(running) = &self.0 else { return Ok(()) };
        let (answer, answered) = mpsc::sync_channel(1);
        // An error is the thread's end, which the answer's absence says too.
        let _ = running.flushes.send(Flush { until: Instant::now() + running.timeout, answer });
        answered.recv().unwrap_or_else(|_| Err("its thread has ended".to_owned())).map_err(failed)
    }

    /// What the last attempt that failed met, or a receiver had to say about one that it took; `None` while there is
    /// nothing.
    #[must_use]
    pub fn last_failure(&self) -> Option<String> {
        self.0.as_ref().and_then(|running| running.stats.said())
    }

    /// As dropping it, and tells what became of the last push.
    ///
    /// # Errors
    ///
    /// The receiver did not take it in time, or at all; there was no time to make it, or what collects still runs.
    pub fn shutdown(mut self) -> Result<(), Error> {
        self.stop().map_err(failed)
    }

    fn stop(&mut self) -> Result<(), String> {
        let Some(running) = self.0.take() else { return Ok(()) };
        let time = running.shutdown;
        let _ = running.stop.send(Some(Stop::within(time)));
        drop(running.flushes);
        let ended = running.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        let result = match ended.recv_timeout(time.max(LEAST_END)) {
            Ok(result) => result,
            // A panic there has been reported already.
            Err(RecvTimeoutError::Disconnected) => Err("has no result: its thread has ended".to_owned()),
            // Left behind, as what it does cannot be broken off.
            Err(RecvTimeoutError::Timeout) if time.is_zero() => return Ok(()),
            Err(RecvTimeoutError::Timeout) if running.stats.is_collecting() => {
                return Err(format!(
                    "was not made within {time:?}: collecting the values takes longer, and goes on without being waited \
                     for"
                ));
            }
            Err(RecvTimeoutError::Timeout) => {
                return Err(format!("had no end within {time:?}: its thread was left behind"));
            }
        };
        // It has nothing left to do.
        let _ = running.thread.join();
        result
    }
}

fn failed(text: String) -> Error {
    Error::new(ErrorKind::Push, format!("otlp: the push {text}"))
}

impl Drop for OtlpExporter {
    fn drop(&mut self) {
        // Counted, and nobody to tell.
        let _ = self.stop();
    }
}
