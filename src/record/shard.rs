//! Shards: one per thread alive at once, each a flat region of cells; and one that all threads share.
//!
//! A metric has the same offset in every region. A thread *adopts* a shard at its first recording, always the one with
//! the lowest index, and gives it back when it ends: the totals stay where they are, and the next thread goes on adding
//! to them. So nothing is folded at exit, nothing is counted twice, and memory follows the largest number of threads
//! alive at once.
//!
//! **Bounded memory in one compare.** Offsets are handed out from *stripes*. The cells of a stripe may be written by
//! the shards with an index below its *reach*: 4096, 2048 and so on to 1, and 0; the stripe with the largest reach
//! comes first. So what one shard may write is all offsets below one limit, its own, which falls as its index rises. A
//! recording compares its offset with its shard's limit, and that one test also finds a thread without a shard (limit
//! zero) and a metric that is switched off (offset beyond every limit). Whatever fails it goes to the shared region, or
//! nowhere.
//!
//! **Who writes** a region: the thread that holds its shard; the shared one, any thread, by read-modify-writes. **The
//! edge.** SHARD-ADOPT: the previous owner's last stores happen before the next owner's first load, since both pass
//! through the lock here. Without it the new owner could read an old value of a cell and store it back increased: a
//! lost update. EXTENT-REUSE: what was recorded through old handles happens before an extent is discarded, and that
//! before it is handed out again, by the same lock.

use super::cell::Cell;
use super::region::{Base, Lost, Region};
use crate::segment::Segment;
use crate::sync::{Arc, AtomicU32, ForkGuard, ForkMutex, Ordering};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

const STRIPES: u32 = if cfg!(tach_loom) { 3 } else { 14 };
/// Cells of one stripe: 64 MiB, or 1 MiB where addresses have 32 bits. A region's address space is at most 14 of them.
const STRIPE_CELLS: u32 = match () {
    () if cfg!(tach_loom) => 32,
    () if cfg!(target_pointer_width = "32") => 1 << 17,
    () => 8 << 20,
};
/// Every offset is below this.
pub(crate) const OFFSETS: u32 = STRIPES * STRIPE_CELLS;
/// A region takes at most this share of a limited address space, but one stripe in any case.
const SHARE_OF_ADDRESSES: u64 = 64;
/// The most shards that any metric has.
pub(crate) const REACH_MAX: u32 = reach(STRIPES - 1);
/// Extents are whole pages of the largest page size that is common: 64 KiB would waste most of it, so 16 KiB.
pub(crate) const EXTENT_CELLS: u32 = if cfg!(tach_loom) { 16 } else { 2048 };

/// An offset beyond every limit: of a metric that is switched off. (The mutation of LEVEL-SWITCH takes one that is
/// not.)
pub(crate) const OFF: u32 = if cfg!(tach_mutate = "level-switch") { 0 } else { u32::MAX };
/// Another one: of a metric that all threads share.
pub(crate) const SHARED: u32 = u32::MAX - 1;

/// How many shards may write a stripe.
const fn reach(stripe: u32) -> u32 {
    if stripe == 0 { 0 } else { 1 << (stripe - 1) }
}

/// The offsets of a stripe: the larger the reach, the lower.
fn stripe_cells(stripe: u32) -> Range<u32> {
    let start = (STRIPES - 1 - stripe) * STRIPE_CELLS;
    start..start + STRIPE_CELLS
}

/// The first offset that the shard with this index may not write.
fn limit(index: u32) -> u32 {
    let reached = (0..STRIPES).filter(|stripe| index < reach(*stripe));
    reached.map(|stripe| stripe_cells(stripe).end).max().unwrap_or(0)
}

/// A region of `stripes` stripes, or of fewer where the system refuses more, but of whole ones: no extent is cut.
fn region(stripes: u32) -> Option<Arc<Region>> {
    // Where the process's address space is limited, the engine keeps to a small share of it.
    let share = Region::address_space_max() / SHARE_OF_ADDRESSES / (u64::from(STRIPE_CELLS) * size_of::<Cell>() as u64);
    let stripes = stripes.min(u32::try_from(share).unwrap_or(stripes).max(1));
    let fewer = std::iter::successors(Some(stripes), |stripes| (*stripes > 1).then_some(stripes.div_ceil(4)));
    fewer.filter(|stripes| *stripes > 0).find_map(|stripes| Region::new(stripes * STRIPE_CELLS).map(Arc::new))
}

/// All shards of the process.
pub(crate) struct Shards {
    shared: Arc<Region>,
    state: ForkMutex<State>,
}

#[derive(Debug)]
struct State {
    /// By index.
    regions: Vec<Arc<Region>>,
    /// Indices without a thread, the lowest first.
    idle: BinaryHeap<Reverse<u32>>,
    /// The free offsets of each stripe: start → end.
    free: Vec<BTreeMap<u32, u32>>,
    /// Extents whose cells lie in a segment: new regions get theirs there too.
    backed: Vec<Backed>,
}

/// An extent with cells in a segment.
#[derive(Debug)]
struct Backed {
    cells: Range<u32>,
    reach: u32,
    segment: Arc<Segment>,
    /// As the segment's directory has it.
    number: u64,
}

impl Backed {
    /// Has the segment's file take the place of these cells in a region, if the segment has room. `shard`: 0 for the
    /// shared one.
    fn back(&self, region: &Region, shard: u64) -> Result<bool, Lost> {
        if !self.segment.is_open() || self.cells.end > region.len() {
            return Ok(false);
        }
        let bytes = self.cells.len() as u64 * size_of::<Cell>() as u64;
        let Some(at) = self.segment.reserve(bytes) else {
            self.segment.count_fallback();
            return Ok(false);
        };
        if !region.cover(self.cells.clone(), &self.segment, at)? {
            self.segment.count_fallback();
            self.segment.give_back(at, bytes);
            return Ok(false);
        }
        if !self.segment.copy(self.number, shard, at) {
            region.uncover(self.cells.clone())?;
            self.segment.give_back(at, bytes);
            return Ok(false);
        }
        Ok(true)
    }
}

/// Offsets taken.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) cells: Range<u32>,
    pub(crate) reach: u32,
    /// The extent's number in the directory of the segment, where it has one.
    pub(crate) number: Option<u64>,
}

impl State {
    /// Has a segment take the place of an extent's cells in every region, and gives its number there; `None` where it
    /// has no room for them.
    fn back(
        &mut self,
        shared: &Region,
        cells: Range<u32>,
        reach: u32,
        segment: &Arc<Segment>,
    ) -> Result<Option<u64>, Lost> {
        let Some(number) = segment.extent(cells.len() as u64) else { return Ok(None) };
        let backed = Backed { cells, reach, segment: Arc::clone(segment), number };
        if !backed.back(shared, 0)? {
            return Ok(None);
        }
        for (shard, region) in (1..).zip(self.regions.iter().take(reach as usize)) {
            backed.back(region, shard)?;
        }
        self.backed.push(backed);
        Ok(Some(number))
    }
}

impl fmt::Debug for Shards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shards").finish_non_exhaustive()
    }
}

impl Shards {
    /// `None` when the system refuses the memory.
    pub(crate) fn new() -> Option<Self> {
        let shared = region(STRIPES)?;
        let free = (0..STRIPES).map(|stripe| {
            let cells = stripe_cells(stripe);
            BTreeMap::from_iter((cells.end <= shared.len()).then_some((cells.start, cells.end)))
        });
        let state = State { free: free.collect(), regions: Vec::new(), idle: BinaryHeap::new(), backed: Vec::new() };
        Some(Self { shared, state: ForkMutex::new(state) })
    }

    /// Takes over the idle shard with the lowest index, with its totals, or makes one. `None` when the system refuses
    /// the memory, or when there are as many as any metric may have.
    pub(crate) fn adopt(shards: &Arc<Self>) -> Option<Hold> {
        let mut state = shards.state.lock();
        // Edge SHARD-ADOPT: taken under the lock, and taken away. (The mutation leaves it there for another thread.)
        let idle = if cfg!(tach_mutate = "shard-adopt") { state.idle.peek().copied() } else { state.idle.pop() };
        let index = match idle {
            Some(Reverse(index)) => index,
            None => {
                let index = u32::try_from(state.regions.len()).ok().filter(|index| *index < REACH_MAX)?;
                // Edge SHARD-LIST: numbered and listed under one lock. (The mutation lets go of it in between.)
                if cfg!(tach_mutate = "shard-list") {
                    drop(state);
                    state = shards.state.lock();
                }
                let region = region(limit(index) / STRIPE_CELLS)?;
                let reached = state.backed.iter().filter(|backed| index < backed.reach);
                if reached.map(|backed| backed.back(&region, u64::from(index) + 1)).any(|done| done.is_err()) {
                    // Never given back, as parts of it may be listed as mapped.
                    std::mem::forget(region);
                    return None;
                }
                state.regions.push(region);
                index
            }
        };
        let region = Arc::clone(&state.regions[index as usize]);
        drop(state);
        let shard = Arc::new(Held { index, region, holds: AtomicU32::new(1), shards: Arc::clone(shards) });
        Some(Hold { shard, here: PhantomData })
    }

    /// Takes `cells` cells, whole extents, out of the stripe with this reach or, where that is full, of one with a
    /// smaller. They lie in `segment`, if there is one that has room.
    pub(crate) fn claim(
        &self,
        cells: u32,
        reach_max: u32,
        needed: bool,
        segment: Option<&Arc<Segment>>,
    ) -> Option<Claim> {
        let mut state = self.state.lock();
        let within = (0..STRIPES).rev().filter(|stripe| reach(*stripe) <= reach_max);
        // Needed ones come out of a stripe with a larger reach before they come out of none.
        let beyond = (0..STRIPES).filter(|stripe| needed && reach(*stripe) > reach_max);
        let (cells, reach) = within.chain(beyond).find_map(|stripe| {
            let free = &mut state.free[stripe as usize];
            let (&start, &end) = free.iter().find(|(start, end)| *end - *start >= cells)?;
            // Edge EXTENT-REUSE: taken under the lock, and taken away. (The mutation leaves it there for another
            // registry.)
            if !cfg!(tach_mutate = "extent-reuse") {
                free.remove(&start);
                if start + cells < end {
                    free.insert(start + cells, end);
                }
            }
            Some((start..start + cells, reach(stripe)))
        })?;
        // Offsets that are lost stay taken, so that nobody gets them.
        let number = segment.map(|segment| state.back(&self.shared, cells.clone(), reach, segment));
        Some(Claim { cells, reach, number: number.transpose().ok()?.flatten() })
    }

    /// Makes the offsets of cells free to which nobody can record any more, and gives their pages back.
    pub(crate) fn release(&self, cells: Range<u32>, reach: u32) {
        let mut state = self.state.lock();
        // Edge EXTENT-REUSE: under the lock that `claim` takes. The cells are zero already (edge PLACE-REUSE).
        let backed = state.backed.iter().position(|backed| backed.cells == cells);
        let backed = backed.map(|index| state.backed.swap_remove(index));
        let regions = state.regions.iter().take(reach as usize).chain([&self.shared]);
        if backed.is_none() {
            regions.for_each(|region| region.discard(cells.clone()));
        } else if regions.map(|region| region.uncover(cells.clone())).filter(Result::is_err).count() > 0 {
            // Nobody gets these offsets any more.
            return;
        }
        let stripe = reach.checked_ilog2().map_or(0, |log| log + 1);
        let free = &mut state.free[stripe as usize];
        let mut merged = cells;
        if let Some((&start, &end)) = free.range(..merged.start).next_back()
            && end == merged.start
        {
            free.remove(&start);
            merged.start = start;
        }
        if let Some(end) = free.remove(&merged.end) {
            merged.end = end;
        }
        free.insert(merged.start, merged.end);
    }

    /// Every region there is now, to read.
    pub(crate) fn regions(&self) -> Regions {
        Regions { shared: Some(Arc::clone(&self.shared)), owned: self.state.lock().regions.clone() }
    }

    /// The shared region.
    pub(crate) fn shared(&self) -> Base {
        self.shared.base()
    }

    /// Keeps the shards as they are while the process forks.
    pub(crate) fn freeze(&self) -> Frozen<'_> {
        Frozen { _state: self.state.lock() }
    }

    /// How many shards there are, and how many of them have no thread at the moment.
    pub(crate) fn census(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.regions.len(), state.idle.len())
    }
}

/// While it is held no shard and no extent comes or goes.
#[derive(Debug)]
pub(crate) struct Frozen<'a> {
    _state: ForkGuard<'a, State>,
}

/// The regions that existed at one moment. What happened before that moment was recorded in one of them.
#[derive(Debug, Default)]
pub(crate) struct Regions {
    /// `None` where there is no shard at all, and no place either.
    shared: Option<Arc<Region>>,
    owned: Vec<Arc<Region>>,
}

impl Regions {
    /// Where cells with this reach that end at `end` can have been written: the shared region first, then the shards' by
    /// index.
    pub(crate) fn copies(&self, end: u32, reach: u32) -> impl Iterator<Item = Base> + '_ {
        let owned = self.owned.iter().take(reach as usize).filter(move |region| end <= region.len());
        let shared = self.shared.iter().map(|region| region.base());
        shared.chain(owned.map(|region| region.base()))
    }

    /// How many shards write cells with this reach.
    pub(crate) fn reached(&self, reach: u32) -> usize {
        self.owned.len().min(reach as usize)
    }
}

/// A shard while a thread has it.
#[derive(Debug)]
struct Held {
    index: u32,
    region: Arc<Region>,
    /// How many [`Hold`]s the thread has: one of its own, and one per local handle. Touched by this thread only.
    holds: AtomicU32,
    shards: Arc<Shards>,
}

/// The right to write a shard's cells, which one thread has. The shard is idle again when the last of its holds is
/// dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    shard: Arc<Held>,
    /// Not `Send`: the holds of one shard stay on one thread.
    here: PhantomData<*const ()>,
}

impl Hold {
    /// Where the region begins. It lives as long as the process: regions are never given back.
    pub(crate) fn base(&self) -> Base {
        self.shard.region.base()
    }

    /// The first offset that this thread may not write.
    pub(crate) fn limit(&self) -> u32 {
        limit(self.shard.index).min(self.shard.region.len())
    }
}

impl Clone for Hold {
    fn clone(&self) -> Self {
        // Relaxed load and store: only this thread touches the number.
        self.shard.holds.store(self.shard.holds.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        Self { shard: Arc::clone(&self.shard), here: PhantomData }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Relaxed load and store: as in `clone`.
        let left = self.shard.holds.load(Ordering::Relaxed) - 1;
        self.shard.holds.store(left, Ordering::Relaxed);
        // (The mutation gives the shard back although a local handle still writes it.)
        if left == 0 || cfg!(tach_mutate = "shard-hold") {
            // Edge SHARD-ADOPT: the lock releases everything this thread stored in its cells.
            self.shard.shards.state.lock().idle.push(Reverse(self.shard.index));
        }
    }
}
