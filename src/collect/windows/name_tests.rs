//! Names of what windows are exposed as, beside those of everything else.

use super::Windows;
use crate::{Error, ErrorKind, Escaping, Registry, Snapshot, Unit, text};
use std::collections::BTreeSet;
use std::time::Duration;

const LENGTHS: [Duration; 1] = [Duration::from_secs(10)];

fn histogram(registry: &Registry, name: &str, unit: Unit) {
    registry.histogram(name).unit(unit).build().unwrap().record(1);
}

fn windows(registry: &Registry, names: &[&str]) -> Result<Windows, Error> {
    Windows::new(registry, names, &LENGTHS)
}

/// The names of families and of samples, each of which is there once in every escaping.
fn names(shown: &Snapshot) {
    for escaping in Escaping::ALL {
        let page = text::render_with(shown, escaping);
        let families: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let names: BTreeSet<_> = families.iter().map(|line| line.rsplit_once(' ').unwrap().0).collect();
        assert_eq!(names.len(), families.len(), "{families:?}");
    }
}

#[test]
fn names_of_windows_are_those_of_no_metric_in_any_escaping() {
    for (utf8, unit, name, exposed) in [
        (true, Unit::None, "itl.window", "itl_window"),
        (true, Unit::Seconds, "itl-window.seconds", "itl_window_seconds"),
        (true, Unit::Seconds, "itl.seconds.window.rate", "itl_seconds_window_rate"),
        (false, Unit::None, "itl.window.values", "itl_window_values"),
        (false, Unit::Seconds, "itl_window_seconds", "itl_window_seconds"),
        // Not exposed, but what OTLP and a snapshot know it by.
        (false, Unit::Seconds, "itl_window", "itl_window"),
    ] {
        let registry = || {
            let registry = Registry::builder().utf8_names(utf8).build().unwrap();
            histogram(&registry, "itl", unit);
            registry
        };
        let first = registry();
        first.gauge(name).build().unwrap();
        let error = windows(&first, &["itl"]).unwrap_err();
        let text = format!(
            "windows: those of \"itl\" would be exposed as {exposed}, which is a name of the registered metric {name:?}: \
             rename one of the two, or leave \"itl\" out"
        );
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Conflict, text));

        // What comes later is what is refused, for as long as the registry lives, and windows are not.
        let first = registry();
        drop(windows(&first, &["itl"]).unwrap());
        let error = first.gauge(name).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.to_string().contains("the windows of \"itl\": choose another name"), "{error}");
        let (one, other) = (windows(&first, &["itl"]).unwrap(), windows(&first, &["itl"]).unwrap());
        names(&other.show(&one.show(&first.snapshot())));
    }
}

#[test]
fn the_sample_of_a_counter_is_a_name_too() {
    let registry = Registry::new();
    histogram(&registry, "itl", Unit::Other("total"));
    registry.counter("itl_window").build().unwrap();
    let error = windows(&registry, &["itl"]).unwrap_err().to_string();
    assert!(error.starts_with("windows: those of \"itl\" would be exposed as itl_window"), "{error}");
}

#[test]
fn windows_of_two_histograms_have_no_name_in_common() {
    let registry = Registry::new();
    histogram(&registry, "itl", Unit::None);
    histogram(&registry, "itl_values", Unit::Other("values"));
    let error = windows(&registry, &["itl", "itl_values"]).unwrap_err();
    assert!(error.to_string().contains("exposed as itl_window_values, which is a name of the windows of"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    // Of which nothing was kept: each alone will do.
    let windows_of = |name| windows(&registry, &[name]);
    let alone = windows_of("itl_values").unwrap();
    names(&alone.show(&registry.snapshot()));
    assert!(windows_of("itl").is_err());
}

#[test]
fn what_other_processes_record_counts() {
    let other = Registry::builder().utf8_names(true).build().unwrap();
    let registry = Registry::new();
    let seen = other.clone();
    registry.attach(move || seen.snapshot().part(|family| !family.desc.base.starts_with("tach_")));
    histogram(&registry, "itl", Unit::None);
    let before = windows(&registry, &["itl", "far"]).unwrap();
    let gauge = other.gauge("itl.window").build().unwrap();
    gauge.set(5.0);
    let error = windows(&registry, &["itl"]).unwrap_err().to_string();
    assert!(error.contains("a name of \"itl.window\", which another process records"), "{error}");
    // Too late for an error: what was recorded stays.
    let shown = before.show(&registry.snapshot());
    names(&shown);
    assert_eq!(shown.gauge("itl.window", &[]), Some(5.0));
    assert_eq!(shown.gauge("itl_window_values", &[("window", "10s")]), Some(0.0));

    histogram(&other, "far", Unit::None);
    other.gauge("far.window_rate").build().unwrap();
    let error = windows(&registry, &["far"]).unwrap_err().to_string();
    assert!(error.starts_with("windows: those of \"far\" would be exposed as far_window_rate"), "{error}");
}
