//! OpenMetrics 2.0 text.

use crate::model::{Family, Recorded, families, registry};
use crate::om2_reader::{self, Histogram, Value, read};
use crate::pb_reader;
use std::collections::BTreeMap;
use std::time::SystemTime;
use tach::{Escaping, Registry, Unit, openmetrics_2, protobuf};

/// The page without the engine's own metrics, with `B` for when a series began.
fn own(page: &str) -> String {
    let own = |line: &&str| !line.starts_with("tach_") && !line.contains(" tach_");
    let masked = |line: &str| line.split_once(" st@").map_or(line.to_owned(), |(line, _)| format!("{line} st@B"));
    page.lines().filter(own).map(|line| masked(line) + "\n").collect()
}

#[test]
fn every_kind_is_one_line_of_openmetrics_2() {
    let registry = Registry::builder().namespace("max.serve").const_label("model", "m\"").build().unwrap();
    registry.counter("tokens_total").help("Tokens\n\"all\" \\ of them.").build().unwrap().add(u64::MAX);
    registry.float_counter("energy").unit(Unit::Joules).build().unwrap().add(1e7);
    registry.observe_counter("seen", "", || 7).unwrap();
    registry.updown_counter("running").build().unwrap().add(-3);
    registry.gauge("kv_usage").unit(Unit::Ratio).help("KV").build().unwrap().set(f64::NAN);
    let itl = registry.histogram("itl").help("ITL").unit(Unit::Seconds).buckets([0.005, 1.0]);
    let itl = itl.native_schema(0).build().unwrap();
    // Zero, two neighbours, one bucket further, and far away.
    [0, 5_000_000, 5_000_001, 8_000_000, 40_000_000, 3_000_000_000].iter().for_each(|value| itl.record(*value));
    let plain = registry.histogram("plain").labels(["code", "path"]).digits(1).build().unwrap();
    let _ = plain.with(["200", ""]);
    plain.with(["500", "/\"a\"\\\n}é"]).record(3);
    registry.counter("unused").labels(["l"]).build().unwrap();
    let native = "schema:0,zero_threshold:2.938735877055719e-39,zero_count:1,positive_spans:[-7:4,5:1]";
    let expected = [
        "# TYPE max_serve_energy_joules_total counter".to_owned(),
        "# UNIT max_serve_energy_joules_total joules".to_owned(),
        "max_serve_energy_joules_total{M} 1e+07 st@B".to_owned(),
        "# TYPE max_serve_itl_seconds histogram".to_owned(),
        "# UNIT max_serve_itl_seconds seconds".to_owned(),
        "# HELP max_serve_itl_seconds ITL".to_owned(),
        format!(
            "max_serve_itl_seconds{{M}} {{count:6,sum:3.058000001,{native},positive_buckets:[2,1,0,1,1],\
             bucket:[0.005:2,1.0:5,+Inf:6]}} st@B"
        ),
        "# TYPE max_serve_kv_usage_ratio gauge".to_owned(),
        "# UNIT max_serve_kv_usage_ratio ratio".to_owned(),
        "# HELP max_serve_kv_usage_ratio KV".to_owned(),
        "max_serve_kv_usage_ratio{M} NaN".to_owned(),
        "# TYPE max_serve_plain histogram".to_owned(),
        "max_serve_plain{M,code=\"200\"} {count:0,sum:0,schema:3,zero_threshold:2.938735877055719e-39,zero_count:0} st@B"
            .to_owned(),
        r#"max_serve_plain{M,code="500",path="/\"a\"\\\n}é"} {count:1,sum:3,"#.to_owned()
            + "schema:3,zero_threshold:2.938735877055719e-39,zero_count:0,positive_spans:[13:1],positive_buckets:[1]} st@B",
        "# TYPE max_serve_running gauge".to_owned(),
        "max_serve_running{M} -3".to_owned(),
        // A callback's total has no beginning.
        "# TYPE max_serve_seen_total counter".to_owned(),
        "max_serve_seen_total{M} 7".to_owned(),
        "# TYPE max_serve_tokens_total counter".to_owned(),
        r#"# HELP max_serve_tokens_total Tokens\n\"all\" \\ of them."#.to_owned(),
        "max_serve_tokens_total{M} 18446744073709551615 st@B".to_owned(),
        "# EOF".to_owned(),
    ];
    let expected: String = expected.iter().map(|line| line.replace("{M", r#"{model="m\"""#) + "\n").collect();
    let snapshot = registry.snapshot();
    let page = openmetrics_2::render(&snapshot);
    assert_eq!(own(&page), expected);
    // The prepared lines are those of other formats in part: in either order.
    let others = (tach::text::render(&snapshot), tach::openmetrics::render(&snapshot));
    assert_eq!(openmetrics_2::render(&snapshot), page);
    assert_eq!((tach::text::render(&snapshot), tach::openmetrics::render(&snapshot)), others);
    assert_eq!(own(&openmetrics_2::render(&Registry::new().snapshot())), "# EOF\n");
    read(&page).unwrap();
}

#[test]
fn the_reader_refuses_what_is_not_openmetrics_2() {
    let native = "schema:3,zero_threshold:2.938735877055719e-39,zero_count:1,positive_spans:[-1:3,2:1]";
    let good = format!(
        "# TYPE a_s histogram\n# UNIT a_s s\n# HELP a_s h\\\"\na_s{{x=\"y\"}} {{count:5,sum:3.5,{native},\
         positive_buckets:[1,0,2,1],bucket:[0.5:1,1.0:2,+Inf:5]}} st@7.5\n# TYPE \"b.c\" counter\n\
         {{\"b.c\",x=\"\\n\"}} 1e+06 st@1\n# TYPE d gauge\nd 1\n# EOF\n"
    );
    let families = read(&good).unwrap();
    assert_eq!(families.len(), 3);
    for (from, to) in [
        ("# EOF\n", "# EOF"),
        ("# EOF\n", "\n# EOF\n"),
        ("# UNIT a_s s", "# UNIT a s"),
        ("# UNIT a_s s", "# UNIT a_s s/s"),
        ("# HELP a_s h\\\"\n", "# HELP a_s h\n# UNIT a_s s\n"),
        ("# TYPE d gauge", "# TYPE d untyped"),
        ("# TYPE d gauge\nd 1", "# TYPE a_s gauge\na_s 1"),
        ("# TYPE d gauge", "# comment"),
        ("\nd 1", "\nd 1\nd 1"),
        ("\nd 1", "\nd_total 1"),
        ("\nd 1", "\nd 1 st@1"),
        ("\nd 1", "\nd {count:1}"),
        ("\nd 1", "\nd  1"),
        ("\nd 1", "\n{\"d\"} 1"),
        ("1e+06", "-1"),
        ("1e+06", "NaN"),
        ("st@1\n", "st@1e+06\n"),
        ("st@1\n", "st@\n"),
        ("st@7.5", "1 st@7.5"),
        ("{\"b.c\",", "b.c{"),
        ("{\"b.c\",", "{b.c,"),
        ("x=\"\\n\"", "x=\"\""),
        ("{x=\"y\"}", "{le=\"1\"}"),
        ("{x=\"y\"}", "{}"),
        ("count:5", " count:5"),
        ("count:5,sum:3.5", "sum:3.5,count:5"),
        ("count:5", "count:6"),
        ("count:5", "count:5.0"),
        (",sum:3.5", ""),
        ("schema:3", "schema:9"),
        ("zero_threshold:2.938735877055719e-39,", ""),
        ("zero_count:1", "zero_count:0"),
        (",positive_spans:[-1:3,2:1]", ""),
        ("[-1:3,2:1]", "[-1:3,1:1]"),
        ("[-1:3,2:1]", "[-1:3,2:2]"),
        ("[-1:3,2:1]", "[-1:3]"),
        ("[-1:3,2:1]", "[-1:3,2:1,2:0]"),
        ("[1,0,2,1]", "[0,1,2,1]"),
        ("[1,0,2,1]", "[1,-1,2,2]"),
        ("[1,0,2,1]", "[1, 0,2,1]"),
        ("[0.5:1,1.0:2,+Inf:5]", "[0.5:1,1.0:2]"),
        ("[0.5:1,1.0:2,+Inf:5]", "[0.5:1,1.0:2,+Inf:4]"),
        ("[0.5:1,1.0:2,+Inf:5]", "[1.0:2,0.5:1,+Inf:5]"),
        ("[0.5:1,1.0:2,+Inf:5]", "[0.5:1,1:2,+Inf:5]"),
        ("[0.5:1,1.0:2,+Inf:5]", "[0.5:3,1.0:2,+Inf:5]"),
        ("+Inf:5]", "+Inf:5],max:1"),
        ("+Inf:5]}", "+Inf:5]"),
    ] {
        assert!(good.contains(from), "{from:?}");
        assert!(read(&good.replacen(from, to, 1)).is_err(), "{from:?} as {to:?}");
    }
}

#[test]
fn names_stay_whole_in_every_escaping() {
    let registry = Registry::builder().utf8_names(true).const_label("k8s.pod", "p").build().unwrap();
    registry.counter("http.size").unit(Unit::Bytes).labels(["a \"b\""]).build().unwrap().with(["2"]).add(3);
    registry.histogram("wait.time").unit(Unit::Seconds).build().unwrap().record(1);
    let snapshot = registry.snapshot();
    for (escaping, size, size_labels, wait, pod) in [
        (Escaping::Underscores, "http_size_bytes_total", "k8s_pod=\"p\",a__b_=\"2\"", "wait_time_seconds", "k8s_pod"),
        (
            Escaping::Dots,
            "http_dot_size__bytes__total",
            "k8s_dot_pod=\"p\",a____b__=\"2\"",
            "wait_dot_time__seconds",
            "k8s_dot_pod",
        ),
        (
            Escaping::Values,
            "U__http_2e_size__bytes__total",
            "U__k8s_2e_pod=\"p\",U__a_20__22_b_22_=\"2\"",
            "U__wait_2e_time__seconds",
            "U__k8s_2e_pod",
        ),
    ] {
        let page = openmetrics_2::render_with(&snapshot, escaping);
        // Whatever the name ends in then, the unit is told.
        let begin = format!("# TYPE {size} counter\n# UNIT {size} bytes\n{size}{{{size_labels}}} 3 st@");
        assert!(page.contains(&begin), "{page}");
        let begin = format!("# TYPE {wait} histogram\n# UNIT {wait} seconds\n{wait}{{{pod}=\"p\"}} {{count:1,");
        assert!(page.contains(&begin), "{page}");
    }
    let page = openmetrics_2::render_with(&snapshot, Escaping::AllowUtf8);
    let begin = "# TYPE \"http.size_bytes_total\" counter\n# UNIT \"http.size_bytes_total\" bytes\n\
                 {\"http.size_bytes_total\",\"k8s.pod\"=\"p\",\"a \\\"b\\\"\"=\"2\"} 3 st@";
    assert!(page.contains(begin) && page.contains("\n{\"wait.time_seconds\",\"k8s.pod\"=\"p\"} {count:1,"), "{page}");
}

/// What a histogram's line has to have.
fn expected(family: &Family, ticks: &[u64], found: &Histogram) -> Histogram {
    let bucket =
        |bound: &u64| (*bound as f64 / family.ticks_per_unit(), ticks.iter().filter(|t| *t <= bound).count() as u64);
    let positive = ticks.iter().filter(|ticks| **ticks > 0).count() as u64;
    Histogram {
        count: ticks.len() as u64,
        sum: ticks.iter().sum::<u64>() as f64 / family.ticks_per_unit(),
        schema: Some(family.schema.map_or(i64::from(family.digits) + 2, i64::from)),
        zeros: ticks.len() as u64 - positive,
        native: match family.schema {
            Some(schema) => family.account(schema, ticks),
            // Where it falls is protobuf's to say.
            None => found.native.iter().filter(|(_, count)| **count > 0).map(|(i, count)| (*i, *count)).collect(),
        },
        classic: family.bounds.iter().map(bucket).collect(),
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_was_recorded_reads_back(families in families()) {
        let snapshot = registry(&families).snapshot();
        let page = openmetrics_2::render(&snapshot);
        let read = read(&page).unwrap_or_else(|rule| panic!("{rule}\n{page}"));
        let mut read: BTreeMap<String, om2_reader::Family> =
            read.into_iter().filter(|family| !family.name.starts_with("tach_")).map(|f| (f.name.clone(), f)).collect();
        proptest::prop_assert_eq!(read.len(), families.len());
        let binary = pb_reader::read(&protobuf::render(&snapshot)).unwrap();
        let (from, to) = (snapshot.began(), SystemTime::now());
        for family in &families {
            let name = family.base() + if family.kind() == "counter" { "_total" } else { "" };
            let there = read.remove(&name).unwrap();
            proptest::prop_assert_eq!(&there.kind, family.kind());
            proptest::prop_assert_eq!(&there.unit, family.unit.suffix());
            proptest::prop_assert_eq!(&there.help, &family.help);
            proptest::prop_assert_eq!(there.series.len(), family.series.len());
            let binary = binary.iter().find(|binary| binary.name == name).unwrap();
            for ((values, recorded), mut found) in family.series.iter().zip(there.series) {
                proptest::prop_assert_eq!(&found.labels, &family.labels_of(values));
                proptest::prop_assert_eq!(found.start.is_some(), family.kind() != "gauge");
                if let Some(start) = &found.start {
                    let start = start.parse::<f64>().unwrap();
                    let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
                    proptest::prop_assert!((seconds(from) - 1e-3..=seconds(to) + 1e-3).contains(&start));
                }
                let bits = |value: f64| Some(value.to_bits()).filter(|_| !value.is_nan());
                match (recorded, &mut found.value) {
                    (Recorded::Counter(n), Value::Number(value)) => proptest::prop_assert_eq!(*value, *n as f64),
                    (Recorded::UpDown(n), Value::Number(value)) => proptest::prop_assert_eq!(*value, *n as f64),
                    (Recorded::Gauge(set), Value::Number(value)) => proptest::prop_assert_eq!(bits(*set), bits(*value)),
                    (Recorded::Histogram(ticks), Value::Histogram(found)) => {
                        found.native.retain(|_, count| *count > 0);
                        proptest::prop_assert_eq!(&expected(family, ticks, found), &*found);
                        let labels = family.labels_of(values);
                        let same = binary.metrics.iter().find(|metric| metric.labels == labels).unwrap();
                        let same = crate::protobuf::buckets(same.histogram.as_ref().unwrap());
                        proptest::prop_assert_eq!(same, std::mem::take(&mut found.native));
                    }
                    (recorded, found) => panic!("{recorded:?} is {found:?}"),
                }
            }
        }
    }
}
