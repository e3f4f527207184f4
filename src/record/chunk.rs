//! A chunk: a run of cells at the same offsets in every shard, and the copies of it.
//!
//! **Who writes.** A thread's copy is written by the thread that owns the shard, and by no other. The shared copy, which
//! exists from the start, is written by any thread with read-modify-writes: it takes what a thread records that has no copy,
//! because the budget is spent or its thread-locals are gone. **Who reads.** Collectors, over the list of copies.
//!
//! **The edge.** COPY-PUB: a new copy is pushed onto the list with Release after its memory is mapped and its link set; a
//! collector loads the head with Acquire. Each push is a read-modify-write, so it continues the release sequence of the earlier
//! ones, and one Acquire of the head covers the whole list. Without it a collector could follow a link not yet written.
//! Copies leave the list only when the chunk is dropped: when no handle and no registry refers to it any more.

use super::cell::Cell;
use super::edges;
use super::shard::{Hold, Shards};
use super::zeroed::{ZeroPages, Zeroed};
use crate::sync::{Arc, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::io;

#[allow(unsafe_code)]
// SAFETY: a `Cell` is an 8-byte atomic integer; all zeros is the value zero, and a page is 8-aligned.
unsafe impl ZeroPages for Cell {
    #[cfg(tach_loom)]
    fn zero() -> Self {
        Cell::new()
    }
}

/// Where a copy of a chunk begins, or null.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base(*const Cell);

impl Base {
    #[inline(always)]
    pub(crate) fn new(first: *const Cell) -> Self {
        Self(first)
    }

    #[inline(always)]
    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *const Cell {
        self.0
    }

    /// The cell at `index`.
    ///
    /// # Safety
    ///
    /// `self` is the base of a copy of a chunk that outlives `'a`, and `index` lies within the chunk.
    #[allow(unsafe_code)]
    #[inline(always)]
    pub(crate) unsafe fn cell<'a>(self, index: usize) -> &'a Cell {
        // SAFETY: by the contract the address lies in a mapping that stays, and holds a `Cell`.
        unsafe { &*self.0.add(index) }
    }
}

/// What a registry may map, and what it has mapped.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    shards_max: usize,
    mapped: AtomicUsize,
    /// Recordings that went to a shared copy because no copy could be had.
    overflowed: AtomicU64,
}

impl Budget {
    pub(crate) fn new(limit: usize, shards_max: usize) -> Self {
        Self { limit, shards_max, mapped: AtomicUsize::new(0), overflowed: AtomicU64::new(0) }
    }

    /// Bytes mapped now, in all copies of all chunks.
    pub(crate) fn mapped(&self) -> usize {
        // Relaxed: a figure to show.
        self.mapped.load(Ordering::Relaxed)
    }

    /// Recordings that went to a shared copy for want of room.
    pub(crate) fn overflowed(&self) -> u64 {
        // Relaxed: a figure to show.
        self.overflowed.load(Ordering::Relaxed)
    }

    pub(crate) fn count_overflow(&self) {
        // Relaxed: a lone total.
        self.overflowed.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether `bytes` more would still be within the limit.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.mapped().saturating_add(bytes) <= self.limit
    }

    /// Takes `bytes` out of the budget, unless that would exceed it.
    fn reserve(&self, bytes: usize) -> bool {
        // Relaxed: only the number matters, and a read-modify-write never reads an old one.
        let before = self.mapped.fetch_add(bytes, Ordering::Relaxed);
        let within = before.saturating_add(bytes) <= self.limit;
        if !within {
            self.refund(bytes);
        }
        within
    }

    fn refund(&self, bytes: usize) {
        // Relaxed: as in `reserve`.
        self.mapped.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// One shard's cells of a chunk.
#[derive(Debug)]
struct Copy {
    cells: Zeroed<Cell>,
    next: *const Copy,
}

/// A run of cells at the same offsets in every shard.
#[derive(Debug)]
pub(crate) struct Chunk {
    id: u32,
    len: usize,
    shared: Zeroed<Cell>,
    copies: AtomicPtr<Copy>,
    attached: AtomicUsize,
    budget: Arc<Budget>,
    shards: Arc<Shards>,
}

#[allow(unsafe_code)]
// SAFETY: the raw pointers lead to copies that the chunk owns until it is dropped; they are reached through the atomic head
// only, and what is behind them is atomics and a link that never changes once published (COPY-PUB).
unsafe impl Send for Chunk {}
#[allow(unsafe_code)]
// SAFETY: as for Send.
unsafe impl Sync for Chunk {}

impl Chunk {
    /// A chunk of `len` cells. Its shared copy counts against the budget but is never refused by it.
    pub(crate) fn new(len: usize, budget: Arc<Budget>, shards: Arc<Shards>) -> io::Result<Self> {
        let shared = Zeroed::new(len)?;
        let id = shards.claim();
        // Relaxed: as in `Budget::reserve`.
        budget.mapped.fetch_add(len * size_of::<Cell>(), Ordering::Relaxed);
        let copies = AtomicPtr::new(std::ptr::null_mut());
        Ok(Self { id, len, shared, copies, attached: AtomicUsize::new(0), budget, shards })
    }

    /// The chunk's index in every shard's table.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// The number of cells.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The copy that any thread may write, with the `share_*` operations.
    pub(crate) fn shared(&self) -> Base {
        Base::new(self.shared.as_ptr())
    }

    /// The copy of the shard that `hold` owns, made now if there is none. `None` past the budget: use the shared copy.
    pub(crate) fn attach(&self, hold: &Hold) -> Option<Base> {
        if self.id == super::shard::SHARED {
            return None;
        }
        let present = hold.entry(self.id);
        if !present.is_null() {
            return Some(present);
        }
        let bytes = self.len * size_of::<Cell>();
        // Relaxed: only the number matters, and a read-modify-write never reads an old one.
        if self.attached.fetch_add(1, Ordering::Relaxed) < self.budget.shards_max && self.budget.reserve(bytes) {
            if let Ok(cells) = Zeroed::new(self.len) {
                let base = Base::new(cells.as_ptr());
                self.push(cells);
                hold.set_entry(self.id, base);
                return Some(base);
            }
            self.budget.refund(bytes);
        }
        self.attached.fetch_sub(1, Ordering::Relaxed);
        None
    }

    fn push(&self, cells: Zeroed<Cell>) {
        let copy = Box::into_raw(Box::new(Copy { cells, next: std::ptr::null() }));
        // Relaxed: the head is not followed here, only linked to.
        let mut head = self.copies.load(Ordering::Relaxed);
        loop {
            #[allow(unsafe_code)]
            // SAFETY: `copy` came from `Box::into_raw` and is not in the list yet, so this thread alone can reach it.
            unsafe {
                (*copy).next = head;
            }
            // Edge COPY-PUB on success; Relaxed on failure, when the head is again only linked to.
            match self.copies.compare_exchange_weak(head, copy, edges::COPY_STORE, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Adds the cells at the front of every copy to `totals`, copy by copy.
    pub(crate) fn add_front(&self, totals: &mut [u64]) {
        assert!(totals.len() <= self.len);
        for (base, _) in self.copies() {
            for (index, total) in totals.iter_mut().enumerate() {
                #[allow(unsafe_code)]
                // SAFETY: `base` is a copy of this chunk, and the index is within it.
                let cell = unsafe { base.cell(index) };
                *total = total.wrapping_add(cell.get());
            }
        }
    }

    /// Every copy: the shared one first, with `true`, then those of the shards.
    pub(crate) fn copies(&self) -> impl Iterator<Item = (Base, bool)> + '_ {
        // Edge COPY-PUB.
        let mut next = self.copies.load(edges::COPY_LOAD).cast_const();
        let shards = std::iter::from_fn(move || {
            #[allow(unsafe_code)]
            // SAFETY: a non-null pointer in the list leads to a copy that lives until the chunk is dropped, which `&self`
            // excludes; COPY-PUB made its fields visible.
            let copy = unsafe { next.as_ref() }?;
            next = copy.next;
            Some((Base::new(copy.cells.as_ptr()), false))
        });
        std::iter::once((self.shared(), true)).chain(shards)
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // First the tables, so that no shard keeps a pointer to what is unmapped next.
        self.shards.retire(self.id);
        let mut bytes = self.len * size_of::<Cell>();
        // Acquire through COPY-PUB's load, though `&mut self` has ordered every push before this already.
        let mut next = self.copies.load(edges::COPY_LOAD);
        while !next.is_null() {
            #[allow(unsafe_code)]
            // SAFETY: every copy was made by `Box::into_raw` and is in the list once; nothing else refers to it, as no handle
            // and no collector holds the chunk.
            let copy = unsafe { Box::from_raw(next) };
            next = copy.next.cast_mut();
            bytes += self.len * size_of::<Cell>();
        }
        self.budget.refund(bytes);
    }
}
