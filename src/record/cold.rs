//! Where a recording goes that did not find its cell: the one place for everything unusual.
//!
//! Switched off; a thread's first recording; mode SYNC; past the budget or the number of shards; thread-locals already
//! gone.

#[cfg(not(tach_loom))]
use super::local;
use super::region::Base;
use super::scalar::Slot;
use super::shard::{Hold, OFF, SHARED};
use super::space::Space;

/// What to do with a recording that found no cell.
pub(crate) enum Route {
    /// Nothing: the metric is switched off.
    Nowhere,
    /// Write this region, which is this thread's, as the slot says.
    Own(Base, u64),
    /// Write the shared region.
    Shared,
}

/// Finds where a recording belongs. Costs a lock and a mapping at a thread's first recording.
#[cfg(not(tach_loom))]
pub(crate) fn route(slot: &Slot, space: &Space) -> Route {
    route_by(slot, space, local::hold)
}

/// As [`route`]; `hold` gives the thread's hold on its shard.
pub(crate) fn route_by(slot: &Slot, space: &Space, hold: impl FnOnce() -> Option<Hold>) -> Route {
    let says = slot.get();
    match says as u32 {
        OFF => Route::Nowhere,
        SHARED => Route::Shared,
        offset => match hold() {
            Some(hold) if offset < hold.limit() => Route::Own(hold.base(), says),
            _ => {
                space.count_overflow();
                Route::Shared
            }
        },
    }
}
