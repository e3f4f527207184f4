//! Typed label sets: closed ones, found by index, and open ones, looked up.
#![cfg(feature = "derive")]

use std::borrow::{Borrow, Cow};
use std::marker::PhantomData;
use std::sync::Arc;
use tach::{
    Closed, Counter, Domain, ErrorKind, Family, Gauge, Histogram, Label, LabelSet, LabelText, LabelValue, Level, Open,
    Recording, Registry, TypedFamily, UpDownCounter,
};

#[derive(LabelValue, Clone, Copy, Debug, PartialEq)]
enum Method {
    Get,
    #[label("PUT!")]
    Put,
    HTTPConnect,
}

const METHODS: [Method; 3] = [Method::Get, Method::Put, Method::HTTPConnect];

#[derive(LabelSet, Clone, Copy)]
struct Labels {
    method: Method,
    #[label("cached")]
    from_cache: bool,
}

#[derive(LabelSet)]
struct PathLabels<'a> {
    method: Method,
    path: &'a str,
    code: u16,
}

fn get(registry: &Registry, name: &str, labels: &[(&str, &str)]) -> Option<u64> {
    registry.snapshot().counter(name, labels)
}

fn open(path: &str, code: u16) -> PathLabels<'_> {
    PathLabels { method: Method::Get, path, code }
}

#[test]
fn every_combination_of_a_closed_set_is_exposed_at_zero_and_counts_by_itself() {
    let registry = Registry::new();
    let family: TypedFamily<Counter, Labels> = registry.counter("requests").label_set::<Labels>().build().unwrap();
    let labels = |method, cached| [("method", method), ("cached", cached)];
    let names = ["get", "PUT!", "http_connect"];
    for name in names {
        for cached in ["false", "true"] {
            assert_eq!(get(&registry, "requests", &labels(name, cached)), Some(0));
        }
    }
    for (index, method) in (0..).zip(METHODS) {
        family.with(Labels { method, from_cache: false }).add(1 << index);
        family.with(Labels { method, from_cache: true }).add(1 << (index + 8));
    }
    for (index, name) in (0..).zip(names) {
        assert_eq!(get(&registry, "requests", &labels(name, "false")), Some(1 << index));
        assert_eq!(get(&registry, "requests", &labels(name, "true")), Some(1 << (index + 8)));
    }
    let text = tach::text::render(&registry.snapshot());
    let lines = text.lines().filter(|line| line.starts_with("requests_total{")).count();
    assert_eq!(lines, 6, "{text}");
    assert!(text.contains("requests_total{method=\"PUT!\",cached=\"true\"} 512"), "{text}");
}

#[test]
fn a_series_of_a_closed_set_can_be_kept() {
    let registry = Registry::new();
    let family = registry.counter("f").label_set::<Labels>().build().unwrap();
    let labels = Labels { method: Method::Put, from_cache: true };
    let held: Counter = family.with(labels).clone();
    held.inc();
    family.with(labels).inc();
    drop(family);
    held.inc();
    assert_eq!(get(&registry, "f", &[("method", "PUT!"), ("cached", "true")]), Some(3));
}

#[test]
fn an_open_set_has_the_series_that_were_used() {
    let registry = Registry::new();
    let family: TypedFamily<Counter, PathLabels<'static>> =
        registry.counter("f").label_set::<PathLabels<'_>>().build().unwrap();
    {
        let path = String::from("/a");
        family.with(open(&path, 200)).inc();
        family.with(PathLabels { method: Method::Put, path: &path, code: u16::MAX }).add(5);
    }
    family.with(open("/a", 200)).inc();
    let labels = |method, code| [("method", method), ("path", "/a"), ("code", code)];
    assert_eq!(get(&registry, "f", &labels("get", "200")), Some(2));
    assert_eq!(get(&registry, "f", &labels("PUT!", "65535")), Some(5));
    assert_eq!(get(&registry, "f", &labels("http_connect", "200")), None);
    let held = family.with(open("/a", 200)).clone();
    assert!(family.remove(open("/a", 200)));
    assert!(!family.remove(open("/a", 200)));
    held.inc();
    assert_eq!(get(&registry, "f", &labels("get", "200")), None);
    family.with(open("/a", 200)).inc();
    assert_eq!(get(&registry, "f", &labels("get", "200")), Some(1));
}

#[test]
fn past_its_limit_an_open_set_sums_up_in_one_series() {
    let registry = Registry::new();
    let family = registry.counter("f").label_set::<PathLabels<'_>>().limit(3).build().unwrap();
    for code in 0..10 {
        family.with(open("/", code)).inc();
    }
    family.with(open(&"x".repeat(2000), 0)).inc();
    let overflow = "tach_overflow";
    assert_eq!(get(&registry, "f", &[("method", "get"), ("path", "/"), ("code", "2")]), Some(1));
    assert_eq!(get(&registry, "f", &[("method", "get"), ("path", "/"), ("code", "3")]), None);
    assert_eq!(get(&registry, "f", &[("method", overflow), ("path", overflow), ("code", overflow)]), Some(8));
    assert_eq!(get(&registry, "tach_overflow_series", &[]), Some(8));
}

#[test]
fn a_closed_set_beyond_the_limit_is_refused_with_what_to_do() {
    let registry = Registry::new();
    let error = registry.counter("f").label_set::<Labels>().limit(5).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setting);
    let text = error.to_string();
    for part in ["f: 6 series (3 method × 2 cached)", "the limit is 5", "limit(6)"] {
        assert!(text.contains(part), "{text}");
    }
    registry.counter("f").label_set::<Labels>().limit(6).build().unwrap();
}

#[test]
fn the_same_description_is_the_same_family_and_another_type_a_conflict() {
    #[derive(LabelSet)]
    struct Same {
        method: Method,
        cached: bool,
    }
    let registry = Registry::new();
    let build = || registry.counter("f").label_set::<Labels>().build();
    let labels = Labels { method: Method::Get, from_cache: false };
    build().unwrap().with(labels).inc();
    build().unwrap().with(labels).inc();
    assert_eq!(get(&registry, "f", &[("method", "get"), ("cached", "false")]), Some(2));

    let by_name = registry.counter("f").labels(["method", "cached"]).build().unwrap_err();
    let other_type = registry.counter("f").label_set::<Same>().build().unwrap_err();
    for (error, here) in [(by_name, "none"), (other_type, "Same")] {
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let text = error.to_string();
        assert!(text.contains("Labels there") && text.contains(&format!("{here} here")), "{text}");
    }
    let set = Same { method: Method::Get, cached: true };
    registry.counter("g").label_set::<Same>().build().unwrap().with(set).inc();

    let _strings: Family<Counter, 2> = registry.counter("h").labels(["method", "cached"]).build().unwrap();
    let text = registry.counter("h").label_set::<Labels>().build().unwrap_err().to_string();
    assert!(text.contains("none there") && text.contains("Labels here"), "{text}");
}

#[test]
fn all_kinds_of_metric_have_typed_families() {
    let registry = Registry::new();
    let labels = Labels { method: Method::HTTPConnect, from_cache: true };
    let seconds: TypedFamily<Histogram, Labels> =
        registry.histogram("h").tick(1.0).label_set::<Labels>().buckets([2.0]).build().unwrap();
    let usage: TypedFamily<Gauge, Labels> = registry.gauge("g").label_set::<Labels>().build().unwrap();
    let running: TypedFamily<UpDownCounter, PathLabels<'_>> =
        registry.updown_counter("u").label_set::<PathLabels<'_>>().build().unwrap();
    let energy = registry.float_counter("e").label_set::<Labels>().build().unwrap();
    seconds.with(labels).record_n(3, 2);
    usage.with(labels).set(0.25);
    running.with(open("/", 1)).dec();
    energy.with(labels).add(1.5);
    let snapshot = registry.snapshot();
    let here = [("method", "http_connect"), ("cached", "true")];
    let histogram = snapshot.histogram("h", &here).unwrap();
    assert_eq!((histogram.count(), histogram.sum(), histogram.bucket_count_le(2.0)), (2, 6.0, 0));
    assert_eq!(snapshot.histogram("h", &[("method", "get"), ("cached", "true")]).unwrap().count(), 0);
    assert_eq!(snapshot.gauge("g", &here), Some(0.25));
    assert_eq!(snapshot.gauge("u", &[("method", "get"), ("path", "/"), ("code", "1")]), Some(-1.0));
    assert!(tach::text::render(&snapshot).contains("e_total{method=\"http_connect\",cached=\"true\"} 1.5"));
}

#[test]
fn levels_switch_all_series_of_a_closed_set() {
    let registry = Registry::builder().level(Level::Basic).build().unwrap();
    let family = registry.counter("f").level(Level::Detailed).label_set::<Labels>().build().unwrap();
    let labels = Labels { method: Method::Get, from_cache: false };
    let here = [("method", "get"), ("cached", "false")];
    family.with(labels).inc();
    assert_eq!(get(&registry, "f", &here), None);
    registry.set_level(Level::Detailed);
    family.with(labels).inc();
    assert_eq!(get(&registry, "f", &here), Some(1));
    registry.set_level(Level::Basic);
    family.with(labels).inc();
    registry.set_level(Level::Detailed);
    assert_eq!(get(&registry, "f", &here), Some(1));
}

#[test]
fn threads_that_record_at_once_lose_nothing() {
    const THREADS: u64 = 4;
    const ROUNDS: u64 = 3_000;
    for recording in [Recording::Sharded, Recording::Sync] {
        let registry = Registry::builder().recording(recording).build().unwrap();
        let closed = registry.counter("closed").label_set::<Labels>().build().unwrap();
        let opened = registry.counter("open").label_set::<PathLabels<'_>>().build().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (closed, opened) = (&closed, opened.clone());
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let method = METHODS[(round % 3) as usize];
                        closed.with(Labels { method, from_cache: round % 2 == 0 }).inc();
                        opened.with(PathLabels { method, path: "/", code: ((thread + round) % 50) as u16 }).inc();
                    }
                });
            }
        });
        let snapshot = registry.snapshot();
        for method in ["get", "PUT!", "http_connect"] {
            for cached in ["true", "false"] {
                let total = snapshot.counter("closed", &[("method", method), ("cached", cached)]);
                assert_eq!(total, Some(THREADS * ROUNDS / 6), "{method} {cached}");
            }
        }
        let codes: Vec<String> = (0..50).map(|code: u16| code.to_string()).collect();
        let each = |method| codes.iter().map(move |code| [("method", method), ("path", "/"), ("code", code.as_str())]);
        let total: u64 = ["get", "PUT!", "http_connect"]
            .into_iter()
            .flat_map(each)
            .map(|labels| snapshot.counter("open", &labels).unwrap())
            .sum();
        assert_eq!(total, THREADS * ROUNDS);
    }
}

#[test]
fn a_closed_set_past_the_memory_budget_still_counts() {
    let registry = Registry::builder().memory_budget(0).build().unwrap();
    let family = registry.histogram("h").label_set::<Labels>().build().unwrap();
    for method in METHODS {
        family.with(Labels { method, from_cache: true }).record(7);
    }
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.histogram("h", &[("method", "PUT!"), ("cached", "true")]).unwrap().count(), 1);
}

mod shadowed {
    //! The derives' code names nothing that its surroundings could mean otherwise.
    #![allow(dead_code, non_camel_case_types, reason = "there to be in the way")]
    #![no_implicit_prelude]

    struct Option;
    struct Some;
    struct None;
    struct usize;
    struct str;
    trait FnOnce {}
    mod core {}
    mod tach {}

    #[derive(::tach::LabelValue)]
    pub(crate) enum Kind {
        r#async,
        r#Sync,
    }

    #[derive(::tach::LabelSet)]
    pub(crate) struct Shadow<'r, R> {
        pub(crate) r#type: Kind,
        pub(crate) then: R,
        pub(crate) index: &'r Kind,
    }
}

#[test]
fn raw_identifiers_generics_and_shadowed_names_do_no_harm() {
    let registry = Registry::new();
    let family = registry.counter("f").label_set::<shadowed::Shadow<'_, bool>>().build().unwrap();
    let index = shadowed::Kind::r#async;
    family.with(shadowed::Shadow { r#type: shadowed::Kind::r#Sync, then: true, index: &index }).inc();
    assert_eq!(get(&registry, "f", &[("type", "sync"), ("then", "true"), ("index", "async")]), Some(1));
    assert_eq!(get(&registry, "f", &[("type", "async"), ("then", "false"), ("index", "async")]), Some(0));
}

#[test]
fn a_set_is_closed_only_if_all_of_it_is() {
    #[derive(LabelSet)]
    struct Mixed<A, B> {
        a: A,
        fixed: bool,
        b: B,
    }
    let registry = Registry::new();
    let first = registry.counter("first").label_set::<Mixed<u8, bool>>().build().unwrap();
    let last = registry.counter("last").label_set::<Mixed<bool, String>>().build().unwrap();
    let both = registry.counter("both").label_set::<Mixed<bool, bool>>().build().unwrap();
    first.with(Mixed { a: 1, fixed: true, b: true }).inc();
    last.with(Mixed { a: true, fixed: true, b: "x".to_owned() }).inc();
    both.with(Mixed { a: true, fixed: false, b: true }).inc();
    let text = tach::text::render(&registry.snapshot());
    let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).collect::<Vec<_>>();
    assert_eq!(lines("first_total{"), ["first_total{a=\"1\",fixed=\"true\",b=\"true\"} 1"]);
    assert_eq!(lines("last_total{"), ["last_total{a=\"true\",fixed=\"true\",b=\"x\"} 1"]);
    assert_eq!(lines("both_total{").len(), 8);
    assert!(text.contains("both_total{a=\"true\",fixed=\"false\",b=\"true\"} 1"), "{text}");
}

#[test]
fn lifetimes_and_strings_of_all_sorts_are_taken() {
    #[derive(LabelSet)]
    struct Strings<'a, 'b: 'a, T, const N: usize>
    where
        T: Clone,
    {
        borrowed: &'a str,
        either: Cow<'b, str>,
        owned: String,
        number: T,
        signed: i64,
    }
    let registry = Registry::new();
    let family = registry.counter("f").label_set::<Strings<'_, '_, u128, 3>>().build().unwrap();
    for (either, owned) in [(Cow::Borrowed("b"), "c".to_owned()), (Cow::Owned("b".to_owned()), "c".to_owned())] {
        let a = String::from("a");
        family.with(Strings { borrowed: &a, either, owned, number: u128::MAX, signed: i64::MIN }).inc();
    }
    let (number, signed) = (u128::MAX.to_string(), i64::MIN.to_string());
    let labels = [("borrowed", "a"), ("either", "b"), ("owned", "c"), ("number", &number), ("signed", &signed)];
    assert_eq!(get(&registry, "f", &labels), Some(2));
}

/// A label set by hand whose values and number may be wrong.
struct ByHand<D>(&'static [&'static str], PhantomData<D>);

impl<D: Domain> LabelSet for ByHand<D> {
    type At<'a> = Self;
    type Domain = D;
    type Array<M: Send + Sync + 'static> = Arc<[M]>;
    type Row<Text: Send + Sync> = Vec<Text>;
    const LABELS: &'static [Label] = &[Label::of::<bool>("l")];

    fn index(&self) -> usize {
        7
    }

    fn texts<R>(&self, then: impl FnOnce(Vec<&str>) -> R) -> R {
        then(self.0.to_vec())
    }
}

#[test]
fn a_label_set_by_hand_that_is_wrong_ends_in_the_overflow_series() {
    let registry = Registry::new();
    let closed = registry.counter("closed").label_set::<ByHand<Closed>>().build().unwrap();
    let open = registry.counter("open").label_set::<ByHand<Open>>().build().unwrap();
    closed.with(ByHand(&["true"], PhantomData)).inc();
    for values in [&["a", "b"][..], &[], &["a"]] {
        open.with(ByHand(values, PhantomData)).inc();
    }
    assert_eq!(get(&registry, "closed", &[("l", "tach_overflow")]), Some(1));
    assert_eq!(get(&registry, "closed", &[("l", "true")]), Some(0));
    assert_eq!(get(&registry, "open", &[("l", "tach_overflow")]), Some(2));
    assert_eq!(get(&registry, "open", &[("l", "a")]), Some(1));
}

#[test]
fn code_for_any_label_set_can_record() {
    fn count<L: LabelSet>(family: &TypedFamily<Counter, L>, labels: L::At<'_>) {
        family.with(labels).borrow().inc();
    }
    let registry = Registry::new();
    count(&registry.counter("f").label_set::<ByHand<Open>>().build().unwrap(), ByHand(&["x"], PhantomData));
    let closed = Labels { method: Method::Get, from_cache: true };
    count(&registry.counter("g").label_set::<Labels>().build().unwrap(), closed);
    assert_eq!(get(&registry, "f", &[("l", "x")]), Some(1));
    assert_eq!(get(&registry, "g", &[("method", "get"), ("cached", "true")]), Some(1));
}

/// A closed value by hand.
struct Values<const CASE: usize>;

impl<const CASE: usize> LabelValue for Values<CASE> {
    type Domain = Closed;
    const VALUES: &'static [&'static str] = match CASE {
        0 => &["a", "b", "a"],
        1 => &["tach_overflow"],
        _ => &[],
    };

    fn text<'a>(&'a self, _: &'a mut LabelText) -> &'a str {
        ""
    }
}

#[test]
fn names_and_values_by_hand_are_checked_when_built() {
    struct Set<const CASE: usize>;
    impl<const CASE: usize> LabelSet for Set<CASE> {
        type At<'a> = Self;
        type Domain = Closed;
        type Array<M: Send + Sync + 'static> = Arc<[M; 1]>;
        type Row<Text: Send + Sync> = [Text; 1];
        const LABELS: &'static [Label] = &[match CASE {
            0 => Label::of::<Values<0>>("l"),
            1 => Label::of::<Values<1>>("l"),
            2 => Label::of::<Values<2>>("l"),
            3 => Label::of::<bool>("__l"),
            _ => Label::of::<bool>("l"),
        }];

        fn index(&self) -> usize {
            0
        }

        fn texts<R>(&self, then: impl FnOnce([&str; 1]) -> R) -> R {
            then([""])
        }
    }
    fn refused<const CASE: usize>(expected: &str) {
        let error = Registry::new().counter("f").label_set::<Set<CASE>>().build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Name);
        assert!(error.to_string().contains(expected), "{error}");
    }
    refused::<0>("\"a\" twice");
    refused::<1>("reserved");
    refused::<2>("no values");
    refused::<3>("two underscores");
    refused::<4>("another length than its 2 series");
    let error =
        Registry::builder().const_label("cached", "x").build().unwrap().gauge("g").label_set::<Labels>().build();
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Conflict);
}
