//! One 8-byte word of a shard.
//!
//! Who writes: the thread that owns the shard, with a load and a store ([`Cell::add`], [`Cell::put`]); in the shared
//! region any thread, with a read-modify-write (`Cell::share_*`). A region is of one of the two sorts for its whole
//! life. Who reads: collectors, which never write. A cell only grows (but for those of [`super::exemplar`]); it goes
//! back to zero only in [`Cell::clear`], when no handle to it is left.

use super::edges;
use crate::sync::{AtomicU64, Ordering};

/// A word that one thread writes and any thread reads.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Cell(AtomicU64);

impl Cell {
    /// A cell at zero. Memory that comes from the system as zero pages is an array of these.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds, by the only thread that writes this cell.
    #[inline(always)]
    pub(crate) fn add(&self, n: u64) {
        // Relaxed load: no other thread writes. Relaxed store: a lone total publishes nothing but itself.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Stores the sum of a histogram, after the bucket; by the only writer.
    #[inline(always)]
    pub(crate) fn put_sum(&self, sum: u64) {
        // Edge HIST-SUM.
        self.0.store(sum, edges::SUM_STORE);
    }

    /// Stores the count of a histogram, after the sum; by the only writer.
    #[inline(always)]
    pub(crate) fn put_count(&self, count: u64) {
        // Edge HIST-COUNT.
        self.0.store(count, edges::COUNT_STORE);
    }

    /// Adds to a float, by the only writer.
    #[inline(always)]
    pub(crate) fn add_float(&self, n: f64) {
        // Relaxed load and store: as in `add`.
        let sum = f64::from_bits(self.0.load(Ordering::Relaxed)) + n;
        self.0.store(sum.to_bits(), Ordering::Relaxed);
    }

    /// Replaces the value, by the only writer.
    #[inline(always)]
    pub(crate) fn put(&self, value: u64) {
        // Relaxed: what a reader needs of it is published by the sum that follows (edge HIST-SUM).
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds, from any thread.
    pub(crate) fn share_add(&self, n: u64) {
        // Relaxed: a lone total publishes nothing but itself.
        self.fetch_add(n, Ordering::Relaxed);
    }

    /// Adds to the sum of a histogram, after the bucket; from any thread.
    pub(crate) fn share_sum(&self, n: u64) {
        // Edge HIST-SUM: a read-modify-write continues the release sequence of every earlier one.
        self.fetch_add(n, edges::SUM_STORE);
    }

    /// Adds to the count of a histogram, after the sum; from any thread.
    pub(crate) fn share_count(&self, n: u64) {
        // Edge HIST-COUNT.
        self.fetch_add(n, edges::COUNT_STORE);
    }

    fn fetch_add(&self, n: u64, order: Ordering) {
        // Edge SHARED-ADD: no add of another thread falls in between. (The mutation adds as an only writer would.)
        if cfg!(tach_mutate = "shared-add") {
            self.0.store(self.get().wrapping_add(n), order);
        } else {
            self.0.fetch_add(n, order);
        }
    }

    /// Raises to at least `value`, from any thread.
    pub(crate) fn share_max(&self, value: u64) {
        // Relaxed: published by the sum that follows. Edge SHARED-ADD. (The mutation raises as an only writer would.)
        if cfg!(tach_mutate = "shared-max") {
            self.put(self.get().max(value));
        } else {
            self.0.fetch_max(value, Ordering::Relaxed);
        }
    }

    /// Adds to a float, from any thread.
    pub(crate) fn share_float(&self, n: f64) {
        // Edge SHARED-ADD. (The mutation adds as an only writer would.)
        if cfg!(tach_mutate = "shared-float") {
            return self.add_float(n);
        }
        // Relaxed, all three: a lone total. The loop ends as soon as no other thread adds in between.
        let mut old = self.0.load(Ordering::Relaxed);
        while let Err(now) =
            self.0.compare_exchange_weak(old, (f64::from_bits(old) + n).to_bits(), Ordering::Relaxed, Ordering::Relaxed)
        {
            old = now;
        }
    }

    /// The value, where its order among other cells does not matter.
    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        // Relaxed: coherence of the one cell is all that is asked, a value seen once is never followed by an older one.
        self.0.load(Ordering::Relaxed)
    }

    /// The sum of a histogram, to be read before its buckets.
    pub(crate) fn get_sum(&self) -> u64 {
        // Relaxed, and an acquire fence behind it: edge HIST-SUM.
        let sum = self.0.load(Ordering::Relaxed);
        edges::sum_loaded();
        sum
    }

    /// The count of a histogram, to be read before its sum.
    pub(crate) fn get_count(&self) -> u64 {
        // Relaxed, and an acquire fence behind it: edge HIST-COUNT.
        let count = self.0.load(Ordering::Relaxed);
        edges::count_loaded();
        count
    }

    /// Says that a slot for an exemplar is being written, by its only writer: an odd number.
    pub(crate) fn open_slot(&self, odd: u64) {
        // Relaxed, and a release fence behind it: edge EXEMPLAR-SLOT.
        self.0.store(odd, Ordering::Relaxed);
        edges::slot_opened();
    }

    /// As [`Cell::open_slot`], from any thread, for a slot that has this even number. False where another was faster.
    pub(crate) fn take_slot(&self, even: u64) -> bool {
        let odd = even.wrapping_add(1);
        // Edge EXEMPLAR-TAKE: one thread at a time, which sees what the last one wrote. (The mutation takes as an only
        // writer would.) Relaxed where it fails: nothing is done then.
        let taken = if cfg!(tach_mutate = "exemplar-take") {
            self.0.store(odd, Ordering::Relaxed);
            true
        } else {
            self.0.compare_exchange(even, odd, edges::SLOT_TAKE, Ordering::Relaxed).is_ok()
        };
        edges::slot_opened();
        taken
    }

    /// Says that a slot is whole again, by an even number.
    pub(crate) fn close_slot(&self, even: u64) {
        // Edge EXEMPLAR-SLOT.
        self.0.store(even, edges::SLOT_STORE);
    }

    /// The number of a slot, to be read before the rest of it.
    pub(crate) fn get_slot(&self) -> u64 {
        // Relaxed, and an acquire fence behind it: edge EXEMPLAR-SLOT.
        let number = self.0.load(Ordering::Relaxed);
        edges::slot_loaded();
        number
    }

    /// Whether a slot still has this number, after the rest of it was read.
    pub(crate) fn is_slot_still(&self, number: u64) -> bool {
        // Relaxed, and an acquire fence before it: edge EXEMPLAR-SLOT.
        edges::slot_read();
        self.0.load(Ordering::Relaxed) == number
    }

    /// Sets to zero a cell that nobody records to any more. Does not touch one that is zero, so that its page stays
    /// unmapped.
    pub(crate) fn clear(&self) {
        // Relaxed: the last handle's drop ordered every recording before this, and the lock under which the place is
        // handed out again orders this before every later one.
        if self.0.load(Ordering::Relaxed) != 0 {
            self.0.store(0, Ordering::Relaxed);
        }
    }
}
