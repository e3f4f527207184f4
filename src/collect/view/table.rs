//! What a view is told: families, their sources, and how labels become labels.

use super::super::snapshot::FamilySnapshot;
use crate::bucket::{Bound, Grid, Ladder, Scale};
use crate::describe::{
    Aggregate, Descriptor, Escaping, Kind, Level, PROCESS, Unit, check_label, check_metric, same_label,
};
use crate::error::{Error, ErrorKind};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The largest power of ten between two units: far more than there is, and floats hold it exactly.
const POWER_MAX: u32 = 18;

/// What a family of a view is exposed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ViewKind {
    /// Of counters.
    Counter,
    /// Of anything but histograms.
    Gauge,
    /// Of histograms.
    Histogram,
}

/// A family of a view.
#[derive(Clone, Debug)]
pub(crate) struct ViewFamily {
    /// As a metric's own name: exposed with `_` for `.`, with the unit's suffix unless it has it already, and, where it
    /// is a counter, with `_total` once.
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) kind: ViewKind,
    pub(crate) unit: Unit,
    pub(crate) labels: &'static [&'static str],
    /// Besides those of the registry, over which these go, and `labels` over both.
    pub(crate) const_labels: Vec<(String, String)>,
    /// Bucket bounds in this family's unit, ascending, without `+Inf`; `None`: those of the source, converted.
    pub(crate) ladder: Option<Vec<f64>>,
    /// One of the sources' unit is `10^power` of this family's: -3 from milliseconds to seconds.
    pub(crate) power: i32,
    /// Series that meet in one label set are added up, histograms merged.
    pub(crate) sources: Vec<Source>,
}

/// A metric of the snapshot that a view is made of.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Its own name.
    pub(crate) metric: &'static str,
    /// Only series with these label values.
    pub(crate) only: &'static [(&'static str, &'static str)],
    /// One for each label of the view's family. Labels that none names are dropped, but the one that tells processes'
    /// gauges apart.
    pub(crate) labels: Vec<Rule>,
}

/// Where a label's value comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// The source's label of this name.
    Same(&'static str),
    /// As `Same`, then translated; series for which that gives `None` are left out.
    Mapped(&'static str, fn(&str) -> Option<Cow<'static, str>>),
    Constant(&'static str),
}

impl ViewFamily {
    /// The description, as a metric of `kind`, made of `sources`.
    pub(super) fn describe(&self, kind: Kind, sources: &[&Arc<Descriptor>]) -> Descriptor {
        let registry = sources.first().map_or(&[][..], |source| &source.const_labels);
        let is_free = |name: &String| {
            let own = self.const_labels.iter().map(|(own, _)| &**own);
            !self.labels.iter().map(|own| &**own).chain(own).any(|own| same_label(own, name))
        };
        let registry = registry.iter().filter(|(name, _)| is_free(name));
        let own = self.const_labels.iter().filter(|(name, _)| !self.labels.contains(&name.as_str()));
        Descriptor {
            name: self.name.to_owned(),
            base: Descriptor::base(None, self.name, kind, self.unit),
            utf8: sources.first().is_some_and(|source| source.utf8),
            dotted: Descriptor::dotted(None, self.name, kind),
            help: self.help.to_owned(),
            kind,
            unit: self.unit,
            level: sources.first().map_or(Level::None, |source| source.level),
            aggregate: Aggregate::default(),
            labels: self.labels.iter().copied().chain(self.process(sources)).map(str::to_owned).collect(),
            const_labels: registry.chain(own).cloned().collect(),
            // The engine's own have no limit, by which one tells that their label sets are made for each snapshot.
            limit: sources.iter().map(|source| source.limit).max().unwrap_or(0),
            label_set: None,
            grid: None,
            exemplars: false,
        }
    }

    /// The label by which the sources tell processes apart: the sum of their shares would be no share.
    pub(super) fn process(&self, sources: &[&Arc<Descriptor>]) -> Option<&'static str> {
        let is_free = |name: &&str| !self.labels.contains(name) && self.const_labels.iter().all(|(own, _)| own != name);
        let tells = |name: &&str| sources.iter().any(|source| process(source) == Some(*name));
        PROCESS.into_iter().filter(|_| self.kind == ViewKind::Gauge).filter(is_free).find(tells)
    }

    /// Every sample or family name that some exposition format gives it.
    pub(crate) fn exposed_names(&self) -> Vec<String> {
        let kind = match self.kind {
            ViewKind::Counter => Kind::Counter,
            ViewKind::Gauge => Kind::Gauge,
            ViewKind::Histogram => Kind::Histogram,
        };
        self.describe(kind, &[]).exposed_names(Escaping::Underscores)
    }

    pub(super) fn has_kind(&self, source: &Descriptor) -> bool {
        match self.kind {
            ViewKind::Counter => source.kind.is_counter(),
            ViewKind::Gauge => !matches!(source.kind, Kind::Histogram | Kind::Summary),
            ViewKind::Histogram => source.kind == Kind::Histogram,
        }
    }

    /// How this is exposed out of the cells of `grid`, which `declared` exposes.
    pub(super) fn ladder(&self, grid: &Grid, declared: &Ladder) -> Ladder {
        let scale = declared.scale().shifted(self.power);
        let bounds = match &self.ladder {
            Some(ladder) => {
                let ticks = |value| scale.ticks(value).unwrap_or(u64::MAX);
                ladder.iter().map(|&value| Bound { value: value + 0.0, ticks: ticks(value) }).collect()
            }
            None => {
                let bounds = declared.bounds().iter();
                bounds.map(|bound| Bound { value: Scale::shift(bound.value, self.power), ..*bound }).collect()
            }
        };
        Ladder::new(grid, scale, bounds)
    }
}

/// The cells of a histogram family, and how they are exposed; `None` for one of another kind.
pub(super) fn cells(family: &FamilySnapshot) -> Option<(&Arc<Grid>, &Ladder)> {
    if let Some(grid) = &family.desc.grid {
        return Some((grid, grid.ladder()));
    }
    // A view's own families are exposed otherwise than their cells were declared.
    let histogram = family.values.histograms().first()?;
    Some((histogram.grid(), histogram.ladder()))
}

/// The label that a reader of several processes has given a gauge: its last one.
pub(super) fn process(source: &Descriptor) -> Option<&str> {
    let is_per_process = source.kind == Kind::Gauge && source.aggregate == Aggregate::PerProcess;
    source.labels.last().map(String::as_str).filter(|last| is_per_process && PROCESS.contains(last))
}

/// What the labels of a source are taken from, by their place in `source`; `None` where it lacks one that is named.
pub(super) fn places(rules: &Source, source: &Descriptor) -> Option<(Vec<usize>, Vec<usize>)> {
    let place = |label: &str| source.labels.iter().position(|own| own == label);
    let of_rule = |rule: &Rule| match rule {
        Rule::Same(label) | Rule::Mapped(label, _) => place(label),
        // Looked at by no one.
        Rule::Constant(_) => Some(0),
    };
    let only = rules.only.iter().map(|(label, _)| place(label)).collect::<Option<_>>()?;
    Some((only, rules.labels.iter().map(of_rule).collect::<Option<_>>()?))
}

pub(super) fn check(families: &[ViewFamily]) -> Result<(), Error> {
    let mut exposed: BTreeMap<String, &str> = BTreeMap::new();
    for family in families {
        let name = family.name;
        check_metric(name, false)?;
        let constant = family.const_labels.iter().map(|(label, _)| label.as_str());
        let labels: Vec<&str> = family.labels.iter().copied().chain(constant).collect();
        for (index, label) in labels.iter().enumerate() {
            check_label(name, label, family.kind == ViewKind::Histogram, false)?;
            if labels[..index].contains(label) {
                let text = format!("{name}: label {label:?} is given twice: remove one of them");
                return Err(Error::new(ErrorKind::Name, text));
            }
        }
        let wrong = |text: String| Error::new(ErrorKind::Setting, format!("{name}: {text}"));
        if let Some(source) = family.sources.iter().find(|source| source.labels.len() != family.labels.len()) {
            let (rules, labels) = (source.labels.len(), family.labels.len());
            let metric = source.metric;
            return Err(wrong(format!("{metric} has {rules} rules for {labels} labels: give one for each")));
        }
        if family.power.unsigned_abs() > POWER_MAX {
            return Err(wrong(format!("no two units are 10^{} of each other: correct the power", family.power)));
        }
        let ladder = family.ladder.as_deref().unwrap_or(&[]);
        if let Some(bound) = ladder.iter().find(|bound| !bound.is_finite() || **bound < 0.0) {
            let text = format!("{name}: {bound} cannot be a bucket bound: use numbers from zero up");
            return Err(Error::new(ErrorKind::Buckets, text));
        }
        if let Some([before, bound]) = ladder.windows(2).find(|pair| pair[1] <= pair[0]) {
            let text = format!("{name}: bucket bound {bound} follows {before}: list them in ascending order");
            return Err(Error::new(ErrorKind::Buckets, text));
        }
        for sample in family.exposed_names() {
            if let Some(other) = exposed.get(&sample) {
                let text = format!("{name} and {other} would both be exposed as {sample}: rename one of them");
                return Err(Error::new(ErrorKind::Conflict, text));
            }
            exposed.insert(sample, name);
        }
    }
    Ok(())
}
