//! How words of a segment become visible to other processes: every atomic access of its writer that is no cell's.
//!
//! **The edges.** SEGMENT-RECORD: a record's words, and the link to its block, happen before the number of records that
//! covers it. A reader loads the number, then an acquire fence, then the records; without it a reader meets a record
//! that is half there. SEGMENT-TOMBSTONE: that a series is removed happens before its cells are another's. A reader
//! loads the cells, then an acquire fence, then the state; without it a reader takes another's cells for the series'.

use crate::sync::{AtomicU64, Ordering, fence};

/// Edge SEGMENT-RECORD, store: who sees the number sees the records.
const RECORDS_STORE: Ordering =
    if cfg!(tach_mutate = "segment-record") { Ordering::Relaxed } else { Ordering::Release };

/// Writes a record where nothing is published yet.
pub(crate) fn write(words: &[AtomicU64], record: &[u64]) {
    for (word, value) in words.iter().zip(record) {
        put(word, *value);
    }
}

/// Says that there are so many records: after all of them are written, by one thread at a time.
pub(crate) fn publish(records: &AtomicU64, number: u64) {
    // Edge SEGMENT-RECORD.
    records.store(number, RECORDS_STORE);
}

/// To be called between the removal of a series and the first change of its cells, by whoever makes the change.
pub(crate) fn before_reuse() {
    // Edge SEGMENT-TOMBSTONE: the state was stored before this, on this thread or by way of locks.
    if !cfg!(tach_mutate = "segment-tombstone") {
        fence(Ordering::Release);
    }
}

/// A word that is complete in itself: a state, a time, a total, or of what is not published yet.
pub(crate) fn put(word: &AtomicU64, value: u64) {
    // Relaxed: either nobody looks before the number of records is raised (edge SEGMENT-RECORD), or the word is all.
    word.store(value, Ordering::Relaxed);
}

/// Adds one to a total.
pub(crate) fn count(word: &AtomicU64) {
    // Relaxed: a lone total.
    word.fetch_add(1, Ordering::Relaxed);
}

/// To be called by a reader between the load of the number of records and those of the records.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "for the reader"))]
pub(crate) fn after_number() {
    // Edge SEGMENT-RECORD, load: a fence, as of what is mapped read-only nothing is promised but relaxed loads.
    if !cfg!(tach_mutate = "segment-record-load") {
        fence(Ordering::Acquire);
    }
}

/// To be called by a reader between the loads of a series' cells and that of its state.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "for the reader"))]
pub(crate) fn after_cells() {
    // Edge SEGMENT-TOMBSTONE, load: whoever saw a cell of the next series sees that this one was removed.
    if !cfg!(tach_mutate = "segment-tombstone-load") {
        fence(Ordering::Acquire);
    }
}

/// A word that is complete in itself.
pub(crate) fn get(word: &AtomicU64) -> u64 {
    // Relaxed: as in `put`.
    word.load(Ordering::Relaxed)
}
