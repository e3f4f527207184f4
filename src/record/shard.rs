//! Shards: one per thread alive at once.
//!
//! A shard is a table from chunk id to this thread's copy of that chunk. A thread *adopts* one at its first recording and
//! gives it back when it ends: the totals stay where they are, and the next thread goes on adding to them. So nothing is folded
//! at exit, nothing is counted twice, and memory follows the largest number of threads that were alive at once.
//!
//! **Who writes** a table entry: the owner, when it attaches a chunk; and [`Shards::retire`], when a chunk is dropped, which can
//! happen only when nobody can use that entry any more. **The edge.** SHARD-ADOPT: the previous owner's last stores happen before
//! the next owner's first load, since both pass through the lock of the idle list. Without it the new owner could read an old
//! value of a cell and store it back, increased by one: a lost update.

use super::cell::Cell;
use super::chunk::Base;
use super::zeroed::{ZeroPages, Zeroed};
use crate::sync::{Arc, AtomicPtr, AtomicU32, Mutex, Ordering};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::marker::PhantomData;

/// How many chunks can be alive at once in a process. Metrics past that record to their shared copy.
pub(crate) const CHUNKS_MAX: usize = if cfg!(tach_loom) { 6 } else { 16_384 };
/// A chunk id whose table entry is null in every shard: that of a metric that is switched off.
pub(crate) const OFF: u32 = 0;
/// Another one: that of a chunk which only has its shared copy.
pub(crate) const SHARED: u32 = 1;

/// One entry of a shard's table.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Entry(AtomicPtr<Cell>);

#[allow(unsafe_code)]
// SAFETY: an atomic pointer; all zeros is null on every platform Rust supports, and a page is aligned for it.
unsafe impl ZeroPages for Entry {
    #[cfg(tach_loom)]
    fn zero() -> Self {
        Entry(AtomicPtr::new(std::ptr::null_mut()))
    }
}

impl Entry {
    #[cfg(not(tach_loom))]
    pub(crate) const NULL: Self = Self(AtomicPtr::new(std::ptr::null_mut()));

    /// Where the chunk's copy begins, or null.
    #[inline(always)]
    pub(crate) fn get(&self) -> Base {
        // Relaxed: the owner wrote it itself, or `retire` wrote null, ordered by the lock before the id's next use.
        Base::new(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, base: Base) {
        // Relaxed: only the owner follows the pointer, see `get`.
        self.0.store(base.as_ptr().cast_mut(), Ordering::Relaxed);
    }
}

/// One thread's table.
#[derive(Debug)]
struct Shard {
    table: Zeroed<Entry>,
    /// How many [`Hold`]s the owner has: one of the thread itself, and one per local handle. Touched by the owner only.
    holds: AtomicU32,
}

impl Shard {
    fn entry(&self, id: u32) -> &Entry {
        assert!((id as usize) < CHUNKS_MAX);
        #[allow(unsafe_code)]
        // SAFETY: the table has CHUNKS_MAX entries and lives as long as `self`.
        unsafe {
            &*self.table.as_ptr().add(id as usize)
        }
    }
}

/// All shards of the process, and the ids of its chunks.
#[derive(Debug)]
pub(crate) struct Shards(Mutex<State>);

#[derive(Debug)]
struct State {
    all: Vec<Arc<Shard>>,
    idle: Vec<Arc<Shard>>,
    /// Ids given back, the smallest first: a table then stays short.
    free: BinaryHeap<Reverse<u32>>,
    next: u32,
}

impl Shards {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State { all: Vec::new(), idle: Vec::new(), free: BinaryHeap::new(), next: SHARED + 1 }))
    }

    /// Takes over an idle shard, with its totals, or makes one. `None` when the system refuses the memory.
    pub(crate) fn adopt(self: &Arc<Self>) -> Option<Hold> {
        let mut state = self.0.lock();
        // Edge SHARD-ADOPT: taken under the lock, and taken away. (The mutation leaves it there for another thread.)
        let idle = if cfg!(tach_mutate = "shard-adopt") { state.idle.last().cloned() } else { state.idle.pop() };
        let shard = match idle {
            Some(shard) => shard,
            None => {
                let shard = Arc::new(Shard { table: Zeroed::new(CHUNKS_MAX).ok()?, holds: AtomicU32::new(0) });
                state.all.push(Arc::clone(&shard));
                shard
            }
        };
        drop(state);
        // Relaxed: this thread owns the shard from here on.
        shard.holds.store(1, Ordering::Relaxed);
        Some(Hold { shard, shards: Arc::clone(self), here: PhantomData })
    }

    /// An id for a new chunk, or [`SHARED`] when all are taken.
    pub(crate) fn claim(&self) -> u32 {
        let mut state = self.0.lock();
        if let Some(Reverse(id)) = state.free.pop() {
            return id;
        }
        if state.next as usize >= CHUNKS_MAX {
            return SHARED;
        }
        state.next += 1;
        state.next - 1
    }

    /// Clears a chunk's entry in every shard and frees its id. Only when nobody can record to the chunk any more.
    pub(crate) fn retire(&self, id: u32) {
        if id == SHARED {
            return;
        }
        let mut state = self.0.lock();
        // Edge CHUNK-RETIRE: cleared before the id can be claimed again, under the lock that `claim` takes. (The mutation
        // leaves the entries: the id's next chunk would be written through a pointer to unmapped memory.)
        if !cfg!(tach_mutate = "chunk-retire") {
            for shard in &state.all {
                shard.entry(id).set(Base::new(std::ptr::null()));
            }
        }
        state.free.push(Reverse(id));
    }

    /// How many shards there are, and how many of them have no thread at the moment.
    #[cfg_attr(tach_loom, allow(dead_code))]
    pub(crate) fn census(&self) -> (usize, usize) {
        let state = self.0.lock();
        (state.all.len(), state.idle.len())
    }
}

/// The right to write a shard's cells, which one thread has. The shard is idle again when the last of its holds is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    shard: Arc<Shard>,
    shards: Arc<Shards>,
    /// Not `Send`: the holds of one shard stay on one thread.
    here: PhantomData<*const ()>,
}

impl Hold {
    /// The shard's copy of a chunk, or null.
    pub(crate) fn entry(&self, id: u32) -> Base {
        self.shard.entry(id).get()
    }

    pub(crate) fn set_entry(&self, id: u32, base: Base) {
        self.shard.entry(id).set(base);
    }

    /// The first entry of the table, which lives as long as the process: shards are never freed.
    #[cfg(not(tach_loom))]
    pub(crate) fn table(&self) -> *const Entry {
        self.shard.table.as_ptr()
    }
}

impl Clone for Hold {
    fn clone(&self) -> Self {
        // Relaxed load and store: only this thread touches the number while it owns the shard.
        self.shard.holds.store(self.shard.holds.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        Self { shard: Arc::clone(&self.shard), shards: Arc::clone(&self.shards), here: PhantomData }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Relaxed load and store: as in `clone`.
        let left = self.shard.holds.load(Ordering::Relaxed) - 1;
        self.shard.holds.store(left, Ordering::Relaxed);
        if left == 0 {
            // Edge SHARD-ADOPT: the lock releases everything this thread stored in its cells.
            self.shards.0.lock().idle.push(Arc::clone(&self.shard));
        }
    }
}
