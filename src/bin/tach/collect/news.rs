//! What happened in the directory since the last look, each thing once.

use super::super::human::{life, printable};
use std::collections::{BTreeMap, BTreeSet};
use tach::reader::{Info, Life};

#[derive(Debug, Default)]
pub(super) struct News {
    known: BTreeMap<[u64; 2], (String, Life)>,
    faults: BTreeSet<String>,
    is_keeper: Option<bool>,
}

impl News {
    /// A line for each.
    pub(super) fn of(&mut self, segments: &[Info], faults: &[String], is_keeper: bool) -> Vec<String> {
        let now = segments.iter().map(|info| {
            let name = format!("{} [{}]", printable(&info.name), info.pid);
            (info.id, (name, info.life))
        });
        self.change(now.collect(), faults, is_keeper)
    }

    fn change(&mut self, now: BTreeMap<[u64; 2], (String, Life)>, faults: &[String], is_keeper: bool) -> Vec<String> {
        let mut lines = Vec::new();
        for (id, (name, state)) in &now {
            match self.known.get(id) {
                None => lines.push(format!("{name}: {}", life(*state))),
                Some((_, before)) if before != state => lines.push(format!("{name}: {}", life(*state))),
                Some(_) => {}
            }
        }
        let gone = self.known.iter().filter(|(id, _)| !now.contains_key(*id));
        lines.extend(gone.map(|(_, (name, _))| format!("{name}: its file is gone, its totals are kept")));
        // The directory keeps a limited number of them, and so does this.
        self.faults.retain(|fault| faults.contains(fault));
        for fault in faults {
            if self.faults.insert(fault.clone()) {
                lines.push(printable(fault));
            }
        }
        if self.is_keeper.replace(is_keeper).is_some_and(|before| before != is_keeper) && is_keeper {
            lines.push("the other collector is gone: from now on this one removes files".to_owned());
        }
        self.known = now;
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_told_once() {
        let mut news = News::default();
        let with = |life| [([1, 0], ("worker [7]".to_owned(), life))].into();
        let fault = ["x.tach: cut\x1b".to_owned()];
        assert_eq!(news.change(with(Life::Running), &[], false), ["worker [7]: running"]);
        assert!(news.change(with(Life::Running), &[], false).is_empty());
        assert_eq!(news.change(with(Life::Died), &fault, false), ["worker [7]: died", "x.tach: cut\\u{1b}"]);
        assert!(news.change(with(Life::Died), &fault, false).is_empty());
        let gone = news.change(BTreeMap::new(), &fault, true);
        assert_eq!(gone[0], "worker [7]: its file is gone, its totals are kept");
        assert_eq!(gone[1], "the other collector is gone: from now on this one removes files");
        assert!(news.change(BTreeMap::new(), &fault, true).is_empty());
    }
}
