//! `fast-telemetry`: atomics sharded by thread, padded to a cache line each; the design closest to tach's.

use fast_telemetry::{Counter, Distribution, DynamicCounter, DynamicHistogram, GaugeF64, Histogram, PrometheusExport};

use crate::contender::{Contender, cycle, nanos, repeat};
use crate::contenders::{notes, rendering};
use crate::groups::memory::{Footprint, Touch};
use crate::groups::render::{COUNTERS, HISTOGRAMS, observations};
use crate::values::{RENDERED, label_sets, ladder_nanos, twelve_octaves};

/// Enough for every thread of every group here to have a shard to itself.
const SHARDS: usize = 8;

/// Its default limit is 2,000 series.
const SERIES: usize = 20_000;

pub(crate) fn counter() -> Vec<Contender> {
    let tokens = Counter::new(SHARDS);
    vec![Contender::new("fast-telemetry Counter", move |work| repeat(work, &tokens, |tokens| tokens.inc()))]
}

pub(crate) fn gauge() -> Vec<Contender> {
    let usage = GaugeF64::new();
    vec![Contender::new("fast-telemetry GaugeF64", move |work| repeat(work, &usage, |usage| usage.set(0.5)))]
}

pub(crate) fn histogram() -> Vec<Contender> {
    let itl = Histogram::new(&ladder_nanos(), SHARDS);
    let distribution = Distribution::new(SHARDS);
    vec![
        Contender::new("fast-telemetry Histogram", move |work| nanos(work, &itl, |itl, value| itl.record(value)))
            .note(format!("20 buckets; {}", notes::TORN)),
        Contender::new("fast-telemetry Distribution", move |work| {
            nanos(work, &distribution, |distribution, value| distribution.record(value))
        })
        .note("one bucket per octave"),
    ]
}

pub(crate) fn labels() -> Vec<Contender> {
    let family = DynamicCounter::new(SHARDS);
    vec![
        Contender::new("fast-telemetry DynamicCounter", move |work| {
            cycle(work, &family, label_sets(), |family, set| family.inc(&[("code", &set.code), ("path", &set.path)]))
        })
        .note("a cache of 64 label sets per thread"),
    ]
}

pub(crate) fn render() -> Vec<Contender> {
    let itl = DynamicHistogram::with_limits(&ladder_nanos()[..RENDERED], SHARDS, SERIES);
    let tokens = DynamicCounter::with_max_series(SHARDS, SERIES);
    for i in 0..HISTOGRAMS {
        let series = itl.series(&[("series", &i.to_string())]);
        observations().for_each(|value| series.record((value * 1e9) as u64));
    }
    for i in 0..COUNTERS {
        tokens.series(&[("series", &i.to_string())]).add(i as isize);
    }
    vec![rendering("fast-telemetry export_prometheus", move |out| {
        itl.export_prometheus(out, "itl", "help");
        tokens.export_prometheus(out, "tokens_total", "help");
    })]
}

pub(crate) fn footprint() -> Footprint {
    Footprint {
        name: "fast-telemetry",
        counters: Some(counters),
        histograms: Some(histograms),
        note: "8 shards, all allocated at once",
    }
}

fn counters(count: usize) -> Touch {
    let family = DynamicCounter::with_max_series(SHARDS, SERIES);
    let held: Vec<_> = (0..count).map(|i| family.series(&[("series", &i.to_string())])).collect();
    Box::new(move || {
        let _registered = &family;
        held.iter().for_each(|series| series.inc());
    })
}

fn histograms(count: usize) -> Touch {
    let family = DynamicHistogram::with_limits(&ladder_nanos(), SHARDS, SERIES);
    let held: Vec<_> = (0..count).map(|i| family.series(&[("series", &i.to_string())])).collect();
    let values = twelve_octaves();
    Box::new(move || {
        let _registered = &family;
        held.iter().for_each(|series| values.iter().for_each(|&value| series.record(value)));
    })
}
