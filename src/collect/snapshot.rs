//! A snapshot: every series' value at one moment, as plain data.

use super::exemplar::{self, Exemplar};
use super::foreign;
use super::histogram::HistogramSnapshot;
use super::summary::SummarySnapshot;
use crate::describe::{Descriptor, Escaping, Kind, LabelSets, LabelValues, Resource};
use crate::error::Error;
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// The merged values of a registry at one moment. Immutable; cloning it is cheap.
///
/// Names and labels are the metric's own: without namespace, suffixes and constant labels. Across metrics it is no
/// single instant: values recorded while it was taken may be in one series and not in another.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(super) data: Arc<Data>,
    /// Whose metrics these are, where that is to be shown.
    target: Option<Arc<FamilySnapshot>>,
}

#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) taken: Instant,
    pub(crate) time: SystemTime,
    /// When the registry was made, or, in a difference, when the earlier one was collected.
    pub(crate) began: SystemTime,
    /// Since the earlier one, in a difference.
    pub(crate) elapsed: Option<Duration>,
    /// In ascending order of the exposed base name.
    pub(crate) families: Vec<FamilySnapshot>,
}

/// All series of one metric. A clone shares the labels and the histograms' cells.
#[derive(Clone, Debug)]
pub(crate) struct FamilySnapshot {
    pub(crate) desc: Arc<Descriptor>,
    pub(crate) labels: Arc<LabelSets>,
    /// In the order of `labels`.
    pub(crate) values: Values,
    /// Of a counter, likewise. (Histograms have their own.)
    pub(crate) noted: exemplar::Column,
}

/// A value per series. Most metrics have one, which then needs no allocation.
pub(crate) type Column<T> = SmallVec<[T; 1]>;

/// The values of the series of one metric.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    Counter(Column<u64>),
    FloatCounter(Column<f64>),
    UpDown(Column<i64>),
    Gauge(Column<f64>),
    Histogram(Vec<HistogramSnapshot>),
    Summary(Vec<SummarySnapshot>),
}

impl Values {
    /// Those of a histogram family; none otherwise.
    pub(crate) fn histograms(&self) -> &[HistogramSnapshot] {
        if let Self::Histogram(histograms) = self { histograms } else { &[] }
    }
}

impl Data {
    /// The moment alone.
    pub(super) fn moment(&self) -> Self {
        let Self { taken, time, began, elapsed, .. } = *self;
        Self { taken, time, began, elapsed, families: Vec::new() }
    }
}

impl Snapshot {
    pub(crate) fn new(data: Data) -> Self {
        Self { data: Arc::new(data), target: None }
    }

    /// Other data of the same target.
    pub(super) fn having(&self, data: Data) -> Self {
        Self { data: Arc::new(data), target: self.target.clone() }
    }

    pub(crate) fn families(&self) -> &[FamilySnapshot] {
        &self.data.families
    }

    /// The same moment seen otherwise: the families whose own name `keep` lets pass, and `extra`, which take the place
    /// of those that are exposed under the same name.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "for the exporter and name profiles"))]
    pub(crate) fn viewed(&self, keep: impl Fn(&str) -> bool, extra: Vec<FamilySnapshot>) -> Self {
        let mut families = extra;
        let base = |family: &FamilySnapshot| family.desc.base.clone();
        families.sort_by_cached_key(base);
        families.dedup_by(|later, earlier| later.desc.base == earlier.desc.base);
        let is_taken = |base: &str| families.binary_search_by(|extra| (*extra.desc.base).cmp(base)).is_ok();
        let kept = self.families().iter().filter(|family| keep(&family.desc.name) && !is_taken(&family.desc.base));
        let kept: Vec<FamilySnapshot> = kept.cloned().collect();
        families.extend(kept);
        families.sort_by(|a, b| a.desc.base.cmp(&b.desc.base));
        self.having(Data { families, ..self.data.moment() })
    }

    /// The same moment with `extra` too, but for those that have a name in common with what is there, in any escaping.
    pub(super) fn beside(&self, extra: Vec<FamilySnapshot>) -> Self {
        let mut families = [self.families(), &foreign::apart(self.families(), extra)].concat();
        families.sort_by(|a, b| a.desc.base.cmp(&b.desc.base));
        self.having(Data { families, ..self.data.moment() })
    }

    /// The same moment with only the families that are exposed under one of `names`, or have a sample of such a name;
    /// all of them where there are none.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "for the exporter"))]
    pub(crate) fn only(&self, names: &BTreeSet<String>) -> Self {
        if names.is_empty() {
            return self.clone();
        }
        let in_escaping =
            |desc: &Descriptor, escaping| desc.exposed_names(escaping).iter().any(|name| names.contains(name));
        let is_wanted =
            |family: &FamilySnapshot| Escaping::ALL.iter().any(|escaping| in_escaping(&family.desc, *escaping));
        self.choose(is_wanted)
    }

    /// The same moment with only what `is_wanted` names, of what a page shows: what tells whose all others are too, and
    /// no other by its name.
    pub(super) fn choose(&self, is_wanted: impl Fn(&FamilySnapshot) -> bool) -> Self {
        let is_shown = |family: &FamilySnapshot| self.target.is_none() || !family.desc.is_named_target();
        let target = self.target.clone().filter(|target| is_wanted(target));
        Self { target, ..self.part(|family| is_shown(family) && is_wanted(family)) }
    }

    /// The same moment with only the families that `keep` lets pass.
    pub(crate) fn part(&self, keep: impl Fn(&FamilySnapshot) -> bool) -> Self {
        let families = self.families().iter().filter(|family| keep(family)).cloned().collect();
        self.having(Data { families, ..self.data.moment() })
    }

    /// The same snapshot, which in every format begins with whose metrics these are: the metric `target_info`, with a
    /// label for each attribute and the value 1, as an Info metric in OpenMetrics and as a gauge elsewhere.
    ///
    /// A metric of its own by the name `target` or `target_info` is not shown then. An attribute's key is a label's name
    /// as [`RegistryBuilder::utf8_names`](crate::RegistryBuilder::utf8_names) allows any; keys that an escaping would
    /// make one label are one in all of them, with their values and `;` between.
    ///
    /// ```
    /// let resource = tach::Resource::new().service("llm").with("service.instance.id", "7");
    /// let snapshot = tach::Registry::new().snapshot().target_info(&resource)?;
    /// let page = tach::openmetrics::render(&snapshot);
    /// assert!(page.starts_with("# TYPE target info\n"));
    /// assert!(page.contains("\ntarget_info{service_name=\"llm\",service_instance_id=\"7\","));
    /// # Ok::<(), tach::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A key that no label can have: with a control character, of more than 200 bytes, or that begins with two
    /// characters which are written as `_`.
    pub fn target_info(&self, resource: &Resource) -> Result<Self, Error> {
        Ok(self.with_target(Some(&FamilySnapshot::target(resource)?)))
    }

    /// As [`Snapshot::target_info`], with what [`FamilySnapshot::target`] made; as it is with `None`.
    pub(crate) fn with_target(&self, target: Option<&Arc<FamilySnapshot>>) -> Self {
        let mut snapshot = self.clone();
        if let Some(target) = target {
            snapshot.target = Some(Arc::clone(target));
        }
        snapshot
    }

    /// Whose metrics these are, where that is to be shown.
    pub(crate) fn target(&self) -> Option<&FamilySnapshot> {
        self.target.as_deref()
    }

    /// The same values, as if they had been collected at another time.
    #[cfg(test)]
    pub(crate) fn at(&self, taken: Instant) -> Self {
        self.having(Data { taken, families: self.families().to_vec(), ..self.data.moment() })
    }

    /// When the collection began.
    #[must_use]
    pub fn taken(&self) -> Instant {
        self.data.taken
    }

    /// When the collection began, by the system's clock.
    #[must_use]
    pub fn time(&self) -> SystemTime {
        self.data.time
    }

    /// When the registry was made, by the system's clock: totals count from then, or from when a series was made. In a
    /// difference of snapshots, when the earlier one was collected.
    #[must_use]
    pub fn began(&self) -> SystemTime {
        self.data.began
    }

    /// The earliest that a total can have begun. A series may be older than the registry that shows it, where another
    /// process made it.
    pub(crate) fn earliest(&self) -> SystemTime {
        self.elapsed().map_or(SystemTime::UNIX_EPOCH, |_| self.began())
    }

    /// The time between the two snapshots of which this is the difference; `None` for any other.
    #[must_use]
    pub fn elapsed(&self) -> Option<Duration> {
        self.data.elapsed
    }

    /// The total of a [`Counter`](crate::Counter). `labels` in any order. `None`: no such series, or it is switched
    /// off.
    #[must_use]
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> Option<u64> {
        match self.find(name, labels)? {
            (Values::Counter(values), index) => values.get(index).copied(),
            _ => None,
        }
    }

    /// The total of a [`FloatCounter`](crate::FloatCounter), as [`Snapshot::counter`].
    #[must_use]
    pub fn float_counter(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        match self.find(name, labels)? {
            (Values::FloatCounter(values), index) => values.get(index).copied(),
            _ => None,
        }
    }

    /// The value of a [`Gauge`](crate::Gauge) or an [`UpDownCounter`](crate::UpDownCounter), as [`Snapshot::counter`].
    #[must_use]
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        match self.find(name, labels)? {
            (Values::Gauge(values), index) => values.get(index).copied(),
            (Values::UpDown(values), index) => values.get(index).map(|value| *value as f64),
            _ => None,
        }
    }

    /// A [`Histogram`](crate::Histogram), as [`Snapshot::counter`].
    #[must_use]
    pub fn histogram(&self, name: &str, labels: &[(&str, &str)]) -> Option<&HistogramSnapshot> {
        match self.find(name, labels)? {
            (Values::Histogram(values), index) => values.get(index),
            _ => None,
        }
    }

    /// A summary of windows ([`Windows::summaries`](crate::Windows::summaries)), as [`Snapshot::counter`]. `itl` has its
    /// own by the name `itl_window`, with the label `window` besides.
    #[must_use]
    pub fn summary(&self, name: &str, labels: &[(&str, &str)]) -> Option<&SummarySnapshot> {
        match self.find(name, labels)? {
            (Values::Summary(values), index) => values.get(index),
            _ => None,
        }
    }

    /// The exemplar of a counter, as [`Snapshot::counter`]. `None` also where it has none.
    #[must_use]
    pub fn exemplar(&self, name: &str, labels: &[(&str, &str)]) -> Option<Exemplar> {
        let (family, index) = self.find_series(name, labels)?;
        family.exemplar(index)
    }

    fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<(&Values, usize)> {
        self.find_series(name, labels).map(|(family, index)| (&family.values, index))
    }

    fn find_series(&self, name: &str, labels: &[(&str, &str)]) -> Option<(&FamilySnapshot, usize)> {
        let family = self.data.families.iter().find(|family| family.desc.name == name)?;
        if labels.len() != family.desc.labels.len() {
            return None;
        }
        let value = |name: &String| labels.iter().find(|(label, _)| label == name).map(|(_, value)| *value);
        let wanted: Option<Vec<&str>> = family.desc.labels.iter().map(value).collect();
        Some((family, family.index(&wanted?)?))
    }

    /// What happened between `earlier` and this: counters and histograms are differences, and so are the totals of
    /// summaries; gauges and quantiles are as they are here.
    ///
    /// For rates divide by [`Snapshot::elapsed`]; quantiles of the result are those of the interval. A series that
    /// `earlier` does not have, or that has started anew since, is as it is here. One of several processes whose total has
    /// fallen, as one of them removed its part, has a difference of 0.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let from = earlier.data.time;
        let families = self.data.families.iter().map(|family| {
            earlier.family(&family.desc.base).map_or_else(|| family.clone(), |before| family.since(before, from))
        });
        let elapsed = Some(self.data.taken.saturating_duration_since(earlier.data.taken));
        self.having(Data { elapsed, began: earlier.data.time, families: families.collect(), ..self.data.moment() })
    }

    /// The family that is exposed under this base name.
    pub(crate) fn family(&self, base: &str) -> Option<&FamilySnapshot> {
        let families = self.families();
        families.binary_search_by(|family| (*family.desc.base).cmp(base)).ok().map(|at| &families[at])
    }

    /// The same with what `of` gives in place of each value of a float counter.
    #[cfg_attr(not(feature = "otlp"), allow(dead_code, reason = "for OTLP"))]
    pub(crate) fn with_floats(&self, mut of: impl FnMut(&FamilySnapshot, usize, f64) -> f64) -> Self {
        let family = |family: &FamilySnapshot| {
            let mut with = family.clone();
            if let Values::FloatCounter(values) = &mut with.values {
                values.iter_mut().enumerate().for_each(|(index, value)| *value = of(family, index, *value));
            }
            with
        };
        self.having(Data { families: self.families().iter().map(family).collect(), ..self.data.moment() })
    }
}

impl FamilySnapshot {
    /// The metric that tells whose all others are.
    ///
    /// # Errors
    ///
    /// As for [`Snapshot::target_info`].
    pub(crate) fn target(resource: &Resource) -> Result<Arc<Self>, Error> {
        let (labels, values): (Vec<String>, Vec<String>) = resource.labels()?.into_iter().unzip();
        let set = values.into_iter().map(String::into_boxed_str).collect();
        Ok(Arc::new(Self {
            desc: Arc::new(Descriptor::target(labels.into())),
            labels: Arc::new(LabelSets::since(SystemTime::UNIX_EPOCH, [set])),
            values: Values::Gauge([1.0].into_iter().collect()),
            noted: exemplar::Column::default(),
        }))
    }

    /// When the total of a series began: when it was made, or at `snapshot`, whichever is later. `None` where it
    /// has no total, or one that a callback gives, which knows.
    pub(crate) fn began(&self, index: usize, snapshot: SystemTime) -> Option<SystemTime> {
        let kind = self.desc.kind;
        let has_total = kind.is_counter() && !kind.is_observed() || matches!(kind, Kind::Histogram | Kind::Summary);
        has_total.then(|| self.labels.began[index].max(snapshot))
    }

    /// The series with these label values.
    pub(super) fn index(&self, values: &[&str]) -> Option<usize> {
        let by_values = |set: &LabelValues| set.iter().map(|value| &**value).cmp(values.iter().copied());
        self.labels.sets.binary_search_by(by_values).ok()
    }

    /// Where `before`, this family in a snapshot that was taken at `time`, has a series of this one.
    pub(crate) fn earlier(&self, index: usize, before: &Self, time: SystemTime) -> Option<usize> {
        let began = self.labels.began[index];
        // A series that was removed and made anew has the same values, but not the same ones. (The engine's own are
        // made for each snapshot, and so are those of windows, which tell by when their totals began, and those of
        // several processes: such a one is another if each of its parts is newer.)
        before.index(&self.values_by(index, &before.desc)?).filter(|&there| match self.desc.kind {
            Kind::Summary => began == before.labels.began[there],
            _ if self.desc.limit == usize::MAX => began <= time || began <= before.labels.began[there],
            _ => Arc::ptr_eq(&self.labels.sets[index], &before.labels.sets[there]),
        })
    }

    /// The values of a series for the labels of `desc`, an earlier description of this family, in which other ones may have
    /// been constant: what is so in every process is, until another one comes. `None`: there was no such series.
    fn values_by(&self, index: usize, desc: &Descriptor) -> Option<Vec<&str>> {
        let (own, set) = (&self.desc, &self.labels.sets[index]);
        let values = set.iter().map(|value| &**value);
        if std::ptr::eq(&**own, desc) || own.labels == desc.labels && own.const_labels == desc.const_labels {
            return Some(values.collect());
        }
        let constant = own.const_labels.iter().map(|(name, value)| (name, &**value));
        let all: BTreeMap<&String, &str> = own.labels.iter().zip(values).chain(constant).collect();
        let value = |name: &String| all.get(name).copied().unwrap_or("");
        let there = |name: &&&String| {
            desc.labels.iter().chain(desc.const_labels.iter().map(|(name, _)| name)).any(|of| of == **name)
        };
        let is_like = desc.const_labels.iter().all(|(name, of)| value(name) == &**of)
            && all.iter().all(|(name, value)| value.is_empty() || there(&name));
        is_like.then(|| desc.labels.iter().map(value).collect())
    }

    /// `from` is when `before` was collected.
    fn since(&self, before: &Self, from: SystemTime) -> Self {
        let old = |index: usize| self.earlier(index, before, from);
        let noted_from = exemplar::since(from);
        // Of a series without an identity of its own, as one that is added up over processes, which was there and has less
        // than it had: what is left was there too.
        let is_rest = self.desc.limit == usize::MAX;
        let values = match (&self.values, &before.values) {
            (Values::Counter(now), Values::Counter(then)) => Values::Counter(each(now, |index, value| {
                let anew = if is_rest { 0 } else { *value };
                value.checked_sub(old(index).map_or(0, |old| then[old])).unwrap_or(anew)
            })),
            (Values::FloatCounter(now), Values::FloatCounter(then)) => {
                Values::FloatCounter(each(now, |index, &value| {
                    let then = old(index).map_or(0.0, |old| then[old]);
                    // What a callback gives may be no total, and then has no difference that is one.
                    match value - then {
                        _ if value < 0.0 || then < 0.0 || then.is_infinite() => f64::NAN,
                        difference if difference < 0.0 => {
                            if is_rest {
                                0.0
                            } else {
                                value
                            }
                        }
                        difference => difference,
                    }
                }))
            }
            (Values::Histogram(now), Values::Histogram(then)) => {
                Values::Histogram(each(now, |index, value| match old(index).map(|old| &then[old]) {
                    None => value.clone(),
                    Some(then) if then.count() > value.count() && is_rest => value.since(value, noted_from),
                    Some(then) => value.since(then, noted_from),
                }))
            }
            (Values::Summary(now), Values::Summary(then)) => Values::Summary(each(now, |index, value| {
                old(index).map_or_else(|| value.clone(), |old| value.since(&then[old]))
            })),
            (now, _) => now.clone(),
        };
        let noted = self.noted_since(before, old, noted_from);
        Self { desc: Arc::clone(&self.desc), labels: Arc::clone(&self.labels), values, noted }
    }
}

fn each<T, C: FromIterator<T>>(values: &[T], f: impl Fn(usize, &T) -> T) -> C {
    values.iter().enumerate().map(|(index, value)| f(index, value)).collect()
}
