//! The series of a family, found by their label values.

use super::entry::Entry;
use super::key::{Given, Key, Lookup};
use super::metric::{Core, Metric, Site};
use crate::describe::{Descriptor, LabelValues};
use crate::record::space::NoPlace;
use crate::sync::{AtomicUsize, Ordering};
use foldhash::fast::RandomState;
use std::hash::BuildHasherDefault;
use std::sync::{Arc, Once, Weak};

/// The value of every label of the series that takes what is beyond a family's limit.
pub(crate) const OVERFLOW: &str = "tach_overflow";
/// The longest label value, in bytes. A longer one goes to the overflow series: it is a mistake, or somebody else's
/// text.
pub(crate) const VALUE_MAX: usize = 1024;

/// A map from label values to series. Kept as `V`, an array: a look-up then finds them beside the metric.
pub(super) struct Table<M, V> {
    series: papaya::HashMap<Key<V>, M, BuildHasherDefault<Given>>,
    /// What makes hashes differ from process to process, so that nobody can send label values that collide.
    seed: RandomState,
    /// How many series there are, so that a full family need not be locked to find that out.
    len: AtomicUsize,
    /// The series for what finds no room: made with the family, so that it cannot fail, and listed at its first use.
    overflow: (M, Core),
    overflow_listed: Once,
    desc: Arc<Descriptor>,
    /// Weak, as the entry holds the family.
    entry: Weak<Entry>,
    site: Arc<Site>,
}

impl<M, V> Table<M, V> {
    /// How many series there are, for people.
    pub(super) fn len(&self) -> usize {
        // Relaxed: a figure to show.
        self.len.load(Ordering::Relaxed)
    }
}

impl<M, V> Table<M, V>
where
    M: Metric,
    V: AsRef<[Box<str>]> + TryFrom<Vec<Box<str>>>,
{
    /// An empty one, of `entry`.
    pub(super) fn new(entry: &Arc<Entry>, site: &Arc<Site>) -> Result<Self, NoPlace> {
        Ok(Self {
            series: papaya::HashMap::default(),
            seed: RandomState::default(),
            len: AtomicUsize::new(0),
            overflow: M::build(&entry.desc, site, false, false)?,
            overflow_listed: Once::new(),
            desc: Arc::clone(&entry.desc),
            entry: Arc::downgrade(entry),
            site: Arc::clone(site),
        })
    }

    /// The series with these label values; made now if it is new.
    #[inline(always)]
    pub(super) fn with<'a, W: AsRef<[&'a str]>>(&self, values: W) -> M {
        if !self.may_look_up() {
            return self.overflow().clone();
        }
        let lookup = Lookup::new(values, &self.seed);
        match self.series.pin().get(&lookup) {
            Some(metric) => metric.clone(),
            None => self.add(&lookup),
        }
    }

    /// Removes a series; false when there is none with these values.
    pub(super) fn remove(&self, values: &[&str]) -> bool {
        let Some(entry) = self.entry.upgrade().filter(|_| self.may_look_up()) else { return false };
        // The lock makes adding to and removing from both collections one step.
        let mut roster = entry.roster.lock();
        let removed = self.series.pin().remove(&Lookup::new(values, &self.seed)).is_some();
        if removed {
            roster.remove(&boxed(values));
            // Relaxed: a hint; the lock is what orders changes.
            self.len.fetch_sub(1, Ordering::Relaxed);
        }
        removed
    }

    /// False in the destructors of thread-locals, once the map's own are gone.
    #[inline(always)]
    fn may_look_up(&self) -> bool {
        crate::record::local::may_look_up(|| drop(self.series.pin()))
    }

    /// Makes a series.
    #[cold]
    fn add<'a, W: AsRef<[&'a str]>>(&self, lookup: &Lookup<'a, W>) -> M {
        let values = lookup.values();
        let is_own = values.is_empty() || values.iter().any(|value| *value != OVERFLOW);
        // The number of values can be wrong only in a label set implemented by hand.
        let fits =
            is_own && values.len() == self.desc.labels.len() && values.iter().all(|value| value.len() <= VALUE_MAX);
        // Relaxed: a hint, to spare a full family the lock.
        if !fits || self.len.load(Ordering::Relaxed) >= self.desc.limit {
            return self.overflow().clone();
        }
        // Without its registry a family has nobody to collect it; what it records is not seen.
        let Some(entry) = self.entry.upgrade() else { return self.overflow().clone() };
        let mut roster = entry.roster.lock();
        if let Some(metric) = self.series.pin().get(lookup) {
            return metric.clone();
        }
        // Relaxed: it changes only under the lock.
        if self.len.load(Ordering::Relaxed) < self.desc.limit
            && let Ok(kept) = V::try_from(values.iter().map(|value| (*value).into()).collect())
            && let Ok((metric, core)) = M::build(&self.desc, &self.site, roster.records(), true)
        {
            self.series.pin().insert(lookup.to_key(kept), metric.clone());
            roster.insert(boxed(values), core);
            // Relaxed: as above.
            self.len.fetch_add(1, Ordering::Relaxed);
            return metric;
        }
        drop(roster);
        self.overflow().clone()
    }

    /// The series for what finds no room.
    #[cold]
    pub(super) fn overflow(&self) -> &M {
        self.site.count_overflow();
        self.overflow_listed.call_once(|| {
            if let Some(entry) = self.entry.upgrade() {
                let mut roster = entry.roster.lock();
                self.overflow.1.switch(roster.records());
                roster.insert(self.desc.labels.iter().map(|_| OVERFLOW.into()).collect(), self.overflow.1.clone());
            }
        });
        &self.overflow.0
    }
}

fn boxed(values: &[&str]) -> LabelValues {
    values.iter().map(|value| (*value).into()).collect()
}
