//! How the tables of the profiles are written: a row per family.

use crate::Unit;
use crate::collect::view::{Rule, Source, ViewFamily, ViewKind};

/// Labels with their values.
pub(super) type Values = &'static [(&'static str, &'static str)];

/// A family of a profile.
#[derive(Debug)]
pub(super) struct Row(ViewFamily);

impl Row {
    fn new(kind: ViewKind, name: &'static str, help: &'static str) -> Self {
        Self(ViewFamily {
            name,
            help,
            kind,
            unit: Unit::None,
            labels: &[],
            const_labels: Vec::new(),
            ladder: None,
            power: 0,
            sources: Vec::new(),
        })
    }

    /// A counter, of counters. The exposition gives it its `_total`.
    pub(super) fn counter(name: &'static str, help: &'static str) -> Self {
        Self::new(ViewKind::Counter, name, help)
    }

    /// A gauge.
    pub(super) fn gauge(name: &'static str, help: &'static str) -> Self {
        Self::new(ViewKind::Gauge, name, help)
    }

    /// A distribution of times in seconds, with bounds in seconds, of recordings in milliseconds.
    pub(super) fn seconds(name: &'static str, help: &'static str, ladder: &[f64]) -> Self {
        let mut row = Self::sizes(name, help, ladder);
        row.0.unit = Unit::Seconds;
        row.0.power = -3;
        row
    }

    /// A distribution of plain numbers.
    pub(super) fn sizes(name: &'static str, help: &'static str, ladder: &[f64]) -> Self {
        let mut row = Self::new(ViewKind::Histogram, name, help);
        row.0.ladder = Some(ladder.to_vec());
        row
    }

    /// In another unit than its recordings: one of theirs is `10^power` of its own.
    pub(super) fn power(mut self, power: i32) -> Self {
        self.0.power = power;
        self
    }

    /// With these labels. Each source then says where it takes them from.
    pub(super) fn by(mut self, labels: &'static [&'static str]) -> Self {
        self.0.labels = labels;
        self
    }

    /// Made of a recording: of all its series, added up.
    pub(super) fn of(self, metric: &'static str) -> Self {
        self.part(metric, &[], &[])
    }

    /// Made of those series of a recording that have these label values.
    pub(super) fn of_only(self, metric: &'static str, only: Values) -> Self {
        self.part(metric, only, &[])
    }

    /// Made of those series of a recording that have these label values, with labels by these rules, one for each.
    pub(super) fn part(mut self, metric: &'static str, only: Values, rules: &[Rule]) -> Self {
        self.0.sources.push(Source { metric, only, labels: rules.to_vec() });
        self
    }

    fn finish(self, constant: &[(&str, &str)]) -> ViewFamily {
        let const_labels = constant.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        ViewFamily { const_labels, ..self.0 }
    }
}

/// Families that have the same constant labels.
pub(super) fn table(constant: &[(&str, &str)], rows: impl IntoIterator<Item = Row>) -> Vec<ViewFamily> {
    rows.into_iter().map(|row| row.finish(constant)).collect()
}
