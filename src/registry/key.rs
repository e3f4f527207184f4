//! Label values as the keys of a map, hashed and compared for speed.

use foldhash::fast::RandomState;
use papaya::Equivalent;
use std::hash::{BuildHasher, Hash, Hasher};
use std::marker::PhantomData;

/// Label values as the map keeps them, with their hash.
pub(super) struct Key<V> {
    hash: u64,
    values: V,
}

/// Label values as a caller has them, an array where their number is known, with their hash.
pub(super) struct Lookup<'a, W> {
    hash: u64,
    values: W,
    strings: PhantomData<&'a str>,
}

impl<'a, W: AsRef<[&'a str]>> Lookup<'a, W> {
    #[inline(always)]
    pub(super) fn new(values: W, seed: &RandomState) -> Self {
        // Each value is hashed on its own: the processor then works on all of them at once, where one hasher for all
        // would wait for each value before it starts on the next. Turning before mixing in makes the order count.
        let hash = values.as_ref().iter().fold(0_u64, |all, value| all.rotate_left(17) ^ hash(value.as_bytes(), seed));
        Self { hash, values, strings: PhantomData }
    }

    pub(super) fn values(&self) -> &[&'a str] {
        self.values.as_ref()
    }

    /// The key for these values, which `values` has too.
    pub(super) fn to_key<V>(&self, values: V) -> Key<V> {
        Key { hash: self.hash, values }
    }
}

/// Passes on the hash that a key comes with.
#[derive(Default)]
pub(super) struct Given(u64);

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

impl<V> Hash for Key<V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl<V: AsRef<[Box<str>]>> PartialEq for Key<V> {
    fn eq(&self, other: &Self) -> bool {
        self.values.as_ref() == other.values.as_ref()
    }
}

impl<V: AsRef<[Box<str>]>> Eq for Key<V> {}

impl<W> Hash for Lookup<'_, W> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl<'a, V: AsRef<[Box<str>]>, W: AsRef<[&'a str]>> Equivalent<Key<V>> for Lookup<'a, W> {
    #[inline(always)]
    fn equivalent(&self, key: &Key<V>) -> bool {
        self.values
            .as_ref()
            .iter()
            .zip(key.values.as_ref())
            .all(|(here, there)| same(here.as_bytes(), there.as_bytes()))
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
        let hash = |values: [&str; 2]| Lookup::new(values, &seed).hash;
        assert_eq!(hash(["200", "GET"]), hash(["200", "GET"]));
        assert_ne!(hash(["200", "GET"]), hash(["GET", "200"]));
        assert_ne!(hash(["ab", "c"]), hash(["a", "bc"]));
        assert_ne!(hash(["a", "a"]), hash(["b", "b"]));
    }
}
