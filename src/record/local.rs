//! This thread's shard: the thin shell between the handles and [`super::shard`].
//!
//! Two thread-locals. `HERE` has no destructor, so that reading it is a plain load, also from another thread-local's
//! destructor; its limit starts at zero, so that "no shard yet", "switched off", "out of reach" and "thread-locals
//! gone" are one test. `THREAD` has the destructor that gives the shard back; only the cold path touches it. The order
//! in which thread-locals are destroyed is not defined: whoever records after `THREAD` is gone meets a limit of zero
//! and goes to the shared region.

use super::region::Base;
use super::shard::{Frozen, Hold, Shards};
use crate::segment;
use crate::sync::Arc;
use once_cell::sync::Lazy;
use std::cell::{Cell, OnceCell};
use std::mem::ManuallyDrop;

/// Where this thread's region begins, and the first offset in it that is not to be written.
struct Here {
    base: Cell<Base>,
    limit: Cell<u32>,
    /// A shard is being adopted.
    adopting: Cell<bool>,
    /// How many recordings are still to be shared before a shard is asked for again, after none could be had.
    refused: Cell<u32>,
    look_ups: Cell<LookUps>,
}

/// How many recordings a thread shares before it asks again for a shard: asking takes a lock, and perhaps system calls.
const PATIENCE: u32 = 1024;

impl Here {
    /// Whether it is too early to ask again.
    fn is_refused(&self) -> bool {
        let left = self.refused.get();
        self.refused.set(left.saturating_sub(1));
        left > 0
    }
}

/// Whether this thread may use a family's map, whose library keeps a thread-local with a destructor and panics without.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LookUps {
    New,
    Ready,
    Gone,
}

static SHARDS: Lazy<Option<Arc<Shards>>> = Lazy::new(|| Shards::new().map(Arc::new));

thread_local! {
    static HERE: Here = const { Here {
        base: Cell::new(Base::NULL),
        limit: Cell::new(0),
        adopting: Cell::new(false),
        refused: Cell::new(0),
        look_ups: Cell::new(LookUps::New),
    } };
    static THREAD: Thread = const { Thread(OnceCell::new()) };
    static LOOK_UPS: EndOfLookUps = const { EndOfLookUps };
}

/// Gives this thread's shard back when the thread ends.
struct Thread(OnceCell<Hold>);

impl Drop for Thread {
    fn drop(&mut self) {
        // Before the hold is dropped: from here on this thread must not write the region.
        HERE.with(|here| here.limit.set(0));
    }
}

/// First used after the map's own thread-local, and so destroyed before it.
struct EndOfLookUps;

impl Drop for EndOfLookUps {
    fn drop(&mut self) {
        HERE.with(|here| here.look_ups.set(LookUps::Gone));
    }
}

/// Whether this thread may still look label sets up. `first` is called at the first time, to use the map once.
#[inline(always)]
pub(crate) fn may_look_up(first: impl FnOnce()) -> bool {
    HERE.with(|here| here.look_ups.get() == LookUps::Ready || begin_look_ups(here, first))
}

#[cold]
fn begin_look_ups(here: &Here, first: impl FnOnce()) -> bool {
    if here.look_ups.get() == LookUps::Gone {
        return false;
    }
    first();
    let begun = LOOK_UPS.try_with(|_| ()).is_ok();
    here.look_ups.set(if begun { LookUps::Ready } else { LookUps::Gone });
    begun
}

thread_local! {
    /// The shards, while this thread forks the process. Without a destructor.
    static FORKING: Cell<Option<ManuallyDrop<Frozen<'static>>>> = const { Cell::new(None) };
}

/// Has every later `fork` find the shards whole, and the child leave its parent's segments alone. False where the system
/// refuses.
pub(crate) fn mind_forks() -> bool {
    segment::mind_forks(
        || FORKING.set(shards().map(|shards| ManuallyDrop::new(shards.freeze()))),
        || drop(FORKING.take().map(ManuallyDrop::into_inner)),
    )
}

/// How often this process, and those it was forked from, came out of a fork that was minded as the child.
pub(crate) fn forks() -> u32 {
    segment::forks()
}

/// The shards of this process; `None` when the system refused the memory for the shared region.
pub(crate) fn shards() -> Option<&'static Arc<Shards>> {
    SHARDS.as_ref()
}

/// This thread's region, if it may write `offset` in it.
#[inline(always)]
pub(crate) fn reach(offset: u32) -> Option<Base> {
    HERE.with(|here| {
        if offset < here.limit.get() {
            return Some(here.base.get());
        }
        out_of_line();
        None
    })
}

/// Marks the branch that calls it as the one to move out of the way.
#[cold]
#[inline(always)]
fn out_of_line() {}

/// This thread's hold on its shard, adopting one if need be. `None` when its thread-locals are gone or memory is.
pub(crate) fn hold() -> Option<Hold> {
    // Adopting allocates. What an allocator (or a signal handler) records meanwhile goes to the shared region: it must
    // neither adopt a second shard, nor wait for the lock that this thread may hold.
    if HERE.with(|here| here.is_refused() || here.adopting.replace(true)) {
        return None;
    }
    let hold = THREAD.try_with(|thread| {
        if thread.0.get().is_none() {
            let Some(hold) = shards().and_then(Shards::adopt) else {
                HERE.with(|here| here.refused.set(PATIENCE));
                return None;
            };
            HERE.with(|here| {
                here.base.set(hold.base());
                here.limit.set(hold.limit());
            });
            // Cannot be set already: only one call at a time gets here.
            let _ = thread.0.set(hold);
        }
        thread.0.get().cloned()
    });
    HERE.with(|here| here.adopting.set(false));
    hold.ok().flatten()
}
