//! The thread of a registry whose cells lie in a segment: it shows that the process lives, and puts into cells what is
//! otherwise known at a collection only: what callbacks give, and the engine's own metrics.

use super::own::Figures;
use super::publish::Published;
use super::{Core, Entry, Inner, Met, Observed, Registry};
use crate::describe::{Aggregate, Descriptor, Kind, LabelValues};
use crate::error::notice;
use crate::record::fixed::Fixed;
use crate::record::local;
use crate::segment::{self, INTERVAL, Segment, now};
use std::collections::HashMap;
use std::sync::{Arc, Weak, mpsc};
use std::time::SystemTime;

/// What the thread keeps from beat to beat.
struct Beat {
    segment: Arc<Segment>,
    /// The engine's own metrics that are published, by their base names.
    metrics: HashMap<String, Option<Published>>,
    /// Their cells.
    cells: HashMap<(String, LabelValues), Option<Fixed>>,
    warned: bool,
}

/// Beats once, so that the segment is complete, and starts the thread; it ends when what is given is dropped.
pub(super) fn start(registry: &Registry, segment: &Arc<Segment>) -> mpsc::Sender<()> {
    let mut beat = Beat { segment: Arc::clone(segment), metrics: HashMap::new(), cells: HashMap::new(), warned: false };
    let registry = Arc::downgrade(&registry.0);
    beat.beat(&registry);
    let (sender, stop) = mpsc::channel();
    let thread = std::thread::Builder::new().name("tach-segment".to_owned());
    let thread = thread.spawn(move || {
        while stop.recv_timeout(INTERVAL) == Err(mpsc::RecvTimeoutError::Timeout) {
            beat.beat(&registry);
        }
    });
    if let Err(error) = thread {
        notice(format_args!(
            "cannot start the thread tach-segment: {error}. {} will look as if this process were stuck: raise \
             the limit of threads (ulimit -u)",
            segment.path().display()
        ));
    }
    sender
}

impl Beat {
    fn beat(&mut self, registry: &Weak<Inner>) {
        let mut met = Met::default();
        let Some(posts) = calmly(registry, Registry::posts) else { return };
        // With nothing locked, and without the registry, which may go meanwhile: callbacks are the user's.
        for post in &posts {
            post.fill(&mut met);
        }
        if calmly(registry, |registry| self.post_own(registry, met)).is_none() {
            return;
        }
        self.segment.beat();
        if !self.warned && self.segment.fallbacks() > 0 {
            self.warned = true;
            notice(format_args!(
                "{} has no room for all metrics: some are recorded, but not to be seen by other processes. Make \
                 its file system larger (in a container the size of /dev/shm), or raise the limit of file sizes \
                 (ulimit -f)",
                self.segment.path().display()
            ));
        }
    }

    /// Puts the engine's own metrics into their cells.
    fn post_own(&mut self, registry: &Registry, met: Met) {
        let listing = registry.listing();
        let regions = local::shards().map(|shards| shards.regions()).unwrap_or_default();
        let (mut clamped, mut series) = (Vec::new(), 0);
        for (desc, listed) in listing.iter().filter(|(desc, _)| !desc.base.starts_with("tach_")) {
            series += listed.labels.sets.len();
            if desc.kind == Kind::Histogram {
                let of = |core: &Core| match core {
                    Core::Histogram(core) => core.clamped_in_all(),
                    _ => 0,
                };
                clamped.push((desc.base.clone(), listed.clamped + listed.cores.iter().map(of).sum::<u64>()));
            }
        }
        for (desc, figures) in registry.own_figures(clamped, series, met, &regions) {
            let bits: Vec<_> = match figures {
                Figures::Totals(totals) => totals,
                Figures::Values(values) => {
                    values.into_iter().map(|(labels, value)| (labels, value.to_bits())).collect()
                }
            };
            for (labels, bits) in bits {
                self.post(registry, &desc, labels, bits);
            }
        }
    }

    /// Puts the value of an own metric into its cell.
    fn post(&mut self, registry: &Registry, desc: &Arc<Descriptor>, labels: LabelValues, bits: u64) {
        let metric = self.metrics.entry(desc.base.clone()).or_insert_with(|| Published::new(&self.segment, desc, true));
        let Some(metric) = metric else { return };
        let cell = self.cells.entry((desc.base.clone(), labels)).or_insert_with_key(|(_, labels)| {
            let cell = registry.0.site.cell(false).ok()?;
            cell.get().put(bits);
            metric.series(cell.place()?, SystemTime::now(), labels, None)?;
            Some(cell)
        });
        if let Some(cell) = cell {
            cell.get().put(bits);
        }
    }
}

/// Does something with a registry, if it is still there, while the process does not fork: a child would have the locks
/// that this thread holds, and nobody to let go of them.
fn calmly<T>(registry: &Weak<Inner>, act: impl FnOnce(&Registry) -> T) -> Option<T> {
    let registry = Registry(registry.upgrade()?);
    let calm = segment::calm();
    let done = act(&registry);
    // Before the registry may be: with it go callbacks.
    drop(calm);
    Some(done)
}

/// A callback, and the cell for what it gives.
struct Post {
    core: Core,
    cell: Arc<Fixed>,
    stamped: bool,
}

impl Post {
    fn fill(&self, met: &mut Met) {
        let bits = match self.core.observe(met) {
            Some(Observed::Gauge(value) | Observed::FloatCounter(value)) => value.to_bits(),
            Some(Observed::Counter(total)) => total,
            None => return,
        };
        self.cell.get().put(bits);
        if self.stamped {
            self.cell.stamp(now());
        }
    }
}

impl Registry {
    /// The callbacks whose metrics are switched on.
    fn posts(&self) -> Vec<Post> {
        let entries: Vec<_> = self.0.state.lock().entries.values().cloned().collect();
        let observed = entries.iter().filter(|entry| entry.desc.kind.is_observed());
        let post = |entry: &Arc<Entry>| {
            let (core, cell) = entry.posted()?;
            Some(Post { core, cell, stamped: entry.desc.aggregate == Aggregate::Last })
        };
        observed.filter_map(post).collect()
    }
}
