//! Summaries of windows, in every format.

use crate::om_reader::{self, Family, number};
use crate::om2_reader::{self, Value};
use crate::pb_reader;
use std::time::Duration;
use tach::{HistogramSnapshot, Registry, Snapshot, Unit, Windows, openmetrics, openmetrics_2, protobuf, text};

const LENGTHS: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(60)];
const SHARES: [f64; 4] = [0.0, 0.5, 0.99, 1.0];

/// What was recorded before the windows began, and since.
fn shown() -> (Registry, Windows, Snapshot) {
    let registry = Registry::builder().const_label("zone", "eu").build().unwrap();
    let itl = registry.histogram("itl").unit(Unit::Seconds).labels(["model"]).help("ITL.").build().unwrap();
    let idle = registry.histogram("idle").build().unwrap();
    itl.with(["a"]).record_n(2_000_000_000, 3);
    idle.record_n(7, 2);
    let windows = Windows::start(&registry, &["itl", "idle"], &LENGTHS).unwrap();
    let windows = windows.quantiles(&[1.0, 0.5, 0.99, -0.0]).unwrap().summaries().unwrap();
    (1..=100).for_each(|value| itl.with(["a"]).record(value * 1_000_000));
    itl.with(["b \"c\""]).record(1_000_000);
    let shown = windows.show(&registry.snapshot());
    (registry, windows, shown)
}

fn samples<'a>(found: &'a [Family], name: &str, suffix: &str) -> Vec<&'a om_reader::Sample> {
    let family = found.iter().find(|family| family.name == name).unwrap();
    let of = format!("{name}{suffix}");
    family.samples.iter().filter(|sample| sample.name == of).collect()
}

#[test]
fn they_read_in_every_format() {
    let (_registry, _windows, shown) = shown();
    let found = om_reader::read(&openmetrics::render(&shown)).unwrap();
    let two = om2_reader::read(&openmetrics_2::render(&shown)).unwrap();
    let binary = pb_reader::read(&protobuf::render(&shown)).unwrap();
    // By model and window: what the histogram has, and the largest of the window.
    for (name, unit, series) in [
        ("idle_window", "", vec![("", "10s", 2, 14.0, f64::NAN), ("", "1m", 2, 14.0, f64::NAN)]),
        (
            "itl_window_seconds",
            "seconds",
            vec![
                ("a", "10s", 103, 11.05, 0.1),
                ("a", "1m", 103, 11.05, 0.1),
                ("b \"c\"", "10s", 1, 0.001, 0.001),
                ("b \"c\"", "1m", 1, 0.001, 0.001),
            ],
        ),
    ] {
        let family = found.iter().find(|family| family.name == name).unwrap();
        assert_eq!((&*family.kind, &*family.unit), ("summary", unit));
        let (counts, sums) = (samples(&found, name, "_count"), samples(&found, name, "_sum"));
        let quantiles = samples(&found, name, "");
        let two = two.iter().find(|family| family.name == name).unwrap();
        let binary = binary.iter().find(|family| family.name == name).unwrap();
        assert_eq!((&*two.kind, &*two.unit, binary.kind, &*binary.unit), ("summary", unit, Some(2), unit));
        assert_eq!(
            [counts.len(), sums.len(), quantiles.len(), two.series.len(), binary.metrics.len()],
            [series.len(), series.len(), series.len() * SHARES.len(), series.len(), series.len()]
        );
        for (index, (model, window, count, sum, largest)) in series.into_iter().enumerate() {
            let labels = [("zone", "eu"), ("model", model), ("window", window)].into_iter();
            let labels = labels.filter(|(_, value)| !value.is_empty());
            let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            assert_eq!((&counts[index].labels, &sums[index].labels), (&labels, &labels));
            let is_close =
                |left: f64, right: f64| (left - right).abs() <= right * 0.01 || left.is_nan() && right.is_nan();
            assert!(counts[index].value == format!("{count}") && is_close(number(&sums[index].value).unwrap(), sum));
            let metric = &binary.metrics[index];
            let pb = metric.summary.as_ref().unwrap();
            let Value::Summary(om_count, om_sum, om_quantiles) = &two.series[index].value else { panic!("{name}") };
            assert_eq!((pb.count, *om_count), (count, count));
            assert_eq!((pb.sum, *om_sum), (number(&sums[index].value).unwrap(), pb.sum));
            assert_eq!((&metric.labels, &two.series[index].labels), (&labels, &labels));
            assert!(metric.start.is_some() && two.series[index].start.is_some());
            for (nth, share) in SHARES.into_iter().enumerate() {
                let sample = quantiles[index * SHARES.len() + nth];
                let mut own = labels.clone();
                own.insert("quantile".to_owned(), format!("{share:?}"));
                assert_eq!(sample.labels, own);
                let value = number(&sample.value).unwrap();
                let same = |(other, quantile): (f64, f64)| other == share && is_close(quantile, value);
                assert!(same(pb.quantiles[nth]) && same(om_quantiles[nth]), "{pb:?} {om_quantiles:?}");
            }
            assert!(is_close(number(&quantiles[index * SHARES.len() + 3].value).unwrap(), largest), "{name} {index}");
        }
    }
    // What the window counts is still told.
    assert_eq!(shown.gauge("itl_window_values", &[("model", "a"), ("window", "1m")]), Some(100.0));
    assert_eq!(shown.gauge("itl_window", &[("model", "a"), ("window", "1m"), ("q", "0.5")]), None);

    let page = text::render(&shown);
    for line in [
        "# TYPE idle_window summary",
        r#"idle_window{zone="eu",window="10s",quantile="0.0"} NaN"#,
        r#"idle_window{zone="eu",window="10s",quantile="1.0"} NaN"#,
        r#"idle_window_sum{zone="eu",window="10s"} 14"#,
        r#"idle_window_count{zone="eu",window="10s"} 2"#,
    ] {
        assert!(page.contains(&format!("{line}\n")), "{line} is not in\n{page}");
    }
    let line = r#"idle_window{zone="eu",window="1m"} {count:2,sum:14,quantile:[0.0:NaN,0.5:NaN,0.99:NaN,1.0:NaN]} st@"#;
    assert!(openmetrics_2::render(&shown).contains(line));
}

#[test]
fn the_readers_refuse_what_is_no_summary() {
    let good = "# TYPE a summary\na{w=\"x\",quantile=\"0.5\"} 1\na{w=\"x\",quantile=\"1.0\"} 2\na_sum{w=\"x\"} 3\n\
                a_count{w=\"x\"} 2\n# EOF\n";
    assert!(om_reader::read(good).is_ok());
    for (from, to) in [
        ("\"0.5\"", "\"1.0\""),
        ("\"1.0\"", "\"1\""),
        ("\"1.0\"", "\"1.5\""),
        ("} 2\na_s", "} 0.5\na_s"),
        (",quantile=\"1.0\"", ",v=\"1.0\""),
        ("a_sum{w=\"x\"} 3\n", ""),
        ("a_count{w=\"x\"} 2\n", ""),
        ("a_count{w=\"x\"} 2", "a_count{w=\"y\"} 2"),
        ("a_count{w=\"x\"} 2", "a_count{w=\"x\"} 2.5"),
        ("a_sum{w=\"x\"} 3", "a_sum{w=\"x\"} NaN"),
        ("a_sum", "a_bucket"),
    ] {
        assert!(good.contains(from) && om_reader::read(&good.replacen(from, to, 1)).is_err(), "{from} as {to}");
    }
    let good = "# TYPE a summary\na{w=\"x\"} {count:2,sum:3,quantile:[0.5:1,1.0:2]} st@1\n# EOF\n";
    assert!(om2_reader::read(good).is_ok());
    assert!(om2_reader::read(&good.replace("0.5:1,1.0:2", "")).is_ok());
    for (from, to) in [
        ("count:2", "count:2.5"),
        ("count:2,", ""),
        ("sum:3,", ""),
        ("sum:3", "sum:NaN"),
        (",quantile:[0.5:1,1.0:2]", ""),
        ("0.5:1", "1.0:1"),
        ("1.0:2", "1:2"),
        ("1.0:2", "1.5:2"),
        ("0.5:1", "0.5:-1"),
        ("w=", "quantile="),
        ("]}", "],x:1}"),
    ] {
        assert!(good.contains(from) && om2_reader::read(&good.replacen(from, to, 1)).is_err(), "{from} as {to}");
    }
}

#[test]
fn they_tell_when_their_totals_began() {
    let (registry, windows, _) = shown();
    let created = |shown: &Snapshot| {
        let page = openmetrics::render_with(shown, openmetrics::Options::new().created(true));
        let found = om_reader::read(&page).unwrap();
        let by_model = |name: &str, labels: &[(&str, &str)]| -> Vec<String> {
            let has = |sample: &&om_reader::Sample| labels.iter().all(|(label, value)| sample.labels[*label] == *value);
            samples(&found, name, "_created").into_iter().filter(has).map(|sample| sample.value.clone()).collect()
        };
        let of = by_model("itl_seconds", &[("model", "a")]);
        assert_eq!(by_model("itl_window_seconds", &[("model", "a")]), [of[0].clone(), of[0].clone()]);
        of[0].clone()
    };
    let before = created(&windows.show(&registry.snapshot()));
    let itl = registry.histogram("itl").unit(Unit::Seconds).labels(["model"]).help("ITL.").build().unwrap();
    itl.remove(["a"]);
    itl.with(["a"]).record_n(5, 1_000);
    let after = created(&windows.show(&registry.snapshot()));
    assert!(number(&before).unwrap() < number(&after).unwrap() && number(&before).unwrap() > 1e9);
}

#[test]
fn differences_are_those_of_the_totals() {
    let (registry, windows, before) = shown();
    let itl = registry.histogram("itl").unit(Unit::Seconds).labels(["model"]).help("ITL.").build().unwrap();
    itl.with(["a"]).record_n(3_000_000_000, 5);
    let now = windows.show(&registry.snapshot());
    let difference = now.since(&before);
    let found = |snapshot: &Snapshot| {
        let is_it = |series: &tach::Series<'_>| {
            series.name() == "itl_window" && series.labels().eq([("model", "a"), ("window", "1m")])
        };
        let one = snapshot.series().find(is_it).unwrap();
        let tach::Value::Summary(summary) = one.value() else { panic!("{one:?}") };
        summary.clone()
    };
    let (difference, now) = (found(&difference), found(&now));
    assert_eq!((now.count(), difference.count()), (108, 5));
    assert!((difference.sum() - 15.0).abs() < 1e-6, "{difference:?}");
    assert!(difference.quantiles().eq(now.quantiles()) && now.quantiles().len() == SHARES.len());
    // The same is read in the process.
    let of = windows.histogram("itl", &[("model", "a")], LENGTHS[1]);
    assert_eq!(of.as_ref().map(HistogramSnapshot::count), Some(105));
    assert_eq!(now.quantiles().nth(2).unwrap().1, of.unwrap().quantile(0.99));
}

#[test]
fn a_metric_by_the_name_of_a_total_is_refused() {
    let registry = Registry::new();
    registry.histogram("itl").build().unwrap();
    registry.gauge("itl_window_count").build().unwrap();
    let windows = Windows::start(&registry, &["itl"], &LENGTHS).unwrap();
    let error = windows.summaries().unwrap_err().to_string();
    assert!(error.starts_with("windows: those of \"itl\" would be exposed as itl_window_count"), "{error}");
}

#[cfg(feature = "otlp")]
#[test]
fn otlp_has_their_totals_since_they_began_whatever_the_temporality() {
    use crate::otlp_reader::read;
    use tach::otlp::{Encoder, Resource, Temporality};

    let (registry, windows, first) = shown();
    let mut encoder = Encoder::new(Resource::new().service("test")).temporality(Temporality::Delta);
    let itl = registry.histogram("itl").unit(Unit::Seconds).labels(["model"]).help("ITL.").build().unwrap();
    let before = read(&encoder.encode(&first)).unwrap();
    encoder.accepted();
    itl.with(["a"]).record(1);
    let then = read(&encoder.encode(&windows.show(&registry.snapshot()))).unwrap();
    encoder.accepted();
    // Another series by the same name, with more than the old one had.
    itl.remove(["a"]);
    itl.with(["a"]).record_n(1, 1_000);
    let after = read(&encoder.encode(&windows.show(&registry.snapshot()))).unwrap();
    let mut starts = Vec::new();
    for (request, count) in [(&before, 103), (&then, 104), (&after, 1_000)] {
        let metric = request.metric("itl_window");
        assert_eq!((metric.data().kind, &*metric.unit), ("summary", "s"));
        assert_eq!(metric.description, "Quantiles of the window, and totals of: ITL.");
        let points = &metric.data().points;
        assert_eq!(points.len(), 4);
        for point in points.iter().filter(|point| point.attributes["model"] == "a") {
            assert!(["10s", "1m"].contains(&&*point.attributes["window"]) && point.attributes["zone"] == "eu");
            assert_eq!(point.count, count);
            assert!(point.quantiles.iter().map(|(share, _)| *share).eq(SHARES) && point.sum.unwrap() > 0.0);
            assert!(
                std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() >= u128::from(point.time)
                    && point.start <= point.time
            );
            starts.push(point.start);
        }
        assert!(request.metric("idle_window").data().points.iter().all(|point| point.quantiles[0].1.is_nan()));
    }
    assert!(
        starts[0] > 0 && starts[..4].iter().all(|start| *start == starts[0]) && starts[4] > starts[0],
        "{starts:?}"
    );
}
