//! A walk over a snapshot, for who does not know the names beforehand.

use super::exemplar::Exemplar;
use super::histogram::HistogramSnapshot;
use super::snapshot::{FamilySnapshot, Snapshot, Values};
use super::summary::SummarySnapshot;
use crate::describe::{Escaping, Unit};
use std::collections::BTreeSet;

/// One series of a [`Snapshot`]: what it is called, and its value.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    family: &'a FamilySnapshot,
    index: usize,
}

/// The value of a [`Series`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A counter's total.
    Counter(u64),
    /// A float counter's total.
    FloatCounter(f64),
    /// An up-down counter.
    UpDownCounter(i64),
    /// A gauge.
    Gauge(f64),
    /// A histogram.
    Histogram(&'a HistogramSnapshot),
    /// A summary of windows.
    Summary(&'a SummarySnapshot),
}

impl<'a> Series<'a> {
    /// The metric's own name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        &self.family.desc.name
    }

    /// What the text format calls the metric: with namespace and unit, and a counter's `_total`.
    #[must_use]
    pub fn exposed_name(&self) -> String {
        format!("{}{}", self.family.desc.base, self.family.desc.kind.suffix())
    }

    /// What the metric tells.
    #[must_use]
    pub fn help(&self) -> &'a str {
        &self.family.desc.help
    }

    /// The unit that the value is in.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.family.desc.unit
    }

    /// The metric's own labels, names and values, in the order in which they were declared.
    pub fn labels(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let values = self.family.labels.sets[self.index].iter().map(|value| &**value);
        self.family.desc.labels.iter().map(String::as_str).zip(values)
    }

    /// The labels that every series of the registry has.
    pub fn constant_labels(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.family.desc.const_labels.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> Value<'a> {
        match &self.family.values {
            Values::Counter(values) => Value::Counter(values[self.index]),
            Values::FloatCounter(values) => Value::FloatCounter(values[self.index]),
            Values::UpDown(values) => Value::UpDownCounter(values[self.index]),
            Values::Gauge(values) => Value::Gauge(values[self.index]),
            Values::Histogram(values) => Value::Histogram(&values[self.index]),
            Values::Summary(values) => Value::Summary(&values[self.index]),
        }
    }

    /// The exemplars: one of a counter at most, those of [`HistogramSnapshot::exemplars`] of a histogram.
    pub fn exemplars(&self) -> impl Iterator<Item = Exemplar> + use<'a> {
        let histogram = self.family.values.histograms().get(self.index);
        self.family.exemplar(self.index).into_iter().chain(histogram.into_iter().flat_map(HistogramSnapshot::exemplars))
    }
}

impl Snapshot {
    /// Every series: metrics in ascending order of their exposed names, and a metric's series in that of their label
    /// values.
    ///
    /// ```
    /// let registry = tach::Registry::new();
    /// registry.counter("tokens").build()?.add(5);
    /// let snapshot = registry.snapshot();
    /// let tokens = snapshot.series().find(|series| series.name() == "tokens").unwrap();
    /// assert!(matches!(tokens.value(), tach::Value::Counter(5)));
    /// # Ok::<(), tach::Error>(())
    /// ```
    pub fn series(&self) -> impl Iterator<Item = Series<'_>> {
        self.families()
            .iter()
            .flat_map(|family| (0..family.labels.sets.len()).map(move |index| Series { family, index }))
    }

    /// The same moment with only these metrics, each by its own name or by one that it is exposed under. `target_info`,
    /// where it is shown, is one of them only if named.
    #[must_use]
    pub fn of_metrics(&self, names: &BTreeSet<String>) -> Self {
        let is_named = |family: &FamilySnapshot| {
            names.contains(&family.desc.name)
                || family.desc.exposed_names(Escaping::Underscores).iter().any(|name| names.contains(name))
        };
        self.choose(is_named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Registry;

    #[test]
    fn every_series_is_met_once_with_its_name_labels_and_value() {
        let registry = Registry::builder().namespace("ns").const_label("gpu", "0").build().unwrap();
        let family = registry.counter("b").labels(["path", "code"]).build().unwrap();
        family.with(["/x", "200"]).add(2);
        family.with(["/a", "500"]).add(3);
        let time = registry.histogram("a").help("Waits.").unit(Unit::Seconds).build().unwrap();
        time.record(1_000);
        registry.float_counter("c").build().unwrap().add(0.5);
        registry.updown_counter("d").build().unwrap().add(-4);
        registry.gauge("e").build().unwrap().set(7.5);

        let snapshot = registry.snapshot();
        let own: Vec<_> = snapshot.series().filter(|series| !series.name().starts_with("tach_")).collect();
        let text = |series: &Series<'_>| {
            let labels: Vec<String> = series.labels().map(|(name, value)| format!("{name}={value}")).collect();
            let value = match series.value() {
                Value::Histogram(histogram) => histogram.count().to_string(),
                value => format!("{value:?}"),
            };
            format!("{} {} [{}] {value}", series.name(), series.exposed_name(), labels.join(" "))
        };
        let texts: Vec<String> = own.iter().map(text).collect();
        let expected = [
            "a ns_a_seconds [] 1",
            "b ns_b_total [path=/a code=500] Counter(3)",
            "b ns_b_total [path=/x code=200] Counter(2)",
            "c ns_c_total [] FloatCounter(0.5)",
            "d ns_d [] UpDownCounter(-4)",
            "e ns_e [] Gauge(7.5)",
        ];
        assert_eq!(texts, expected);
        assert_eq!((own[0].help(), own[0].unit()), ("Waits.", Unit::Seconds));
        assert_eq!(own[0].constant_labels().collect::<Vec<_>>(), [("gpu", "0")]);
    }

    #[test]
    fn metrics_are_chosen_by_their_own_and_their_exposed_names() {
        let registry = Registry::builder().namespace("ns").build().unwrap();
        for name in ["a", "b", "c"] {
            registry.counter(name).build().unwrap().inc();
        }
        let names = ["a", "ns_b_total", "no_such"].map(str::to_owned).into();
        let chosen = registry.snapshot().of_metrics(&names);
        assert_eq!(chosen.series().map(|series| series.name().to_owned()).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn what_a_page_leaves_out_is_not_chosen() {
        let registry = Registry::new();
        for name in ["target", "a"] {
            registry.counter(name).build().unwrap().inc();
        }
        let plain = registry.snapshot();
        let shown = plain.target_info(&crate::Resource::new()).unwrap();
        for (name, of_plain, target, count) in
            [("a", 1, false, 1), ("target_total", 1, false, 0), ("target_info", 0, true, 0), ("target", 1, true, 0)]
        {
            let names = [name.to_owned()].into();
            for chosen in [shown.of_metrics(&names), shown.only(&names)] {
                assert_eq!((chosen.target().is_some(), chosen.series().count()), (target, count), "{name}");
            }
            assert_eq!(plain.of_metrics(&names).series().count(), of_plain, "{name}");
        }
    }
}
