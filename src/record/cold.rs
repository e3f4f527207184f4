//! Where a recording goes that did not find its cell: the one place for everything unusual.
//!
//! Switched off; first touch of a chunk by this thread; mode SYNC; past the budget; thread-locals already gone.

use super::chunk::{Base, Chunk};
use super::local;
use super::scalar::Slot;
use super::shard::{OFF, SHARED};

/// What to do with a recording that found no cell.
pub(crate) enum Route {
    /// Nothing: the metric is switched off.
    Nowhere,
    /// Write this copy, which is this thread's.
    Own(Base),
    /// Write the shared copy.
    Shared,
}

/// Finds where a recording belongs. Costs a lock and a mapping once per thread and chunk.
pub(crate) fn route(slot: &Slot, chunk: &Chunk) -> Route {
    match slot.get() {
        OFF => Route::Nowhere,
        SHARED => Route::Shared,
        _ => match local::attach(chunk) {
            Some(base) => Route::Own(base),
            None => {
                chunk.budget().count_overflow();
                Route::Shared
            }
        },
    }
}
