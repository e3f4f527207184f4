//! This thread's shard: the thin shell between the handles and [`super::shard`].
//!
//! Two thread-locals. `HERE` has no destructor, so that reading it is a plain load, also from another thread-local's
//! destructor; its limit starts at zero, so that "no shard yet", "switched off", "out of reach" and "thread-locals
//! gone" are one test. `THREAD` has the destructor that gives the shard back; only the cold path touches it. The order
//! in which thread-locals are destroyed is not defined: whoever records after `THREAD` is gone meets a limit of zero
//! and goes to the shared region.

use super::region::Base;
use super::shard::{Hold, Shards};
use crate::sync::Arc;
use once_cell::sync::Lazy;
use std::cell::{Cell, OnceCell};

/// Where this thread's region begins, and the first offset in it that is not to be written.
struct Here {
    base: Cell<Base>,
    limit: Cell<u32>,
}

static SHARDS: Lazy<Option<Arc<Shards>>> = Lazy::new(|| Shards::new().map(Arc::new));

thread_local! {
    static HERE: Here = const { Here { base: Cell::new(Base::NULL), limit: Cell::new(0) } };
    static THREAD: Thread = const { Thread(OnceCell::new()) };
}

/// Gives this thread's shard back when the thread ends.
struct Thread(OnceCell<Hold>);

impl Drop for Thread {
    fn drop(&mut self) {
        // Before the hold is dropped: from here on this thread must not write the region.
        HERE.with(|here| here.limit.set(0));
    }
}

/// The shards of this process; `None` when the system refused the memory for the shared region.
pub(crate) fn shards() -> Option<&'static Arc<Shards>> {
    SHARDS.as_ref()
}

/// This thread's region, if it may write `offset` in it.
#[inline(always)]
pub(crate) fn reach(offset: u32) -> Option<Base> {
    HERE.with(|here| (offset < here.limit.get()).then(|| here.base.get()))
}

/// This thread's hold on its shard, adopting one if need be. `None` when its thread-locals are gone or memory is.
pub(crate) fn hold() -> Option<Hold> {
    let hold = THREAD.try_with(|thread| {
        if thread.0.get().is_none() {
            let hold = Shards::adopt(shards()?)?;
            HERE.with(|here| {
                here.base.set(hold.base());
                here.limit.set(hold.limit());
            });
            // Cannot be set already: nothing between the look and here calls out.
            let _ = thread.0.set(hold);
        }
        thread.0.get().cloned()
    });
    hold.ok().flatten()
}
