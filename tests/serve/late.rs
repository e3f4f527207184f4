//! Measurements whose names are known at run time only. These have metrics of their own, and need not take turns.

use tach::serve::{
    Clock, Identity, Instrument, Kind, Measurement, MetricClient, Metrics, Objectives, Profile, Profiles, Refusal,
    catalogue,
};
use tach::{Registry, Snapshot};

struct Fixture {
    registry: Registry,
    metrics: &'static Metrics,
    client: MetricClient,
}

fn fixture() -> Fixture {
    let registry = Registry::new();
    let metrics: &'static Metrics = Box::leak(Box::new(Metrics::new()));
    let all = [Profile::MaxServe, Profile::MaxServeGone, Profile::Vllm, Profile::Sglang, Profile::GenAi];
    let profiles = Profiles::new(&all, &Identity::default()).unwrap();
    metrics.attach(&registry, &profiles, Objectives::default(), Clock::manual().0).unwrap();
    Fixture { registry, metrics, client: MetricClient::new(metrics) }
}

impl Fixture {
    fn send(&self, name: &str, value: f64, attributes: &[(&str, &str)]) -> Result<(), Refusal> {
        self.client.send(&Measurement { name, value, attributes })
    }

    fn refused(&self, reason: &str) -> u64 {
        self.registry.snapshot().counter("maxserve.measurements_refused", &[("reason", reason)]).unwrap()
    }
}

/// Label values that a row takes: the last of those it has, and text or a number where they are open.
fn attributes(row: &Instrument) -> Vec<(&'static str, &'static str)> {
    let value = |label: &tach::Label| match label.values() {
        Some(values) => *values.last().unwrap(),
        None if ["code", "position"].contains(&label.name()) => "7",
        None => "text",
    };
    row.labels.iter().map(|label| (label.name(), value(label))).collect()
}

/// What a snapshot has of a row: the total or value, or count and sum.
fn recorded(snapshot: &Snapshot, row: &Instrument, labels: &[(&str, &str)]) -> (f64, f64) {
    let name = format!("maxserve.{}", row.name);
    match row.kind {
        Kind::Event | Kind::Count => (snapshot.counter(&name, labels).unwrap() as f64, 0.0),
        Kind::Delta | Kind::Value | Kind::Amount => (snapshot.gauge(&name, labels).unwrap(), 0.0),
        _ => {
            let histogram = snapshot.histogram(&name, labels).unwrap();
            (histogram.count() as f64, histogram.sum())
        }
    }
}

#[test]
fn every_instrument_takes_a_measurement() {
    let fixture = fixture();
    for row in catalogue() {
        let mut attributes = attributes(row);
        assert_eq!(fixture.send(row.name, 3.0, &attributes), Ok(()), "{}", row.name);
        attributes.reverse();
        assert_eq!(fixture.send(&format!("maxserve.{}", row.name), 4.0, &attributes), Ok(()), "{}", row.name);
    }
    let snapshot = fixture.registry.snapshot();
    for row in catalogue() {
        let expected = match row.kind {
            Kind::Event | Kind::Count | Kind::Delta => (7.0, 0.0),
            Kind::Value | Kind::Amount => (4.0, 0.0),
            _ => (2.0, 7.0),
        };
        assert_eq!(recorded(&snapshot, row, &attributes(row)), expected, "{}", row.name);
    }
}

#[test]
fn each_value_of_a_closed_label_has_its_own_series() {
    let fixture = fixture();
    let rows = || catalogue().filter(|row| row.labels.len() == 1 && row.labels[0].values().is_some());
    let values = |row: &Instrument| row.labels[0].values().unwrap().iter().enumerate();
    for row in rows() {
        for (place, value) in values(row) {
            let sent = fixture.send(row.name, place as f64 + 1.0, &[(row.labels[0].name(), value)]);
            assert_eq!(sent, Ok(()), "{} {value}", row.name);
        }
    }
    let snapshot = fixture.registry.snapshot();
    for row in rows() {
        for (place, value) in values(row) {
            let (total, sum) = recorded(&snapshot, row, &[(row.labels[0].name(), value)]);
            let got = if row.is_histogram() { sum } else { total };
            assert_eq!(got, place as f64 + 1.0, "{} {value}", row.name);
        }
    }
    assert!(rows().count() > 20);
}

#[test]
fn two_closed_labels_are_told_apart() {
    let fixture = fixture();
    for (place, kind) in ["image", "video"].into_iter().enumerate() {
        for (second, source) in ["inline", "url", "file"].into_iter().enumerate() {
            let n = (place * 10 + second + 1) as f64;
            fixture.send("media.items", n, &[("source", source), ("media_kind", kind)]).unwrap();
        }
    }
    let snapshot = fixture.registry.snapshot();
    let total =
        |kind, source| snapshot.counter("maxserve.media.items", &[("media_kind", kind), ("source", source)]).unwrap();
    assert_eq!(["inline", "url", "file"].map(|source| total("image", source)), [1, 2, 3]);
    assert_eq!(["inline", "url", "file"].map(|source| total("video", source)), [11, 12, 13]);
}

#[test]
fn late_and_early_bound_recordings_meet_in_one_series() {
    let fixture = fixture();
    fixture.metrics.request_count(200, "/v1/completions");
    fixture.send("request_count", 1.0, &[("path", "/v1/completions"), ("code", "200")]).unwrap();
    fixture.metrics.ttft(std::time::Duration::from_micros(1_500));
    fixture.send("time_to_first_token", 0.25, &[]).unwrap();
    let snapshot = fixture.registry.snapshot();
    let labels = [("code", "200"), ("path", "/v1/completions")];
    assert_eq!(snapshot.counter("maxserve.request_count", &labels), Some(2));
    let ttft = snapshot.histogram("maxserve.time_to_first_token", &[]).unwrap();
    assert_eq!((ttft.min(), ttft.max()), (0.25, 1.5));
}

#[test]
fn a_label_without_a_value_may_be_left_out() {
    let fixture = fixture();
    fixture.send("model_load_time", 5.0, &[]).unwrap();
    fixture.send("model_load_time", 6.0, &[("component", "")]).unwrap();
    assert_eq!(fixture.send("batch_size", 5.0, &[]), Err(Refusal::WrongAttributes));
    let snapshot = fixture.registry.snapshot();
    assert_eq!(snapshot.histogram("maxserve.model_load_time", &[("component", "")]).unwrap().sum(), 11.0);
}

/// Name, value, attributes, and why it is refused.
type Case<'a> = (&'a str, f64, &'a [(&'a str, &'a str)], Refusal);

#[test]
fn what_is_wrong_is_refused_and_counted_and_records_nothing() {
    let fixture = fixture();
    let (too_large, ce) = (9_007_199_254_740_994.0, [("batch_type", "CE")]);
    let cases: &[Case] = &[
        ("", 1.0, &[], Refusal::UnknownName),
        ("maxserve.", 1.0, &[], Refusal::UnknownName),
        ("no_such_name", 1.0, &[], Refusal::UnknownName),
        ("maxserve.maxserve.itl", 1.0, &[], Refusal::UnknownName),
        ("ITL", 1.0, &[], Refusal::UnknownName),
        ("cache.preemption_count", -1.0, &[], Refusal::WrongValue),
        ("cache.preemption_count", 0.5, &[], Refusal::WrongValue),
        ("num_input_tokens", -3.0, &[], Refusal::WrongValue),
        ("num_input_tokens", too_large, &[], Refusal::WrongValue),
        ("num_requests_running", 0.5, &[], Refusal::WrongValue),
        ("num_requests_running", -too_large, &[], Refusal::WrongValue),
        ("batch_size", 1.5, &ce, Refusal::WrongValue),
        ("batch_size", -1.0, &ce, Refusal::WrongValue),
        ("itl", -0.001, &[], Refusal::WrongValue),
        ("cache.used_kv_pct", -1.0, &[], Refusal::WrongValue),
        ("itl", f64::NAN, &[], Refusal::NotFinite),
        ("num_input_tokens", f64::INFINITY, &[], Refusal::NotFinite),
        ("num_requests_running", f64::NEG_INFINITY, &[], Refusal::NotFinite),
        ("num_requests_queued", f64::NAN, &[], Refusal::NotFinite),
        ("batch_size", f64::NAN, &ce, Refusal::NotFinite),
        ("itl", 1.0, &[("path", "/")], Refusal::WrongAttributes),
        ("batch_size", 1.0, &[], Refusal::WrongAttributes),
        ("batch_size", 1.0, &[("batch_type", "XX")], Refusal::WrongAttributes),
        ("batch_size", 1.0, &[("batch_type", "ce")], Refusal::WrongAttributes),
        ("batch_size", 1.0, &[("kind", "CE")], Refusal::WrongAttributes),
        ("batch_size", 1.0, &[("batch_type", "CE"), ("batch_type", "CE")], Refusal::WrongAttributes),
        ("batch_size", 1.0, &[("batch_type", "CE"), ("path", "/")], Refusal::WrongAttributes),
        ("request_count", 1.0, &[("code", "200")], Refusal::WrongAttributes),
        ("request_count", 1.0, &[("code", "200"), ("code", "200")], Refusal::WrongAttributes),
        ("request_count", 1.0, &[("code", "200"), ("path", "/"), ("x", "y")], Refusal::WrongAttributes),
        ("request_count", 1.0, &[("code", "OK"), ("path", "/")], Refusal::WrongAttributes),
        ("request_count", 1.0, &[("code", "0200"), ("path", "/")], Refusal::WrongAttributes),
        ("request_count", 1.0, &[("code", "+200"), ("path", "/")], Refusal::WrongAttributes),
        ("request_count", 1.0, &[("code", "65536"), ("path", "/")], Refusal::WrongAttributes),
    ];
    let before = tach::text::render(&fixture.registry.snapshot());
    for (name, value, attributes, reason) in cases {
        assert_eq!(fixture.send(name, *value, attributes), Err(*reason), "{name} {value} {attributes:?}");
    }
    let after = tach::text::render(&fixture.registry.snapshot());
    let values = |page: &str| -> Vec<String> {
        let of_a_server = |line: &&str| !line.starts_with("tach_") && !line.contains("measurements_refused");
        page.lines().filter(of_a_server).map(str::to_owned).collect()
    };
    assert_eq!(values(&before), values(&after));
    let count = |reason| cases.iter().filter(|case| case.3 == reason).count() as u64;
    assert_eq!(fixture.refused("unknown_name"), count(Refusal::UnknownName));
    assert_eq!(fixture.refused("wrong_value"), count(Refusal::WrongValue));
    assert_eq!(fixture.refused("not_finite"), count(Refusal::NotFinite));
    assert_eq!(fixture.refused("wrong_attributes"), count(Refusal::WrongAttributes));
}

#[test]
fn what_is_refused_makes_no_series() {
    let fixture = fixture();
    let series =
        || tach::text::render(&fixture.registry.snapshot()).lines().filter(|line| !line.starts_with('#')).count();
    let before = series();
    let open = || catalogue().filter(|row| row.labels.iter().any(|label| label.values().is_none()));
    for row in open() {
        assert_eq!(fixture.send(row.name, f64::NAN, &attributes(row)), Err(Refusal::NotFinite), "{}", row.name);
    }
    assert_eq!((fixture.refused("not_finite"), series()), (open().count() as u64, before));
}

#[test]
fn the_limits_of_values_are_taken() {
    let fixture = fixture();
    let most = 9_007_199_254_740_992.0;
    fixture.send("num_input_tokens", most, &[]).unwrap();
    fixture.send("num_input_tokens", 0.0, &[]).unwrap();
    fixture.send("num_requests_running", -most, &[]).unwrap();
    fixture.send("num_requests_queued", -0.5, &[]).unwrap();
    fixture.send("itl", 0.0, &[]).unwrap();
    fixture.send("itl", 1e300, &[]).unwrap();
    let snapshot = fixture.registry.snapshot();
    assert_eq!(snapshot.counter("maxserve.num_input_tokens", &[]), Some(1 << 53));
    assert_eq!(snapshot.gauge("maxserve.num_requests_running", &[]), Some(-most));
    assert_eq!(snapshot.gauge("maxserve.num_requests_queued", &[]), Some(-0.5));
    let itl = snapshot.histogram("maxserve.itl", &[]).unwrap();
    // What is beyond the largest is clamped, to the next tick.
    assert_eq!((itl.count(), itl.min(), itl.max()), (2, 0.0, 28_800_000.000_001));
}

#[test]
fn where_nothing_is_recorded_nothing_is_checked() {
    let client = MetricClient::new(Box::leak(Box::new(Metrics::new())));
    assert_eq!(client.send(&Measurement { name: "no_such_name", value: f64::NAN, attributes: &[] }), Ok(()));
}

#[test]
fn refusals_say_what_to_do() {
    for (refusal, part) in [
        (Refusal::UnknownName, "docs/METRICS.md"),
        (Refusal::WrongValue, "whole number up to 2^53"),
        (Refusal::NotFinite, "leave out"),
        (Refusal::WrongAttributes, "docs/METRICS.md"),
    ] {
        let error: Box<dyn std::error::Error> = Box::new(refusal);
        assert!(error.to_string().contains(part), "{error}");
    }
}
