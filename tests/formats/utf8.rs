//! Names of any characters, and what each scraper sees of them.

use crate::om_reader::read;
use crate::undo::undo;
use crate::{om2_reader, pb_reader, text_reader};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;
use tach::openmetrics::{self, Options};
use tach::{Escaping, Registry, Snapshot, Unit, openmetrics_2, protobuf, text};

const ESCAPINGS: [Escaping; 4] = [Escaping::Underscores, Escaping::Dots, Escaping::Values, Escaping::AllowUtf8];

fn open(snapshot: &Snapshot, escaping: Escaping) -> String {
    openmetrics::render_with(snapshot, Options::new().escaping(escaping).created(true))
}

fn without_own(page: &str) -> Vec<&str> {
    page.lines().filter(|line| !line.contains("tach_")).collect()
}

fn registry() -> Registry {
    let registry = Registry::builder().utf8_names(true).const_label("k8s.pod", "p").build().unwrap();
    let sizes = registry.counter("http.größe").unit(Unit::Bytes).help("Sizes.").labels(["plain", "a \"b\""]).build();
    sizes.unwrap().with(["1", "2"]).add(3);
    registry.histogram("wait.time").unit(Unit::Seconds).buckets([0.5]).build().unwrap().record(1);
    registry.gauge("plain_name").build().unwrap().set(1.0);
    registry
}

#[test]
fn each_escaping_is_written_as_scrapers_read_it() {
    let snapshot = registry().snapshot();
    let pages = ESCAPINGS.map(|escaping| text::render_with(&snapshot, escaping));
    let expected: [&[&str]; 4] = [
        &[
            "# HELP http_gr__e_bytes_total Sizes.",
            "# TYPE http_gr__e_bytes_total counter",
            r#"http_gr__e_bytes_total{k8s_pod="p",plain="1",a__b_="2"} 3"#,
            "# TYPE plain_name gauge",
            r#"plain_name{k8s_pod="p"} 1"#,
            "# TYPE wait_time_seconds histogram",
            r#"wait_time_seconds_bucket{k8s_pod="p",le="0.5"} 1"#,
            r#"wait_time_seconds_bucket{k8s_pod="p",le="+Inf"} 1"#,
            r#"wait_time_seconds_sum{k8s_pod="p"} 1e-09"#,
            r#"wait_time_seconds_count{k8s_pod="p"} 1"#,
        ],
        &[
            "# HELP http_dot_gr____e__bytes__total Sizes.",
            "# TYPE http_dot_gr____e__bytes__total counter",
            r#"http_dot_gr____e__bytes__total{k8s_dot_pod="p",plain="1",a____b__="2"} 3"#,
            "# TYPE plain__name gauge",
            r#"plain__name{k8s_dot_pod="p"} 1"#,
            "# TYPE wait_dot_time__seconds histogram",
            r#"wait_dot_time__seconds_bucket{k8s_dot_pod="p",le="0.5"} 1"#,
            r#"wait_dot_time__seconds_bucket{k8s_dot_pod="p",le="+Inf"} 1"#,
            r#"wait_dot_time__seconds_sum{k8s_dot_pod="p"} 1e-09"#,
            r#"wait_dot_time__seconds_count{k8s_dot_pod="p"} 1"#,
        ],
        &[
            "# HELP U__http_2e_gr_f6__df_e__bytes__total Sizes.",
            "# TYPE U__http_2e_gr_f6__df_e__bytes__total counter",
            r#"U__http_2e_gr_f6__df_e__bytes__total{U__k8s_2e_pod="p",plain="1",U__a_20__22_b_22_="2"} 3"#,
            "# TYPE plain_name gauge",
            r#"plain_name{U__k8s_2e_pod="p"} 1"#,
            "# TYPE U__wait_2e_time__seconds histogram",
            r#"U__wait_2e_time__seconds_bucket{U__k8s_2e_pod="p",le="0.5"} 1"#,
            r#"U__wait_2e_time__seconds_bucket{U__k8s_2e_pod="p",le="+Inf"} 1"#,
            r#"U__wait_2e_time__seconds_sum{U__k8s_2e_pod="p"} 1e-09"#,
            r#"U__wait_2e_time__seconds_count{U__k8s_2e_pod="p"} 1"#,
        ],
        &[
            "# HELP \"http.größe_bytes_total\" Sizes.",
            "# TYPE \"http.größe_bytes_total\" counter",
            r#"{"http.größe_bytes_total","k8s.pod"="p",plain="1","a \"b\""="2"} 3"#,
            "# TYPE plain_name gauge",
            r#"plain_name{"k8s.pod"="p"} 1"#,
            "# TYPE \"wait.time_seconds\" histogram",
            r#"{"wait.time_seconds_bucket","k8s.pod"="p",le="0.5"} 1"#,
            r#"{"wait.time_seconds_bucket","k8s.pod"="p",le="+Inf"} 1"#,
            r#"{"wait.time_seconds_sum","k8s.pod"="p"} 1e-09"#,
            r#"{"wait.time_seconds_count","k8s.pod"="p"} 1"#,
        ],
    ];
    for (page, expected) in pages.iter().zip(expected) {
        assert_eq!(without_own(page), expected);
    }
    // Those who cannot say what they take.
    assert_eq!(text::render(&snapshot), pages[0]);
    let page = open(&snapshot, Escaping::AllowUtf8);
    let begin = "# TYPE \"http.größe_bytes\" counter\n# UNIT \"http.größe_bytes\" bytes\n\
                 # HELP \"http.größe_bytes\" Sizes.\n{\"http.größe_bytes_total\",";
    assert!(page.starts_with(begin) && page.contains("\n{\"http.größe_bytes_created\","), "{page}");
    // In no other format would the unit be the end of this name.
    let page = open(&snapshot, Escaping::Values);
    assert!(page.starts_with("# TYPE U__http_2e_gr_f6__df_e__bytes_ counter\n# HELP "), "{page}");
}

#[test]
fn names_without_the_setting_are_the_same_for_all_but_dots() {
    let registry = Registry::builder().namespace("max.serve").build().unwrap();
    registry.counter("request.count").labels(["code"]).build().unwrap().with(["1"]).inc();
    let snapshot = registry.snapshot();
    for escaping in [Escaping::Values, Escaping::AllowUtf8] {
        assert_eq!(text::render_with(&snapshot, escaping), text::render(&snapshot));
        assert_eq!(protobuf::render_with(&snapshot, escaping), protobuf::render(&snapshot));
    }
    let page = text::render_with(&snapshot, Escaping::Dots);
    assert!(page.contains("\nmax__serve__request__count__total{code=\"1\"} 1\n"), "{page}");
    for name in ["ä", "a b", ""] {
        assert!(registry.gauge(name).build().is_err());
        assert!(registry.gauge("g").labels([name]).build().is_err());
        assert!(Registry::builder().namespace(name).build().is_err());
    }
}

#[test]
fn what_some_scraper_would_see_twice_is_refused() {
    let registry = Registry::builder().utf8_names(true).const_label("zone.name", "a").build().unwrap();
    registry.gauge("a.b").build().unwrap();
    registry.histogram("h.h").build().unwrap();
    for (name, shown) in [
        ("a_b", "a_b"),
        ("a-b", "a_b"),
        ("U__a_2e_b", "U__a_2e_b"),
        ("h_h_sum", "h_h_sum"),
        ("h.h-count", "h_h_count"),
        ("U__h_2e_h_bucket", "U__h_2e_h_bucket"),
    ] {
        let error = registry.gauge(name).build().unwrap_err().to_string();
        assert!(error.contains(&format!("both would be exposed as {shown}")), "{name}: {error}");
    }
    for name in ["tach.own", "tach-own", "ta\nch", "\0", ""] {
        assert!(registry.gauge(name).build().is_err(), "{name:?}");
    }
    for labels in [["x.y", "x_y"], ["x", "zone_name"], ["x", "-_x"], ["x", "_name_"], ["x", "x"], ["x", "\u{85}"]] {
        assert!(registry.gauge("labels").labels(labels).build().is_err(), "{labels:?}");
    }
    // Neither the one nor the other is kept from good ones.
    registry.gauge("a..b").labels(["x.y", "x.z"]).build().unwrap();
    registry.gauge("a.").build().unwrap();
}

/// Any name, often with what has to be escaped, or looks as if it had been.
fn name() -> impl Strategy<Value = String> {
    let part = proptest::sample::select(vec![
        "a", "b", "_", ".", "-", ":", "1", " ", "\"", "\\", "{", "}", ",", "=", "#", "ä", "🦀", "U__", "_2e_", "_dot_",
        "_total", "_sum", "\u{301}",
    ]);
    prop_oneof![vec(part, 1..5).prop_map(|parts| parts.concat()), "\\PC{1,4}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_names_read_back_in_every_escaping(metrics in vec((name(), name(), 0..3_u8), 1..6)) {
        let registry = Registry::builder().utf8_names(true).build().unwrap();
        let mut names = BTreeSet::new();
        let mut labels = BTreeSet::new();
        for (name, label, kind) in metrics {
            let label_names = [label.as_str()];
            let built = match kind {
                0 => registry.counter(&name).labels(label_names).build().map(|family| family.with(["x"]).inc()),
                1 => registry.gauge(&name).labels(label_names).build().map(|family| family.with(["x"]).set(1.0)),
                _ => registry.histogram(&name).labels(label_names).build().map(|family| family.with(["x"]).record(1)),
            };
            if built.is_ok() {
                names.insert(if kind == 0 { name.strip_suffix("_total").unwrap_or(&name).to_owned() } else { name });
                labels.insert(label);
            }
        }
        let snapshot = registry.snapshot();
        for escaping in ESCAPINGS {
            let page = open(&snapshot, escaping);
            // The reader refuses names and labels that are there twice.
            let mut read = read(&page).unwrap_or_else(|rule| panic!("{rule}\n{page}"));
            // In the other text format is the same, but for what it has not.
            let page = text::render_with(&snapshot, escaping);
            let in_text = text_reader::read(&page).unwrap_or_else(|rule| panic!("{rule}\n{page}"));
            for family in &mut read {
                family.samples.retain(|sample| family.kind == "gauge" || !sample.name.ends_with("_created"));
                family.unit.clear();
            }
            prop_assert_eq!(&in_text, &read);
            let own: Vec<_> = read.into_iter().filter(|family| !family.name.starts_with("tach_")).collect();
            prop_assert_eq!(own.len(), names.len());
            let binary = pb_reader::read(&protobuf::render_with(&snapshot, escaping)).unwrap();
            let binary: BTreeSet<_> = binary.into_iter().map(|family| family.name).collect();
            // Where names need no suffix they are those of protobuf.
            let page = openmetrics_2::render_with(&snapshot, escaping);
            let read_2 = om2_reader::read(&page).unwrap_or_else(|rule| panic!("{rule}\n{page}"));
            let names_2: BTreeSet<_> = read_2.iter().map(|family| family.name.clone()).collect();
            prop_assert_eq!(&names_2, &binary);
            for family in own {
                let suffix = if family.kind == "counter" { "_total" } else { "" };
                let shown = format!("{}{suffix}", family.name);
                prop_assert!(binary.contains(&shown), "{shown} is not in {binary:?}");
                let label = family.samples[0].labels.keys().find(|label| *label != "le").unwrap();
                let same = read_2.iter().find(|family| family.name == shown).unwrap();
                prop_assert!(same.kind == family.kind && same.series[0].labels.keys().eq([label]), "{same:?}");
                // A name that needs no escaping may look as if it had been escaped.
                let there = |all: &BTreeSet<String>, shown: &str, suffix: &str| {
                    let undone = undo(shown).filter(|_| escaping == Escaping::Values);
                    let mut read = [Some(shown.to_owned()), undone].into_iter().flatten();
                    read.any(|name| name.strip_suffix(suffix).is_some_and(|name| all.contains(name)))
                };
                if matches!(escaping, Escaping::Values | Escaping::AllowUtf8) {
                    prop_assert!(there(&names, &shown, suffix) && there(&labels, label, ""), "{shown} {label}");
                }
            }
        }
    }
}
