//! The snapshots that windows begin at: few, whatever the windows' lengths.

use super::super::snapshot::Snapshot;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Into how many steps a window is divided.
pub(super) const STEPS: u32 = 10;

/// What is kept for all windows.
#[derive(Debug)]
pub(super) struct Past {
    rings: Vec<Ring>,
    /// With what was switched off since.
    latest: Option<Snapshot>,
}

/// What is kept for windows of one length.
#[derive(Debug)]
struct Ring {
    length: Duration,
    /// In the order of their times, at least a step apart: one that is as old as the window is long, and all that are
    /// younger.
    kept: VecDeque<Snapshot>,
}

impl Past {
    pub(super) fn new(lengths: &[Duration]) -> Self {
        let ring = |&length| Ring { length, kept: VecDeque::new() };
        Self { rings: lengths.iter().map(ring).collect(), latest: None }
    }

    /// Keeps a snapshot, which is not older than those before, where a step has passed since the last; forgets what no
    /// window can begin at any more.
    pub(super) fn keep(&mut self, now: &Snapshot) {
        // What is switched off keeps its totals, and is to be found when it comes back.
        let now = self.latest.as_ref().map_or_else(|| now.clone(), |latest| now.with_absent(latest));
        for Ring { length, kept } in &mut self.rings {
            if kept.back().is_none_or(|last| age(last, now.taken()) >= *length / STEPS) {
                kept.push_back(now.clone());
            }
            while kept.get(1).is_some_and(|next| age(next, now.taken()) >= *length) {
                kept.pop_front();
            }
        }
        self.latest = Some(now);
    }

    /// Where a window of this length that ends at `end` begins: at the youngest that is as old, or else at the oldest.
    pub(super) fn before(&self, end: Instant, length: Duration) -> Option<Snapshot> {
        let all = || self.rings.iter().flat_map(|ring| &ring.kept).filter(|kept| kept.taken() <= end);
        let youngest = all().filter(|kept| age(kept, end) >= length).max_by_key(|kept| kept.taken());
        youngest.or_else(|| all().min_by_key(|kept| kept.taken())).cloned()
    }

    /// How many are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.rings.iter().map(|ring| ring.kept.len()).sum()
    }
}

fn age(snapshot: &Snapshot, now: Instant) -> Duration {
    now.saturating_duration_since(snapshot.taken())
}
