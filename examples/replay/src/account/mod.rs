//! The plain account: what the engine knows happened, in vectors and maps. No code of tach's is in here.

mod book;
mod life;

pub(crate) use book::{Blank, Book};
pub(crate) use life::Limits;

use std::collections::HashMap;

/// Label names and values, in the catalogue's order; empty names are none.
pub(crate) type Labels = [(&'static str, &'static str); 2];

/// No labels.
pub(crate) const BARE: Labels = [("", ""); 2];

/// One label.
pub(crate) const fn by(name: &'static str, value: &'static str) -> Labels {
    [(name, value), ("", "")]
}

/// What happened to a series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    Count(u64),
    Level(i64),
    /// The last value that each thread set: the last of all is one of them.
    Last(Vec<f64>),
    /// Every value of a distribution, in ticks.
    Values(Vec<u64>),
}

/// Everything that happened, by name and labels.
#[derive(Debug, Default)]
pub(crate) struct Account {
    series: HashMap<(&'static str, Labels), Entry>,
    /// The two series with a value per token, which are too many to be looked up one by one.
    itl: Vec<u64>,
    itl_per_token: Vec<u64>,
    limits: Limits,
    /// When the thread's last step was over.
    last_step: u64,
}

impl Account {
    /// The accounts of all threads as one.
    pub(crate) fn merged(accounts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for mut account in accounts {
            account.close();
            for (key, entry) in account.series {
                match all.series.get_mut(&key) {
                    Some(there) => there.join(entry),
                    None => _ = all.series.insert(key, entry),
                }
            }
        }
        all
    }

    /// Moves the series that were kept apart to the others.
    fn close(&mut self) {
        for (name, values) in [("itl", &mut self.itl), ("itl_per_token", &mut self.itl_per_token)] {
            if !values.is_empty() {
                self.series.insert((name, BARE), Entry::Values(std::mem::take(values)));
            }
        }
    }

    /// All series, ordered by name and labels, and the values of each distribution in ascending order.
    pub(crate) fn into_sorted(self) -> Vec<(&'static str, Labels, Entry)> {
        let mut series: Vec<_> = self.series.into_iter().map(|((name, labels), entry)| (name, labels, entry)).collect();
        series.sort_by_key(|(name, labels, _)| (*name, *labels));
        for (.., entry) in &mut series {
            if let Entry::Values(values) = entry {
                values.sort_unstable();
            }
        }
        series
    }
}

impl Entry {
    fn join(&mut self, other: Self) {
        match (self, other) {
            (Self::Count(here), Self::Count(there)) => *here += there,
            (Self::Level(here), Self::Level(there)) => *here += there,
            (Self::Last(here), Self::Last(there)) => here.extend(there),
            (Self::Values(here), Self::Values(there)) => here.extend(there),
            (here, there) => panic!("one name for two kinds: {here:?} and {there:?}"),
        }
    }
}
