//! All readings as one JSON object, as `docs/CLI.md` describes it.

use super::super::human::{hex, life, moment};
use super::Unread;
use super::json::Json;
use super::table::id;
use std::time::SystemTime;
use tach::reader::{Reading, Torn};
use tach::{Exemplar, HistogramSnapshot, Series, Value};

/// Those of each histogram, and what they are called.
const QUANTILES: [(f64, &str); 5] = [(0.5, "0.5"), (0.9, "0.9"), (0.99, "0.99"), (0.999, "0.999"), (0.9999, "0.9999")];

pub(super) fn object(readings: &[Reading], unread: &[Unread]) -> String {
    let now = SystemTime::now();
    let mut json = Json::default();
    json.object(|json| {
        json.name("segments").list(readings, |json, reading| json.object(|json| segment(json, reading, now)));
        json.name("errors").list(unread, |json, unread| {
            json.object(|json| {
                json.name("path").text(&unread.path.display().to_string());
                json.name("error").text(&unread.error);
            });
        });
    });
    json.end()
}

fn segment(json: &mut Json, reading: &Reading, now: SystemTime) {
    let info = &reading.info;
    json.name("path").text(&info.path.display().to_string());
    json.name("id").text(&id(info.id));
    json.name("name").text(&info.name);
    json.name("pid").integer(info.pid);
    json.name("created").text(&moment(info.created));
    json.name("beat").text(&moment(info.beat));
    json.name("beat_age_seconds").float(now.duration_since(info.beat).unwrap_or_default().as_secs_f64());
    json.name("interval_seconds").float(info.interval.as_secs_f64());
    json.name("life").text(life(info.life));
    json.name("fallbacks").integer(info.fallbacks);
    json.name("bytes").integer(info.bytes);
    json.name("folded").list(&reading.folded, |json, folded| json.text(&id(*folded)));
    json.name("torn").list(&reading.torn, torn);
    json.name("faults").list(&reading.faults, |json, fault| json.text(fault));
    json.name("series").list(reading.snapshot.series(), |json, one| json.object(|json| series(json, &one)));
}

fn torn(json: &mut Json, torn: &Torn) {
    json.object(|json| {
        json.name("metric").text(&torn.metric);
        json.name("labels").object(|json| {
            torn.labels.iter().for_each(|(name, value)| json.name(name).text(value));
        });
        json.name("shard").integer(torn.shard);
        json.name("ahead").integer(torn.ahead);
    });
}

fn series(json: &mut Json, one: &Series<'_>) {
    json.name("metric").text(one.name());
    json.name("exposed").text(&one.exposed_name());
    json.name("unit").text(one.unit().suffix());
    json.name("labels").object(|json| {
        one.constant_labels().chain(one.labels()).for_each(|(name, value)| json.name(name).text(value));
    });
    let kind = match one.value() {
        Value::Counter(_) | Value::FloatCounter(_) => "counter",
        Value::UpDownCounter(_) => "up-down counter",
        Value::Gauge(_) => "gauge",
        Value::Histogram(_) => "histogram",
        _ => "unknown",
    };
    json.name("kind").text(kind);
    match one.value() {
        Value::Counter(value) => json.name("value").integer(value),
        Value::UpDownCounter(value) => json.name("value").integer(value),
        Value::FloatCounter(value) | Value::Gauge(value) => json.name("value").float(value),
        Value::Histogram(value) => histogram(json, value),
        _ => {}
    }
    let mut exemplars = one.exemplars().peekable();
    if exemplars.peek().is_some() {
        json.name("exemplars").list(exemplars, |json, of| json.object(|json| exemplar(json, &of)));
    }
}

fn exemplar(json: &mut Json, exemplar: &Exemplar) {
    json.name("value").float(exemplar.value);
    json.name("time").text(&moment(exemplar.timestamp));
    json.name("trace_id").text(&hex(&exemplar.trace_id));
    json.name("span_id").text(&hex(&exemplar.span_id));
}

fn histogram(json: &mut Json, histogram: &HistogramSnapshot) {
    json.name("count").integer(histogram.count());
    json.name("sum").float(histogram.sum());
    json.name("clamped").integer(histogram.clamped());
    if histogram.count() > 0 {
        json.name("mean").float(histogram.mean());
        json.name("min").float(histogram.min());
        json.name("max").float(histogram.max());
        json.name("quantiles").object(|json| {
            QUANTILES.iter().for_each(|(q, name)| json.name(name).float(histogram.quantile(*q)));
        });
    }
    json.name("buckets").list(histogram.recorded(), |json, (low, high, count)| {
        json.within(['[', ']'], |json| {
            json.float(low);
            json.float(high);
            json.integer(count);
        });
    });
}
