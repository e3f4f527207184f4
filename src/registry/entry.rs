//! What a registry knows of one metric: its description and its series.

use super::metric::Core;
use super::publish::Published;
use crate::describe::{Descriptor, LabelSets, LabelValues};
use crate::record::fixed::Fixed;
use crate::segment::At;
use crate::sync::{AtomicU64, Mutex, Ordering};
use once_cell::sync::OnceCell;
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// One metric of a registry.
pub(crate) struct Entry {
    pub(crate) desc: Arc<Descriptor>,
    /// The series: who adds or removes one locks this, and so does a collection, only for as long as it takes to clone
    /// reference counts, or after a change those of all series.
    pub(super) roster: Mutex<Roster>,
    /// The handle or family that was built, given again to whoever builds the same.
    pub(super) handle: OnceCell<Box<dyn Any + Send + Sync>>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("desc", &self.desc).finish_non_exhaustive()
    }
}

/// The series of a metric at one moment, in the order of their label values.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) labels: Arc<LabelSets>,
    pub(crate) cores: Arc<[Core]>,
    /// The offsets of those that are one cell; empty for a metric of another kind.
    pub(crate) offsets: Arc<[u32]>,
    /// How many values of series since removed were clamped.
    pub(crate) clamped: u64,
    /// What a collection keeps of these series for the next one.
    pub(crate) memo: Memo,
}

/// Anything, made at its first use, for as long as there are just these series.
#[derive(Clone, Default)]
pub(crate) struct Memo(Arc<OnceCell<Box<dyn Any + Send + Sync>>>);

impl Memo {
    /// What is kept; `make` makes it at the first call.
    pub(crate) fn get<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> Option<&T> {
        self.0.get_or_init(|| Box::new(make())).downcast_ref()
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").finish_non_exhaustive()
    }
}

/// Counts the changes to a registry's series and levels, so that a collection knows whether its list of them still
/// holds.
#[derive(Clone, Debug)]
pub(super) struct Changes(Arc<AtomicU64>);

impl Changes {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(0)))
    }

    /// Counts a change, after it was made. A list that was made before has an older number then.
    pub(super) fn count(&self) {
        // Relaxed: what has changed is read under its own lock; a list's number is only compared.
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of changes. To be read before what may have changed.
    pub(super) fn number(&self) -> u64 {
        // Relaxed: as in `count`. Whoever collects after a change, in the order of its own thread or of what that one
        // synchronised with, sees the number raised: the counter is one word.
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
pub(super) struct Roster {
    enabled: bool,
    /// It records even while it is switched off: see [`Roster::records`].
    always: bool,
    changes: Changes,
    series: BTreeMap<LabelValues, Listed>,
    /// The series as a collection wants them, until one is added or removed.
    listed: Option<Series>,
    clamped: u64,
    /// What is told of the metric to other processes, if anything.
    published: Option<Published>,
}

/// One series.
#[derive(Debug)]
struct Listed {
    core: Core,
    made: SystemTime,
    /// Its record for other processes.
    record: Option<At>,
    /// Where other processes find what a callback gives.
    post: Option<Arc<Fixed>>,
}

impl Roster {
    fn new(enabled: bool, always: bool, changes: Changes, published: Option<Published>) -> Self {
        Self { enabled, always, changes, series: BTreeMap::new(), listed: None, clamped: 0, published }
    }

    /// Whether its metrics record. An up-down counter does even while it is not exposed, where it can come to be: what
    /// went up before a switch comes down after it.
    pub(super) fn records(&self) -> bool {
        self.enabled || self.always
    }

    pub(super) fn insert(&mut self, labels: LabelValues, core: Core) {
        self.insert_posted(labels, core, None);
    }

    /// As [`Roster::insert`], for what a callback gives, with the cell where other processes find it.
    pub(super) fn insert_posted(&mut self, labels: LabelValues, core: Core, post: Option<Fixed>) {
        self.listed = None;
        let made = SystemTime::now();
        let place = post.as_ref().and_then(Fixed::place).or_else(|| core.place());
        let published = self.published.as_ref().zip(place);
        let record = published.and_then(|(published, place)| published.series(place, made, &labels, core.slots()));
        self.series.insert(labels, Listed { core, made, record, post: post.map(Arc::new) });
        self.changes.count();
    }

    pub(super) fn remove(&mut self, values: &[Box<str>]) {
        self.listed = None;
        if let Some(Listed { core, record, .. }) = self.series.remove(values) {
            // Before its cells can be given back, which is when `core` is dropped at the soonest.
            if let Some((published, record)) = self.published.as_ref().zip(record) {
                published.remove(record);
            }
            if let Core::Histogram(core) = &core {
                self.clamped += core.clamped_in_all();
            }
        }
        self.changes.count();
    }

    /// Takes back what was told to other processes: the metric could not be made.
    pub(super) fn withdraw(&mut self) {
        if let Some(published) = &self.published {
            published.show(false);
            self.series.values().filter_map(|listed| listed.record).for_each(|record| published.remove(record));
        }
    }

    pub(super) fn switch(&mut self, enabled: bool) {
        self.enabled = enabled;
        for listed in self.series.values() {
            listed.core.switch(enabled || self.always);
        }
        if let Some(published) = &self.published {
            published.show(enabled);
        }
        self.changes.count();
    }
}

impl Entry {
    pub(super) fn new(
        desc: Arc<Descriptor>,
        enabled: bool,
        always: bool,
        changes: Changes,
        published: Option<Published>,
    ) -> Self {
        Self { desc, roster: Mutex::new(Roster::new(enabled, always, changes, published)), handle: OnceCell::new() }
    }

    /// The callback of an observed metric, and the cell for what it gives; `None` when the metric is switched off, or
    /// there is no cell.
    pub(super) fn posted(&self) -> Option<(Core, Arc<Fixed>)> {
        let roster = self.roster.lock();
        let listed = roster.series.values().next().filter(|_| roster.enabled)?;
        Some((listed.core.clone(), Arc::clone(listed.post.as_ref()?)))
    }

    /// The series to collect; `None` when the metric is switched off.
    pub(crate) fn series(&self) -> Option<Series> {
        let mut roster = self.roster.lock();
        if !roster.enabled {
            return None;
        }
        if roster.listed.is_none() {
            let labels = LabelSets::new(roster.series.iter().map(|(set, listed)| (Arc::clone(set), listed.made)));
            let cores: Arc<[Core]> = roster.series.values().map(|listed| listed.core.clone()).collect();
            let offset = |core: &Core| if let Core::Scalar(core) = core { Some(core.place().front) } else { None };
            let offsets = cores.iter().filter_map(offset).collect();
            roster.listed = Some(Series {
                labels: Arc::new(labels),
                cores,
                offsets,
                clamped: roster.clamped,
                memo: Memo::default(),
            });
        }
        roster.listed.clone()
    }
}
