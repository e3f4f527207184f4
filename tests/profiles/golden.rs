//! The golden files: names, types, help texts, labels, buckets, and which series are there from the start.

use crate::page::{Family, Page};
use crate::server::{ALL, Server};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tach::serve::{Origin, Profile, catalogue};

/// A golden file's families, by name.
pub(crate) struct Golden(pub(crate) BTreeMap<String, Value>);

impl Golden {
    pub(crate) fn of(profile: Profile) -> Self {
        let file = match profile {
            Profile::MaxServe => "maxserve",
            Profile::MaxServeGone => "legacy",
            Profile::Vllm => "vllm",
            Profile::Sglang => "sglang",
            Profile::GenAi => "otel",
            other => panic!("{other:?} has no golden file"),
        };
        let families: Vec<Value> = serde_json::from_value(read(file)).unwrap();
        let len = families.len();
        let by_name: BTreeMap<_, _> =
            families.into_iter().map(|family| (family["name"].as_str().unwrap().to_owned(), family)).collect();
        assert_eq!(by_name.len(), len, "a name is twice in {file}");
        Self(by_name)
    }

    /// The bounds of a histogram's buckets, as they are printed.
    pub(crate) fn bounds(&self, name: &str) -> Vec<String> {
        texts(&self.0[name]["buckets"])
    }

    fn names(&self, at_zero: bool) -> BTreeSet<&str> {
        let wanted = |family: &Value| !at_zero || family["zero"] == true;
        self.0.iter().filter(|(_, family)| wanted(family)).map(|(name, _)| name.as_str()).collect()
    }
}

pub(crate) fn read(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serve/golden").join(file).with_extension("json");
    serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
}

pub(crate) fn texts(list: &Value) -> Vec<String> {
    list.as_array().map_or_else(Vec::new, |list| list.iter().map(|text| text.as_str().unwrap().to_owned()).collect())
}

/// What the profile exposes besides the golden file: tach's own instruments, with MAX serve's names.
fn is_own(name: &str) -> bool {
    let own = catalogue().filter(|row| row.origin == Origin::Own).map(|row| row.name.replace('.', "_"));
    let infos = ["cache_config_info", "lora_requests_info"].map(str::to_owned);
    let begins = |own: String| name.strip_prefix("maxserve_").is_some_and(|name| name.starts_with(&own));
    own.chain(infos).any(begins)
}

fn agree(name: &str, family: &Family, golden: &Value) {
    assert_eq!(family.kind, golden["type"].as_str().unwrap(), "type of {name}");
    assert_eq!(family.help, golden["help"].as_str().unwrap(), "help of {name}");
    assert_eq!(family.bounds(), texts(&golden["buckets"]), "buckets of {name}");
    let wanted = texts(&golden["labels"]);
    let mut found = BTreeSet::new();
    for series in family.series() {
        let mut labels = wanted.iter();
        // An empty label is no label.
        let in_order = series.iter().all(|(label, _)| labels.any(|wanted| wanted == label));
        assert!(in_order, "{name} has {series:?}, and should have the labels {wanted:?} in this order");
        found.extend(series.into_iter().map(|(label, _)| label));
    }
    assert_eq!(found, wanted.into_iter().collect(), "labels of {name}");
}

/// At the start a family has a series for each combination of the values that its labels can have.
fn is_whole(name: &str, family: &Family, golden: &Value) {
    let closed: Vec<Vec<String>> = golden["values"].as_object().into_iter().flatten().map(|(_, v)| texts(v)).collect();
    let combinations: usize = closed.iter().map(Vec::len).product();
    assert_eq!(family.series().len(), combinations, "series of {name}");
    for (label, values) in golden["values"].as_object().into_iter().flatten() {
        let value = |series: &crate::page::Labels| {
            series.iter().find(|(name, _)| name == label).map_or("", |(_, value)| value.as_str()).to_owned()
        };
        let found: BTreeSet<String> = family.series().iter().map(value).collect();
        assert_eq!(found, texts(values).into_iter().collect(), "values of {name}'s {label}");
    }
    let is_state = |labels: &crate::page::Labels| labels.iter().any(|(_, value)| value == "awake");
    for (sample, labels, value) in &family.samples {
        // The one thing that is known from the start.
        assert_eq!(*value, f64::from(u8::from(is_state(labels))), "{sample} {labels:?}");
    }
}

fn compare(profiles: &[Profile], page: &Page, at_zero: bool) {
    let golden: Vec<Golden> = profiles.iter().map(|profile| Golden::of(*profile)).collect();
    let wanted: BTreeSet<&str> = golden.iter().flat_map(|golden| golden.names(at_zero)).collect();
    let has_own = profiles.contains(&Profile::MaxServe);
    let found: BTreeSet<&str> = page.names().into_iter().filter(|name| !has_own || !is_own(name)).collect();
    assert_eq!(found, wanted, "{profiles:?}");
    for (name, golden) in golden.iter().flat_map(|golden| &golden.0).filter(|(name, _)| found.contains(name.as_str())) {
        let family = &page.0[name];
        agree(name, family, golden);
        if at_zero {
            is_whole(name, family, golden);
        }
    }
}

#[test]
fn each_profile_alone_is_what_its_file_says() {
    for profile in ALL {
        let server = Server::new(&[profile]);
        compare(&[profile], &server.page(), true);
        let _running = server.work();
        compare(&[profile], &server.page(), false);
    }
}

#[test]
fn together_they_are_what_they_are_alone() {
    let server = Server::new(&ALL);
    compare(&ALL, &server.page(), true);
    let _running = server.work();
    compare(&ALL, &server.page(), false);
}

#[test]
fn what_has_no_profile_is_as_it_was() {
    let server = Server::new(&[Profile::Vllm]);
    server.registry.counter("mine").build().unwrap().inc();
    let page = server.page();
    assert_eq!(page.values("mine_total", &[]), [1.0]);
    assert!(page.0.keys().any(|name| name.starts_with("tach_")));
    assert!(!page.0.keys().any(|name| name.starts_with("maxserve")), "a recording under its own name");
}

#[test]
fn without_a_profile_nothing_is_recorded() {
    let server = Server::new(&[]);
    let _running = server.work();
    assert_eq!(server.page().names(), BTreeSet::new());
}
