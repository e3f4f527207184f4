//! Several segments' readings as one set of families: totals over all of them, gauges over those that live.

use super::exact::Exact;
use crate::bucket::Grid;
use crate::collect::{FamilySnapshot, HistogramSnapshot, Sums, Values, exemplar};
use crate::describe::{Aggregate, Descriptor, LabelSets, LabelValues, PROCESS};
use crate::reader::{Info, Reading};
use crate::segment::record::GridRecord;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// The most values of a histogram, which a segment can hold.
const COUNT_MAX: u64 = i64::MAX as u64;

/// Merges readings, again and again: what was worked out for a family holds for as long as its series are the same.
#[derive(Debug, Default)]
pub(super) struct Merger {
    plans: BTreeMap<String, Plan>,
    sums: Sums,
}

/// What merging gives.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// In ascending order of the exposed base name.
    pub(super) families: Vec<FamilySnapshot>,
    /// What has been left out: the file, and what of it and why.
    pub(super) faults: Vec<(PathBuf, String)>,
}

/// What is merged for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be shown.
    Show,
    /// To be kept when the segments are gone: totals only, and not below what they are.
    Fold,
}

/// One segment's part in a family.
#[derive(Clone, Copy)]
struct Part<'a> {
    reading: &'a Reading,
    family: &'a FamilySnapshot,
    /// When its gauges were set.
    set: &'a [u64],
    process: Option<&'a Arc<str>>,
}

impl Merger {
    /// Merges. Of segments that describe a metric differently the first one's description counts.
    pub(super) fn merge(&mut self, readings: &[&Reading], purpose: Purpose) -> Merged {
        let processes = processes(readings.iter().map(|reading| &reading.info));
        let mut parts: BTreeMap<&str, Vec<Part<'_>>> = BTreeMap::new();
        for (&reading, process) in readings.iter().zip(&processes) {
            for (index, family) in reading.snapshot.families().iter().enumerate() {
                let is_total =
                    matches!(family.values, Values::Counter(_) | Values::FloatCounter(_) | Values::Histogram(_));
                if is_total || purpose == Purpose::Show && reading.info.life.is_alive() {
                    let set = reading.set.get(index).map_or(&[][..], |set| set);
                    let part = Part { reading, family, set, process: process.as_ref() };
                    parts.entry(&family.desc.base).or_default().push(part);
                }
            }
        }
        let mut merged = Merged::default();
        let mut old = std::mem::take(&mut self.plans);
        for (base, parts) in parts {
            let plan = match old.remove(base) {
                Some(plan) if plan.holds(&parts) => plan,
                old => Plan::new(&parts, old),
            };
            for (part, input) in parts.iter().zip(&plan.inputs) {
                if let Some(fault) = &input.fault {
                    merged.faults.push((part.reading.info.path.clone(), format!("{base} is left out: {fault}")));
                }
            }
            merged.families.push(plan.family(&parts, purpose, &mut self.sums, &mut merged.faults));
            self.plans.insert(base.to_owned(), plan);
        }
        merged
    }
}

/// How the processes that live are told apart: by their names, and where these are the same by pid, or the id, too.
fn processes<'a>(infos: impl Iterator<Item = &'a Info>) -> Vec<Option<Arc<str>>> {
    let mut names: Vec<(Option<String>, &Info, u32)> =
        infos.map(|info| (info.life.is_alive().then(|| info.name.clone()), info, 0)).collect();
    for _ in 0..3 {
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        names
            .iter()
            .filter_map(|(name, ..)| name.as_ref())
            .for_each(|name| *seen.entry(name.clone()).or_default() += 1);
        for (name, info, level) in &mut names {
            let Some(name) = name.as_mut().filter(|name| seen[&**name] > 1) else { continue };
            *level += 1;
            *name = match *level {
                1 => format!("{}-{}", info.name, info.pid),
                2 => format!("{}-{}-{:08x}", info.name, info.pid, info.id[0] >> 32),
                _ => format!("{}-{}-{:016x}{:016x}", info.name, info.pid, info.id[0], info.id[1]),
            };
        }
    }
    names.into_iter().map(|(name, ..)| name.map(Arc::from)).collect()
}

/// What a family is made of, and into which of its series each series of its parts goes.
#[derive(Debug)]
struct Plan {
    inputs: Vec<Input>,
    desc: Arc<Descriptor>,
    labels: Arc<LabelSets>,
}

/// A part as it was when the plan was made.
#[derive(Debug)]
struct Input {
    desc: Arc<Descriptor>,
    labels: Arc<LabelSets>,
    process: Option<Arc<str>>,
    /// By series of the part. None at all where it is left out.
    targets: Vec<usize>,
    /// Why it is left out.
    fault: Option<String>,
}

impl Plan {
    fn holds(&self, parts: &[Part<'_>]) -> bool {
        let same = |(input, part): (&Input, &Part<'_>)| {
            Arc::ptr_eq(&input.labels, &part.family.labels)
                && Arc::ptr_eq(&input.desc, &part.family.desc)
                && input.process.as_ref() == part.process
        };
        self.inputs.len() == parts.len() && self.inputs.iter().zip(parts).all(same)
    }

    /// The plan for `parts`, of which there is one at least. Where the series are those of `old` they are the same ones.
    fn new(parts: &[Part<'_>], old: Option<Self>) -> Self {
        let first = &parts[0].family;
        let faults: Vec<_> = parts.iter().map(|part| difference(first, part.family)).collect();
        let used = || parts.iter().zip(&faults).filter(|(_, fault)| fault.is_none()).map(|(part, _)| part);
        let of = &first.desc;
        // What is constant in each process and not in all of them tells series apart.
        let names: BTreeSet<&String> =
            used().flat_map(|part| part.family.desc.const_labels.iter().map(|(name, _)| name)).collect();
        let differing: Vec<&String> = names
            .iter()
            .copied()
            .filter(|name| !of.labels.contains(name))
            .filter(|name| used().any(|part| constant(&part.family.desc, name) != constant(of, name)))
            .collect();
        let is_per_process = matches!(first.values, Values::Gauge(_)) && of.aggregate == Aggregate::PerProcess;
        let is_free = |name: &&&str| !of.labels.iter().chain(names.iter().copied()).any(|taken| taken == *name);
        let process = PROCESS.iter().find(is_free).filter(|_| is_per_process);
        let constants = of.const_labels.iter().filter(|(name, _)| !differing.contains(&name));
        let labels = differing.iter().copied().chain(&of.labels).cloned();
        let desc = Descriptor {
            name: of.name.clone(),
            base: of.base.clone(),
            dotted: of.dotted.clone(),
            help: of.help.clone(),
            labels: labels.chain(process.map(|&process| process.to_owned())).collect(),
            label_set: None,
            const_labels: constants.cloned().collect(),
            // Two snapshots' series are the same if their values are.
            limit: usize::MAX,
            grid: of.grid.clone(),
            ..**of
        };
        let set = |part: &Part<'_>, own: &LabelValues| -> LabelValues {
            if differing.is_empty() && process.is_none() {
                return Arc::clone(own);
            }
            let extra = differing.iter().map(|name| Box::from(constant(&part.family.desc, name)));
            let process = process.and(part.process).map(|process| Box::from(&**process));
            extra.chain(own.iter().cloned()).chain(process).collect()
        };
        let mut series = BTreeMap::new();
        for part in used() {
            let labels = &part.family.labels;
            for (own, began) in labels.sets.iter().zip(&labels.began) {
                let first = series.entry(set(part, own)).or_insert(*began);
                *first = (*first).min(*began);
            }
        }
        let mut labels = Arc::new(LabelSets::new(series));
        let mut desc = Arc::new(desc);
        if let Some(old) = old.filter(|old| is_same(&old.desc, &desc)) {
            if old.labels.sets == labels.sets && old.labels.began == labels.began {
                labels = old.labels;
            }
            desc = old.desc;
        }
        let targets = |part: &Part<'_>| -> Vec<usize> {
            let sets = part.family.labels.sets.iter();
            sets.filter_map(|own| labels.sets.binary_search(&set(part, own)).ok()).collect()
        };
        let input = |(part, fault): (&Part<'_>, Option<String>)| Input {
            desc: Arc::clone(&part.family.desc),
            labels: Arc::clone(&part.family.labels),
            process: part.process.cloned(),
            targets: if fault.is_none() { targets(part) } else { Vec::new() },
            fault,
        };
        let inputs = parts.iter().zip(faults).map(input).collect();
        Self { inputs, desc, labels }
    }

    fn family(
        &self,
        parts: &[Part<'_>],
        purpose: Purpose,
        sums: &mut Sums,
        faults: &mut Vec<(PathBuf, String)>,
    ) -> FamilySnapshot {
        let len = self.labels.sets.len();
        let values = match &parts[0].family.values {
            Values::Counter(_) => {
                let mut totals = vec![0_u64; len];
                self.each(
                    parts,
                    counters,
                    |total: &mut u64, value, _| *total = total.saturating_add(*value),
                    &mut totals,
                );
                Values::Counter(totals.into())
            }
            Values::FloatCounter(_) => {
                let mut totals = vec![Exact::default(); len];
                self.each(parts, floats, |total: &mut Exact, value, _| total.add(*value), &mut totals);
                let total = if purpose == Purpose::Fold { Exact::not_below } else { Exact::nearest };
                Values::FloatCounter(totals.iter().map(total).collect())
            }
            Values::UpDown(_) => {
                let mut totals = vec![0_i64; len];
                self.each(
                    parts,
                    up_downs,
                    |total: &mut i64, value, _| *total = total.wrapping_add(*value),
                    &mut totals,
                );
                Values::UpDown(totals.into())
            }
            Values::Gauge(_) => Values::Gauge(self.gauges(parts).into()),
            Values::Histogram(_) => Values::Histogram(self.histograms(parts, sums, faults)),
            // In no segment.
            Values::Summary(_) => Values::Summary(Vec::new()),
        };
        let noted = parts.iter().zip(&self.inputs).flat_map(|(part, input)| {
            let noted = part.family.noted.iter().zip(&input.targets);
            noted.filter_map(|(noted, target)| Some(*target).zip(*noted))
        });
        let noted = exemplar::combine(len, noted);
        FamilySnapshot { desc: Arc::clone(&self.desc), labels: Arc::clone(&self.labels), values, noted }
    }

    /// Has `add` add each value of the parts to the total of its series.
    fn each<'a, T: 'a, S>(
        &self,
        parts: &[Part<'a>],
        values: fn(&Values) -> &[T],
        add: impl Fn(&mut S, &'a T, (&Part<'a>, usize)),
        totals: &mut [S],
    ) {
        for (part, input) in parts.iter().zip(&self.inputs) {
            for (index, (value, &target)) in values(&part.family.values).iter().zip(&input.targets).enumerate() {
                add(&mut totals[target], value, (part, index));
            }
        }
    }

    fn gauges(&self, parts: &[Part<'_>]) -> Vec<f64> {
        // The value, and when it was set.
        let mut values: Vec<Option<(f64, u64)>> = vec![None; self.labels.sets.len()];
        let aggregate = self.desc.aggregate;
        let add = |so_far: &mut Option<(f64, u64)>, &value: &f64, (part, index): (&Part<'_>, usize)| {
            let set = part.set.get(index).copied().unwrap_or(0);
            let Some((before, set_before)) = *so_far else {
                *so_far = Some((value, set));
                return;
            };
            *so_far = Some(match aggregate {
                Aggregate::Sum => (before + value, 0),
                Aggregate::Max => (before.max(value), 0),
                Aggregate::Min => (before.min(value), 0),
                // At one time the first one stays, which is the newer segment's.
                Aggregate::Last if set > set_before => (value, set),
                Aggregate::Last | Aggregate::PerProcess => (before, set_before),
            });
        };
        self.each(parts, gauges, add, &mut values);
        values.into_iter().map(|value| value.map_or(f64::NAN, |(value, _)| value)).collect()
    }

    fn histograms(
        &self,
        parts: &[Part<'_>],
        sums: &mut Sums,
        faults: &mut Vec<(PathBuf, String)>,
    ) -> Vec<HistogramSnapshot> {
        // By series, so that one histogram's cells are added up at a time.
        let mut members: Vec<Vec<(&Part<'_>, &HistogramSnapshot)>> = vec![Vec::new(); self.labels.sets.len()];
        for (part, input) in parts.iter().zip(&self.inputs) {
            for (histogram, &target) in part.family.values.histograms().iter().zip(&input.targets) {
                members[target].push((part, histogram));
            }
        }
        let mut merge = |members: Vec<(&Part<'_>, &HistogramSnapshot)>| {
            let grid = members.first()?.1.grid();
            let mut merged: Option<HistogramSnapshot> = None;
            // One that is empty, which most of a fleet may be, adds nothing.
            for (part, histogram) in members.iter().filter(|(_, histogram)| histogram.count() > 0) {
                let before = merged.as_ref().map_or(0, HistogramSnapshot::count);
                if before.checked_add(histogram.count()).is_none_or(|count| count > COUNT_MAX) {
                    let base = &self.desc.base;
                    let text = format!("a series of {base} is left out: with others it would hold 2^63 values or more");
                    faults.push((part.reading.info.path.clone(), text));
                } else if let Some(merged) = &mut merged {
                    merged.absorb(histogram, sums);
                } else {
                    merged = Some((*histogram).clone());
                }
            }
            let mut merged = merged.unwrap_or_else(|| HistogramSnapshot::empty(Arc::clone(grid)));
            merged.finish(sums);
            Some(merged)
        };
        members.into_iter().filter_map(&mut merge).collect()
    }
}

fn counters(values: &Values) -> &[u64] {
    if let Values::Counter(values) = values { values } else { &[] }
}

fn floats(values: &Values) -> &[f64] {
    if let Values::FloatCounter(values) = values { values } else { &[] }
}

fn up_downs(values: &Values) -> &[i64] {
    if let Values::UpDown(values) = values { values } else { &[] }
}

fn gauges(values: &Values) -> &[f64] {
    if let Values::Gauge(values) = values { values } else { &[] }
}

/// The value of a constant label; an absent one is an empty one.
fn constant<'a>(desc: &'a Descriptor, name: &str) -> &'a str {
    desc.const_labels.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
}

/// Why `other` cannot be added to `first`.
fn difference(first: &FamilySnapshot, other: &FamilySnapshot) -> Option<String> {
    let (a, b) = (&first.desc, &other.desc);
    let what = if std::mem::discriminant(&first.values) != std::mem::discriminant(&other.values) {
        format!("it is a {} here and a {} in a newer segment", b.kind, a.kind)
    } else if a.labels != b.labels {
        format!("its labels are {:?} here and {:?} in a newer segment", b.labels, a.labels)
    } else if matches!(first.values, Values::Gauge(_)) && a.aggregate != b.aggregate {
        format!("its aggregate is {:?} here and {:?} in a newer segment", b.aggregate, a.aggregate)
    } else if !is_same_grid(a.grid.as_ref(), b.grid.as_ref()) {
        "its buckets, digits, maximum or tick are not those of a newer segment".to_owned()
    } else {
        return None;
    };
    Some(what)
}

fn is_same_grid(a: Option<&Arc<Grid>>, b: Option<&Arc<Grid>>) -> bool {
    let same = |(a, b): (&Arc<Grid>, &Arc<Grid>)| Arc::ptr_eq(a, b) || GridRecord::of(a) == GridRecord::of(b);
    a.zip(b).map_or(a.is_none() && b.is_none(), same)
}

/// Whether two descriptions say the same, in words and numbers.
fn is_same(a: &Descriptor, b: &Descriptor) -> bool {
    a.base == b.base && a.const_labels == b.const_labels && a.dotted == b.dotted && a.difference(b).is_none()
}
