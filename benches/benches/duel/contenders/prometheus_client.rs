//! `prometheus-client`: atomics behind an `Arc`, histograms behind a mutex, families behind a read-write lock.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, prometheus_protobuf};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, NativeHistogramConfig};
use prometheus_client::registry::Registry;

use crate::contender::{Contender, Work, cycle, repeat, seconds};
use crate::contenders::{encoding, notes, rendering};
use crate::groups::memory::{Footprint, Touch};
use crate::groups::render::{COUNTERS, HISTOGRAMS, observations};
use crate::values::{LADDER, LabelSet, RENDERED, SETS, label_sets, twelve_octaves};

/// That of tach's native histograms with two digits: 16 buckets to a doubling.
const SCHEMA: i8 = 4;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    code: String,
    path: String,
}

impl From<&LabelSet> for Labels {
    fn from(set: &LabelSet) -> Labels {
        Labels { code: set.code.clone(), path: set.path.clone() }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Series {
    series: String,
}

fn series(i: usize) -> Series {
    Series { series: i.to_string() }
}

pub(crate) fn counter() -> Vec<Contender> {
    let tokens = Counter::<u64, AtomicU64>::default();
    vec![Contender::new("prometheus-client Counter", move |work| repeat(work, &tokens, |tokens| tokens.inc()))]
}

pub(crate) fn gauge() -> Vec<Contender> {
    let usage = Gauge::<f64, AtomicU64>::default();
    vec![Contender::new("prometheus-client Gauge", move |work| repeat(work, &usage, |usage| usage.set(0.5)))]
}

pub(crate) fn histogram() -> Vec<Contender> {
    let itl = Histogram::new(LADDER);
    let run = move |work: &Work<'_>| seconds(work, &itl, |itl, value| itl.observe(value));
    vec![Contender::new("prometheus-client Histogram", run).note(format!("20 buckets; {}", notes::LOCKED))]
}

pub(crate) fn labels() -> Vec<Contender> {
    let family = Family::<Labels, Counter>::default();
    let kept_family = family.clone();
    let kept: Box<[Labels; SETS]> = Box::new(label_sets().each_ref().map(Labels::from));
    vec![
        Contender::new("prometheus-client get_or_create", move |work| {
            cycle(work, &family, label_sets(), |family, set| {
                family.get_or_create(&set.into()).inc();
            })
        })
        .note(notes::OWNED_KEY),
        Contender::new("prometheus-client get_or_create, kept key", move |work| {
            cycle(work, &kept_family, &kept, |kept_family, key| {
                kept_family.get_or_create(key).inc();
            })
        })
        .note(notes::KEPT_KEY),
    ]
}

fn bounds() -> impl Iterator<Item = f64> {
    LADDER.into_iter().take(RENDERED)
}

/// The registry that the render group exposes, its histograms made by `histogram`.
fn filled(histogram: fn() -> Histogram) -> Registry {
    let itl = Family::<Series, Histogram>::new_with_constructor(histogram);
    let tokens = Family::<Series, Counter>::default();
    for i in 0..HISTOGRAMS {
        let histogram = itl.get_or_create(&series(i));
        observations().for_each(|value| histogram.observe(value));
    }
    for i in 0..COUNTERS {
        tokens.get_or_create(&series(i)).inc_by(i as u64);
    }
    let mut registry = Registry::default();
    registry.register("itl", "help", itl);
    registry.register("tokens", "help", tokens);
    registry
}

pub(crate) fn render() -> Vec<Contender> {
    let classic = filled(|| Histogram::new(bounds()));
    let native = filled(|| Histogram::new_classic_and_native(bounds(), NativeHistogramConfig::with_schema(SCHEMA)));
    vec![
        rendering("prometheus-client encode", move |out| {
            encode(out, &classic).expect("text is written to memory");
        }),
        encoding("prometheus-client encode, protobuf", move |out| {
            *out = prometheus_protobuf::encode_to_vec(&native).expect("bytes are written to memory");
        }),
    ]
}

pub(crate) fn footprint() -> Footprint {
    Footprint { name: "prometheus-client", counters: Some(counters), histograms: Some(histograms), note: "" }
}

fn counters(count: usize) -> Touch {
    let family = Family::<Series, Counter>::default();
    let held: Vec<_> = (0..count).map(|i| family.get_or_create_owned(&series(i))).collect();
    Box::new(move || {
        // The family is captured too: a program keeps it registered.
        let _registered = &family;
        for counter in &held {
            counter.inc();
        }
    })
}

fn histograms(count: usize) -> Touch {
    let family = Family::<Series, Histogram>::new_with_constructor(|| Histogram::new(LADDER));
    let held: Vec<_> = (0..count).map(|i| family.get_or_create_owned(&series(i))).collect();
    let values = twelve_octaves();
    Box::new(move || {
        let _registered = &family;
        held.iter().for_each(|itl| values.iter().for_each(|&value| itl.observe(value as f64 / 1e9)));
    })
}
