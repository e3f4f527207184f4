//! A family: series that differ in their label values.

use super::entry::Entry;
use super::metric::{Core, Metric, Site};
use crate::describe::{Descriptor, LabelValues};
use crate::record::space::NoPlace;
use crate::sync::{AtomicUsize, Ordering};
use foldhash::fast::RandomState;
use papaya::Equivalent;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Once, Weak};

/// The value of every label of the series that takes what is beyond a family's limit.
pub(crate) const OVERFLOW: &str = "tach_overflow";
/// The longest label value, in bytes. A longer one goes to the overflow series: it is a mistake, or somebody else's
/// text.
const VALUE_MAX: usize = 1024;

/// A set of series with the same name and `N` label names, each with its own label values.
///
/// Looking a label set up costs some 15 ns and takes no lock; hold on to the handle where you can. A handle, as
/// [`Counter`](crate::Counter) is. Made by [`MetricBuilder::labels`](crate::MetricBuilder::labels).
pub struct Family<M, const N: usize>(Arc<Inner<M, N>>);

struct Inner<M, const N: usize> {
    series: papaya::HashMap<Key<N>, M, RandomState>,
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

impl<M, const N: usize> Clone for Family<M, N> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M, const N: usize> fmt::Debug for Family<M, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").field("len", &self.0.len).finish_non_exhaustive()
    }
}

/// Label values as the map keeps them.
struct Key<const N: usize>(LabelValues);

/// Label values as a caller has them.
struct Lookup<'a, const N: usize>([&'a str; N]);

fn hash_values<'a>(values: impl Iterator<Item = &'a str>, state: &mut impl Hasher) {
    for value in values {
        state.write(value.as_bytes());
        // No UTF-8 text contains this byte, so no two different sets feed the hasher the same bytes.
        state.write_u8(0xff);
    }
}

impl<const N: usize> Hash for Key<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_values(self.0.iter().map(|value| &**value), state);
    }
}

impl<const N: usize> PartialEq for Key<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<const N: usize> Eq for Key<N> {}

impl<const N: usize> Hash for Lookup<'_, N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_values(self.0.iter().copied(), state);
    }
}

impl<const N: usize> Equivalent<Key<N>> for Lookup<'_, N> {
    #[inline]
    fn equivalent(&self, key: &Key<N>) -> bool {
        self.0.iter().zip(&*key.0).all(|(here, there)| *here == &**there)
    }
}

impl<M: Metric, const N: usize> Family<M, N> {
    /// The family of `entry`.
    pub(super) fn new(entry: &Arc<Entry>, site: &Arc<Site>) -> Result<Self, NoPlace> {
        Ok(Self(Arc::new(Inner {
            series: papaya::HashMap::with_hasher(RandomState::default()),
            len: AtomicUsize::new(0),
            overflow: M::build(&entry.desc, site, false, false)?,
            overflow_listed: Once::new(),
            desc: Arc::clone(&entry.desc),
            entry: Arc::downgrade(entry),
            site: Arc::clone(site),
        })))
    }

    /// The series with these label values, in the order of the label names; made now if it is new.
    ///
    /// Past the family's limit, past the registry's memory budget, with a value of more than 1024 bytes, or in a
    /// destructor of a thread-local after the map's own is gone, it is the series whose label values all are
    /// `tach_overflow`.
    #[inline]
    #[must_use]
    pub fn with(&self, values: [&str; N]) -> M {
        if !self.may_look_up() {
            return self.overflow();
        }
        match self.0.series.pin().get(&Lookup(values)) {
            Some(metric) => metric.clone(),
            None => self.add(values),
        }
    }

    /// Removes a series from the exposition; false when there is none with these values.
    ///
    /// A handle to it that is held elsewhere goes on working and harms no other series, but what it records is seen no
    /// more. The same values looked up again are a new series, from zero.
    pub fn remove(&self, values: [&str; N]) -> bool {
        let Some(entry) = self.0.entry.upgrade().filter(|_| self.may_look_up()) else { return false };
        // The lock makes adding to and removing from both collections one step.
        let mut roster = entry.roster.lock();
        let removed = self.0.series.pin().remove(&Lookup(values)).is_some();
        if removed {
            let values: Box<[Box<str>]> = values.iter().map(|value| (*value).into()).collect();
            roster.remove(&values);
            // Relaxed: a hint; the lock is what orders changes.
            self.0.len.fetch_sub(1, Ordering::Relaxed);
        }
        removed
    }

    /// False in the destructors of thread-locals, once the map's own are gone.
    #[inline(always)]
    fn may_look_up(&self) -> bool {
        crate::record::local::may_look_up(|| drop(self.0.series.pin()))
    }

    /// Makes a series.
    #[cold]
    fn add(&self, values: [&str; N]) -> M {
        let inner = &*self.0;
        let is_own = N == 0 || values.iter().any(|value| *value != OVERFLOW);
        let fits = is_own && values.iter().all(|value| value.len() <= VALUE_MAX);
        // Relaxed: a hint, to spare a full family the lock.
        if !fits || inner.len.load(Ordering::Relaxed) >= inner.desc.limit {
            return self.overflow();
        }
        // Without its registry a family has nobody to collect it; what it records is not seen.
        let Some(entry) = inner.entry.upgrade() else { return self.overflow() };
        let mut roster = entry.roster.lock();
        if let Some(metric) = inner.series.pin().get(&Lookup(values)) {
            return metric.clone();
        }
        // Relaxed: it changes only under the lock.
        if inner.len.load(Ordering::Relaxed) < inner.desc.limit
            && let Ok((metric, core)) = M::build(&inner.desc, &inner.site, roster.enabled, true)
        {
            let labels: LabelValues = values.map(Box::from).into();
            inner.series.pin().insert(Key(Arc::clone(&labels)), metric.clone());
            roster.insert(labels, core);
            // Relaxed: as above.
            inner.len.fetch_add(1, Ordering::Relaxed);
            return metric;
        }
        drop(roster);
        self.overflow()
    }

    /// The series for what finds no room.
    fn overflow(&self) -> M {
        let inner = &*self.0;
        inner.site.count_overflow();
        inner.overflow_listed.call_once(|| {
            if let Some(entry) = inner.entry.upgrade() {
                let mut roster = entry.roster.lock();
                inner.overflow.1.switch(roster.enabled);
                roster.insert([OVERFLOW; N].map(Box::from).into(), inner.overflow.1.clone());
            }
        });
        inner.overflow.0.clone()
    }
}
