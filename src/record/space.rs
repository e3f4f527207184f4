//! Where a registry's metrics get their cells: the cold side of the regions.
//!
//! A registry takes *extents*, ranges of offsets, and hands out places in them: single cells and histogram headers from
//! the front of an extent, runs of buckets from its back, so that what every collection reads lies side by side and
//! what few read does not spread it. A place is given back when the last handle to it is dropped; it is cleared then,
//! when nobody can write it, and serves the next metric of the same shape.
//!
//! **The edge.** PLACE-REUSE: recordings through the old handles happen before the clearing (the handle's reference
//! count), and the clearing before recordings through new ones (the lock here). Without it an old total would reappear
//! in a new series.

use super::exemplar;
use super::region::Base;
use super::shard::{EXTENT_CELLS, REACH_MAX, Regions, Shards};
use crate::segment::{Segment, publish};
use crate::sync::{Arc, AtomicU64, Mutex, Ordering};
use std::collections::{HashMap, VecDeque};
use std::fmt;

/// A further extent is twice as large as the last, up to this.
const EXTENT_CELLS_MAX: u32 = 64 * EXTENT_CELLS;
/// An extent takes at most this share of what is left of the budget, so that later ones find some.
const SHARE_OF_BUDGET: u64 = 8;
/// How many beats of a segment, one a second, the cells of a removed series stay as they are.
const BEATS_TO_COOL: u64 = 11;
/// Histogram headers, and whatever is to have lines of its own, start on a cache line: 64 bytes on every x86-64 and most
/// aarch64 cores.
const LINE_CELLS: u32 = 8;

/// The registry's budget, or the process's offsets, have no room for another series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoPlace;

/// The shape of what a metric needs, in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    /// At the front: 1, or a histogram's header.
    pub(crate) front: u32,
    /// Buckets, and slots for exemplars behind them.
    pub(crate) back: u32,
}

/// A range of offsets that belongs to one registry.
#[derive(Debug)]
pub(crate) struct Extent {
    start: u32,
    end: u32,
    /// The number of shards that may write it, a power of two or zero; those with a higher index use the shared region.
    reach: u32,
    shards: Arc<Shards>,
    /// Its number in the directory of the registry's segment, if it lies there.
    number: Option<u64>,
}

impl Extent {
    /// Its number in the directory of the registry's segment, if it lies there.
    pub(crate) fn number(&self) -> Option<u64> {
        self.number
    }

    /// Every copy of the extent: the shared one first.
    pub(crate) fn copies<'a>(&self, regions: &'a Regions) -> impl Iterator<Item = Base> + use<'a> {
        regions.copies(self.end, self.reach)
    }
}

impl Drop for Extent {
    fn drop(&mut self) {
        self.shards.release(self.start..self.end, self.reach);
    }
}

/// The cells of one series, at the same offsets in every region.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) extent: Arc<Extent>,
    pub(crate) front: u32,
    pub(crate) back: u32,
    shape: Shape,
}

impl Place {
    /// The shared region, to which any thread may write this place, with the `share_*` operations.
    pub(crate) fn shared(&self) -> Base {
        self.extent.shards.shared()
    }

    /// Where its front begins, in cells from the extent's start.
    pub(crate) fn front_in_extent(&self) -> u32 {
        self.front - self.extent.start
    }

    /// Where its back begins, in cells from the extent's start; zero where it has none.
    pub(crate) fn back_in_extent(&self) -> u32 {
        if self.shape.back > 0 { self.back - self.extent.start } else { 0 }
    }

    /// How many cells its back has.
    pub(crate) fn back_len(&self) -> u32 {
        self.shape.back
    }

    fn clear_copies(&self) {
        for base in self.extent.copies(&self.extent.shards.regions()) {
            self.clear(base);
        }
    }

    fn clear(&self, base: Base) {
        let front = self.front..self.front + self.shape.front;
        let back = self.back..self.back + self.shape.back;
        #[allow(unsafe_code)]
        // SAFETY: `base` is that of a region which reaches the end of this extent, and the place lies within the
        // extent.
        let cell = |offset: u32| unsafe { base.cell(offset as usize) };
        // A header is written before its buckets, and soon after an exemplar: where it is untouched they are, and their
        // pages need not be. But a counter may have come back to zero: its slot, which is as near as it, tells.
        let slot = if self.shape.back <= exemplar::WORDS as u32 { back.clone() } else { 0..0 };
        if front.clone().chain(slot).all(|offset| cell(offset).get() == 0) {
            return;
        }
        front.chain(back).for_each(|offset| cell(offset).clear());
    }
}

/// An extent with room between its front and its back.
#[derive(Debug)]
struct Open {
    extent: Arc<Extent>,
    front: u32,
    back: u32,
}

impl Open {
    fn place(&mut self, shape: Shape) -> Option<Place> {
        let front = if shape.front >= LINE_CELLS { self.front.next_multiple_of(LINE_CELLS) } else { self.front };
        // Even: a histogram's slot has no room for the lowest bit.
        let back = self.back.checked_sub(shape.back)? & !1;
        if front + shape.front > back {
            return None;
        }
        (self.front, self.back) = (front + shape.front, back);
        Some(Place { extent: Arc::clone(&self.extent), front, back, shape })
    }
}

#[derive(Debug)]
struct Rooms {
    open: Vec<Open>,
    free: HashMap<Shape, Vec<Place>>,
    /// Places in the segment whose series was removed, each with the beat then: another process may be reading them.
    cooling: VecDeque<(u64, Place)>,
    /// Bytes of the budget that are not spoken for.
    left: u64,
}

/// A registry's cells.
pub(crate) struct Space {
    /// `None` where the system refused the memory: nothing has a place then.
    shards: Option<Arc<Shards>>,
    shards_max: u32,
    /// Where the cells lie, if not in memory of this process alone.
    segment: Option<Arc<Segment>>,
    rooms: Mutex<Rooms>,
    /// Recordings that went to the shared region because their thread has no shard that reaches them.
    overflowed: AtomicU64,
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Space").field("shards_max", &self.shards_max).finish_non_exhaustive()
    }
}

/// The used front of an extent.
pub(crate) struct Front {
    start: u32,
    totals: Vec<u64>,
}

impl Space {
    /// `budget` in bytes; `shards_max`: how many shards may write this registry's cells.
    pub(crate) fn new(
        budget: u64,
        shards_max: u32,
        shards: Option<Arc<Shards>>,
        segment: Option<Arc<Segment>>,
    ) -> Self {
        let rooms = Rooms { open: Vec::new(), free: HashMap::new(), cooling: VecDeque::new(), left: budget };
        let shards_max = shards_max.min(REACH_MAX);
        Self { shards, shards_max, segment, rooms: Mutex::new(rooms), overflowed: AtomicU64::new(0) }
    }

    /// Cells for one series. `optional` ones are refused past the budget; the others are not, as the series that the
    /// program declares one by one are few.
    pub(crate) fn place(&self, shape: Shape, optional: bool) -> Result<Place, NoPlace> {
        let shards = self.shards.as_ref().ok_or(NoPlace)?;
        let mut rooms = self.rooms.lock();
        self.reuse(&mut rooms);
        if let Some(place) = rooms.free.get_mut(&shape).and_then(Vec::pop) {
            return Ok(place);
        }
        if let Some(place) = rooms.open.iter_mut().rev().find_map(|open| open.place(shape)) {
            return Ok(place);
        }
        let doubled = EXTENT_CELLS << rooms.open.len().min(16);
        let cells = doubled.min(EXTENT_CELLS_MAX).max((shape.front + shape.back).next_multiple_of(EXTENT_CELLS));
        let bytes = u64::from(cells) * size_of::<u64>() as u64;
        if optional && rooms.left < bytes {
            return Err(NoPlace);
        }
        // One copy for all threads in any case; for shards of their own as many as the budget allows, rounded to a
        // power of two.
        let affordable = (rooms.left.saturating_sub(bytes) / SHARE_OF_BUDGET / bytes).min(u64::from(self.shards_max));
        let reach = affordable.checked_ilog2().map_or(0, |log| 1 << log);
        let needed = !optional || self.shards_max == 0;
        let claim = shards.claim(cells, reach, needed, self.segment.as_ref()).ok_or(NoPlace)?;
        rooms.left = rooms.left.saturating_sub(bytes * (1 + u64::from(claim.reach)));
        let (start, end) = (claim.cells.start, claim.cells.end);
        let (shards, number) = (Arc::clone(shards), claim.number);
        let extent = Arc::new(Extent { start, end, reach: claim.reach, shards, number });
        let mut open = Open { extent, front: start, back: end };
        let place = open.place(shape).expect("the extent was made large enough");
        rooms.open.push(open);
        Ok(place)
    }

    /// Takes back the cells of a series to which no handle is left.
    pub(crate) fn give_back(&self, place: Place) {
        if let Some(segment) = self.segment.as_ref().filter(|_| place.extent.number.is_some()) {
            if segment.is_open() {
                let mut rooms = self.rooms.lock();
                rooms.cooling.push_back((segment.beats(), place));
                self.reuse(&mut rooms);
                return;
            }
            // The totals stay in the file.
            if !segment.is_detached() {
                return;
            }
        }
        // Edge PLACE-REUSE. (The mutation hands the cells out uncleared.)
        if !cfg!(tach_mutate = "place-reuse") {
            place.clear_copies();
        }
        self.rooms.lock().free.entry(place.shape).or_default().push(place);
    }

    /// Clears and frees the places in the segment that nobody can be reading any more.
    fn reuse(&self, rooms: &mut Rooms) {
        let Some(segment) = &self.segment else { return };
        let now = segment.beats();
        while let Some((beat, place)) = rooms.cooling.pop_front() {
            // After a fork nobody reads these cells from outside, and there are no beats.
            let is_warm = now.saturating_sub(beat) < BEATS_TO_COOL || !segment.is_open();
            if is_warm && !segment.is_detached() {
                rooms.cooling.push_front((beat, place));
                return;
            }
            // Edge SEGMENT-TOMBSTONE: the series' record says that it was removed, and did before its cells were given
            // back.
            publish::before_reuse();
            place.clear_copies();
            rooms.free.entry(place.shape).or_default().push(place);
        }
    }

    /// Adds up the fronts of all extents over their copies: shard by shard, in the order of memory.
    pub(crate) fn fronts(&self, regions: &Regions) -> Vec<Front> {
        let used = |open: &Open| (Arc::clone(&open.extent), open.front - open.extent.start);
        let used: Vec<_> = self.rooms.lock().open.iter().map(used).collect();
        let mut fronts: Vec<_> = used.into_iter().map(|(extent, len)| Front::read(&extent, len, regions)).collect();
        fronts.sort_unstable_by_key(|front| front.start);
        fronts
    }

    pub(crate) fn count_overflow(&self) {
        // Relaxed: a lone total.
        self.overflowed.fetch_add(1, Ordering::Relaxed);
    }

    /// Recordings that went to the shared region because their thread has no shard that reaches them.
    pub(crate) fn overflowed(&self) -> u64 {
        // Relaxed: a figure to show.
        self.overflowed.load(Ordering::Relaxed)
    }

    /// Bytes of address space that the registry's cells take in all regions together.
    pub(crate) fn bytes(&self, regions: &Regions) -> u64 {
        let rooms = self.rooms.lock();
        let bytes = rooms.open.iter().map(|open| {
            let cells = u64::from(open.extent.end - open.extent.start);
            cells * size_of::<u64>() as u64 * (1 + regions.reached(open.extent.reach) as u64)
        });
        bytes.sum()
    }
}

impl Front {
    fn read(extent: &Extent, len: u32, regions: &Regions) -> Self {
        let mut totals = vec![0_u64; len as usize];
        let bases: Vec<Base> = extent.copies(regions).collect();
        // Several regions at a time, so that a total is loaded and stored once for all of them.
        let (fours, rest) = bases.as_chunks::<4>();
        for four in fours {
            Self::add(four, extent.start, &mut totals);
        }
        for one in rest {
            Self::add(&[*one], extent.start, &mut totals);
        }
        Self { start: extent.start, totals }
    }

    /// Adds to `totals` the cells from `start` on, of regions that reach the end of the extent in which they lie.
    fn add<const N: usize>(bases: &[Base; N], start: u32, totals: &mut [u64]) {
        for (offset, total) in (start..).zip(totals) {
            for base in bases {
                #[allow(unsafe_code)]
                // SAFETY: the offset lies in the front of an extent, which the region reaches.
                let cell = unsafe { base.cell(offset as usize) };
                *total = total.wrapping_add(cell.get());
            }
        }
    }

    /// The first offset.
    pub(crate) fn start(&self) -> u32 {
        self.start
    }

    /// The total of the cell at `offset`; `None` when it is not in this front.
    pub(crate) fn total(&self, offset: u32) -> Option<u64> {
        self.totals.get(offset.checked_sub(self.start)? as usize).copied()
    }
}
