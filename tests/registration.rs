//! Registration mistakes are errors that name the metric and the remedy; the same description gives the same metric.

use tach::{Error, ErrorKind, Level, Registry, Unit};

/// The kind of an error, after checking that its text has all of `words`.
fn kind<T: std::fmt::Debug>(result: Result<T, Error>, words: &[&str]) -> ErrorKind {
    let error = result.unwrap_err();
    for word in words {
        assert!(error.to_string().contains(word), "{word:?} is not in: {error}");
    }
    error.kind()
}

#[test]
fn the_same_description_is_the_same_metric() {
    let registry = Registry::new();
    let build = || registry.counter("tokens").help("Tokens.").build().unwrap();
    build().inc();
    build().inc();
    let family = || registry.histogram("h").unit(Unit::Seconds).buckets([0.1]).labels(["a"]).build().unwrap();
    family().with(["x"]).record(1);
    family().with(["x"]).record(1);
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.counter("tokens", &[]), Some(2));
    assert_eq!(snapshot.histogram("h", &[("a", "x")]).unwrap().count(), 2);
}

#[test]
fn another_description_under_a_name_is_an_error_that_names_both() {
    let registry = Registry::new();
    registry.counter("x").help("one").build().unwrap();
    let conflict = ErrorKind::Conflict;
    assert_eq!(kind(registry.counter("x").help("two").build(), &["\"x\"", "one", "two", "another name"]), conflict);
    assert_eq!(kind(registry.gauge("x").help("one").build(), &["kind", "counter", "gauge"]), conflict);
    assert_eq!(kind(registry.counter("x").help("one").level(Level::Detailed).build(), &["level"]), conflict);
    assert_eq!(kind(registry.counter("x").help("one").labels(["a"]).build(), &["labels"]), conflict);
    assert_eq!(kind(registry.float_counter("x").help("one").build(), &["float counter"]), conflict);
    registry.histogram("h").buckets([1.0]).build().unwrap();
    assert_eq!(kind(registry.histogram("h").buckets([1.0, 2.0]).build(), &["buckets"]), conflict);
    assert_eq!(kind(registry.histogram("h").buckets([1.0]).digits(3).build(), &["digits"]), conflict);
    assert_eq!(kind(registry.histogram("h").buckets([1.0]).native_schema(3).build(), &["native schema 3"]), conflict);
    assert_eq!(kind(registry.histogram("h").buckets([1.0]).exact_at([2.0]).build(), &["exact", "2"]), conflict);
    // What is a bucket anyway, or given twice, in another order, describes the same.
    registry.histogram("h").buckets([1.0]).exact_at([1.0, f64::INFINITY]).build().unwrap();
    registry.histogram("e").exact_at([3.0, 2.0, 3.0]).build().unwrap();
    registry.histogram("e").exact_at([2.0]).exact_at([3.0]).build().unwrap();
    registry.observe_gauge("depth", "help", || 1.0).unwrap();
    assert_eq!(kind(registry.observe_gauge("depth", "help", || 2.0), &["depth", "observed already"]), conflict);
    assert_eq!(kind(registry.gauge("depth").help("help").build(), &["depth"]), conflict);
}

#[test]
fn names_that_share_a_sample_name_collide() {
    let registry = Registry::new();
    registry.histogram("itl").unit(Unit::Seconds).build().unwrap();
    for taken in ["itl_seconds_bucket", "itl_seconds_sum", "itl_seconds_count", "itl_seconds", "itl.seconds"] {
        assert_eq!(kind(registry.gauge(taken).build(), &[taken, "\"itl\""]), ErrorKind::Conflict);
    }
    registry.counter("tokens").build().unwrap();
    assert_eq!(kind(registry.gauge("tokens_total").build(), &["tokens_total", "\"tokens\""]), ErrorKind::Conflict);
    assert_eq!(kind(registry.gauge("tokens_created").build(), &["tokens_created"]), ErrorKind::Conflict);
    assert_eq!(kind(registry.counter("tokens_total").build(), &["tokens_total", "\"tokens\""]), ErrorKind::Conflict);
    registry.gauge("a_count").build().unwrap();
    assert_eq!(kind(registry.histogram("a").build(), &["a_count"]), ErrorKind::Conflict);
    // Only what is exposed counts, and a unit makes it another name.
    registry.counter("b").build().unwrap();
    registry.counter("b_total").unit(Unit::Milliseconds).build().unwrap();
    // What failed has claimed nothing.
    registry.gauge("a_sum").build().unwrap();
    assert_eq!(kind(registry.counter("tach_x").build(), &["tach_"]), ErrorKind::Conflict);
}

#[test]
fn a_name_is_one_metric_whatever_its_unit() {
    let registry = Registry::new();
    registry.histogram("itl").unit(Unit::Seconds).build().unwrap();
    let other = registry.histogram("itl").unit(Unit::Milliseconds).build();
    assert_eq!(kind(other, &["itl", "unit", "Seconds", "Milliseconds"]), ErrorKind::Conflict);
    registry.counter("x").build().unwrap();
    assert_eq!(kind(registry.gauge("x").unit(Unit::Seconds).build(), &["x", "kind"]), ErrorKind::Conflict);
    for name in ["x_total_total", "_total", "y.total.total"] {
        assert_eq!(kind(registry.counter(name).build(), &[name, "_total"]), ErrorKind::Name);
    }
    let twice = registry.counter("y").unit(Unit::Other("total")).build();
    assert_eq!(kind(twice, &["y", "_total"]), ErrorKind::Name);
}

#[test]
fn more_histograms_than_one_stripe_holds_can_be_declared() {
    let registry = Registry::builder().memory_budget(1 << 20).build().unwrap();
    let all: Vec<_> = (0..2_500).map(|n| registry.histogram(format!("h{n}")).build().unwrap()).collect();
    all.iter().for_each(|histogram| histogram.record(1));
    assert_eq!(registry.snapshot().histogram("h2499", &[]).unwrap().count(), 1);
}

#[test]
fn illegal_names_are_refused() {
    let registry = Registry::new();
    for name in ["", "1x", "a b", "a-b", "é", "a\n", ".a", "a.", "a..b", "a{", &"x".repeat(300)] {
        assert_eq!(kind(registry.counter(name).build(), &[]), ErrorKind::Name, "{name:?}");
        let namespace = Registry::builder().namespace(name).build();
        assert_eq!(kind(namespace, &[]), ErrorKind::Name, "{name:?}");
    }
    for name in ["vllm:tokens", "a.b.c", "_x", ":x", "A9"] {
        registry.counter(name).build().unwrap();
    }
    assert_eq!(kind(registry.gauge("g").unit(Unit::Other("m/s")).build(), &["g", "m/s"]), ErrorKind::Name);
}

#[test]
fn labels_are_checked() {
    let registry = Registry::builder().const_label("model", "m").build().unwrap();
    let label = |name: &str| registry.histogram("h").labels([name]).build();
    for name in ["", "1", "a-b", "a.b", "a:b", "__name__", "le", "quantile", "é"] {
        assert_eq!(kind(label(name), &["h"]), ErrorKind::Name, "{name:?}");
    }
    assert_eq!(kind(label("model"), &["model", "constant label"]), ErrorKind::Conflict);
    assert_eq!(kind(registry.counter("c").labels(["a", "a"]).build(), &["twice"]), ErrorKind::Name);
    registry.counter("c").labels(["le", "quantile"]).build().unwrap();
    assert_eq!(kind(Registry::builder().const_label("le", "1").build(), &["le"]), ErrorKind::Name);
    let twice = Registry::builder().const_label("a", "1").const_label("a", "2").build();
    assert_eq!(kind(twice, &["twice"]), ErrorKind::Name);
}

#[test]
fn bad_buckets_are_refused() {
    let registry = Registry::new();
    let build = |bounds: &[f64]| registry.histogram("h").buckets(bounds.iter().copied()).build();
    for bounds in [&[1.0, 1.0][..], &[2.0, 1.0], &[f64::NAN], &[-1.0], &[f64::NEG_INFINITY], &[1.0, f64::INFINITY, 2.0]]
    {
        assert_eq!(kind(build(bounds), &["h: "]), ErrorKind::Buckets, "{bounds:?}");
    }
    assert_eq!(kind(build(&[1e300]), &["larger tick"]), ErrorKind::Buckets);
    for tick in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(kind(registry.histogram("h").tick(tick).build(), &["tick"]), ErrorKind::Buckets);
    }
    for schema in [9, 255] {
        assert_eq!(kind(registry.histogram("h").native_schema(schema).build(), &["0 to 8"]), ErrorKind::Buckets);
    }
    assert_eq!(kind(registry.histogram("h").digits(2).native_schema(4).build(), &["one of them"]), ErrorKind::Buckets);
    for digits in [0, 4, 255] {
        assert_eq!(kind(registry.histogram("h").digits(digits).build(), &["1, 2 or 3"]), ErrorKind::Buckets);
    }
    for max in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300, 1e-9] {
        assert_eq!(kind(registry.histogram("h").max(max).build(), &["maximum"]), ErrorKind::Buckets, "{max}");
    }
    let exact = |bounds: &[f64]| registry.histogram("h").exact_at(bounds.iter().copied()).build();
    for bounds in [&[f64::NAN][..], &[1.0, -1.0], &[f64::NEG_INFINITY], &[1e300]] {
        assert_eq!(kind(exact(bounds), &["h: ", "exact bound"]), ErrorKind::Buckets, "{bounds:?}");
    }
    let below = registry.histogram("h").max(5.0).buckets([10.0]).build();
    assert_eq!(kind(below, &["10", "5", "raise"]), ErrorKind::Buckets);
    let below = registry.histogram("h").max(5.0).buckets([4.0]).exact_at([7.0, 1.0]).build();
    assert_eq!(kind(below, &["7", "5", "raise"]), ErrorKind::Buckets);
    // A last +Inf is what every histogram has; bounds beyond the default maximum raise it.
    build(&[-0.0, 1.5, f64::INFINITY]).unwrap();
    let long = registry.histogram("long").unit(Unit::Seconds).buckets([7680.0]).build().unwrap();
    long.record(7_000_000_000_000);
    assert_eq!(registry.snapshot().histogram("long", &[]).unwrap().clamped(), 0);
    let exact = registry.histogram("exact").unit(Unit::Seconds).exact_at([7680.0]).build().unwrap();
    exact.record(7_000_000_000_000);
    assert_eq!(registry.snapshot().histogram("exact", &[]).unwrap().clamped(), 0);
}

#[test]
fn a_clone_is_the_same_registry_and_another_one_is_not() {
    let registry = Registry::new();
    registry.clone().counter("x").build().unwrap().inc();
    assert_eq!(registry.snapshot().counter("x", &[]), Some(1));
    assert_eq!(Registry::new().snapshot().counter("x", &[]), None);
}
