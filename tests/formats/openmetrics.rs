//! OpenMetrics text.

use crate::model::{Family, Labels, Recorded, families, registry};
use crate::om_reader::{self, number, read};
use std::collections::BTreeMap;
use std::time::Duration;
use tach::{Registry, Unit, Windows, openmetrics, protobuf, text};

/// The page without the engine's own metrics.
fn own(page: &str) -> String {
    let own = |line: &&str| !line.starts_with("tach_") && !line.contains(" tach_");
    page.lines().filter(own).map(|line| format!("{line}\n")).collect()
}

#[test]
fn windows_read_in_every_format() {
    let registry = Registry::builder().const_label("window", "w").build().unwrap();
    let itl = registry.histogram("itl").unit(Unit::Seconds).labels(["model"]).help("ITL.").build().unwrap();
    let idle = registry.histogram("idle").help("Idle.").build().unwrap();
    let windows = Windows::start(&registry, &["itl", "idle"], &[10, 60].map(Duration::from_secs)).unwrap();
    (1..=100).for_each(|value| itl.with(["a"]).record(value * 1_000_000));
    idle.record_n(1, 0);
    let shown = windows.show(&registry.snapshot());
    let found = read(&openmetrics::render(&shown)).unwrap();
    let binary = crate::pb_reader::read(&protobuf::render(&shown)).unwrap();
    for (name, unit, samples) in [
        ("idle_window", "", 6),
        ("idle_window_rate", "", 2),
        ("idle_window_values", "", 2),
        ("itl_window_seconds", "seconds", 6),
        ("itl_seconds_window_rate", "", 2),
        ("itl_seconds_window_values", "", 2),
    ] {
        let family = found.iter().find(|family| family.name == name).unwrap();
        assert_eq!((&*family.kind, &*family.unit, family.samples.len()), ("gauge", unit, samples), "{name}");
        let binary = binary.iter().find(|family| family.name == name).unwrap();
        for (sample, metric) in family.samples.iter().zip(&binary.metrics) {
            assert!(["10s", "1m"].contains(&&*sample.labels["window"]), "{sample:?}");
            let (value, other) = (number(&sample.value).unwrap(), metric.gauge.unwrap());
            assert!(sample.labels == metric.labels && (value == other || value.is_nan() && other.is_nan()));
            match name {
                "idle_window" => assert!(value.is_nan()),
                "itl_window_seconds" => {
                    let q = number(&sample.labels["q"]).unwrap();
                    assert!((q / 10.0..=q / 10.0 * 1.01).contains(&value), "{sample:?}");
                }
                "itl_seconds_window_values" => assert_eq!(value, 100.0),
                "itl_seconds_window_rate" => assert!(value > 0.0),
                _ => assert_eq!(value, 0.0),
            }
        }
    }
}

#[test]
fn every_kind_is_printed_as_it_should() {
    let registry = Registry::builder().namespace("max.serve").const_label("model", "m\"").build().unwrap();
    registry.counter("tokens_total").help("Tokens\n\"all\" \\ of them.").build().unwrap().add(u64::MAX);
    registry.float_counter("energy").unit(Unit::Joules).build().unwrap().add(1e7);
    registry.counter("busy_seconds_total").unit(Unit::Seconds).build().unwrap();
    registry.updown_counter("running").build().unwrap().add(-3);
    registry.gauge("kv_usage").unit(Unit::Ratio).help("KV").build().unwrap().set(f64::NAN);
    let itl = registry.histogram("itl").help("ITL").unit(Unit::Seconds).buckets([0.005, 1.0]).build().unwrap();
    [5_000_000, 5_000_001, 3_000_000_000].iter().for_each(|value| itl.record(*value));
    let requests = registry.counter("request.count").labels(["code", "path"]).build().unwrap();
    requests.with(["500", "/\"a\"\\\n}é"]).inc();
    requests.with(["200", ""]).add(2);
    registry.counter("unused").labels(["l"]).build().unwrap();
    let expected = [
        "# TYPE max_serve_busy_seconds counter",
        "# UNIT max_serve_busy_seconds seconds",
        "max_serve_busy_seconds_total{M} 0",
        "# TYPE max_serve_energy_joules counter",
        "# UNIT max_serve_energy_joules joules",
        "max_serve_energy_joules_total{M} 1e+07",
        "# TYPE max_serve_itl_seconds histogram",
        "# UNIT max_serve_itl_seconds seconds",
        "# HELP max_serve_itl_seconds ITL",
        r#"max_serve_itl_seconds_bucket{M,le="0.005"} 1"#,
        r#"max_serve_itl_seconds_bucket{M,le="1.0"} 2"#,
        r#"max_serve_itl_seconds_bucket{M,le="+Inf"} 3"#,
        "max_serve_itl_seconds_sum{M} 3.010000001",
        "max_serve_itl_seconds_count{M} 3",
        "# TYPE max_serve_kv_usage_ratio gauge",
        "# UNIT max_serve_kv_usage_ratio ratio",
        "# HELP max_serve_kv_usage_ratio KV",
        "max_serve_kv_usage_ratio{M} NaN",
        "# TYPE max_serve_request_count counter",
        r#"max_serve_request_count_total{M,code="200"} 2"#,
        r#"max_serve_request_count_total{M,code="500",path="/\"a\"\\\n}é"} 1"#,
        "# TYPE max_serve_running gauge",
        "max_serve_running{M} -3",
        "# TYPE max_serve_tokens counter",
        r#"# HELP max_serve_tokens Tokens\n\"all\" \\ of them."#,
        "max_serve_tokens_total{M} 18446744073709551615",
        "# EOF",
    ];
    let expected: String = expected.iter().map(|line| line.replace('M', r#"model="m\"""#) + "\n").collect();
    let page = openmetrics::render(&registry.snapshot());
    assert_eq!(own(&page), expected);
    assert_eq!(page.matches("# EOF").count(), 1);
}

#[test]
fn samples_are_those_of_the_other_text_format() {
    let registry = Registry::new();
    registry.histogram("h").unit(Unit::Seconds).buckets([0.1, 1.0]).build().unwrap().record(5);
    registry.counter("c").help("\"").build().unwrap().inc();
    let snapshot = registry.snapshot();
    let samples =
        |page: &str| page.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    // In either order: the lines are prepared by whichever format comes first.
    let (first, second) = (openmetrics::render(&snapshot), text::render(&snapshot));
    assert_eq!(samples(&first), samples(&second));
    assert_eq!(openmetrics::render(&snapshot), first);
    assert!(!second.contains("# EOF") && !second.contains("# UNIT"));
}

#[test]
fn a_page_of_nothing_is_its_end() {
    assert_eq!(own(&openmetrics::render(&Registry::new().snapshot())), "# EOF\n");
    assert!(read(&openmetrics::render(&Registry::new().snapshot())).is_ok());
}

#[test]
fn the_reader_refuses_what_is_not_openmetrics() {
    let good = "# TYPE a_s histogram\n# UNIT a_s s\n# HELP a_s h\\\"\na_s_bucket{le=\"1.0\"} 1\na_s_bucket{le=\"+Inf\"} 2\n\
                a_s_sum 3.5\na_s_count 2\na_s_created 7.5\n# TYPE b counter\nb_total{x=\"\\n\"} 1e+06\n# EOF\n";
    assert_eq!(read(good).map(|families| families.len()), Ok(2));
    for (from, to) in [
        ("# EOF\n", ""),
        ("# EOF\n", "# EOF"),
        ("# EOF\n", "# EOF\n\n"),
        ("# EOF\n", "\n# EOF\n"),
        ("# UNIT a_s s", "# UNIT a_s seconds"),
        ("# UNIT a_s s", "# UNIT b s"),
        ("# HELP a_s h\\\"", "# HELP a_s h\""),
        ("# HELP a_s h\\\"\n", "# HELP a_s h\n# HELP a_s h\n"),
        ("# HELP a_s h\\\"\n", "# HELP a_s h\n# UNIT a_s s\n"),
        ("# TYPE b counter", "# TYPE b_total counter"),
        ("# TYPE b counter", "# TYPE b untyped"),
        ("# TYPE b counter", "# comment"),
        ("# TYPE b counter\n", ""),
        ("le=\"1.0\"", "le=\"1\""),
        ("le=\"1.0\"} 1", "le=\"1.0\"} 3"),
        ("le=\"1.0\"} 1", "le=\"1.0\"} 1.0"),
        ("le=\"1.0\"} 1", "le=\"1.0\"} 1 # {a=\"b\"} 1.5 7"),
        ("le=\"+Inf\"} 2", "le=\"+Inf\"} 2 # {a=\"b\"} 1 7"),
        ("le=\"1.0\"} 1", "le=\"1.0\"} 1 # {a=\"b\"} 0.5"),
        ("a_s_count 2", "a_s_count 2 # {a=\"b\"} 0.5 7"),
        ("a_s_bucket{le=\"+Inf\"} 2\n", ""),
        ("a_s_sum 3.5\n", ""),
        ("a_s_created 7.5\n", "a_s_created 7.5\na_s_created 7.5\n"),
        ("a_s_created 7.5\n", "a_s_created{x=\"y\"} 7.5\n"),
        ("a_s_created 7.5\n", "a_s_created -1\n"),
        ("a_s_sum 3.5\na_s_count 2\n", "a_s_count 2\na_s_sum 3.5\n"),
        ("a_s_count 2", "a_s_count 3"),
        ("b_total{x=\"\\n\"} 1e+06\n", "b_total{x=\"\\n\"} 1\nb_total{x=\"\\n\"} 1\n"),
        ("x=\"\\n\"", "x=\"\\t\""),
        ("x=\"\\n\"", "x=\"\""),
        ("x=\"\\n\"", "x=\"\\n\","),
        ("x=\"\\n\"", "x=\"\\n\",x=\"y\""),
        ("1e+06", "1e6"),
        ("1e+06", "inf"),
        ("1e+06", "-1"),
        ("1e+06", "NaN"),
        ("1e+06", "01"),
        ("1e+06", "1 1"),
        ("b_total{x=\"\\n\"} 1e+06", "b_total{x=\"\\n\"}  1"),
        ("# TYPE b counter\nb_total", "# TYPE a_s counter\na_s_total"),
        ("# TYPE b counter", "# TYPE \"b\" counter"),
        ("b_total{x=", "{\"b_total\",x="),
        ("b_total{x=", "{b_total,x="),
        ("b_total{x=", "b_total{\"x\"="),
        ("b_total{x=", "b.total{x="),
    ] {
        assert!(good.contains(from), "{from:?}");
        assert!(read(&good.replacen(from, to, 1)).is_err(), "{from:?} as {to:?}");
    }
}

/// Samples by name and labels, of what was recorded.
pub(crate) fn expected(family: &Family) -> BTreeMap<(String, Labels), f64> {
    let base = family.base();
    let mut samples = BTreeMap::new();
    for (values, recorded) in &family.series {
        let labels = family.labels_of(values);
        let mut add = |suffix: &str, le: Option<f64>, value: f64| {
            let mut labels = labels.clone();
            // The spelling is the reader's business, its value is compared.
            labels.extend(le.map(|le| ("le".to_owned(), format!("{le:?}"))));
            assert_eq!(samples.insert((format!("{base}{suffix}"), labels), value), None);
        };
        match recorded {
            Recorded::Counter(n) => add("_total", None, *n as f64),
            Recorded::UpDown(n) => add("", None, *n as f64),
            Recorded::Gauge(value) => add("", None, *value),
            Recorded::Histogram(ticks) => {
                for bound in &family.bounds {
                    let count = ticks.iter().filter(|value| *value <= bound).count();
                    add("_bucket", Some(*bound as f64 / family.ticks_per_unit()), count as f64);
                }
                add("_bucket", Some(f64::INFINITY), ticks.len() as f64);
                add("_sum", None, ticks.iter().sum::<u64>() as f64 / family.ticks_per_unit());
                add("_count", None, ticks.len() as f64);
            }
        }
    }
    samples
}

pub(crate) fn found(family: om_reader::Family) -> BTreeMap<(String, Labels), f64> {
    let samples = family.samples.into_iter().map(|sample| {
        let mut labels = sample.labels;
        if let Some(le) = labels.get_mut("le").filter(|_| sample.name.ends_with("_bucket")) {
            *le = format!("{:?}", number(le).unwrap());
        }
        ((sample.name, labels), number(&sample.value).unwrap())
    });
    samples.collect()
}

/// Whether the same samples are there with the same values, NaN being one of them.
pub(crate) fn same(left: &BTreeMap<(String, Labels), f64>, right: &BTreeMap<(String, Labels), f64>) -> bool {
    let value = |value: &f64| if value.is_nan() { None } else { Some(value.to_bits()) };
    left.len() == right.len() && left.iter().zip(right).all(|(a, b)| a.0 == b.0 && value(a.1) == value(b.1))
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_was_recorded_reads_back(families in families()) {
        let page = openmetrics::render(&registry(&families).snapshot());
        let read = read(&page).unwrap_or_else(|rule| panic!("{rule}\n{page}"));
        let mut read: BTreeMap<String, om_reader::Family> =
            read.into_iter().filter(|family| !family.name.starts_with("tach_")).map(|f| (f.name.clone(), f)).collect();
        proptest::prop_assert_eq!(read.len(), families.len());
        for family in &families {
            let there = read.remove(&family.base()).unwrap();
            proptest::prop_assert_eq!(&there.kind, family.kind());
            proptest::prop_assert_eq!(&there.unit, family.unit.suffix());
            proptest::prop_assert_eq!(&there.help, &family.help);
            let (expected, found) = (expected(family), found(there));
            proptest::prop_assert!(same(&expected, &found), "{expected:?}\n{found:?}");
        }
    }
}
