//! When a total began, as OpenMetrics tells it where it is told to.

use crate::model::{Labels, Recorded, families, registry};
use crate::{om_reader, pb_reader};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tach::openmetrics::{self, Options};
use tach::{Registry, Snapshot, protobuf};

fn render(snapshot: &Snapshot) -> String {
    openmetrics::render_with(snapshot, Options::new().created(true))
}

/// Seconds in decimals, as nanoseconds.
fn nanos(text: &str) -> u64 {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    assert!(fraction.len() <= 9 && (text.ends_with(".0") || !fraction.ends_with('0') || !text.contains('.')), "{text}");
    format!("{seconds}{fraction:0<9}").parse().unwrap()
}

/// Each series with a beginning, and the nanosecond of that.
fn created(snapshot: &Snapshot) -> Vec<(String, Labels, u64)> {
    let families = om_reader::read(&render(snapshot)).unwrap();
    let samples =
        families.into_iter().flat_map(|family| family.samples.into_iter().map(move |s| (family.name.clone(), s)));
    let created = samples.filter(|(name, sample)| sample.name == format!("{name}_created"));
    created.map(|(name, sample)| (name, sample.labels, nanos(&sample.value))).collect()
}

/// The same, as protobuf tells it.
fn started(snapshot: &Snapshot) -> Vec<(String, Labels, u64)> {
    let families = pb_reader::read(&protobuf::render(snapshot)).unwrap();
    let mut found = Vec::new();
    for family in families {
        let name = if family.kind == Some(0) { family.name.strip_suffix("_total").unwrap() } else { &family.name };
        for metric in family.metrics {
            found.extend(metric.start.map(|start| (name.to_owned(), metric.labels, start)));
        }
    }
    found
}

#[test]
fn totals_have_a_created_where_it_is_asked_for() {
    let registry = Registry::builder().const_label("zone", "a\"").build().unwrap();
    let requests = registry.counter("requests").labels(["code", "path"]).build().unwrap();
    requests.with(["200", "/\n"]).inc();
    registry.float_counter("energy").build().unwrap();
    registry.float_counter("hidden").observe(|| f64::NAN).unwrap();
    registry.histogram("itl").buckets([1.0]).build().unwrap().record(1);
    registry.gauge("usage").build().unwrap();
    registry.updown_counter("running").build().unwrap();
    registry.observe_counter("observed", "", || 7).unwrap();
    std::thread::sleep(Duration::from_millis(2));
    requests.with(["500", ""]).inc();
    let snapshot = registry.snapshot();
    let (page, plain) = (render(&snapshot), openmetrics::render(&snapshot));
    let began = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    for line in [
        "# TYPE energy counter\nenergy_total{zone=\"a\\\"\"} 0\nenergy_created{zone=\"a\\\"\"} ",
        "\nitl_count{zone=\"a\\\"\"} 1\nitl_created{zone=\"a\\\"\"} ",
        "\nrequests_total{zone=\"a\\\"\",code=\"200\",path=\"/\\n\"} 1\n\
         requests_created{zone=\"a\\\"\",code=\"200\",path=\"/\\n\"} ",
        "\nrequests_total{zone=\"a\\\"\",code=\"500\"} 1\nrequests_created{zone=\"a\\\"\",code=\"500\"} ",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    let found = created(&snapshot);
    assert_eq!(found, started(&snapshot));
    let of = |name: &str| found.iter().filter(|(of, ..)| of == name).map(|found| found.2).collect::<Vec<_>>();
    assert_eq!(["usage", "running", "observed", "hidden"].map(|name| of(name).len()), [0; 4]);
    let all = began(snapshot.began())..=began(snapshot.time());
    assert!(["energy", "itl", "requests"].iter().all(|name| of(name).iter().all(|start| all.contains(start))));
    assert!(of("requests")[0] < of("requests")[1]);
    // A difference begins later, of the same series.
    let since = registry.snapshot().since(&snapshot);
    assert!(created(&since).iter().all(|(.., start)| *start == began(snapshot.time())));
    // Nothing else differs, and without being asked for it is not there, whichever page is made first.
    let is_other = |line: &&str| !line.contains("_created");
    assert!(page.lines().filter(is_other).eq(plain.lines()));
    assert_eq!((openmetrics::render(&snapshot), render(&snapshot)), (plain, page));
}

#[test]
fn a_created_has_all_labels_of_its_series() {
    let registry = Registry::new();
    let labels: [String; 40] = std::array::from_fn(|index| format!("label_{index}"));
    let family = registry.counter("wide").labels(labels.each_ref().map(String::as_str)).build().unwrap();
    for series in 0..50 {
        let values: [String; 40] = std::array::from_fn(|index| format!("{series}\\{index}"));
        family.with(values.each_ref().map(String::as_str)).inc();
    }
    let found = created(&registry.snapshot());
    let wide: Vec<_> = found.iter().filter(|(name, ..)| name == "wide").map(|(_, labels, _)| labels).collect();
    assert_eq!(wide.len(), 50);
    for labels in wide {
        let series = labels["label_0"].strip_suffix("\\0").unwrap();
        assert!(labels.len() == 40 && (0..40).all(|at| labels[&format!("label_{at}")] == format!("{series}\\{at}")));
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_has_a_total_has_a_created(families in families()) {
        let registry = registry(&families);
        let snapshot = registry.snapshot();
        let found = created(&snapshot);
        proptest::prop_assert_eq!(&found, &started(&snapshot));
        for family in &families {
            let total = matches!(family.series.values().next(), Some(Recorded::Counter(_) | Recorded::Histogram(_)));
            let expected = if total { family.series.len() } else { 0 };
            proptest::prop_assert_eq!(found.iter().filter(|(name, ..)| *name == family.base()).count(), expected);
        }
    }
}
