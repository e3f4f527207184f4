//! Registries: names, labels, levels and where the cells come from. The cold path.
//!
//! A registry owns its metrics' descriptions and cells; handles own their cells too, so that either may go first.
//! Everything here takes locks and may allocate; nothing here is called by a recording, but for the look-up of a label
//! set in a family.

mod attached;
mod beat;
mod builder;
mod config;
mod entry;
mod exemplars;
mod family;
mod key;
mod lazy;
mod metric;
mod names;
mod own;
mod publish;
mod table;
mod typed;

use attached::Attached;
pub use builder::{Labelled, MetricBuilder, Typed, Unlabelled};
pub use config::{Recording, RegistryBuilder};
pub(crate) use entry::Series;
use entry::{Changes, Entry};
pub use family::Family;
pub use lazy::LazyCounter;
pub use metric::Metric;
pub(crate) use metric::{Core, Observed};
pub(crate) use own::{Figures, Met, Own};
#[cfg(feature = "serve")]
pub(crate) use table::VALUE_MAX;
pub use typed::TypedFamily;

use crate::describe::{Descriptor, Escaping, Kind, LabelValues, Level, STATIC_MAX_LEVEL};
use crate::error::{Error, ErrorKind};
use crate::record::local;
use crate::record::space::{NoPlace, Space};
use crate::sync::Mutex;
use crate::{Counter, FloatCounter, Gauge, Histogram, UpDownCounter};
use metric::Site;
use names::{Owner, conflict};
use once_cell::sync::{Lazy, OnceCell};
use publish::Published;
pub(crate) use publish::record as metric_record;
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::SystemTime;

static GLOBAL: Lazy<Registry> = Lazy::new(Registry::new);

/// The registry of the process, made at the first call.
///
/// A library records to this one unless its caller gives it another.
#[must_use]
pub fn global() -> &'static Registry {
    &GLOBAL
}

/// A set of metrics that are collected and exposed together.
///
/// Cloning gives another handle to the same set. Any number of registries may live in a process, and one is cheap
/// enough to make in every test. Dropping the last handle frees the cells, as soon as no metric's handle is left
/// either.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

/// Which registry it is, without keeping it.
#[cfg(feature = "serve")]
#[derive(Clone, Debug)]
pub(crate) struct RegistryId(std::sync::Weak<Inner>);

#[cfg(feature = "serve")]
impl RegistryId {
    pub(crate) fn is(&self, registry: &Registry) -> bool {
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&registry.0))
    }
}

/// What the metric builder needs of the settings.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) namespace: Option<String>,
    pub(super) const_labels: Arc<[(String, String)]>,
    pub(super) utf8: bool,
    recording: Recording,
}

struct Inner {
    config: Config,
    site: Arc<Site>,
    state: Mutex<State>,
    changes: Changes,
    /// The series as the last collection found them, with the number of changes until then.
    listing: Mutex<(u64, Listing)>,
    own: Own,
    attached: Attached,
    made: SystemTime,
    /// Why there is no segment, where there should be one.
    without_segment: Option<String>,
    /// Dropped to end the thread that beats.
    beat: OnceCell<mpsc::Sender<()>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Before the cells are given back: what they hold stays in the file.
        if let Some(segment) = &self.site.segment {
            segment.close();
        }
    }
}

/// Every metric that is switched on, in the order of exposition, with its series.
pub(crate) type Listing = Arc<[(Arc<Descriptor>, Series)]>;

struct State {
    level: Level,
    /// By exposed base name, which is the order of exposition.
    entries: BTreeMap<String, Arc<Entry>>,
    /// The base name under which a metric's own name is entered.
    names: BTreeMap<String, String>,
    /// Every name that an exposition format gives a metric in an escaping, and whose it is.
    exposed: BTreeMap<(Escaping, String), Owner>,
    /// Every name that no metric may have, and who has it.
    reserved: BTreeMap<String, String>,
    /// The own names that what windows are exposed as has, and whose it is.
    windows: BTreeMap<String, Owner>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("config", &self.0.config).finish_non_exhaustive()
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// An empty registry with default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::from_builder(RegistryBuilder::default())
    }

    /// Settings to choose for a new registry.
    #[must_use = "a registry exists once it is built"]
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::default()
    }

    fn from_builder(builder: RegistryBuilder) -> Self {
        // Where threads write no cells of their own, none are paid for.
        let sharded = matches!(builder.recording, Recording::Sharded | Recording::Process);
        let shards_max = if sharded { builder.shards_max } else { 0 };
        let (segment, without_segment) = builder.make_segment();
        let space = Space::new(builder.memory_budget, shards_max, local::shards().cloned(), segment.clone());
        let config = Config {
            namespace: builder.namespace,
            const_labels: builder.const_labels.into(),
            utf8: builder.utf8,
            recording: builder.recording,
        };
        let state = State {
            level: builder.level,
            entries: BTreeMap::new(),
            names: BTreeMap::new(),
            exposed: BTreeMap::new(),
            reserved: BTreeMap::new(),
            windows: BTreeMap::new(),
        };
        let own = Own::new(&config.const_labels);
        let site = Arc::new(Site::new(space, config.recording == Recording::Sync, segment.clone()));
        let registry = Self(Arc::new(Inner {
            config,
            site,
            state: Mutex::new(state),
            changes: Changes::new(),
            listing: Mutex::new((u64::MAX, Listing::default())),
            own,
            attached: Attached::default(),
            made: SystemTime::now(),
            without_segment,
            beat: OnceCell::new(),
        }));
        if let Some(segment) = &segment {
            let _ = registry.0.beat.set(beat::start(&registry, segment));
        }
        registry
    }

    /// Describes a [`Counter`]: a total of events.
    pub fn counter(&self, name: impl Into<String>) -> MetricBuilder<Counter> {
        MetricBuilder::new(self, name.into())
    }

    /// Describes a [`FloatCounter`]: a total in fractions.
    pub fn float_counter(&self, name: impl Into<String>) -> MetricBuilder<FloatCounter> {
        MetricBuilder::new(self, name.into())
    }

    /// Describes an [`UpDownCounter`]: a sum that goes both ways.
    pub fn updown_counter(&self, name: impl Into<String>) -> MetricBuilder<UpDownCounter> {
        MetricBuilder::new(self, name.into())
    }

    /// Describes a [`Gauge`]: a value that is set.
    pub fn gauge(&self, name: impl Into<String>) -> MetricBuilder<Gauge> {
        MetricBuilder::new(self, name.into())
    }

    /// Describes a [`Histogram`]: a distribution.
    pub fn histogram(&self, name: impl Into<String>) -> MetricBuilder<Histogram> {
        MetricBuilder::new(self, name.into())
    }

    /// A gauge whose value `read` gives at every collection. [`MetricBuilder::observe`] takes a unit and a level too.
    ///
    /// # Errors
    ///
    /// As for [`MetricBuilder::observe`].
    pub fn observe_gauge(
        &self,
        name: impl Into<String>,
        help: impl Into<String>,
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) -> Result<(), Error> {
        self.gauge(name).help(help).observe(read)
    }

    /// A counter whose total `read` gives at every collection. It must never fall.
    ///
    /// # Errors
    ///
    /// As for [`MetricBuilder::observe`].
    pub fn observe_counter(
        &self,
        name: impl Into<String>,
        help: impl Into<String>,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<(), Error> {
        self.counter(name).help(help).observe(read)
    }

    /// Changes how much is measured. A metric that is switched off keeps its totals and is neither recorded nor
    /// exposed; but an up-down counter goes on being recorded, as what went up before must come down after.
    pub fn set_level(&self, level: Level) {
        let mut state = self.0.state.lock();
        state.level = level;
        for entry in state.entries.values() {
            entry.roster.lock().switch(self.enabled(&entry.desc, level));
        }
    }

    /// How much is measured.
    #[must_use]
    pub fn level(&self) -> Level {
        self.0.state.lock().level
    }

    /// Where other processes find what this registry records, with [`Recording::Process`], or why they do not: then it
    /// records as with [`Recording::Sharded`]. `None` with any other [`Recording`].
    ///
    /// The file stays when the registry is dropped, and when the process ends, however it ends.
    #[must_use]
    pub fn segment(&self) -> Option<Result<&Path, &str>> {
        match (&self.0.site.segment, &self.0.without_segment) {
            (Some(segment), _) if segment.is_detached() => {
                Some(Err("it is that of the process this one was forked from"))
            }
            (Some(segment), _) => Some(Ok(segment.path())),
            (None, Some(why)) => Some(Err(why)),
            (None, None) => None,
        }
    }

    /// How often something found no room in the segment.
    fn segment_fallbacks(&self) -> u64 {
        let without = u64::from(self.0.without_segment.is_some());
        self.0.site.segment.as_ref().map_or(without, |segment| segment.fallbacks())
    }

    fn enabled(&self, desc: &Descriptor, level: Level) -> bool {
        self.0.config.recording != Recording::Noop && desc.level <= level.min(STATIC_MAX_LEVEL)
    }

    fn config(&self) -> &Config {
        &self.0.config
    }

    #[cfg(feature = "serve")]
    pub(crate) fn id(&self) -> RegistryId {
        RegistryId(Arc::downgrade(&self.0))
    }

    pub(crate) fn space(&self) -> &Space {
        &self.0.site.space
    }

    /// The engine's own metrics.
    pub(crate) fn own(&self) -> &Own {
        &self.0.own
    }

    /// The labels that all of its metrics have.
    #[cfg(feature = "http")]
    pub(crate) fn const_labels(&self) -> Arc<[(String, String)]> {
        Arc::clone(&self.0.config.const_labels)
    }

    /// When this registry was made, by the system's clock.
    pub(crate) fn made(&self) -> SystemTime {
        self.0.made
    }

    /// The histogram of this own name, switched on or not.
    pub(crate) fn described_histogram(&self, name: &str) -> Option<Arc<Descriptor>> {
        let state = self.0.state.lock();
        let entry = state.names.get(name).and_then(|base| state.entries.get(base));
        entry.map(|entry| Arc::clone(&entry.desc)).filter(|desc| desc.kind == Kind::Histogram)
    }

    /// Look-ups of label sets that ended in an overflow series.
    pub(crate) fn overflowed_series(&self) -> u64 {
        self.0.site.overflowed()
    }

    /// Every metric that is switched on, with its series.
    pub(crate) fn listing(&self) -> Listing {
        let mut listing = self.0.listing.lock();
        let number = self.0.changes.number();
        if listing.0 != number {
            let entries: Vec<_> = self.0.state.lock().entries.values().cloned().collect();
            let listed = entries.iter().filter_map(|entry| Some((Arc::clone(&entry.desc), entry.series()?)));
            *listing = (number, listed.collect());
        }
        Arc::clone(&listing.1)
    }

    /// Enters a metric, or finds the one that is described the same.
    fn register<H: Clone + Send + Sync + 'static>(
        &self,
        desc: Descriptor,
        make: impl FnOnce(&Arc<Entry>, &Arc<Site>) -> Result<H, NoPlace>,
    ) -> Result<H, Error> {
        let mut state = self.0.state.lock();
        if let Some(there) = state.entries.get(state.names.get(&desc.name).unwrap_or(&desc.base)) {
            let difference = match there.desc.name == desc.name {
                true => there.desc.difference(&desc),
                false => Some(format!("both are exposed as {}", desc.base)),
            };
            let same = there.handle.get().and_then(|handle| handle.downcast_ref::<H>());
            return match (difference, same) {
                (None, Some(handle)) => Ok(handle.clone()),
                (difference, _) => {
                    Err(conflict(&desc.name, &there.desc.name, difference.as_deref().unwrap_or("type of handle")))
                }
            };
        }
        self.claim_names(&mut state, &desc)?;
        let enabled = self.enabled(&desc, state.level);
        let always = desc.kind == Kind::UpDownCounter && self.enabled(&desc, Level::Detailed);
        let published = self.0.site.segment.as_ref().and_then(|segment| Published::new(segment, &desc, enabled));
        let entry = Arc::new(Entry::new(Arc::new(desc), enabled, always, self.0.changes.clone(), published));
        let made = make(&entry, &self.0.site).map_err(|_| {
            let text = format!(
                "{}: there is no room for its cells: the process's address space for metrics is used up or refused: drop \
                 registries that are no longer used, with all handles of theirs, or use fewer metrics",
                entry.desc.name
            );
            Error::new(ErrorKind::System, text)
        });
        match made {
            Ok(handle) => {
                let _ = entry.handle.set(Box::new(handle.clone()) as Box<dyn Any + Send + Sync>);
                state.names.insert(entry.desc.name.clone(), entry.desc.base.clone());
                state.entries.insert(entry.desc.base.clone(), entry);
                self.0.changes.count();
                Ok(handle)
            }
            Err(error) => {
                entry.roster.lock().withdraw();
                let owner = Owner::Metric(entry.desc.name.clone());
                state.exposed.retain(|_, of| *of != owner);
                Err(error)
            }
        }
    }

    /// Enters a metric that a callback gives.
    fn observe(&self, desc: Descriptor, core: Core) -> Result<(), Error> {
        let name = desc.name.clone();
        // A handle that is this call's own, so that a second one finds another than its own.
        let mine = Arc::new(());
        let registered = self.register(desc, |entry, site| {
            let post = site.segment.is_some().then(|| site.cell(false)).transpose()?;
            entry.roster.lock().insert_posted(LabelValues::default(), core, post);
            Ok(Arc::clone(&mine))
        })?;
        if Arc::ptr_eq(&registered, &mine) {
            return Ok(());
        }
        let text = format!("{name} is observed already: remove one of the two callbacks or name it differently");
        Err(Error::new(ErrorKind::Conflict, text))
    }
}
