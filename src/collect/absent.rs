//! What is not in a snapshot, as it is switched off, and is to be found where it was when it comes back.

use super::snapshot::{Data, FamilySnapshot, Snapshot, Values};
use crate::describe::{LabelSets, LabelValues};
use std::sync::Arc;
use std::time::SystemTime;

impl Snapshot {
    /// This, and what of `earlier` is not in it: families, as what was switched off keeps its totals; and series of a view
    /// whose sources are switched off.
    pub(crate) fn with_absent(&self, earlier: &Self) -> Self {
        let is_absent = |family: &&FamilySnapshot| self.family(&family.desc.base).is_none();
        let absent: Vec<FamilySnapshot> = earlier.families().iter().filter(is_absent).cloned().collect();
        let has_off = |family: &FamilySnapshot| !family.labels.off.is_empty();
        if absent.is_empty() && !self.families().iter().any(has_off) {
            return self.clone();
        }
        let with_off = |family: &FamilySnapshot| {
            let before = earlier.family(&family.desc.base).filter(|_| has_off(family));
            before.and_then(|before| family.with_off(before)).unwrap_or_else(|| family.clone())
        };
        let mut families: Vec<_> = self.families().iter().map(with_off).chain(absent).collect();
        families.sort_by(|a, b| a.desc.base.cmp(&b.desc.base));
        self.having(Data { families, ..self.data.moment() })
    }
}

/// A series of this family, or of the one before, by its place there.
#[derive(Clone, Copy)]
enum Place {
    Now(usize),
    Before(usize),
}

impl FamilySnapshot {
    /// This, and the series of `before` that are switched off now. `None`: there is none.
    fn with_off(&self, before: &Self) -> Option<Self> {
        let now = &self.labels;
        // In order, several of the same values side by side.
        let is_listed = |set: &LabelValues| {
            let from = now.off.partition_point(|off| off < set);
            now.off[from..].iter().take_while(|off| *off == set).any(|off| Arc::ptr_eq(off, set))
        };
        let is_off = |set: &LabelValues| now.sets.binary_search(set).is_err() && is_listed(set);
        let off = (0..before.labels.sets.len()).filter(|&index| is_off(&before.labels.sets[index])).map(Place::Before);
        let mut places: Vec<Place> = off.collect();
        if places.is_empty() {
            return None;
        }
        places.extend((0..now.sets.len()).map(Place::Now));
        let series = |place: &Place| -> (LabelValues, SystemTime) {
            let (labels, index) = match *place {
                Place::Now(index) => (now, index),
                Place::Before(index) => (&before.labels, index),
            };
            (Arc::clone(&labels.sets[index]), labels.began[index])
        };
        places.sort_by_cached_key(|place| series(place).0);
        let values = match (&self.values, &before.values) {
            (Values::Counter(now), Values::Counter(then)) => Values::Counter(pick(&places, now, then)),
            (Values::FloatCounter(now), Values::FloatCounter(then)) => Values::FloatCounter(pick(&places, now, then)),
            (Values::UpDown(now), Values::UpDown(then)) => Values::UpDown(pick(&places, now, then)),
            (Values::Gauge(now), Values::Gauge(then)) => Values::Gauge(pick(&places, now, then)),
            (Values::Histogram(now), Values::Histogram(then)) => Values::Histogram(pick(&places, now, then)),
            (Values::Summary(now), Values::Summary(then)) => Values::Summary(pick(&places, now, then)),
            // Of another kind without what is off.
            _ => return None,
        };
        let noted = |place: &Place| match *place {
            Place::Now(index) => self.noted.get(index).copied().flatten(),
            Place::Before(index) => before.noted.get(index).copied().flatten(),
        };
        let labels = Arc::new(LabelSets::new(places.iter().map(series)));
        Some(Self { desc: Arc::clone(&self.desc), labels, values, noted: places.iter().map(noted).collect() })
    }
}

fn pick<T: Clone, C: FromIterator<T>>(places: &[Place], now: &[T], before: &[T]) -> C {
    let value = |place: &Place| match *place {
        Place::Now(index) => now[index].clone(),
        Place::Before(index) => before[index].clone(),
    };
    places.iter().map(value).collect()
}
