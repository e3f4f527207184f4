//! Segments: a registry's cells in shared memory, to be read by other processes and after a crash.
//!
//! ```text
//! layout    which word of a segment means what
//! record    the directory's records ⇄ words, texts and lists of words
//! publish   the protocol by which words become visible: every atomic access
//! directory records, one after the other in chained blocks
//! file      one segment being written: its life, its space
//! place     where segments are, and under which names
//! system    mappings, file locks, fork: every system call that needs `unsafe`
//! absent    instead of all that, where there are no segments
//! ```

#[cfg(not(all(target_os = "linux", not(tach_loom))))]
mod absent;
#[cfg(all(target_os = "linux", not(tach_loom)))]
mod directory;
#[cfg(all(target_os = "linux", not(tach_loom)))]
mod file;
#[cfg(all(target_os = "linux", not(tach_loom)))]
pub(crate) mod layout;
#[cfg(tach_loom)]
pub mod model;
#[cfg(all(target_os = "linux", not(tach_loom)))]
mod place;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "nothing is published"))]
pub(crate) mod publish;
#[cfg(not(tach_loom))]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "nothing is published"))]
pub(crate) mod record;
#[cfg(all(target_os = "linux", not(tach_loom)))]
pub(crate) mod system;
#[cfg(not(tach_loom))]
mod words;

#[cfg(not(any(target_os = "linux", tach_loom)))]
pub(crate) use absent::now_coarse;
#[cfg(not(all(target_os = "linux", not(tach_loom))))]
pub(crate) use absent::{At, INTERVAL, Segment, calm, forks, mind_forks};
#[cfg(all(target_os = "linux", not(tach_loom)))]
pub(crate) use {
    directory::At,
    file::{INTERVAL, Segment},
    place::id as new_id,
    system::{calm, forks, now_coarse, watch as mind_forks},
};

use std::path::PathBuf;
#[cfg(not(tach_loom))]
use std::time::{SystemTime, UNIX_EPOCH};

/// What is told of a segment that is to be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) dir: Option<PathBuf>,
    pub(crate) process_name: Option<String>,
}

/// A time as a segment has it: Unix nanoseconds.
#[cfg(not(tach_loom))]
pub(crate) fn unix_nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The system's clock.
#[cfg(not(tach_loom))]
pub(crate) fn now() -> u64 {
    unix_nanos(SystemTime::now())
}
