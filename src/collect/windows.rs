//! Rolling windows: what was recorded in the last ten seconds, the last minute, whenever one asks.
//!
//! A window is the difference between now and a snapshot that was kept, so a recording costs what it did.

mod described;
mod gauges;
#[cfg(test)]
mod name_tests;
mod past;
#[cfg(test)]
mod summary_tests;
#[cfg(test)]
mod tests;

use super::histogram::HistogramSnapshot;
use super::snapshot::Snapshot;
use crate::describe::Descriptor;
use crate::error::{Error, ErrorKind};
use crate::registry::Registry;
use crate::sync::Mutex;
use described::described;
use past::{Past, STEPS};
use std::fmt;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// The shortest window: it costs ten collections for each of its lengths.
const LENGTH_MIN: Duration = Duration::from_secs(1);
/// The share of the values that each gauge tells, unless told.
const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// What chosen histograms recorded lately: quantiles of the last minute rather than of the whole run.
///
/// To read in the process, as a scheduler may want to, with [`Windows::histogram`]; and to expose, with
/// [`Windows::show`].
///
/// A window ends now, and begins at the youngest snapshot that was kept and is as old as the window is long. A tenth of
/// each length lies between those that are kept, so a window is up to about a tenth longer than its name says; how long
/// it is [`Snapshot::elapsed`] tells. Before there is a snapshot as old, it begins when this was started.
///
/// A series that is removed takes its values out of every window, and one that is made in a window has all of its own in
/// it. A metric that is switched off is in no window, and what was recorded before it was is there when it comes back.
///
/// Costs a thread, `tach-windows`, that reads the chosen histograms and nothing else ten times in the shortest window;
/// and for each length the cells of twelve snapshots at most, in which a series that was not recorded meanwhile takes no
/// room of its own to speak of. Recording costs what it does without.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use tach::{Exporter, Registry, Unit, Windows};
///
/// let registry = Registry::new();
/// let itl = registry.histogram("itl").unit(Unit::Seconds).build()?;
/// let minute = Duration::from_secs(60);
/// let windows = Arc::new(Windows::start(&registry, &["itl"], &[Duration::from_secs(10), minute])?);
///
/// let shown = Arc::clone(&windows);
/// let exporter = Exporter::builder().listen("127.0.0.1:0").view(move |now| shown.show(now)).start(&registry)?;
/// // itl_window_seconds{window="10s",q="0.99"}, itl_seconds_window_values{window="10s"} and …_window_rate
///
/// itl.record(12_500_000);
/// let p99 = windows.histogram("itl", &[], minute).unwrap().quantile(0.99);
/// assert!((0.0125..0.0126).contains(&p99));
/// # Ok::<(), tach::Error>(())
/// ```
#[must_use = "windows are kept until this is dropped"]
pub struct Windows {
    registry: Registry,
    names: Names,
    /// In ascending order.
    lengths: Vec<Duration>,
    quantiles: Vec<f64>,
    /// And no gauges for quantiles.
    summaries: bool,
    past: Arc<Mutex<Past>>,
    /// Dropped to end the thread.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The own names of the chosen histograms: all of them, where there are none.
#[derive(Clone, Debug)]
struct Names(Arc<[String]>);

impl Names {
    fn has(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|chosen| chosen == name)
    }
}

impl fmt::Debug for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Windows");
        fields.field("names", &self.names).field("lengths", &self.lengths).finish_non_exhaustive()
    }
}

impl Windows {
    /// Keeps windows of these lengths, a second or longer, of the histograms with these own names, from now on; without
    /// names, of all histograms, those that are built later too: the names of these ones' windows are not kept from other
    /// metrics, and [`Windows::show`] leaves them out where something else has them.
    ///
    /// # Errors
    ///
    /// A name that is no histogram's of the registry; a length below a second, twice the same, or none. A
    /// name that [`Windows::show`] gives, in any [`Escaping`](crate::Escaping), and a metric of the registry or of another
    /// process has already: from here on the registry keeps these names from metrics. The system refuses the thread.
    pub fn start(registry: &Registry, histograms: &[&str], lengths: &[Duration]) -> Result<Self, Error> {
        let mut windows = Self::new(registry, histograms, lengths)?;
        let (stop, stopped) = mpsc::channel::<()>();
        let (registry, names, past) = (registry.clone(), windows.names.clone(), Arc::clone(&windows.past));
        let interval = windows.lengths[0] / STEPS;
        let run = move || {
            while stopped.recv_timeout(interval) == Err(mpsc::RecvTimeoutError::Timeout) {
                let now = registry.histograms(|name| names.has(name));
                past.lock().keep(&now);
            }
        };
        let thread = std::thread::Builder::new().name("tach-windows".to_owned()).spawn(run);
        windows.thread = Some(thread.map_err(|error| Error::system("cannot start the thread tach-windows", error))?);
        windows.stop = Some(stop);
        Ok(windows)
    }

    /// Without the thread.
    fn new(registry: &Registry, histograms: &[&str], lengths: &[Duration]) -> Result<Self, Error> {
        let wrong = |text: String| Err(Error::new(ErrorKind::Setting, format!("windows: {text}")));
        if lengths.is_empty() {
            return wrong("nothing would be kept: give at least one length".to_owned());
        }
        // What other processes record may yet come.
        let has = |name: &str| registry.described_histogram(name).is_some() || registry.has_foreign();
        if let Some(name) = histograms.iter().find(|name| !has(name)) {
            return wrong(format!("{name:?} is no histogram of the registry: give its own name, after it was built"));
        }
        if let Some(length) = lengths.iter().find(|length| **length < LENGTH_MIN) {
            return wrong(format!("{length:?} would cost too many collections: give a second or more"));
        }
        let mut lengths = lengths.to_vec();
        lengths.sort();
        if let Some(pair) = lengths.windows(2).find(|pair| pair[0] == pair[1]) {
            return wrong(format!("{:?} is given twice: remove one of them", pair[0]));
        }
        let windows = Self {
            registry: registry.clone(),
            names: Names(histograms.iter().map(|&name| name.to_owned()).collect()),
            quantiles: QUANTILES.to_vec(),
            summaries: false,
            past: Arc::new(Mutex::new(Past::new(&lengths))),
            lengths,
            stop: None,
            thread: None,
        };
        let now = registry.histograms(|name| windows.names.has(name));
        windows.claim_all(&now)?;
        windows.past.lock().keep(&now);
        Ok(windows)
    }

    /// As [`claim`](Self::claim), for all histograms that there are: those in `now` and those that are switched off.
    fn claim_all(&self, now: &Snapshot) -> Result<(), Error> {
        let own = self.names.0.iter().filter_map(|name| self.registry.described_histogram(name));
        let found: Vec<_> = own.chain(now.families().iter().map(|family| Arc::clone(&family.desc))).collect();
        self.claim(found.iter().map(|desc| &**desc))
    }

    /// Keeps the names of what the windows of these are exposed as from whatever else is exposed.
    pub(crate) fn claim<'a>(&self, of: impl Iterator<Item = &'a Descriptor>) -> Result<(), Error> {
        let described =
            |of: &'a Descriptor| described(of, self.summaries).into_iter().flatten().map(|desc| (&*of.name, desc));
        let made: Vec<_> = of.flat_map(described).collect();
        let foreign = self.registry.foreign();
        self.registry.claim_windows(&made, &foreign.iter().map(|family| &*family.desc).collect::<Vec<_>>())
    }

    /// The quantiles that [`Windows::show`] gives, from 0 to 1: 0.5, 0.9 and 0.99 unless told.
    ///
    /// # Errors
    ///
    /// One that is not from 0 to 1, or is there twice.
    pub fn quantiles(mut self, quantiles: &[f64]) -> Result<Self, Error> {
        for (index, q) in quantiles.iter().enumerate() {
            let wrong = match q {
                q if !(0.0..=1.0).contains(q) => "is no share of the values: give numbers from 0 to 1",
                q if quantiles[..index].contains(q) => "is given twice: remove one of them",
                _ => continue,
            };
            return Err(Error::new(ErrorKind::Setting, format!("windows: the quantile {q} {wrong}")));
        }
        // Adding zero makes minus zero zero.
        self.quantiles = quantiles.iter().map(|q| q + 0.0).collect();
        Ok(self)
    }

    /// Has [`Windows::show`] give the quantiles as summaries and not as gauges: `itl_window_seconds` has a label `window`,
    /// and `quantile` in place of `q`, and `itl_window_seconds_count` and `_sum` beside.
    ///
    /// These two are the totals of the histogram, since it was made, and the same for each window: so they only grow, and
    /// have rates, which a window's would not. Gauges still tell how many values a window has.
    ///
    /// # Errors
    ///
    /// A metric has one of the names already, as at the start.
    pub fn summaries(mut self) -> Result<Self, Error> {
        self.summaries = true;
        self.claim_all(&self.registry.histograms(|name| self.names.has(name)))?;
        Ok(self)
    }

    /// What a series recorded in the last `length`, up to this call. Labels in any order.
    ///
    /// Any length will do: of one that was not chosen the beginning is as exact as that of the next longer one, and one
    /// beyond the longest is the longest. `None`: no such series among the chosen ones, or it is switched off. Smallest
    /// and largest value are the ends of their buckets, as in a difference of snapshots.
    ///
    /// Costs reading this one histogram as a collection does, and a difference of its cells: some microseconds.
    #[must_use]
    pub fn histogram(&self, name: &str, labels: &[(&str, &str)], length: Duration) -> Option<HistogramSnapshot> {
        let now = self.registry.histograms(|own| own == name && self.names.has(own));
        self.difference(&now, length)?.histogram(name, labels).cloned()
    }

    /// What all chosen histograms recorded in the last `length`, as [`Windows::histogram`] gives it for one:
    /// [`Snapshot::elapsed`] is how long that is.
    #[must_use]
    pub fn last(&self, length: Duration) -> Snapshot {
        let now = self.registry.histograms(|name| self.names.has(name));
        self.difference(&now, length).unwrap_or_else(|| now.since(&now))
    }

    /// `now`, a snapshot of the registry, and for each chosen histogram three gauges with a label `window`, `10s` say:
    /// the quantiles, by the label `q` and in the histogram's unit; how many values there are in the window; and how
    /// many that is to the second. For [`ExporterBuilder::view`](crate::ExporterBuilder::view) and its like.
    ///
    /// A histogram `itl` in seconds gives `itl_window_seconds`, `itl_seconds_window_values` and `itl_seconds_window_rate`.
    /// One that has a name in common with something else in `now` is left out: another process began to record that after
    /// the start, or windows were shown already. Where nothing was recorded the quantiles are NaN, and the others 0. A
    /// histogram that has a label `window` or `q` of its own has no such gauges.
    #[must_use]
    pub fn show(&self, now: &Snapshot) -> Snapshot {
        self.show_as(now, now, Snapshot::clone)
    }

    /// As [`Windows::show`], where a view gives histograms other names: `shown`, which is what it makes of `now`, with the
    /// gauges of what `view` makes of each window.
    #[must_use]
    pub fn show_as(&self, now: &Snapshot, shown: &Snapshot, view: impl Fn(&Snapshot) -> Snapshot) -> Snapshot {
        shown.beside(self.gauges(now, view))
    }

    /// What the chosen histograms of `now` recorded in the `length` before it. `None` for a `now` from before the start.
    fn difference(&self, now: &Snapshot, length: Duration) -> Option<Snapshot> {
        let base = self.past.lock().before(now.taken(), length)?;
        // One that was never seen switched on may have values from before.
        let chosen = now.part(|family| self.names.has(&family.desc.name) && base.family(&family.desc.base).is_some());
        Some(chosen.since(&base))
    }
}

impl Drop for Windows {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported already.
            let _ = thread.join();
        }
    }
}
