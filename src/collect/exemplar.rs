//! Exemplars as a snapshot holds them: what the copies of a metric's slots say, as one.

use super::snapshot::{FamilySnapshot, Values};
use crate::bucket::Slots;
use crate::describe::Descriptor;
use crate::record::cell::Cell;
use crate::record::exemplar::{Noted, YOUTH, pick, read_all};
use crate::record::shard::Regions;
use crate::record::trace::trace_id;
use crate::registry::{Core, Series};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A recording with the span it was made in: the way from a graph to a trace.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Exemplar {
    /// What was recorded, in the exposed unit; for a counter, what was added.
    pub value: f64,
    /// When, to some milliseconds.
    pub timestamp: SystemTime,
    /// The trace.
    pub trace_id: [u8; 16],
    /// The span in it.
    pub span_id: [u8; 8],
}

impl Exemplar {
    /// `value`: what was noted, in the exposed unit.
    pub(super) fn new(noted: &Noted, value: f64) -> Self {
        Self {
            value,
            timestamp: UNIX_EPOCH + Duration::from_nanos(noted.nanos),
            trace_id: trace_id(noted.trace),
            span_id: noted.span.to_be_bytes(),
        }
    }

    /// Since 1970.
    pub(crate) fn since_epoch(&self) -> Duration {
        self.timestamp.duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// Of each series of a counter the exemplar it has, whose value is the bits of a float; nothing at all where none has
/// one.
pub(crate) type Column = Box<[Option<Noted>]>;

/// The exemplars of the series of a counter.
pub(super) fn column(desc: &Descriptor, listed: &Series, values: &Values, regions: &Regions) -> Column {
    let is_whole = match values {
        Values::Counter(_) if desc.exemplars => true,
        Values::FloatCounter(_) if desc.exemplars => false,
        _ => return Column::default(),
    };
    let noted = listed.cores.iter().enumerate().flat_map(|(index, core)| {
        let mut noted = Vec::new();
        if let Core::Scalar(core) = core {
            core.place().extent.copies(regions).for_each(|base| gather(core.noted(base), &mut noted));
        }
        noted.into_iter().map(move |noted| (index, if is_whole { floated(noted) } else { noted }))
    });
    combine(listed.cores.len(), noted)
}

/// An exemplar of whole numbers as one of floats.
pub(crate) fn floated(noted: Noted) -> Noted {
    Noted { value: (noted.value as f64).to_bits(), ..noted }
}

/// A column of `len` series out of exemplars that each belong to one.
pub(crate) fn combine(len: usize, noted: impl Iterator<Item = (usize, Noted)>) -> Column {
    let mut all: Vec<_> = noted.collect();
    if all.is_empty() {
        return Column::default();
    }
    let mut column = vec![None; len];
    all.sort_by_key(|(index, _)| *index);
    for group in all.chunk_by(|a, b| a.0 == b.0) {
        column[group[0].0] = pick(group.iter().map(|(_, noted)| noted));
    }
    column.into()
}

/// The time, in Unix nanoseconds, from which on what is noted after `time` is: what is noted has the time of the system's
/// last tick, of which there are a hundred in a second at least.
pub(super) fn since(time: SystemTime) -> u64 {
    let nanos = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    u64::try_from(nanos).unwrap_or(u64::MAX).saturating_sub(10_000_000)
}

/// Adds what the slots of a copy hold. Not what is from the future, as after a clock was set back: it would be taken for
/// the newest until then.
pub(crate) fn gather(cells: &[Cell], to: &mut Vec<Noted>) {
    let mut found = read_all(cells).peekable();
    if found.peek().is_some() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let latest = now + u128::from(YOUTH);
        to.extend(found.filter(|noted| u128::from(noted.nanos) <= latest));
    }
}

/// Exemplars of a histogram, or of several of one sort, as one for each slot: in the order of their values.
pub(super) fn thin(gathered: &mut Vec<Noted>, slots: &Slots) -> Vec<Noted> {
    gathered.sort_by_key(|noted| noted.value);
    let groups = gathered.chunk_by(|a, b| slots.index(a.value) == slots.index(b.value));
    let thinned = groups.filter_map(|group| pick(group.iter())).collect();
    gathered.clear();
    thinned
}

impl FamilySnapshot {
    /// The exemplar of a series of a counter.
    pub(crate) fn exemplar(&self, series: usize) -> Option<Exemplar> {
        let noted = self.noted.get(series)?.as_ref()?;
        Some(Exemplar::new(noted, f64::from_bits(noted.value)))
    }

    /// Those that `before` has not, where `old` finds the series of this in it, and that are not from before `from`.
    pub(super) fn noted_since(&self, before: &Self, old: impl Fn(usize) -> Option<usize>, from: u64) -> Column {
        let is_new = |index: usize, noted: &Noted| {
            noted.nanos >= from && old(index).and_then(|old| before.noted.get(old).copied().flatten()) != Some(*noted)
        };
        let noted = self.noted.iter().enumerate();
        noted.map(|(index, noted)| noted.filter(|noted| is_new(index, noted))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::exemplar::{Slot, WORDS};

    #[test]
    fn what_is_from_the_future_is_left_out() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let found = [now, now + 60 * YOUTH, u64::MAX].map(|nanos| {
            let cells: [Cell; WORDS] = std::array::from_fn(|_| Cell::new());
            Slot::new(&cells).offer(&Noted { value: 7, nanos, trace: [1, 2], span: 3 });
            let mut to = Vec::new();
            gather(&cells, &mut to);
            to.len()
        });
        assert_eq!(found, [1, 0, 0]);
    }
}
