//! Every ordering that publishes something, by the name of its edge.
//!
//! An edge is a pair of accesses, a store that publishes and a load that relies on it; `docs/ORDERINGS.md` has a row
//! for each, with what breaks without it and the model in `loom-tests/` that shows it. Each can be weakened alone by
//! `--cfg tach_mutate="…"`, and `scripts/loom` checks that its model then fails. An access that names none of these is
//! `Relaxed` and says why that is enough. (Edges that are locks have their mutations beside the lock.)

use crate::sync::Ordering;

/// Edge HIST-SUM, store: a reader that sees the sum with a value sees that value's bucket.
pub(crate) const SUM_STORE: Ordering =
    if cfg!(tach_mutate = "hist-sum-store") { Ordering::Relaxed } else { Ordering::Release };

/// Edge HIST-SUM, load: the buckets are read after the sum.
pub(crate) const SUM_LOAD: Ordering =
    if cfg!(tach_mutate = "hist-sum-load") { Ordering::Relaxed } else { Ordering::Acquire };

/// Edge HIST-COUNT, store: a reader that sees the count with a value sees the sum with it.
pub(crate) const COUNT_STORE: Ordering =
    if cfg!(tach_mutate = "hist-count-store") { Ordering::Relaxed } else { Ordering::Release };

/// Edge HIST-COUNT, load: the sum is read after the count.
pub(crate) const COUNT_LOAD: Ordering =
    if cfg!(tach_mutate = "hist-count-load") { Ordering::Relaxed } else { Ordering::Acquire };
