//! The settings of a registry.

use super::Registry;
use crate::describe::{Level, check_label, check_namespace, same_label};
use crate::error::{Error, ErrorKind, notice};
use crate::record::local;
use crate::segment::{Segment, Settings};
use std::path::PathBuf;
use std::sync::Arc;

/// How recordings reach their cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recording {
    /// Not at all: every recording is a predicted branch, a gauge's a call besides, and nothing is exposed.
    Noop,
    /// All threads add to shared cells with atomic read-modify-writes: the least memory, and contention.
    Sync,
    /// Every thread adds to cells of its own with plain loads and stores.
    #[default]
    Sharded,
    /// As `Sharded`, at the same cost, with the cells in a file in memory (tmpfs) that other processes read, while this
    /// one runs and after it has ended, however it ended. Linux only.
    ///
    /// The registry beats once a second on a thread of its own, named `tach-segment`, which also calls the callbacks of
    /// observed metrics: one that waits keeps it from beating. Where the file cannot be made, or grow, cells are in this
    /// process's memory alone: nothing is lost here, [`Registry::segment`] and `tach_segment_fallbacks_total` say so, and
    /// so does a line on standard error. A child after `fork` records to memory of its own, from zero.
    Process,
}

/// Collects the settings of a [`Registry`].
#[derive(Clone, Debug)]
pub struct RegistryBuilder {
    pub(super) namespace: Option<String>,
    pub(super) const_labels: Vec<(String, String)>,
    pub(super) level: Level,
    pub(super) recording: Recording,
    pub(super) memory_budget: u64,
    pub(super) shards_max: u32,
    pub(super) utf8: bool,
    pub(super) segment: Settings,
}

impl Default for RegistryBuilder {
    fn default() -> Self {
        Self {
            namespace: None,
            const_labels: Vec::new(),
            level: Level::Detailed,
            recording: Recording::Sharded,
            memory_budget: 4 << 30,
            shards_max: 4096,
            utf8: false,
            segment: Settings::default(),
        }
    }
}

impl RegistryBuilder {
    /// A prefix for every exposed name, joined to it by `_`.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// A label with this value on every series.
    #[must_use]
    pub fn const_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.const_labels.push((name.into(), value.into()));
        self
    }

    /// Whether names of metrics and labels may be any text without control characters, and a metric's dots stay; false
    /// unless told.
    ///
    /// Without it `http.size` is exposed as `http_size`, to everybody. With it a scraper that takes such names sees
    /// `http.size`, as Prometheus 3 does unless told otherwise, and another one sees what [`Escaping`](crate::Escaping)
    /// makes of it, `http_size` in most cases: so what a metric is called depends on who scrapes. Metrics whose names
    /// would be the same to some scraper are refused, and so are labels of one metric.
    #[must_use]
    pub fn utf8_names(mut self, utf8: bool) -> Self {
        self.utf8 = utf8;
        self
    }

    /// How much is measured at first; [`Registry::set_level`] changes it. [`Level::Detailed`], which is everything,
    /// unless told.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// How recordings reach their cells. [`Recording::Sharded`] unless told.
    #[must_use]
    pub fn recording(mut self, recording: Recording) -> Self {
        self.recording = recording;
        self
    }

    /// How many bytes the cells may come to occupy, in all shards together. 4 GiB unless told.
    ///
    /// Resident memory is less: pages that no value has touched take none; but with [`Recording::Process`] all of it is
    /// taken from the tmpfs, so give a budget there that the machine or container has. The addresses that the process
    /// reserves for its shards, up to 896 MiB each, are not counted: they cost nothing but where addresses are limited
    /// (`ulimit -v`), and there a shard reserves at most a 64th of the limit, or 64 MiB. The budget is spent when metrics
    /// are made: each gets cells for as many threads as the budget allows then, up to [`RegistryBuilder::shards_max`].
    /// Further threads record to cells they share, and where not even those are to be had a family gives new label sets
    /// its overflow series: slower, or coarser, but the totals stay right, and `tach_overflow_recordings_total` and
    /// `tach_overflow_series_total` say so. The shared cells of metrics that are declared one by one are always kept,
    /// even beyond the budget.
    #[must_use]
    pub fn memory_budget(mut self, bytes: u64) -> Self {
        self.memory_budget = bytes;
        self
    }

    /// How many threads at once may have cells of their own, rounded down to a power of two; further ones share. 4096,
    /// which is also the most, unless told.
    #[must_use]
    pub fn shards_max(mut self, shards: u32) -> Self {
        self.shards_max = shards;
        self
    }

    /// The directory for the file of [`Recording::Process`], on tmpfs; it is made, for this user alone, if its parent is
    /// there. Unless told, the environment's `TACH_SEGMENT_DIR`, or else `/dev/shm/tach-` with the user's number.
    #[must_use]
    pub fn segment_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.segment.dir = Some(dir.into());
        self
    }

    /// What this process is called, in the name of the file of [`Recording::Process`] and by whoever reads it: up to 128
    /// bytes. Unless told, the environment's `TACH_PROCESS_NAME`, or else the program's name.
    #[must_use]
    pub fn process_name(mut self, name: impl Into<String>) -> Self {
        self.segment.process_name = Some(name.into());
        self
    }

    /// The segment of [`Recording::Process`], or why there is none although there should be.
    pub(super) fn make_segment(&self) -> (Option<Arc<Segment>>, Option<String>) {
        if self.recording != Recording::Process {
            return (None, None);
        }
        let made = match local::mind_forks() {
            true => Segment::create(&self.segment),
            false => Err("the system refuses to tell of forks (pthread_atfork)".to_owned()),
        };
        match made {
            Ok(segment) => (Some(segment), None),
            Err(why) => {
                notice(format_args!(
                    "no other process will see this one's metrics: {why}. Give a directory on tmpfs by \
                     TACH_SEGMENT_DIR or segment_dir(), or use Recording::Sharded"
                ));
                (None, Some(why))
            }
        }
    }

    /// Makes the registry.
    ///
    /// # Errors
    ///
    /// A namespace or label name that no exposition format allows; a label given twice; [`Recording::Process`] on another
    /// system than Linux; no address space. A segment that cannot be made is none: see [`Registry::segment`].
    pub fn build(self) -> Result<Registry, Error> {
        if let Some(namespace) = &self.namespace {
            check_namespace(namespace, self.utf8)?;
        }
        for (index, (name, _)) in self.const_labels.iter().enumerate() {
            check_label("registry", name, true, self.utf8)?;
            if self.const_labels[..index].iter().any(|(earlier, _)| same_label(earlier, name)) {
                let text =
                    format!("registry: label {name:?} is given twice, or is another one's when escaped: remove one");
                return Err(Error::new(ErrorKind::Name, text));
            }
        }
        if self.recording == Recording::Process && cfg!(not(target_os = "linux")) {
            let text = "registry: Recording::Process needs Linux's tmpfs and file locks: use Recording::Sharded";
            return Err(Error::new(ErrorKind::Setting, text));
        }
        if local::shards().is_none() {
            let text = "registry: the system refused the address space for the cells: raise its limit (ulimit -v)";
            return Err(Error::new(ErrorKind::System, text));
        }
        Ok(Registry::from_builder(self))
    }
}
