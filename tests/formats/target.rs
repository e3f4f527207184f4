//! Whose metrics these are: `target_info`, first on every page that is to have it.

use crate::{om_reader, om2_reader, pb_reader};
use tach::openmetrics::{self, Options};
use tach::{Escaping, Registry, Resource, Snapshot, openmetrics_2, protobuf, text};

fn resource() -> Resource {
    let plain = ["sdk.name", "sdk.language", "sdk.version"];
    let resource = plain.iter().fold(Resource::new(), |resource, key| resource.with(format!("telemetry.{key}"), ""));
    resource.service("llm \"a\"\n").with("service.instance.id", "7").with("zone", "b\\")
}

fn snapshot() -> Snapshot {
    let registry = Registry::builder().const_label("cell", "x").build().unwrap();
    registry.counter("a").build().unwrap().inc();
    registry.counter("zz").build().unwrap().inc();
    registry.snapshot().target_info(&resource()).unwrap()
}

const UNDERSCORES: &str = r#"service_name="llm \"a\"\n",service_instance_id="7",zone="b\\""#;
const HELP: &str = "What the metrics here are of.";

#[test]
fn target_info_is_first_and_an_info_where_there_are_such() {
    let snapshot = snapshot();
    let gauge =
        format!("# HELP target_info {HELP}\n# TYPE target_info gauge\ntarget_info{{{UNDERSCORES}}} 1\n# TYPE a_");
    let page = text::render(&snapshot);
    assert!(page.starts_with(&gauge), "{page}");
    let info = format!("# TYPE target info\n# HELP target {HELP}\ntarget_info{{{UNDERSCORES}}} 1\n# TYPE a counter");
    let page = openmetrics::render(&snapshot);
    assert!(page.starts_with(&info), "{page}");
    let first = &om_reader::read(&page).unwrap()[0];
    assert_eq!((&*first.samples[0].labels["service_name"], first.samples.len()), ("llm \"a\"\n", 1));
    // There is no beginning of it.
    let page = openmetrics::render_with(&snapshot, Options::new().created(true));
    assert!(om_reader::read(&page).is_ok() && page.starts_with(&info), "{page}");
    let info = format!("# TYPE target_info info\n# HELP target_info {HELP}\ntarget_info{{{UNDERSCORES}}} 1\n# TYPE a_");
    let page = openmetrics_2::render(&snapshot);
    assert!(page.starts_with(&info), "{page}");
    om2_reader::read(&page).unwrap();
    let families = pb_reader::read(&protobuf::render(&snapshot)).unwrap();
    // 1: a gauge.
    assert_eq!((&*families[0].name, families[0].kind, &*families[0].help), ("target_info", Some(1), HELP));
    let labels = &families[0].metrics[0].labels;
    assert_eq!((labels.len(), &*labels["service_instance_id"], &*labels["zone"]), (3, "7", "b\\"));
}

#[test]
fn attributes_are_written_as_labels_of_each_escaping() {
    let snapshot = snapshot();
    let name = r#""llm \"a\"\n""#;
    for (escaping, family, suffix, label) in [
        (Escaping::Underscores, "target", "_info", "service_name"),
        (Escaping::Dots, "target_", "_info", "service_dot_name"),
        (Escaping::Values, "target", "_info", "U__service_2e_name"),
        (Escaping::AllowUtf8, "target", "_info", "\"service.name\""),
    ] {
        let page = openmetrics::render_with(&snapshot, Options::new().escaping(escaping));
        let found = &om_reader::read(&page).unwrap()[0];
        assert_eq!((&*found.name, &*found.kind), (family, "info"), "{escaping:?}");
        let begin = format!("\n{family}{suffix}{{{label}={name},");
        assert!(page.contains(&begin), "{page}");
        let page = openmetrics_2::render_with(&snapshot, escaping);
        assert!(om2_reader::read(&page).is_ok() && page.contains(&begin), "{page}");
        assert!(text::render_with(&snapshot, escaping).contains(&begin));
        let families = pb_reader::read(&protobuf::render_with(&snapshot, escaping)).unwrap();
        assert_eq!(families[0].name, format!("{family}{suffix}"));
        assert!(families[0].metrics[0].labels.contains_key(label.trim_matches('"')), "{escaping:?}");
    }
}

#[test]
fn it_is_there_once_and_only_where_it_is_asked_for() {
    for (name, utf8) in [("target", false), ("target_info", false), ("target.info", true), ("target-info", true)] {
        let registry = Registry::builder().utf8_names(utf8).build().unwrap();
        registry.gauge(name).build().unwrap().set(5.0);
        registry.counter("targets").build().unwrap();
        let plain = registry.snapshot();
        assert!(!openmetrics::render(&plain).contains(" info\n"));
        assert_eq!(om_reader::read(&openmetrics::render(&plain)).unwrap().len(), 2 + own(&plain));
        let shown = plain.target_info(&resource()).unwrap();
        let families = om_reader::read(&openmetrics::render(&shown)).unwrap();
        assert_eq!((families.len(), &*families[0].kind), (2 + own(&plain), "info"), "{name}");
        assert_eq!(shown.gauge(name, &[]), Some(5.0));
        // A difference is of the same target.
        assert!(text::render(&registry.snapshot().since(&shown)).lines().all(|line| !line.starts_with("target_info{")));
        assert!(text::render(&shown.since(&plain)).contains("\ntarget_info{"));
    }
    let error = Registry::new().snapshot().target_info(&resource().with("__name__", "x")).unwrap_err();
    assert!(error.to_string().contains("\"__name__\""), "{error}");
}

/// How many families of the page are the engine's.
fn own(snapshot: &Snapshot) -> usize {
    text::render(snapshot).matches("# TYPE tach_").count()
}
