//! `fastmetrics`: atomics behind an `Arc`, families behind a read-write lock.

use fastmetrics::derive::LabelSet as DeriveLabelSet;
use fastmetrics::format::protobuf::{self, ProtobufProfile};
use fastmetrics::format::text::{TextProfile, encode};
use fastmetrics::metrics::counter::Counter;
use fastmetrics::metrics::family::Family;
use fastmetrics::metrics::gauge::Gauge;
use fastmetrics::metrics::histogram::Histogram;
use fastmetrics::registry::Registry;

use crate::contender::{Contender, Work, cycle, repeat, seconds};
use crate::contenders::{encoding, notes, rendering};
use crate::groups::memory::{Footprint, Touch};
use crate::groups::render::{COUNTERS, HISTOGRAMS, observations};
use crate::values::{LADDER, LabelSet, RENDERED, SETS, label_sets, twelve_octaves};

#[derive(Clone, Debug, Hash, PartialEq, Eq, DeriveLabelSet)]
struct Labels {
    code: String,
    path: String,
}

impl From<&LabelSet> for Labels {
    fn from(set: &LabelSet) -> Labels {
        Labels { code: set.code.clone(), path: set.path.clone() }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, DeriveLabelSet)]
struct Series {
    series: String,
}

fn series(i: usize) -> Series {
    Series { series: i.to_string() }
}

pub(crate) fn counter() -> Vec<Contender> {
    let tokens = Counter::<u64>::default();
    vec![Contender::new("fastmetrics Counter", move |work| repeat(work, &tokens, |tokens| tokens.inc()))]
}

pub(crate) fn gauge() -> Vec<Contender> {
    let usage = Gauge::<f64>::default();
    vec![Contender::new("fastmetrics Gauge", move |work| repeat(work, &usage, |usage| usage.set(0.5)))]
}

pub(crate) fn histogram() -> Vec<Contender> {
    let itl = Histogram::new(LADDER);
    let run = move |work: &Work<'_>| seconds(work, &itl, |itl, value| itl.observe(value));
    vec![Contender::new("fastmetrics Histogram", run).note(format!("20 buckets; {}", notes::TORN))]
}

pub(crate) fn labels() -> Vec<Contender> {
    let family = Family::<Labels, Counter>::default();
    let kept_family = family.clone();
    let kept: Box<[Labels; SETS]> = Box::new(label_sets().each_ref().map(Labels::from));
    vec![
        Contender::new("fastmetrics with_or_new", move |work| {
            cycle(work, &family, label_sets(), |family, set| family.with_or_new(&set.into(), Counter::inc))
        })
        .note(notes::OWNED_KEY),
        Contender::new("fastmetrics with_or_new, kept key", move |work| {
            cycle(work, &kept_family, &kept, |kept_family, key| kept_family.with_or_new(key, Counter::inc))
        })
        .note(notes::KEPT_KEY),
    ]
}

/// The registry that the render group exposes.
fn filled() -> Registry {
    let itl = Family::<Series, Histogram>::new(|| Histogram::new(LADDER.into_iter().take(RENDERED)));
    let tokens = Family::<Series, Counter>::default();
    for i in 0..HISTOGRAMS {
        itl.with_or_new(&series(i), |histogram| observations().for_each(|value| histogram.observe(value)));
    }
    for i in 0..COUNTERS {
        tokens.with_or_new(&series(i), |counter| counter.inc_by(i as u64));
    }
    let mut registry = Registry::default();
    registry.register("itl", "help", itl).expect("valid name");
    registry.register("tokens", "help", tokens).expect("valid name");
    registry
}

pub(crate) fn render() -> Vec<Contender> {
    let text = |name, profile| {
        let registry = filled();
        rendering(name, move |out| encode(out, &registry, profile).expect("text is written to memory"))
    };
    let registry = filled();
    vec![
        text("fastmetrics encode", TextProfile::PrometheusV0_0_4),
        text("fastmetrics encode, OpenMetrics", TextProfile::default()),
        encoding("fastmetrics encode, protobuf", move |out| {
            protobuf::encode(out, &registry, ProtobufProfile::Prometheus).expect("bytes are written to memory");
        }),
    ]
}

pub(crate) fn footprint() -> Footprint {
    Footprint { name: "fastmetrics", counters: Some(counters), histograms: Some(histograms), note: "" }
}

fn counters(count: usize) -> Touch {
    let family = Family::<Series, Counter>::default();
    let held: Vec<_> = (0..count).map(|i| family.with_or_new(&series(i), Counter::clone)).collect();
    Box::new(move || {
        // The family is captured too: a program keeps it registered.
        let _registered = &family;
        held.iter().for_each(|counter| counter.inc());
    })
}

fn histograms(count: usize) -> Touch {
    let family = Family::<Series, Histogram>::new(|| Histogram::new(LADDER));
    let held: Vec<_> = (0..count).map(|i| family.with_or_new(&series(i), Histogram::clone)).collect();
    let values = twelve_octaves();
    Box::new(move || {
        let _registered = &family;
        held.iter().for_each(|itl| values.iter().for_each(|&value| itl.observe(value as f64 / 1e9)));
    })
}
