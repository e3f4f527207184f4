//! `opentelemetry_sdk`: instruments with attributes per call, or bound to their attributes beforehand.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};

use crate::contender::{Contender, cycle, repeat, seconds};
use crate::contenders::notes;
use crate::groups::memory::{Footprint, Touch};
use crate::values::{LADDER, LabelSet, SETS, label_sets, twelve_octaves};

const BOUND: &str = "bound beforehand, an experimental feature";

/// The provider belongs to whoever holds the instruments: dropping it turns them off.
fn meter() -> (SdkMeterProvider, Meter) {
    let provider = SdkMeterProvider::builder().with_reader(ManualReader::builder().build()).build();
    let meter = provider.meter("duel");
    (provider, meter)
}

pub(crate) fn counter() -> Vec<Contender> {
    let (provider, meter) = meter();
    let tokens = meter.u64_counter("tokens").build();
    let bound = tokens.bind(&[]);
    vec![
        Contender::new("opentelemetry Counter", move |work| {
            let _alive = &provider;
            repeat(work, &tokens, |tokens| tokens.add(1, &[]))
        }),
        Contender::new("opentelemetry BoundCounter", move |work| repeat(work, &bound, |bound| bound.add(1)))
            .note(BOUND),
    ]
}

pub(crate) fn gauge() -> Vec<Contender> {
    let (provider, meter) = meter();
    let usage = meter.f64_gauge("usage").build();
    let bound = usage.bind(&[]);
    vec![
        Contender::new("opentelemetry Gauge", move |work| {
            let _alive = &provider;
            repeat(work, &usage, |usage| usage.record(0.5, &[]))
        }),
        Contender::new("opentelemetry BoundGauge", move |work| repeat(work, &bound, |bound| bound.record(0.5)))
            .note(BOUND),
    ]
}

pub(crate) fn histogram() -> Vec<Contender> {
    let (provider, meter) = meter();
    let itl = meter.f64_histogram("itl").with_boundaries(LADDER.to_vec()).build();
    let bound = itl.bind(&[]);
    vec![
        Contender::new("opentelemetry Histogram", move |work| {
            let _alive = &provider;
            seconds(work, &itl, |itl, value| itl.record(value, &[]))
        })
        .note(format!("20 buckets; {}", notes::LOCKED)),
        Contender::new("opentelemetry BoundHistogram", move |work| {
            seconds(work, &bound, |bound, value| bound.record(value))
        })
        .note(BOUND),
    ]
}

pub(crate) fn labels() -> Vec<Contender> {
    let attributes =
        |set: &LabelSet| [KeyValue::new("code", set.code.clone()), KeyValue::new("path", set.path.clone())];
    let (provider, meter) = meter();
    let requests = meter.u64_counter("requests").build();
    let kept_requests = requests.clone();
    let kept: Box<[[KeyValue; 2]; SETS]> = Box::new(label_sets().each_ref().map(attributes));
    vec![
        Contender::new("opentelemetry add", move |work| {
            let _alive = &provider;
            cycle(work, &requests, label_sets(), |requests, set| requests.add(1, &attributes(set)))
        })
        .note(notes::OWNED_KEY),
        Contender::new("opentelemetry add, kept attributes", move |work| {
            cycle(work, &kept_requests, &kept, |kept_requests, attributes| kept_requests.add(1, attributes))
        })
        .note(notes::KEPT_KEY),
    ]
}

pub(crate) fn footprint() -> Footprint {
    Footprint { name: "opentelemetry", counters: Some(counters), histograms: Some(histograms), note: "bound series" }
}

/// Series per instrument, below its default limit of 2,000.
const PER_INSTRUMENT: usize = 1_000;

fn counters(count: usize) -> Touch {
    let (provider, meter) = meter();
    let mut held = Vec::with_capacity(count);
    for instrument in 0..count.div_ceil(PER_INSTRUMENT) {
        let tokens = meter.u64_counter(format!("tokens{instrument}")).build();
        held.extend((0..PER_INSTRUMENT).map(|i| tokens.bind(&[KeyValue::new("series", i.to_string())])));
    }
    Box::new(move || {
        let _alive = &provider;
        held.iter().for_each(|series| series.add(1));
    })
}

fn histograms(count: usize) -> Touch {
    let (provider, meter) = meter();
    let itl = meter.f64_histogram("itl").with_boundaries(LADDER.to_vec()).build();
    let held: Vec<_> = (0..count).map(|i| itl.bind(&[KeyValue::new("series", i.to_string())])).collect();
    let values = twelve_octaves();
    Box::new(move || {
        let _alive = &provider;
        held.iter().for_each(|series| values.iter().for_each(|&value| series.record(value as f64 / 1e9)));
    })
}
