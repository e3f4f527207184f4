//! The protocol of publishing, for `loom-tests/` alone, on words of the model's.

#![allow(missing_debug_implementations, reason = "only models use it")]

use super::publish;
use crate::sync::{Arc, AtomicU64};

const LIVE: u64 = 1;
const REMOVED: u64 = 3;

/// Words of a file.
#[derive(Clone)]
pub struct Words(Arc<Vec<AtomicU64>>);

impl Words {
    /// So many, at zero.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self(Arc::new((0..len).map(|_| AtomicU64::new(0)).collect()))
    }

    /// Publishes a record of two words, as the first one or the next: word 0 is the number of records.
    pub fn append(&self, number: u64, record: [u64; 2]) {
        publish::write(&self.0[1 + 2 * number as usize..], &record);
        publish::publish(&self.0[0], number + 1);
    }

    /// Reads all records that are published.
    #[must_use]
    pub fn records(&self) -> Vec<[u64; 2]> {
        let number = publish::get(&self.0[0]) as usize;
        publish::after_number();
        (0..number).map(|index| [1, 2].map(|word| publish::get(&self.0[2 * index + word]))).collect()
    }

    /// Makes a series live, with this value: word 0 is its state, word 1 its cell.
    pub fn begin(&self, value: u64) {
        publish::put(&self.0[1], value);
        publish::put(&self.0[0], LIVE);
    }

    /// Says that the series is removed.
    pub fn remove(&self) {
        publish::put(&self.0[0], REMOVED);
    }

    /// Clears the cell and gives it to another series, with this value.
    pub fn reuse(&self, value: u64) {
        publish::before_reuse();
        publish::put(&self.0[1], 0);
        publish::put(&self.0[1], value);
    }

    /// The series' value; `None` when it is not live.
    #[must_use]
    pub fn value(&self) -> Option<u64> {
        let is_live = || publish::get(&self.0[0]) == LIVE;
        let before = is_live();
        let value = publish::get(&self.0[1]);
        publish::after_cells();
        (before && is_live()).then_some(value)
    }
}
