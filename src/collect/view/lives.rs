//! Which series of a view's family are the same ones from one snapshot to another, in whatever order snapshots come:
//! those of two threads overtake each other, and one may be viewed again after later ones.

use super::plan::Taken;
use crate::describe::LabelValues;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// So many lives of a series are kept, and more only where somebody has a snapshot with them.
const KEPT: usize = 4;

/// The lives of all series, by their label values, in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct Lives {
    series: BTreeMap<LabelValues, Vec<Life>>,
    /// By source: when the newest list of its series was made, of those that were met.
    newest: Vec<Option<Instant>>,
}

/// A series for as long as none of its members is removed, and the same sources are there.
#[derive(Debug)]
struct Life {
    /// By which a snapshot's series is known to be of this life.
    set: LabelValues,
    /// `None`: with the first of its members.
    began: Option<SystemTime>,
    /// The sources that were not there when it began: what they have when they come may be from before.
    absent: Vec<usize>,
    /// The series that were met in it, by the place of their source; when the list was made that had each first.
    members: BTreeMap<(usize, LabelValues), Instant>,
}

/// What goes into a series of the view: the place of the source, and of its series there.
type Member = (usize, usize);

impl Lives {
    /// Of each of `sets`, the series of the view, the label set by which it is known, and when it began. `time` is when
    /// the snapshot was taken that has `sources`.
    pub(super) fn find(
        &mut self,
        sets: Vec<LabelValues>,
        sources: &[Option<Taken>],
        time: SystemTime,
    ) -> Vec<(LabelValues, SystemTime)> {
        let mut members: Vec<Vec<Member>> = vec![Vec::new(); sets.len()];
        for (place, source) in sources.iter().enumerate() {
            let targets = source.iter().flat_map(|source| source.targets.iter().enumerate());
            for (index, target) in targets.filter_map(|(index, target)| Some((index, (*target)?))) {
                members[target].push((place, index));
            }
        }
        if self.is_newest(sources) {
            self.forget(&sets, sources);
        }
        let each = sets.into_iter().zip(&members).enumerate();
        each.map(|(target, (set, members))| self.life(target, set, members, sources, time)).collect()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.series.len()
    }

    fn life(
        &mut self,
        target: usize,
        set: LabelValues,
        members: &[Member],
        sources: &[Option<Taken>],
        time: SystemTime,
    ) -> (LabelValues, SystemTime) {
        // Which of equal label values they are kept by, and is no snapshot's for that.
        let key = Arc::as_ptr(self.series.get_key_value(&set).map_or(&set, |(key, _)| key)).cast::<()>();
        let lives = self.series.entry(Arc::clone(&set)).or_default();
        let at = lives.iter().position(|life| life.is_of(target, members, sources)).unwrap_or_else(|| {
            // What went into an earlier one too has a total from before.
            let is_rest =
                lives.iter().any(|life| members.iter().any(|member| life.met(*member, sources) == Some(true)));
            let absent = (0..sources.len()).filter(|&place| sources[place].is_none()).collect();
            if lives.len() >= KEPT
                && let Some(spare) = lives.iter().position(|life| !life.is_held(key))
            {
                lives.remove(spare);
            }
            lives.push(Life { set, began: is_rest.then_some(time), absent, members: BTreeMap::new() });
            lives.len() - 1
        });
        let life = &mut lives[at];
        // What a source that has come has from now on was zero before.
        life.absent.retain(|&place| sources[place].is_none());
        let mut began = life.began.unwrap_or(time);
        for &(place, index) in members {
            let Some(source) = &sources[place] else { continue };
            let key = (place, Arc::clone(&source.labels.sets[index]));
            life.members.entry(key).or_insert(source.labels.listed);
            if life.began.is_none() {
                began = began.min(source.labels.began[index]);
            }
        }
        (Arc::clone(&life.set), began)
    }

    /// The series that are none of `sets` as a source is switched off.
    pub(super) fn off(&self, sets: &[LabelValues], sources: &[Option<Taken>]) -> Box<[LabelValues]> {
        if sources.iter().all(Option::is_some) {
            return Box::default();
        }
        let absent = self.series.iter().filter(|(set, _)| sets.binary_search(set).is_err());
        let lives = absent.flat_map(|(_, lives)| lives).filter(|life| life.is_off(sources));
        lives.map(|life| Arc::clone(&life.set)).collect()
    }

    /// Whether no source was met as it is later; and remembers it.
    fn is_newest(&mut self, sources: &[Option<Taken>]) -> bool {
        self.newest.resize(sources.len(), None);
        let mut is_newest = true;
        for (newest, source) in self.newest.iter_mut().zip(sources) {
            let Some(source) = source else { continue };
            is_newest &= newest.is_none_or(|newest| newest <= source.labels.listed);
            *newest = (*newest).max(Some(source.labels.listed));
        }
        is_newest
    }

    /// Forgets series that are gone, and that no snapshot has. What is switched off is not gone.
    fn forget(&mut self, sets: &[LabelValues], sources: &[Option<Taken>]) {
        self.series.retain(|set, lives| {
            sets.binary_search(set).is_ok()
                || lives.iter().any(|life| life.is_held(Arc::as_ptr(set).cast()) || life.is_off(sources))
        });
    }
}

impl Life {
    /// Whether the series `target` of the view, made of `members`, is in this life.
    fn is_of(&self, target: usize, members: &[Member], sources: &[Option<Taken>]) -> bool {
        let mut known = 0;
        let lasts = self.members.iter().all(|((place, set), met)| {
            let Some(source) = &sources[*place] else { return false };
            let there = source.index(set).filter(|index| source.targets.get(*index) == Some(&Some(target)));
            known += usize::from(there.is_some());
            // Not in an older list: it was not made yet. In a newer one: it was removed.
            there.is_some() || source.labels.listed < *met
        });
        let fits = |member: &Member| self.met(*member, sources).unwrap_or_else(|| !self.absent.contains(&member.0));
        lasts && (known == members.len() || members.iter().all(fits))
    }

    /// Whether it was met in this life; `None` where none with these label values was.
    fn met(&self, (place, index): Member, sources: &[Option<Taken>]) -> Option<bool> {
        let source = sources[place].as_ref()?;
        let key = (place, Arc::clone(&source.labels.sets[index]));
        self.members.get_key_value(&key).map(|((_, met), _)| source.is_same(index, met))
    }

    /// Whether what it is made of is switched off.
    fn is_off(&self, sources: &[Option<Taken>]) -> bool {
        self.members.keys().any(|(place, _)| sources[*place].is_none())
    }

    /// Whether somebody has a snapshot with it. `key` is what it is kept by.
    fn is_held(&self, key: *const ()) -> bool {
        Arc::strong_count(&self.set) > 1 + usize::from(Arc::as_ptr(&self.set).cast() == key)
    }
}
