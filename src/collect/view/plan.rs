//! How one family of a view is made out of a snapshot, worked out once for as long as the sources have the same series.

use super::super::exemplar;
use super::super::histogram::{HistogramSnapshot, Sums};
use super::super::snapshot::{Column, FamilySnapshot, Snapshot, Values};
use super::lives::Lives;
use super::table::{Rule, Source, ViewFamily, ViewKind, cells, places, process};
use crate::bucket::{Grid, Ladder};
use crate::describe::{Descriptor, Kind, LabelSets, LabelValues};
use smallvec::smallvec;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a family is made of, and into which of its series each series of its sources goes.
#[derive(Debug)]
pub(super) struct Plan {
    desc: Arc<Descriptor>,
    labels: Arc<LabelSets>,
    /// `None`: it is not there.
    sources: Vec<Option<Taken>>,
    /// For histograms.
    cells: Option<(Arc<Grid>, Arc<Ladder>)>,
}

/// One source as it was in the snapshot for which the plan was made.
#[derive(Debug)]
pub(super) struct Taken {
    /// Its place among the families, where it is found again without a search.
    at: usize,
    desc: Arc<Descriptor>,
    pub(super) labels: Arc<LabelSets>,
    /// Of each of its series, the place among the view's. None at all where it does not fit.
    pub(super) targets: Vec<Option<usize>>,
}

impl Taken {
    /// The series with these label values that is the same one.
    pub(super) fn index(&self, set: &LabelValues) -> Option<usize> {
        self.labels.sets.binary_search(set).ok().filter(|index| self.is_same(*index, set))
    }

    /// Whether a series is the one that has this label set; without a limit it is by its values.
    pub(super) fn is_same(&self, index: usize, set: &LabelValues) -> bool {
        self.desc.limit == usize::MAX || Arc::ptr_eq(&self.labels.sets[index], set)
    }
}

impl Plan {
    /// The plan for `base`. Series that there were in other snapshots have the label sets that they had there.
    pub(super) fn new(family: &ViewFamily, base: &Snapshot, lives: &mut Lives) -> Self {
        let mut mapped: Vec<Option<Vec<Option<LabelValues>>>> = Vec::new();
        let mut sources: Vec<Option<Taken>> = Vec::new();
        let mut found: Option<(&Arc<Grid>, &Ladder)> = None;
        let there = family.sources.iter().filter_map(|rules| position(base, rules.metric, 0));
        let by = family.process(&there.map(|at| &base.families()[at].desc).collect::<Vec<_>>());
        for rules in family.sources.iter() {
            let at = position(base, rules.metric, 0);
            let source = at.map(|at| &base.families()[at]);
            let fitting = source.filter(|source| family.has_kind(&source.desc) && has_ticks(source, found));
            let here = fitting.and_then(cells);
            if found.is_none_or(|(grid, _)| here.is_some_and(|(here, _)| here.layout().max() > grid.layout().max())) {
                found = here.or(found);
            }
            mapped.push(fitting.and_then(|source| map(rules, source, by)));
            sources.push(at.zip(source).map(|(at, source)| Taken {
                at,
                desc: Arc::clone(&source.desc),
                labels: Arc::clone(&source.labels),
                targets: Vec::new(),
            }));
        }
        let sets: BTreeSet<LabelValues> = mapped.iter().flatten().flatten().flatten().cloned().collect();
        let sets: Vec<_> = sets.into_iter().collect();
        for (source, mapped) in sources.iter_mut().zip(mapped) {
            if let (Some(source), Some(mapped)) = (source, mapped) {
                let target = |set: Option<LabelValues>| sets.binary_search(&set?).ok();
                source.targets = mapped.into_iter().map(target).collect();
            }
        }
        let cells = found.map(|(grid, declared)| (Arc::clone(grid), Arc::new(family.ladder(grid, declared))));
        let descs: Vec<_> = sources.iter().flatten().map(|source| &source.desc).collect();
        let desc = Arc::new(family.describe(kind(family, &descs), &descs));
        let off = lives.off(&sets, &sources);
        let labels = LabelSets { off, ..LabelSets::new(lives.find(sets, &sources, base.time())) };
        Self { desc, labels: Arc::new(labels), sources, cells }
    }

    /// Whether this is the plan for `base` too; finds the sources in it.
    pub(super) fn holds(&mut self, family: &ViewFamily, base: &Snapshot) -> bool {
        self.sources.iter_mut().zip(family.sources.iter()).all(|(taken, rules)| {
            let at = position(base, rules.metric, taken.as_ref().map_or(0, |taken| taken.at));
            let (Some(taken), Some(at)) = (taken.as_mut(), at) else { return taken.is_none() && at.is_none() };
            taken.at = at;
            let source = &base.families()[at];
            Arc::ptr_eq(&source.labels, &taken.labels) && Arc::ptr_eq(&source.desc, &taken.desc)
        })
    }

    /// The family out of `base`, for which this is the plan.
    pub(super) fn family(&self, family: &ViewFamily, base: &Snapshot, sums: &mut Sums) -> Option<FamilySnapshot> {
        if self.labels.sets.is_empty() {
            return None;
        }
        let values = match self.desc.kind {
            Kind::Histogram => Values::Histogram(self.histograms(base, sums)?),
            Kind::Counter => {
                let add = |sum: u64, (values, index): (&Values, usize)| match values {
                    Values::Counter(values) => sum.wrapping_add(values[index]),
                    _ => sum,
                };
                Values::Counter(self.fold(base, 0, add))
            }
            Kind::UpDownCounter => {
                let add = |sum: i64, (values, index): (&Values, usize)| match values {
                    Values::UpDown(values) => sum.wrapping_add(values[index]),
                    _ => sum,
                };
                Values::UpDown(self.fold(base, 0, add))
            }
            kind => {
                let sums = self.floats(base).into_iter();
                if kind.is_counter() {
                    Values::FloatCounter(sums.map(|sum| limited(shift(sum, family.power), sum.is_finite())).collect())
                } else {
                    Values::Gauge(sums.map(|sum| shift(sum, family.power)).collect())
                }
            }
        };
        // Amounts in another unit are other amounts.
        let is_amount = self.desc.kind.is_counter() && family.power == 0;
        let noted = if is_amount { self.noted(base) } else { Default::default() };
        Some(FamilySnapshot { desc: Arc::clone(&self.desc), labels: Arc::clone(&self.labels), values, noted })
    }

    /// The exemplars of counters.
    fn noted(&self, base: &Snapshot) -> exemplar::Column {
        let noted = self.sources.iter().flatten().flat_map(|source| {
            let noted = base.families()[source.at].noted.iter().zip(&source.targets);
            noted.filter_map(|(noted, target)| target.zip(*noted))
        });
        exemplar::combine(self.labels.sets.len(), noted)
    }

    fn floats(&self, base: &Snapshot) -> Column<f64> {
        // Minus zero adds nothing even to minus zero.
        self.fold(base, -0.0, |sum, (values, index)| match values {
            Values::Counter(values) => sum + values[index] as f64,
            Values::FloatCounter(values) => limited(sum + values[index], sum.is_finite() && values[index].is_finite()),
            Values::Gauge(values) => sum + values[index],
            Values::UpDown(values) => sum + values[index] as f64,
            Values::Histogram(_) | Values::Summary(_) => sum,
        })
    }

    /// One value for each series: what `add` makes of `zero` and the sources' series that go there.
    fn fold<T: Copy>(&self, base: &Snapshot, zero: T, add: impl Fn(T, (&Values, usize)) -> T) -> Column<T> {
        let mut sums: Column<T> = smallvec![zero; self.labels.sets.len()];
        for source in self.sources.iter().flatten() {
            let values = &base.families()[source.at].values;
            for (index, target) in source.targets.iter().enumerate() {
                if let Some(target) = *target {
                    sums[target] = add(sums[target], (values, index));
                }
            }
        }
        sums
    }

    fn histograms(&self, base: &Snapshot, sums: &mut Sums) -> Option<Vec<HistogramSnapshot>> {
        let (grid, ladder) = self.cells.as_ref()?;
        // Most have one member.
        let mut members: Vec<Column<HistogramSnapshot>> = vec![Column::new(); self.labels.sets.len()];
        for source in self.sources.iter().flatten() {
            let values = base.families()[source.at].values.histograms();
            for (histogram, target) in values.iter().zip(&source.targets) {
                if let Some(target) = *target {
                    members[target].push(histogram.viewed(grid, ladder));
                }
            }
        }
        let merged = members.into_iter().filter_map(|members| {
            let mut members = members.into_iter();
            let mut merged = members.next()?;
            members.for_each(|member| merged.absorb(&member, sums));
            merged.finish(sums);
            Some(merged)
        });
        Some(merged.collect())
    }
}

/// A total, which as in one process stays at the largest float; but where it is made of what is no number or infinite, so
/// is it, and nobody shows it.
fn limited(total: f64, is_finite: bool) -> f64 {
    if is_finite { total.min(f64::MAX) } else { total }
}

/// `value · 10^power`.
fn shift(value: f64, power: i32) -> f64 {
    // A power of ten is a whole number, and so exact, where it has no sign.
    let ten = 10_f64.powi(power.abs());
    if power < 0 { value / ten } else { value * ten }
}

/// The place of a metric among the families; at `hint` it is found at once.
fn position(base: &Snapshot, metric: &str, hint: usize) -> Option<usize> {
    let families = base.families();
    let is_it = |family: &FamilySnapshot| family.desc.name == metric;
    if families.get(hint).is_some_and(is_it) { Some(hint) } else { families.iter().position(is_it) }
}

/// Whether a source has ticks of the same size as what was found before it.
fn has_ticks(source: &FamilySnapshot, found: Option<(&Arc<Grid>, &Ladder)>) -> bool {
    cells(source).zip(found).is_none_or(|((_, here), (_, there))| here.scale() == there.scale())
}

/// Of each series of a source its label values in the view, last the one of `by`, where the family tells processes apart;
/// `None` where the source lacks a label.
fn map(rules: &Source, source: &FamilySnapshot, by: Option<&str>) -> Option<Vec<Option<LabelValues>>> {
    let (only, places) = places(rules, &source.desc)?;
    let map = |set: &LabelValues| -> Option<LabelValues> {
        if only.iter().zip(rules.only).any(|(&place, (_, value))| *set[place] != **value) {
            return None;
        }
        let value = |(rule, &place): (&Rule, &usize)| match rule {
            Rule::Same(_) => Some(set[place].clone()),
            Rule::Mapped(_, translate) => translate(&set[place]).map(Cow::into_owned).map(String::into_boxed_str),
            Rule::Constant(value) => Some((*value).into()),
        };
        let own = || set.last().filter(|_| process(&source.desc) == by).cloned().unwrap_or_default();
        rules.labels.iter().zip(&places).map(value).chain(by.map(|_| Some(own()))).collect()
    };
    Some(source.labels.sets.iter().map(map).collect())
}

/// The kind of metric that a family made of `sources` is: one of whole numbers where they all are.
fn kind(family: &ViewFamily, sources: &[&Arc<Descriptor>]) -> Kind {
    let fitting = || sources.iter().filter(|source| family.has_kind(source)).map(|source| source.kind);
    let is_plain = family.power == 0;
    let is_whole = |kind| matches!(kind, Kind::Counter | Kind::ObservedCounter);
    match family.kind {
        ViewKind::Counter if is_plain && fitting().all(is_whole) => Kind::Counter,
        ViewKind::Counter => Kind::FloatCounter,
        ViewKind::Gauge if is_plain && fitting().all(|kind| kind == Kind::UpDownCounter) => Kind::UpDownCounter,
        ViewKind::Gauge => Kind::Gauge,
        ViewKind::Histogram => Kind::Histogram,
    }
}
