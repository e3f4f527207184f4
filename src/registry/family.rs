//! A family: series that differ in their label values.

use super::entry::Entry;
use super::metric::{Core, Metric, Site};
use crate::describe::Descriptor;
use crate::record::space::NoPlace;
use crate::sync::{AtomicUsize, Ordering};
use foldhash::fast::RandomState;
use papaya::Equivalent;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::sync::{Arc, Once, Weak};

/// The value of every label of the series that takes what is beyond a family's limit.
pub(crate) const OVERFLOW: &str = "tach_overflow";
/// The longest label value, in bytes. A longer one goes to the overflow series: it is a mistake, or somebody else's
/// text.
const VALUE_MAX: usize = 1024;

/// A set of series with the same name and `N` label names, each with its own label values.
///
/// Looking a label set up costs some 20 ns and takes no lock; hold on to the handle where you can. A handle, as
/// [`Counter`](crate::Counter) is. Made by [`MetricBuilder::labels`](crate::MetricBuilder::labels).
pub struct Family<M, const N: usize>(Arc<Inner<M, N>>);

struct Inner<M, const N: usize> {
    series: papaya::HashMap<Key<N>, M, BuildHasherDefault<Given>>,
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

/// Label values as the map keeps them, with their hash.
struct Key<const N: usize> {
    hash: u64,
    values: [Box<str>; N],
}

/// Label values as a caller has them, with their hash.
struct Lookup<'a, const N: usize> {
    hash: u64,
    values: [&'a str; N],
}

impl<'a, const N: usize> Lookup<'a, N> {
    #[inline]
    fn new(values: [&'a str; N], seed: &RandomState) -> Self {
        // Each value is hashed on its own: the processor then works on all of them at once, where one hasher for all
        // would wait for each value before it starts on the next. Turning before mixing in makes the order count.
        let hash = values.iter().fold(0_u64, |all, value| all.rotate_left(17) ^ hash(value.as_bytes(), seed));
        Self { hash, values }
    }

    fn to_key(&self) -> Key<N> {
        Key { hash: self.hash, values: self.values.map(Box::from) }
    }
}

/// Passes on the hash that a key comes with.
#[derive(Default)]
struct Given(u64);

impl Hasher for Given {
    fn write(&mut self, _: &[u8]) {
        unreachable!("a key writes one u64");
    }

    #[inline]
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

impl<const N: usize> Hash for Key<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl<const N: usize> PartialEq for Key<N> {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

impl<const N: usize> Eq for Key<N> {}

impl<const N: usize> Hash for Lookup<'_, N> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl<const N: usize> Equivalent<Key<N>> for Lookup<'_, N> {
    #[inline]
    fn equivalent(&self, key: &Key<N>) -> bool {
        self.values.iter().zip(&key.values).all(|(here, there)| same(here.as_bytes(), there.as_bytes()))
    }
}

/// The hash of one value: where it is of usual length, without the call that [`Hasher::write`] makes beyond 16 bytes.
#[inline]
fn hash(value: &[u8], seed: &RandomState) -> u64 {
    let mut hasher = seed.build_hasher();
    match (value.first_chunk(), value.last_chunk()) {
        (Some(first), Some(last)) if value.len() <= 32 => {
            hasher.write_u128(u128::from_ne_bytes(*first));
            // Turned by the length, as two lengths can have the same ends.
            hasher.write_u128(u128::from_ne_bytes(*last).rotate_left(value.len() as u32));
        }
        _ => hasher.write(value),
    }
    hasher.finish()
}

/// `here == there`, without a call where they are of usual length.
#[inline]
fn same(here: &[u8], there: &[u8]) -> bool {
    if here.len() != there.len() {
        return false;
    }
    if here.len() > 32 {
        return here == there;
    }
    let ends =
        same_ends::<16>(here, there).or_else(|| same_ends::<8>(here, there)).or_else(|| same_ends::<4>(here, there));
    ends.unwrap_or_else(|| here.iter().zip(there).all(|(here, there)| here == there))
}

/// Whether the first and the last `L` bytes are equal; `None` where there are fewer. Of up to `2 * L` bytes that is
/// all.
#[inline]
fn same_ends<const L: usize>(here: &[u8], there: &[u8]) -> Option<bool> {
    let first = here.first_chunk::<L>()? == there.first_chunk::<L>()?;
    let last = here.last_chunk::<L>()? == there.last_chunk::<L>()?;
    Some(first & last)
}

impl<M: Metric, const N: usize> Family<M, N> {
    /// The family of `entry`.
    pub(super) fn new(entry: &Arc<Entry>, site: &Arc<Site>) -> Result<Self, NoPlace> {
        Ok(Self(Arc::new(Inner {
            series: papaya::HashMap::default(),
            seed: RandomState::default(),
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
        let lookup = Lookup::new(values, &self.0.seed);
        match self.0.series.pin().get(&lookup) {
            Some(metric) => metric.clone(),
            None => self.add(&lookup),
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
        let removed = self.0.series.pin().remove(&Lookup::new(values, &self.0.seed)).is_some();
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
    fn add(&self, lookup: &Lookup<'_, N>) -> M {
        let inner = &*self.0;
        let values = lookup.values;
        let is_own = N == 0 || values.iter().any(|value| *value != OVERFLOW);
        let fits = is_own && values.iter().all(|value| value.len() <= VALUE_MAX);
        // Relaxed: a hint, to spare a full family the lock.
        if !fits || inner.len.load(Ordering::Relaxed) >= inner.desc.limit {
            return self.overflow();
        }
        // Without its registry a family has nobody to collect it; what it records is not seen.
        let Some(entry) = inner.entry.upgrade() else { return self.overflow() };
        let mut roster = entry.roster.lock();
        if let Some(metric) = inner.series.pin().get(lookup) {
            return metric.clone();
        }
        // Relaxed: it changes only under the lock.
        if inner.len.load(Ordering::Relaxed) < inner.desc.limit
            && let Ok((metric, core)) = M::build(&inner.desc, &inner.site, roster.enabled, true)
        {
            inner.series.pin().insert(lookup.to_key(), metric.clone());
            roster.insert(values.map(Box::from).into(), core);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_same_only_if_every_byte_is() {
        let seed = RandomState::default();
        for len in 0..70 {
            let here = vec![b'a'; len];
            assert!(same(&here, &here.clone()));
            assert!(
                !same(&here, &vec![b'a'; len + 1]) && hash(&here, &seed) != hash(&vec![b'a'; len + 1], &seed),
                "{len}"
            );
            for at in 0..len {
                let mut there = here.clone();
                there[at] = b'b';
                assert!(!same(&here, &there) && hash(&here, &seed) != hash(&there, &seed), "{len} {at}");
            }
        }
    }

    #[test]
    fn the_hash_tells_label_sets_apart() {
        let seed = RandomState::default();
        let hash = |values| Lookup::new(values, &seed).hash;
        assert_eq!(hash(["200", "GET"]), hash(["200", "GET"]));
        assert_ne!(hash(["200", "GET"]), hash(["GET", "200"]));
        assert_ne!(hash(["ab", "c"]), hash(["a", "bc"]));
        assert_ne!(hash(["a", "a"]), hash(["b", "b"]));
    }
}
