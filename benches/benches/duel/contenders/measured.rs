//! `measured`: label values become array indices or keys of a sharded map; histograms take a read lock.

use measured::lasso::{Rodeo, RodeoReader};
use measured::metric::histogram::Thresholds;
use measured::text::BufferedTextEncoder;
use measured::{Counter, CounterVec, FloatGauge, Histogram, HistogramVec, LabelGroup, MetricGroup};
use paracord::ParaCord;

use crate::contender::{Contender, Work, cycle, repeat, seconds};
use crate::contenders::{notes, rendering};
use crate::groups::memory::{Footprint, Touch};
use crate::groups::render::{COUNTERS, HISTOGRAMS, observations};
use crate::values::{LADDER, RENDERED, codes_and_paths, label_sets, twelve_octaves};

#[derive(LabelGroup)]
#[label(set = KnownSet)]
struct Known<'a> {
    #[label(fixed_with = RodeoReader)]
    code: &'a str,
    #[label(fixed_with = RodeoReader)]
    path: &'a str,
}

#[derive(LabelGroup)]
#[label(set = DynamicSet)]
struct Dynamic<'a> {
    #[label(dynamic_with = ParaCord)]
    code: &'a str,
    #[label(dynamic_with = ParaCord)]
    path: &'a str,
}

#[derive(LabelGroup)]
#[label(set = SeriesSet)]
struct Series<'a> {
    #[label(dynamic_with = ParaCord)]
    series: &'a str,
}

#[derive(MetricGroup)]
struct Rendered {
    /// help
    itl: HistogramVec<SeriesSet, RENDERED>,
    /// help
    tokens: CounterVec<SeriesSet>,
}

fn series_set() -> SeriesSet {
    SeriesSet { series: ParaCord::default() }
}

pub(crate) fn counter() -> Vec<Contender> {
    let tokens = Counter::new();
    vec![Contender::new("measured Counter", move |work| repeat(work, &tokens, |tokens| tokens.inc()))]
}

pub(crate) fn gauge() -> Vec<Contender> {
    let usage = FloatGauge::new();
    vec![Contender::new("measured FloatGauge", move |work| repeat(work, &usage, |usage| usage.get_metric().set(0.5)))]
}

pub(crate) fn histogram() -> Vec<Contender> {
    let itl = Histogram::with_metadata(Thresholds::with_buckets(LADDER));
    let run = move |work: &Work<'_>| seconds(work, &itl, |itl, value| itl.get_metric().observe(value));
    vec![Contender::new("measured Histogram", run).note(format!("20 buckets; {}", notes::LOCKED))]
}

pub(crate) fn labels() -> Vec<Contender> {
    let (codes, paths) = codes_and_paths();
    let reader = |values: [&'static str; 8]| values.into_iter().collect::<Rodeo>().into_reader();
    let known = CounterVec::with_label_set(KnownSet { code: reader(codes), path: reader(paths) });
    let dynamic = CounterVec::with_label_set(DynamicSet { code: ParaCord::default(), path: ParaCord::default() });
    vec![
        Contender::new("measured CounterVec, known values", move |work| {
            cycle(work, &known, label_sets(), |known, set| known.inc(Known { code: &set.code, path: &set.path }))
        })
        .note("all values listed beforehand"),
        Contender::new("measured CounterVec, dynamic values", move |work| {
            cycle(work, &dynamic, label_sets(), |dynamic, set| {
                dynamic.inc(Dynamic { code: &set.code, path: &set.path })
            })
        }),
    ]
}

pub(crate) fn render() -> Vec<Contender> {
    let bounds = Thresholds::with_buckets(std::array::from_fn(|i| LADDER[i]));
    let metrics = Rendered {
        itl: HistogramVec::with_label_set_and_metadata(series_set(), bounds),
        tokens: CounterVec::with_label_set(series_set()),
    };
    for i in 0..HISTOGRAMS {
        observations().for_each(|value| metrics.itl.observe(Series { series: &i.to_string() }, value));
    }
    for i in 0..COUNTERS {
        metrics.tokens.inc_by(Series { series: &i.to_string() }, i as u64);
    }
    vec![rendering("measured collect_group_into", move |out| {
        let mut encoder = BufferedTextEncoder::new();
        let Ok(()) = metrics.collect_group_into(&mut encoder);
        // Its own exporter would send these bytes as they are; the copy is 1 % of the time.
        out.push_str(std::str::from_utf8(&encoder.finish()).expect("text is UTF-8"));
    })]
}

pub(crate) fn footprint() -> Footprint {
    Footprint { name: "measured", counters: Some(counters), histograms: Some(histograms), note: "" }
}

fn counters(count: usize) -> Touch {
    let family = CounterVec::with_label_set(series_set());
    let held: Vec<_> = (0..count).map(|i| family.with_labels(Series { series: &i.to_string() })).collect();
    Box::new(move || held.iter().for_each(|&id| family.get_metric(id).inc()))
}

fn histograms(count: usize) -> Touch {
    let bounds = Thresholds::with_buckets(LADDER);
    let family = HistogramVec::<SeriesSet, 20>::with_label_set_and_metadata(series_set(), bounds);
    let held: Vec<_> = (0..count).map(|i| family.with_labels(Series { series: &i.to_string() })).collect();
    let values = twelve_octaves();
    Box::new(move || {
        for &id in &held {
            values.iter().for_each(|&value| family.get_metric(id).observe(value as f64 / 1e9));
        }
    })
}
