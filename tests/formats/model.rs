//! Arbitrary registries, and what a reader must find of them: worked out from what was recorded, not from a snapshot.

use num_bigint::BigUint;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use tach::{Metric, MetricBuilder, Registry, Unit};

/// Labels by name.
pub(crate) type Labels = BTreeMap<String, String>;

/// What was recorded in one series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Recorded {
    Counter(u64),
    UpDown(i64),
    Gauge(f64),
    /// Ticks.
    Histogram(Vec<u64>),
}

/// A metric, and its series by the values of its two labels.
#[derive(Clone, Debug)]
pub(crate) struct Family {
    /// Its own name.
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) unit: Unit,
    pub(crate) labels: [String; 2],
    pub(crate) series: BTreeMap<[String; 2], Recorded>,
    /// Of a histogram, in ticks, ascending.
    pub(crate) bounds: BTreeSet<u64>,
    pub(crate) digits: u8,
    /// In place of digits.
    pub(crate) schema: Option<u8>,
}

impl Family {
    /// How many ticks one of the unit is.
    pub(crate) fn ticks_per_unit(&self) -> f64 {
        if self.unit == Unit::Seconds { 1e9 } else { 1.0 }
    }

    /// By bucket of the native schema, how many of these values are in it: the least `i` with `value^N ≤ 2^i`, of whole
    /// numbers of any size.
    pub(crate) fn account(&self, schema: u8, ticks: &[u64]) -> BTreeMap<i64, u64> {
        let power = |number: u64| BigUint::from(number).pow(1 << schema);
        let under = power(self.ticks_per_unit() as u64);
        let mut buckets = BTreeMap::new();
        for over in ticks.iter().filter(|ticks| **ticks > 0).map(|ticks| power(*ticks)) {
            let fits =
                |i: i64| if i < 0 { &over << i.unsigned_abs() <= under } else { over <= &under << i.unsigned_abs() };
            let start = over.bits().cast_signed() - under.bits().cast_signed() - 1;
            *buckets.entry((start..).find(|i| fits(*i)).unwrap()).or_insert(0) += 1;
        }
        buckets
    }

    /// The exposed name, without suffixes of samples.
    pub(crate) fn base(&self) -> String {
        let name = format!("app_{}", self.name.replace('.', "_"));
        if self.unit == Unit::None { name } else { format!("{name}_{}", self.unit.suffix()) }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self.series.values().next() {
            Some(Recorded::Counter(_)) => "counter",
            Some(Recorded::Histogram(_)) => "histogram",
            _ => "gauge",
        }
    }

    /// The labels of a series; an empty value is the same as no label.
    pub(crate) fn labels_of(&self, values: &[String; 2]) -> Labels {
        let own = self.labels.iter().cloned().zip(values.iter().cloned());
        let all = own.chain([("zone".to_owned(), ZONE.to_owned())]);
        all.filter(|(_, value)| !value.is_empty()).collect()
    }
}

/// A constant label's value.
const ZONE: &str = "a \"b\" \\n\n";

/// A registry with these families in it, as they were recorded.
pub(crate) fn registry(families: &[Family]) -> Registry {
    let registry = Registry::builder().namespace("app").const_label("zone", ZONE).build().unwrap();
    for family in families {
        let name = &*family.name;
        match family.series.values().next().unwrap() {
            Recorded::Counter(_) => fill(registry.counter(name), family, |series, recorded| {
                let Recorded::Counter(n) = recorded else { return };
                series.add(*n);
            }),
            Recorded::UpDown(_) => fill(registry.updown_counter(name), family, |series, recorded| {
                let Recorded::UpDown(n) = recorded else { return };
                series.add(*n);
            }),
            Recorded::Gauge(_) => fill(registry.gauge(name), family, |series, recorded| {
                let Recorded::Gauge(value) = recorded else { return };
                series.set(*value);
            }),
            Recorded::Histogram(_) => {
                let bounds = family.bounds.iter().map(|ticks| *ticks as f64 / family.ticks_per_unit());
                let builder = registry.histogram(name).buckets(bounds);
                let builder = match family.schema {
                    Some(schema) => builder.native_schema(schema),
                    None => builder.digits(family.digits),
                };
                fill(builder, family, |series, recorded| {
                    let Recorded::Histogram(values) = recorded else { return };
                    values.iter().for_each(|value| series.record(*value));
                });
            }
        }
    }
    registry
}

fn fill<M: Metric>(builder: MetricBuilder<M>, family: &Family, record: impl Fn(&M, &Recorded)) {
    let labels = family.labels.each_ref().map(String::as_str);
    let built = builder.help(&family.help).unit(family.unit).labels(labels).build().unwrap();
    for (values, recorded) in &family.series {
        record(&built.with(values.each_ref().map(String::as_str)), recorded);
    }
}

/// Any text that a label or a help may have, often with characters that a printer has to escape.
fn text() -> impl Strategy<Value = String> {
    let special = proptest::sample::select(vec!['\\', '"', '\n', '\r', '\t', '\0', '#', '}', ',', ' ', 'n', 'ä']);
    vec(prop_oneof![special, any::<char>()], 0..6).prop_map(|chars| chars.into_iter().collect())
}

/// The same sort of value in each series of a family.
fn series() -> impl Strategy<Value = BTreeMap<[String; 2], Recorded>> {
    fn by_labels(recorded: impl Strategy<Value = Recorded>) -> impl Strategy<Value = BTreeMap<[String; 2], Recorded>> {
        btree_map([text(), text()], recorded, 1..5)
    }
    let ticks = (0..=1_u64 << 32, 0..32_u32).prop_map(|(ticks, cut)| ticks >> cut);
    prop_oneof![
        by_labels(any::<u64>().prop_map(Recorded::Counter)),
        by_labels(any::<i64>().prop_map(Recorded::UpDown)),
        by_labels(proptest::num::f64::ANY.prop_map(Recorded::Gauge)),
        by_labels(vec(ticks, 0..20).prop_map(Recorded::Histogram)),
    ]
}

fn family() -> impl Strategy<Value = Family> {
    let unit = prop_oneof![Just(Unit::None), Just(Unit::Seconds), Just(Unit::Other("_tokens"))];
    let cells = (1..=3_u8, proptest::option::of(0..=8_u8));
    let names = ("[a-zA-Z_:][a-zA-Z0-9_:]{0,5}(\\.[a-z_]{1,3})?", "[a-zA-Z][a-zA-Z0-9_]{0,5}", "[a-z]{1,3}");
    (names, text(), unit, series(), btree_set(1..1_u64 << 32, 0..6), cells).prop_map(
        |((name, first, second), help, unit, series, bounds, (digits, schema))| {
            let labels = [format!("{first}_a"), format!("{second}_b")];
            Family { name, help, unit, labels, series, bounds, digits, schema }
        },
    )
}

/// Some families whose samples have no name in common.
pub(crate) fn families() -> impl Strategy<Value = Vec<Family>> {
    vec(family(), 1..4).prop_map(|mut families| {
        for (index, family) in families.iter_mut().enumerate() {
            // No suffix of any format ends in a digit.
            family.name.push_str(&index.to_string());
        }
        families
    })
}
