//! `metrics` with `metrics-exporter-prometheus`: handles through a facade, and its macros with labels.

use std::sync::OnceLock;

use metrics::{counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

use crate::contender::{Contender, Work, cycle, repeat, seconds};
use crate::contenders::{notes, rendering};
use crate::groups::memory::{Footprint, Touch};
use crate::groups::render::{COUNTERS, HISTOGRAMS, observations};
use crate::values::{LADDER, RENDERED, label_sets, twelve_octaves};

fn recorder(bounds: &[f64]) -> PrometheusRecorder {
    PrometheusBuilder::new().set_buckets(bounds).expect("not empty").build_recorder()
}

pub(crate) fn counter() -> Vec<Contender> {
    let tokens = with_local_recorder(&recorder(&LADDER), || counter!("tokens"));
    vec![Contender::new("metrics Counter", move |work| repeat(work, &tokens, |tokens| tokens.increment(1)))]
}

pub(crate) fn gauge() -> Vec<Contender> {
    let usage = with_local_recorder(&recorder(&LADDER), || gauge!("usage"));
    vec![Contender::new("metrics Gauge", move |work| repeat(work, &usage, |usage| usage.set(0.5)))]
}

pub(crate) fn histogram() -> Vec<Contender> {
    let recorder = recorder(&LADDER);
    let itl = with_local_recorder(&recorder, || histogram!("itl"));
    let exporter = recorder.handle();
    let run = move |work: &Work<'_>| {
        let time = seconds(work, &itl, |itl, value| itl.record(value));
        exporter.run_upkeep(); // What the exporter does every few seconds; without it samples pile up.
        time
    };
    vec![Contender::new("metrics Histogram", run).note("keeps every sample until a scrape or upkeep, not timed here")]
}

pub(crate) fn labels() -> Vec<Contender> {
    // The macros go through the global recorder, as in a program.
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| metrics::set_global_recorder(recorder(&LADDER)).expect("nobody else installs one"));
    vec![
        Contender::new("metrics counter!", |work| {
            cycle(work, &(), label_sets(), |(), set| {
                counter!("requests", "code" => set.code.clone(), "path" => set.path.clone()).increment(1);
            })
        })
        .note(notes::OWNED_KEY),
    ]
}

pub(crate) fn render() -> Vec<Contender> {
    let recorder = recorder(&LADDER[..RENDERED]);
    with_local_recorder(&recorder, || {
        for i in 0..HISTOGRAMS {
            let itl = histogram!("itl", "series" => i.to_string());
            observations().for_each(|value| itl.record(value));
        }
        for i in 0..COUNTERS {
            counter!("tokens_total", "series" => i.to_string()).increment(i as u64);
        }
    });
    let exporter = recorder.handle();
    exporter.run_upkeep();
    vec![rendering("metrics PrometheusHandle::render", move |out| *out = exporter.render())]
}

pub(crate) fn footprint() -> Footprint {
    Footprint {
        name: "metrics",
        counters: Some(counters),
        histograms: Some(histograms),
        note: "after run_upkeep(); more while samples wait for it",
    }
}

fn counters(count: usize) -> Touch {
    let recorder = recorder(&LADDER);
    let held: Vec<_> = with_local_recorder(&recorder, || {
        (0..count).map(|i| counter!("tokens_total", "series" => i.to_string())).collect()
    });
    Box::new(move || {
        let _installed = &recorder;
        held.iter().for_each(|tokens| tokens.increment(1));
    })
}

fn histograms(count: usize) -> Touch {
    let recorder = recorder(&LADDER);
    let held: Vec<_> =
        with_local_recorder(&recorder, || (0..count).map(|i| histogram!("itl", "series" => i.to_string())).collect());
    let exporter = recorder.handle();
    let values = twelve_octaves();
    Box::new(move || {
        held.iter().for_each(|itl| values.iter().for_each(|&value| itl.record(value as f64 / 1e9)));
        exporter.run_upkeep();
    })
}
