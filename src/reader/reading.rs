//! What reading a segment gives: plain data.

use crate::Snapshot;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Which segment it is, and how its writer does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Info {
    /// The file.
    pub path: PathBuf,
    /// The segment's own number, by chance: no other segment has it.
    pub id: [u64; 2],
    /// What its process calls itself.
    pub name: String,
    /// The process's number in its own pid namespace. Others, elsewhere or later, may have the same.
    pub pid: u64,
    /// When the segment was made.
    pub created: SystemTime,
    /// When the writer last beat.
    pub beat: SystemTime,
    /// How often it means to.
    pub interval: Duration,
    /// Whether the writer lives.
    pub life: Life,
    /// How often something found no room in the segment: what was recorded there is not in here.
    pub fallbacks: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Whether the writer of a segment lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Life {
    /// It holds its lock and beats.
    Running,
    /// It holds its lock and has not beaten for five intervals: stopped, or starved.
    Stuck,
    /// It ended in order.
    Closed,
    /// It is gone, and did not end in order.
    Died,
}

impl Life {
    /// Whether it may still record.
    #[must_use]
    pub fn is_alive(self) -> bool {
        matches!(self, Self::Running | Self::Stuck)
    }
}

/// What a segment held at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reading {
    /// As it was when it was read.
    pub info: Info,
    /// The values, merged over its shards.
    pub snapshot: Snapshot,
    /// Histograms of a shard in which a recording was under way. Of a writer that lives, by chance of the moment; of one
    /// that is gone, the recording that it was killed in.
    pub torn: Vec<Torn>,
    /// What was wrong with the segment and has been left out. Empty for one that is as documented.
    pub faults: Vec<String>,
    /// The ids of segments whose totals are in this one.
    pub folded: Vec<[u64; 2]>,
    /// For each family of the snapshot: when its series were set last, in Unix nanoseconds, zero for never. Empty but
    /// for gauges of which the one that was set last counts.
    pub(crate) set: Vec<Box<[u64]>>,
}

/// A histogram in which a recording was under way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Torn {
    /// The metric's own name.
    pub metric: String,
    /// Its label names and values.
    pub labels: Vec<(String, String)>,
    /// The shard; 0 for the cells that all threads share.
    pub shard: u64,
    /// How many values the buckets hold beyond the count.
    pub ahead: u64,
}
