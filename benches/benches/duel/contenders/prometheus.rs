//! `prometheus`: atomics behind an `Arc`, histograms with consistent snapshots.

use std::hint::black_box;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};

use crate::contender::{Contender, cycle, repeat, seconds};
use crate::contenders::{notes, rendering};
use crate::groups::memory::{Footprint, Touch};
use crate::groups::render::{COUNTERS, HISTOGRAMS, observations};
use crate::groups::tail::Tail;
use crate::values::{LADDER, RENDERED, label_sets, twelve_octaves};

/// Local metrics are flushed this often, as servers that batch per-token recordings do.
const FLUSH_EVERY: u32 = 64;

fn registered<C: Collector + Clone + 'static>(registry: &Registry, metric: prometheus::Result<C>) -> C {
    let metric = metric.expect("valid description");
    registry.register(Box::new(metric.clone())).expect("registered once");
    metric
}

pub(crate) fn counter() -> Vec<Contender> {
    let tokens = registered(&Registry::new(), IntCounter::new("tokens", "help"));
    let for_local = tokens.clone();
    vec![
        Contender::new("prometheus IntCounter", move |work| repeat(work, &tokens, |tokens| tokens.inc())),
        Contender::new("prometheus IntCounter::local", move |work| {
            let local = for_local.local();
            let mut unflushed = 0;
            repeat(work, &local, |local| {
                local.inc();
                unflushed += 1;
                if unflushed == FLUSH_EVERY {
                    local.flush();
                    unflushed = 0;
                }
            })
        })
        .note(notes::UNSEEN),
    ]
}

pub(crate) fn gauge() -> Vec<Contender> {
    let usage = registered(&Registry::new(), Gauge::new("usage", "help"));
    vec![Contender::new("prometheus Gauge", move |work| repeat(work, &usage, |usage| usage.set(0.5)))]
}

fn options(buckets: &[f64]) -> HistogramOpts {
    HistogramOpts::new("itl", "help").buckets(buckets.to_vec())
}

pub(crate) fn histogram() -> Vec<Contender> {
    let itl = registered(&Registry::new(), Histogram::with_opts(options(&LADDER)));
    let for_local = itl.clone();
    vec![
        Contender::new("prometheus Histogram", move |work| seconds(work, &itl, |itl, value| itl.observe(value)))
            .note("20 buckets"),
        Contender::new("prometheus Histogram::local", move |work| {
            let local = for_local.local();
            let mut unflushed = 0;
            seconds(work, &local, |local, value| {
                local.observe(value);
                unflushed += 1;
                if unflushed == FLUSH_EVERY {
                    local.flush();
                    unflushed = 0;
                }
            })
        })
        .note(notes::UNSEEN),
    ]
}

pub(crate) fn labels() -> Vec<Contender> {
    let family = IntCounterVec::new(Opts::new("requests", "help"), &["code", "path"]);
    let family = registered(&Registry::new(), family);
    vec![
        Contender::new("prometheus with_label_values", move |work| {
            cycle(work, &family, label_sets(), |family, set| family.with_label_values(&[&set.code, &set.path]).inc())
        })
        .note("compares hashes, not strings"),
    ]
}

/// The registry that the render group and its floor expose.
fn filled() -> Registry {
    let registry = Registry::new();
    let itl = registered(&registry, HistogramVec::new(options(&LADDER[..RENDERED]), &["series"]));
    let tokens = IntCounterVec::new(Opts::new("tokens_total", "help"), &["series"]);
    let tokens = registered(&registry, tokens);
    for i in 0..HISTOGRAMS {
        let series = itl.with_label_values(&[i.to_string()]);
        observations().for_each(|value| series.observe(value));
    }
    for i in 0..COUNTERS {
        tokens.with_label_values(&[i.to_string()]).inc_by(i as u64);
    }
    registry
}

pub(crate) fn render() -> Vec<Contender> {
    let registry = filled();
    let gathered = registry.gather();
    let encode = |families: &[MetricFamily], out: &mut String| {
        TextEncoder::new().encode_utf8(families, out).expect("text is written to memory");
    };
    vec![
        rendering("prometheus gather + encode", move |out| encode(&registry.gather(), out)),
        rendering("prometheus encode alone", move |out| encode(&gathered, out)),
    ]
}

/// The floor of the render group: the same text copied line by line into a buffer that is already large enough.
pub(crate) fn render_floor() -> Contender {
    let text = TextEncoder::new().encode_to_string(&filled().gather()).expect("text is written to memory");
    let lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    rendering("floor: copy line by line", move |out| lines.iter().for_each(|line| out.push_str(line)))
}

pub(crate) fn footprint() -> Footprint {
    Footprint { name: "prometheus", counters: Some(counters), histograms: Some(histograms), note: "" }
}

fn counters(series: usize) -> Touch {
    let family = IntCounterVec::new(Opts::new("tokens_total", "help"), &["series"]);
    let family = registered(&Registry::new(), family);
    let held: Vec<_> = (0..series).map(|i| family.with_label_values(&[i.to_string()])).collect();
    Box::new(move || held.iter().for_each(|series| series.inc()))
}

fn histograms(series: usize) -> Touch {
    let family = registered(&Registry::new(), HistogramVec::new(options(&LADDER), &["series"]));
    let held: Vec<_> = (0..series).map(|i| family.with_label_values(&[i.to_string()])).collect();
    let values = twelve_octaves();
    Box::new(move || held.iter().for_each(|series| values.iter().for_each(|&value| series.observe(value as f64 / 1e9))))
}

/// As tach's: a histogram among 250 series, gathered while it records.
pub(crate) fn tail(tail: &mut Tail) {
    let registry = Registry::new();
    let tokens = registered(&registry, IntCounterVec::new(Opts::new("tokens_total", "help"), &["series"]));
    (0..200).for_each(|i| tokens.with_label_values(&[i.to_string()]).inc());
    let family = registered(&registry, HistogramVec::new(options(&LADDER), &["series"]));
    (0..50).for_each(|i| family.with_label_values(&[i.to_string()]).observe(0.001));
    let itl = family.with_label_values(&["17"]);
    tail.subject(
        "prometheus Histogram",
        |value| itl.observe(value as f64 / 1e9),
        || drop(black_box(registry.gather())),
    );
}
