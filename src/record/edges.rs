//! Every ordering that publishes something, by the name of its edge.
//!
//! An edge is a pair of accesses, a store that publishes and a load that relies on it; `docs/ORDERINGS.md` has a row
//! for each, with what breaks without it and the model in `loom-tests/` that shows it. Each can be weakened alone by
//! `--cfg tach_mutate="…"`, and `scripts/loom` checks that its model then fails. An access that names none of these is
//! `Relaxed` and says why that is enough. (Edges that are locks have their mutations beside the lock.)

use crate::sync::{Ordering, fence};

/// Edge HIST-SUM, store: a reader that sees the sum with a value sees that value's bucket.
pub(crate) const SUM_STORE: Ordering =
    if cfg!(tach_mutate = "hist-sum-store") { Ordering::Relaxed } else { Ordering::Release };

/// Edge HIST-SUM, load: to be called between the load of the sum and those of the buckets.
#[inline(always)]
pub(crate) fn sum_loaded() {
    // Acquire, as a fence: a segment is mapped read-only, and there nothing is promised but relaxed loads.
    if !cfg!(tach_mutate = "hist-sum-load") {
        fence(Ordering::Acquire);
    }
}

/// Edge HIST-COUNT, store: a reader that sees the count with a value sees the sum with it.
pub(crate) const COUNT_STORE: Ordering =
    if cfg!(tach_mutate = "hist-count-store") { Ordering::Relaxed } else { Ordering::Release };

/// Edge HIST-COUNT, load: to be called between the load of the count and that of the sum.
#[inline(always)]
pub(crate) fn count_loaded() {
    // Acquire: as in `sum_loaded`.
    if !cfg!(tach_mutate = "hist-count-load") {
        fence(Ordering::Acquire);
    }
}

/// Edge EXEMPLAR-SLOT, store: a reader that finds the number finds the exemplar that was written before it.
pub(crate) const SLOT_STORE: Ordering =
    if cfg!(tach_mutate = "exemplar-close") { Ordering::Relaxed } else { Ordering::Release };

/// Edge EXEMPLAR-TAKE, load: of a compare-exchange, which sees what was stored before the number that it finds.
pub(crate) const SLOT_TAKE: Ordering =
    if cfg!(tach_mutate = "exemplar-take-load") { Ordering::Relaxed } else { Ordering::Acquire };

/// Edge EXEMPLAR-SLOT, store: to be called between the store of the odd number and those of the exemplar. A reader that
/// finds one of these finds that number, or a later one, too.
pub(crate) fn slot_opened() {
    // Release: as a fence, since it is the stores behind it that publish the one before.
    if !cfg!(tach_mutate = "exemplar-open") {
        fence(Ordering::Release);
    }
}

/// Edge EXEMPLAR-SLOT, load: to be called between the load of the number and those of the exemplar.
pub(crate) fn slot_loaded() {
    // Acquire: as in `sum_loaded`.
    if !cfg!(tach_mutate = "exemplar-load") {
        fence(Ordering::Acquire);
    }
}

/// Edge EXEMPLAR-SLOT, load: to be called between the loads of the exemplar and that of the number once more.
pub(crate) fn slot_read() {
    // Acquire: as a fence, since it is the loads before it that find what was stored.
    if !cfg!(tach_mutate = "exemplar-check") {
        fence(Ordering::Acquire);
    }
}
