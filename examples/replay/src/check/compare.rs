//! Compares a snapshot with an account: every series of every instrument.

use super::distribution;
use crate::account::{Entry, Labels};
use std::collections::HashMap;
use std::fmt::Debug;
use tach::Snapshot;
use tach::serve::{Instrument, Kind, catalogue};

/// What a comparison found.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// Series that have something recorded.
    pub(super) series: usize,
    /// Values compared.
    pub(super) compared: u64,
    pub(super) problems: Vec<String>,
}

impl Comparison {
    pub(super) fn equal<T: PartialEq + Debug>(&mut self, what: &str, recorded: T, account: T) {
        self.that(recorded == account, || format!("{what}: recorded {recorded:?}, the account has {account:?}"));
    }

    pub(super) fn that(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        self.compared += 1;
        if !holds {
            self.problems.push(problem());
        }
    }

    /// What another comparison of the same series found, with `place` before its problems.
    pub(super) fn add(&mut self, place: &str, other: Self) {
        self.compared += other.compared;
        self.problems.extend(other.problems.into_iter().map(|problem| format!("{place}: {problem}")));
    }
}

/// A series of the account.
pub(super) type Row = (&'static str, Labels, Entry);

/// A snapshot, and how its series are told apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// What the label `process` of a gauge is, where a directory's reader has given it one.
    pub(super) process: Option<&'a str>,
}

impl View<'_> {
    fn gauge(&self, row: &Instrument, labels: &[(&str, &str)]) -> Option<f64> {
        // A level or an amount is a sum over the processes, and needs no such label.
        let process = self.process.filter(|_| row.kind == Kind::Value).map(|process| ("process", process));
        let labels: Vec<_> = labels.iter().copied().chain(process).collect();
        self.snapshot.gauge(&name(row), &labels)
    }
}

/// `account` as it is when sorted; `seen` are the levels that were above zero at some time.
pub(super) fn compare(account: &[Row], view: View<'_>, seen: &[&str]) -> Comparison {
    let mut comparison = Comparison::default();
    let mut by_name: HashMap<&str, Vec<(&Labels, &Entry)>> = HashMap::new();
    for (name, labels, entry) in account {
        by_name.entry(name).or_default().push((labels, entry));
    }
    for row in catalogue() {
        let entries = by_name.remove(row.name).unwrap_or_default();
        let told = match row.kind {
            Kind::Delta if seen.contains(&row.name) => true,
            Kind::Value | Kind::Amount if seen.contains(&row.name) => true,
            _ => entries.iter().any(|(_, entry)| tells(entry)),
        };
        comparison.that(told, || format!("{}: nothing is recorded of this instrument", row.name));
        no_others(&mut comparison, row, &entries, view);
        for (labels, entry) in entries {
            comparison.series += 1;
            one(&mut comparison, row, labels, entry, view);
        }
    }
    for name in by_name.into_keys() {
        comparison.that(false, || format!("{name}: the catalogue has no such instrument"));
    }
    comparison
}

/// Whether there is anything that can be told from a series that was never recorded to.
fn tells(entry: &Entry) -> bool {
    match entry {
        Entry::Count(n) => *n > 0,
        Entry::Level(n) => *n != 0,
        Entry::Last(values) => values.iter().all(|value| *value != 0.0),
        Entry::Values(values) => !values.is_empty(),
    }
}

fn name(row: &Instrument) -> String {
    format!("maxserve.{}", row.name)
}

fn one(comparison: &mut Comparison, row: &Instrument, labels: &Labels, entry: &Entry, view: View<'_>) {
    let labels: Vec<_> = labels.iter().copied().filter(|(name, _)| !name.is_empty()).collect();
    let what = describe(row, &labels);
    let View { snapshot, .. } = view;
    let name = name(row);
    match entry {
        Entry::Count(n) => comparison.equal(&what, snapshot.counter(&name, &labels), Some(*n)),
        Entry::Level(n) => comparison.equal(&what, view.gauge(row, &labels), Some(*n as f64)),
        Entry::Last(values) => {
            let recorded = view.gauge(row, &labels);
            // Where the account divides in another order, the last bit may differ.
            let near = |value: &f64| recorded.is_some_and(|it| (it - value).abs() <= 1e-12 * value.abs());
            comparison.that(values.iter().any(near), || {
                format!("{what}: recorded {recorded:?}, the threads set {values:?} last")
            });
        }
        Entry::Values(values) => match snapshot.histogram(&name, &labels) {
            Some(histogram) => distribution::compare(comparison, &what, &row.ladder, histogram, values),
            None => comparison.that(false, || format!("{what}: no such series, the account has {}", values.len())),
        },
    }
}

/// The series that the account does not have are empty: of an instrument without labels, or with closed ones only.
fn no_others(comparison: &mut Comparison, row: &Instrument, entries: &[(&Labels, &Entry)], view: View<'_>) {
    let mut sets: Vec<Vec<(&str, &str)>> = vec![Vec::new()];
    for label in row.labels {
        let Some(values) = label.values() else { return };
        let longer = |set: &Vec<_>| -> Vec<_> {
            values.iter().map(|value| set.iter().copied().chain([(label.name(), *value)]).collect()).collect()
        };
        sets = sets.iter().flat_map(longer).collect();
    }
    let View { snapshot, .. } = view;
    let name = name(row);
    for set in sets {
        let accounted =
            |(labels, _): &(&Labels, &Entry)| labels.iter().filter(|(name, _)| !name.is_empty()).eq(set.iter());
        if entries.iter().any(accounted) {
            continue;
        }
        let empty = match row.kind {
            Kind::Event | Kind::Count => snapshot.counter(&name, &set).unwrap_or(0) == 0,
            Kind::Delta | Kind::Value | Kind::Amount => view.gauge(row, &set).unwrap_or(0.0) == 0.0,
            _ => snapshot.histogram(&name, &set).is_none_or(|h| h.count() == 0),
        };
        comparison.that(empty, || format!("{}: recorded, and the account has no such series", describe(row, &set)));
    }
}

fn describe(row: &Instrument, labels: &[(&str, &str)]) -> String {
    let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    if labels.is_empty() { row.name.to_owned() } else { format!("{}{{{}}}", row.name, labels.join(", ")) }
}
