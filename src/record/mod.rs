//! The hot path: handles write this thread's cells with plain loads and stores.
//!
//! ```text
//! Counter, Gauge, Histogram …   handles                      counter, gauge (on fixed), histogram, here
//!   └─ local                    this thread's shard          local, and cold for everything unusual
//!        └─ shard               a region, and its limit      shard, and space which hands out offsets
//!             └─ region         a flat run of cells          region
//!                  └─ cell      one word                     cell; exemplar: slots of some words
//! ```
//!
//! Knows nothing of names, labels or formats, and nothing of who reads. After its first recording a thread records
//! without a lock, a read-modify-write, an allocation, a system call or a loop.

pub(crate) mod cell;
pub(crate) mod edges;
pub(crate) mod exemplar;
pub(crate) mod hdr;
pub(crate) mod region;
pub(crate) mod scalar;
pub(crate) mod shard;
pub(crate) mod space;

pub(crate) mod cold;
pub(crate) mod copied;
#[cfg(not(tach_loom))]
pub(crate) mod counter;
#[cfg(not(tach_loom))]
pub(crate) mod fixed;
#[cfg(not(tach_loom))]
pub(crate) mod gauge;
#[cfg(not(tach_loom))]
pub(crate) mod here;
#[cfg(not(tach_loom))]
pub(crate) mod histogram;
#[cfg(not(tach_loom))]
pub(crate) mod local;
#[cfg(not(tach_loom))]
pub(crate) mod trace;
