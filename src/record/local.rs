//! This thread's shard: the thin shell between the handles and [`super::shard`].
//!
//! Two thread-locals. `TABLE` is a plain pointer without a destructor, so that reading it is one load, also from another
//! thread-local's destructor; it starts at a table of nulls, so that "no shard yet", "switched off", "no copy of this chunk
//! yet" and "thread-locals gone" are one test. `THREAD` has the destructor that gives the shard back; only the cold path
//! touches it. The order in which thread-locals are destroyed is not defined: whoever records after `THREAD` is gone meets
//! the table of nulls again and goes to the shared copy.

use super::chunk::{Base, Chunk};
use super::shard::{CHUNKS_MAX, Entry, Hold, Shards};
use crate::sync::Arc;
use once_cell::sync::Lazy;
use std::cell::{Cell, OnceCell};

/// The table of a thread without a shard. In `.bss`: its pages are never written.
static NONE: [Entry; CHUNKS_MAX] = [const { Entry::NULL }; CHUNKS_MAX];

static SHARDS: Lazy<Arc<Shards>> = Lazy::new(|| Arc::new(Shards::new()));

thread_local! {
    static TABLE: Cell<*const Entry> = const { Cell::new(NONE.as_ptr()) };
    static THREAD: Thread = const { Thread(OnceCell::new()) };
}

/// Gives this thread's shard back when the thread ends.
struct Thread(OnceCell<Hold>);

impl Drop for Thread {
    fn drop(&mut self) {
        // Before the hold is dropped: from here on this thread must not write the shard.
        TABLE.set(NONE.as_ptr());
    }
}

/// The shards of this process.
pub(crate) fn shards() -> &'static Arc<Shards> {
    &SHARDS
}

/// This thread's copy of a chunk, or null when there is none or the id is that of no chunk.
#[allow(unsafe_code)]
#[inline(always)]
pub(crate) fn base(chunk: u32) -> Base {
    let table = TABLE.get();
    // SAFETY: every table has CHUNKS_MAX entries and is never freed (`NONE` is static, shards live as long as the process),
    // and every id that a metric carries is below CHUNKS_MAX (`Shards::claim`).
    unsafe { &*table.add(chunk as usize) }.get()
}

/// This thread's hold on its shard, adopting one if need be. `None` when its thread-locals are gone or memory is.
pub(crate) fn hold() -> Option<Hold> {
    let hold = THREAD.try_with(|thread| {
        if thread.0.get().is_none() {
            let hold = SHARDS.adopt()?;
            TABLE.set(hold.table());
            // Cannot be set already: nothing between the look and here calls out.
            let _ = thread.0.set(hold);
        }
        thread.0.get().cloned()
    });
    hold.ok().flatten()
}

/// This thread's copy of `chunk`, made now if there is none. `None`: record to the shared copy.
pub(crate) fn attach(chunk: &Chunk) -> Option<Base> {
    chunk.attach(&hold()?)
}
