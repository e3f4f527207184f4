//! Target `openmetrics`: what is printed of any registry as OpenMetrics, of either version and in each escaping, reads
//! back as the snapshot; and as Prometheus text, as the same.

use super::filled::{Filled, lengthened};
use super::shown::{Family, Page, Series, check_buckets, check_summary, is_it, nanos, same};
use super::{composite, difference};
use crate::exposition::Labels;
use crate::names::ESCAPINGS;
use crate::number::{read, read_bound};
use crate::om_reader::{self, Sample};
use crate::text_reader;
use arbitrary::{Arbitrary, Unstructured};
use std::time::SystemTime;
use tach::openmetrics::{Options, render_with};
use tach::{Escaping, HistogramSnapshot, SummarySnapshot, Value};

/// Prints the registry that `data` stands for.
///
/// # Panics
///
/// An expectation failed.
pub fn run(data: &[u8]) {
    let data = lengthened(data);
    let mut u = Unstructured::new(&data);
    let Ok((index, created, filled)) = <(usize, bool, Filled)>::arbitrary(&mut u) else { return };
    let escaping = ESCAPINGS[index % ESCAPINGS.len()];
    for page in filled.pages() {
        check(&page, escaping, created);
        composite::check(&page, escaping);
    }
    difference::check(&filled);
}

/// Holds the texts against the page.
///
/// # Panics
///
/// They differ, or a text breaks a rule.
pub(super) fn check(page: &Page<'_>, escaping: Escaping, created: bool) {
    let text = render_with(page.snapshot, Options::new().escaping(escaping).created(created));
    let read = om_reader::read(&text).unwrap_or_else(|rule| panic!("{rule}\n{text}"));
    let expected = page.families();
    assert_eq!(read.len(), expected.len(), "{text}");
    for (found, family) in read.iter().zip(&expected) {
        let sample = family.written(escaping);
        let name = match family.kind {
            "counter" => sample.strip_suffix("_total").expect("a counter"),
            "info" => sample.strip_suffix("_info").expect("an info"),
            _ => &sample,
        };
        let metadata = (&*found.name, &*found.kind, &*found.unit, &*found.help);
        assert_eq!(metadata, (name, family.kind, family.unit_of(name), family.help));
        let (starts, samples): (Vec<&Sample>, Vec<&Sample>) =
            found.samples.iter().partition(|sample| sample.name.ends_with("_created") && family.kind != "gauge");
        let has_start = family.has_start(page.observed).unwrap_or(!starts.is_empty()) && created;
        check_starts(page, has_start, family, &starts, escaping);
        let mut rest = &*samples;
        for series in &family.series {
            rest = check_series(series, rest, &sample, &series.labels(escaping));
        }
        assert_eq!(rest.len(), 0, "{rest:?}");
    }
    check_text(page, escaping, read);
}

/// The other text format has the same samples, without exemplars, beginnings and units, and an info is a gauge.
fn check_text(page: &Page<'_>, escaping: Escaping, mut expected: Vec<om_reader::Family>) {
    for family in &mut expected {
        if family.kind == "info" {
            (family.name, family.kind) = (format!("{}_info", family.name), "gauge".to_owned());
        }
        family.unit.clear();
        family.samples.retain(|sample| family.kind == "gauge" || !sample.name.ends_with("_created"));
        family.samples.iter_mut().for_each(|sample| sample.exemplar = None);
    }
    let text = tach::text::render_with(page.snapshot, escaping);
    assert_eq!(text_reader::read(&text), Ok(expected), "{text}");
}

/// When series began: of all of a family, or of none.
fn check_starts(page: &Page<'_>, expected: bool, family: &Family<'_>, starts: &[&Sample], escaping: Escaping) {
    assert_eq!(starts.len(), if expected { family.series.len() } else { 0 });
    let (from, to) = (nanos(page.snapshot.began()) / 1_000_000_000, nanos(SystemTime::now()) / 1_000_000_000);
    for (start, series) in starts.iter().zip(&family.series) {
        assert_eq!(start.labels, series.labels(escaping));
        let (seconds, fraction) = start.value.split_once('.').unwrap_or((&start.value, "1"));
        assert!((from..=to).contains(&seconds.parse().expect("seconds")) && fraction.len() <= 9, "{start:?}");
    }
}

/// Takes the samples of a series off the front.
fn check_series<'a, 'b>(
    series: &Series<'_>,
    samples: &'a [&'b Sample],
    name: &str,
    labels: &Labels,
) -> &'a [&'b Sample] {
    let (first, rest) = samples.split_first().expect("a sample");
    let is_whole = |text: String| assert_eq!(first.value, text);
    let is = |value: f64| assert!(same(read(&first.value).expect("a number"), value), "{first:?} is {value}");
    match series.value {
        Value::Counter(total) => is_whole(total.to_string()),
        Value::UpDownCounter(value) => is_whole(value.to_string()),
        Value::FloatCounter(value) | Value::Gauge(value) => is(value),
        Value::Histogram(histogram) => return check_histogram(histogram, samples, name, labels),
        Value::Summary(summary) => return check_totals(summary, samples, name, labels),
        ref value => panic!("{value:?}"),
    }
    assert_eq!((&*first.name, &first.labels), (name, labels));
    match (&first.exemplar, &series.exemplar) {
        (Some(found), Some(exemplar)) => assert!(is_it(found, exemplar), "{found:?} is {exemplar:?}"),
        (found, exemplar) => assert!(found.is_none() && exemplar.is_none(), "{found:?} is {exemplar:?}"),
    }
    rest
}

fn check_histogram<'a, 'b>(
    histogram: &HistogramSnapshot,
    samples: &'a [&'b Sample],
    name: &str,
    labels: &Labels,
) -> &'a [&'b Sample] {
    let mut rest = samples;
    let mut next = |suffix: &str, labels: &Labels| {
        let (sample, others) = rest.split_first().expect("a sample");
        rest = others;
        assert_eq!((sample.name.strip_prefix(name), &sample.labels), (Some(suffix), labels));
        *sample
    };
    let mut exemplars = Vec::new();
    for (bound, count) in histogram.buckets().chain([(f64::INFINITY, histogram.count())]) {
        let (mut labels, le) = (labels.clone(), samples[exemplars.len()].labels.get("le").expect("a bucket"));
        labels.insert("le".to_owned(), le.clone());
        let sample = next("_bucket", &labels);
        assert_eq!((read_bound(le), &*sample.value), (Ok(bound), &*count.to_string()));
        exemplars.push((bound, sample.exemplar.as_ref()));
    }
    check_buckets(histogram, &exemplars);
    assert_eq!(read(&next("_sum", labels).value), Ok(histogram.sum()));
    assert_eq!(next("_count", labels).value, histogram.count().to_string());
    rest
}

/// As [`check_histogram`], of a summary.
fn check_totals<'a, 'b>(
    summary: &SummarySnapshot,
    samples: &'a [&'b Sample],
    name: &str,
    labels: &Labels,
) -> &'a [&'b Sample] {
    let (quantiles, rest) = samples.split_at(summary.quantiles().len());
    let quantiles = quantiles.iter().map(|sample| {
        let mut own = sample.labels.clone();
        let share = own.remove("quantile").expect("a share");
        assert_eq!((&*sample.name, &own), (name, labels));
        (read_bound(&share).expect("a share"), read(&sample.value).expect("a number"))
    });
    let [sum, count, rest @ ..] = rest else { panic!("{rest:?} has no sum and no count") };
    for (sample, suffix) in [(sum, "_sum"), (count, "_count")] {
        assert_eq!((sample.name.strip_prefix(name), &sample.labels), (Some(suffix), labels));
    }
    let whole = count.value.parse().expect("a whole number");
    check_summary(summary, whole, read(&sum.value).expect("a number"), &quantiles.collect::<Vec<_>>());
    rest
}
