//! Where a registry's metrics get their cells: the cold side of a chunk.
//!
//! Single cells and histogram headers are handed out from the front of a chunk, runs of buckets from its back, so that what
//! every collection reads lies side by side and what few read does not spread it. A place is given back when the last
//! handle to it is dropped; it is cleared then, when nobody can write it, and serves the next metric of the same shape.
//!
//! **The edge.** PLACE-REUSE: recordings through the old handles happen before the clearing (the handle's reference count),
//! and the clearing before recordings through new ones (the lock here). Without it an old total would reappear in a new series.

use super::chunk::{Base, Budget, Chunk};
use super::shard::Shards;
use crate::sync::{Arc, Mutex};
use std::collections::HashMap;

/// Cells of a registry's first chunk; each further one is twice as large, up to `CHUNK_CELLS_MAX`.
const CHUNK_CELLS_MIN: usize = if cfg!(tach_loom) { 8 } else { 512 };
const CHUNK_CELLS_MAX: usize = 131_072;
/// Histogram headers start on a cache line: 64 bytes on every x86-64 and most aarch64 cores.
const LINE_CELLS: usize = 8;

/// Why no place could be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// One more chunk would exceed the registry's budget.
    OverBudget,
    /// The system refused the memory.
    OutOfMemory,
}

/// The shape of what a metric needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    /// Cells at the front: 1, or a histogram's header.
    pub(crate) front: usize,
    /// Buckets.
    pub(crate) back: usize,
}

/// The cells of one series, at the same offsets in every copy of the chunk.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) chunk: Arc<Chunk>,
    pub(crate) front: usize,
    pub(crate) back: usize,
    pub(crate) shape: Shape,
}

impl Place {
    /// Calls `each` for every cell of this place in one copy.
    #[allow(unsafe_code)]
    fn clear(&self, base: Base) {
        let front = self.front..self.front + self.shape.front;
        let back = self.back..self.back + self.shape.back;
        for index in front.chain(back) {
            // SAFETY: `base` is a copy of `self.chunk`, which `self` keeps alive, and the place lies within it.
            unsafe { base.cell(index) }.clear();
        }
    }
}

/// A chunk with room between its front and its back.
#[derive(Debug)]
struct Open {
    chunk: Arc<Chunk>,
    front: usize,
    back: usize,
}

impl Open {
    fn place(&mut self, shape: Shape) -> Option<Place> {
        let front = if shape.back > 0 { self.front.next_multiple_of(LINE_CELLS) } else { self.front };
        let back = self.back.checked_sub(shape.back)?;
        if front + shape.front > back {
            return None;
        }
        (self.front, self.back) = (front + shape.front, back);
        Some(Place { chunk: Arc::clone(&self.chunk), front, back, shape })
    }
}

#[derive(Debug, Default)]
struct Rooms {
    chunks: Vec<Open>,
    free: HashMap<Shape, Vec<Place>>,
}

/// A registry's cells.
#[derive(Debug)]
pub(crate) struct Space {
    budget: Arc<Budget>,
    shards: Arc<Shards>,
    rooms: Mutex<Rooms>,
}

impl Space {
    pub(crate) fn new(budget: Budget, shards: Arc<Shards>) -> Self {
        Self { budget: Arc::new(budget), shards, rooms: Mutex::new(Rooms::default()) }
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Cells for one series. `optional` ones are refused past the budget; the others are not, as the series that the program
    /// declares one by one are few.
    pub(crate) fn place(&self, shape: Shape, optional: bool) -> Result<Place, NoPlace> {
        let mut rooms = self.rooms.lock();
        if let Some(place) = rooms.free.get_mut(&shape).and_then(Vec::pop) {
            return Ok(place);
        }
        if let Some(place) = rooms.chunks.iter_mut().rev().find_map(|open| open.place(shape)) {
            return Ok(place);
        }
        let doubled = CHUNK_CELLS_MIN << rooms.chunks.len().min(16);
        let wanted = (shape.front + shape.back).next_multiple_of(CHUNK_CELLS_MIN);
        let cells = doubled.min(CHUNK_CELLS_MAX).max(wanted);
        if optional && !self.budget.has_room(cells * size_of::<u64>()) {
            return Err(NoPlace::OverBudget);
        }
        let chunk = Chunk::new(cells, Arc::clone(&self.budget), Arc::clone(&self.shards));
        let chunk = Arc::new(chunk.map_err(|_| NoPlace::OutOfMemory)?);
        let mut open = Open { chunk, front: 0, back: cells };
        let place = open.place(shape).expect("the chunk was made large enough");
        rooms.chunks.push(open);
        Ok(place)
    }

    /// Takes back the cells of a series to which no handle is left.
    pub(crate) fn give_back(&self, place: Place) {
        // Edge PLACE-REUSE. (The mutation hands the cells out uncleared.)
        if !cfg!(tach_mutate = "place-reuse") {
            for (base, _) in place.chunk.copies() {
                place.clear(base);
            }
        }
        self.rooms.lock().free.entry(place.shape).or_default().push(place);
    }

    /// The chunks, each with how many cells at its front are in use.
    pub(crate) fn chunks(&self) -> Vec<(Arc<Chunk>, usize)> {
        self.rooms.lock().chunks.iter().map(|open| (Arc::clone(&open.chunk), open.front)).collect()
    }
}
