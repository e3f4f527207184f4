//! Views against what the same recordings give without them.

use super::view::{Rule, Source, View, ViewFamily, ViewKind};
use crate::{Registry, Snapshot, Unit, text};
use std::borrow::Cow;
use std::sync::Arc;

fn source(metric: &'static str, labels: &[Rule]) -> Source {
    Source { metric, only: &[], labels: labels.to_vec() }
}

fn family(kind: ViewKind, name: &'static str, sources: Vec<Source>) -> ViewFamily {
    ViewFamily {
        name,
        help: "",
        kind,
        unit: Unit::None,
        labels: &[],
        const_labels: Vec::new(),
        ladder: None,
        power: 0,
        sources,
    }
}

fn view(families: Vec<ViewFamily>) -> View {
    View::new(families).unwrap()
}

/// The view of a snapshot without anything else.
fn only(view: &View, base: &Snapshot) -> Snapshot {
    base.viewed(|_| false, view.apply(base))
}

/// The exposition without the engine's own metrics.
fn page(snapshot: &Snapshot) -> String {
    text::render(&snapshot.viewed(|name| !name.starts_with("tach_"), Vec::new()))
}

#[test]
fn a_series_of_several_begins_with_the_first_of_them_or_anew_without_one() {
    let registry = Registry::new();
    let requests = registry.counter("requests").labels(["path"]).build().unwrap();
    let view = view(vec![family(ViewKind::Counter, "all", vec![source("requests", &[])])]);
    let began = |base: &Snapshot| view.apply(base)[0].labels.began[0];
    requests.with(["/b"]).inc();
    let first = registry.snapshot();
    let own = first.family("requests").unwrap().labels.began[0];
    assert_eq!(began(&first), own);
    std::thread::sleep(std::time::Duration::from_millis(2));
    requests.with(["/a"]).inc();
    assert_eq!(began(&registry.snapshot()), own);
    requests.remove(["/b"]);
    let last = registry.snapshot();
    assert_eq!((began(&last), began(&registry.snapshot())), (last.time(), last.time()));
}

#[test]
fn a_server_s_names_units_labels_and_buckets() {
    let registry = Registry::builder().const_label("zone", "eu").const_label("engine", "?").build().unwrap();
    let ttft = registry.histogram("ttft").unit(Unit::Milliseconds).buckets([100.0]).exact_at([300.0, 1.0]);
    let ttft = ttft.labels(["model", "outcome"]).build().unwrap();
    ttft.with(["m", "ok"]).record_n(300_000_000, 2);
    ttft.with(["m", "cancelled"]).record(300_000_001);
    let requests = registry.counter("requests").labels(["outcome"]).build().unwrap();
    for (outcome, n) in [("ok", 5), ("length", 3), ("rejected", 2), ("cancelled", 1)] {
        requests.with([outcome]).add(n);
    }
    registry.gauge("cache_usage").build().unwrap().set(12.5);
    fn reason(outcome: &str) -> Option<Cow<'static, str>> {
        match outcome {
            "ok" => Some("stop".into()),
            "rejected" => None,
            other => Some(other.to_uppercase().into()),
        }
    }
    let view = view(vec![
        ViewFamily {
            help: "TTFT.",
            unit: Unit::Seconds,
            labels: &["model_name", "engine"],
            ladder: Some(vec![0.001, 0.3]),
            power: -3,
            ..family(
                ViewKind::Histogram,
                "vllm:time_to_first_token_seconds",
                vec![source("ttft", &[Rule::Same("model"), Rule::Constant("0")])],
            )
        },
        ViewFamily {
            labels: &["finished_reason"],
            const_labels: vec![("zone".into(), "us".into()), ("server".into(), "s".into())],
            ..family(
                ViewKind::Counter,
                "vllm:request_success_total",
                vec![source("requests", &[Rule::Mapped("outcome", reason)])],
            )
        },
        family(
            ViewKind::Counter,
            "rejected",
            vec![Source { only: &[("outcome", "rejected")], ..source("requests", &[]) }],
        ),
        ViewFamily {
            unit: Unit::Ratio,
            power: -2,
            ..family(ViewKind::Gauge, "gen_ai.cache.usage", vec![source("cache_usage", &[])])
        },
    ]);
    let base = registry.snapshot();
    assert_eq!(view.faults(&base), Vec::<String>::new());
    let viewed = only(&view, &base);
    let expected = [
        "# TYPE gen_ai_cache_usage_ratio gauge",
        "gen_ai_cache_usage_ratio{zone=\"eu\",engine=\"?\"} 0.125",
        "# TYPE rejected_total counter",
        "rejected_total{zone=\"eu\",engine=\"?\"} 2",
        "# TYPE vllm:request_success_total counter",
        "vllm:request_success_total{engine=\"?\",zone=\"us\",server=\"s\",finished_reason=\"CANCELLED\"} 1",
        "vllm:request_success_total{engine=\"?\",zone=\"us\",server=\"s\",finished_reason=\"LENGTH\"} 3",
        "vllm:request_success_total{engine=\"?\",zone=\"us\",server=\"s\",finished_reason=\"stop\"} 5",
        "# HELP vllm:time_to_first_token_seconds TTFT.",
        "# TYPE vllm:time_to_first_token_seconds histogram",
        "vllm:time_to_first_token_seconds_bucket{zone=\"eu\",model_name=\"m\",engine=\"0\",le=\"0.001\"} 0",
        "vllm:time_to_first_token_seconds_bucket{zone=\"eu\",model_name=\"m\",engine=\"0\",le=\"0.3\"} 2",
        "vllm:time_to_first_token_seconds_bucket{zone=\"eu\",model_name=\"m\",engine=\"0\",le=\"+Inf\"} 3",
        "vllm:time_to_first_token_seconds_sum{zone=\"eu\",model_name=\"m\",engine=\"0\"} 0.900000001",
        "vllm:time_to_first_token_seconds_count{zone=\"eu\",model_name=\"m\",engine=\"0\"} 3",
    ];
    assert_eq!(text::render(&viewed), expected.join("\n") + "\n");
    let ttft = viewed.histogram("vllm:time_to_first_token_seconds", &[("engine", "0"), ("model_name", "m")]).unwrap();
    assert_eq!((ttft.min(), ttft.max(), ttft.quantile(0.5)), (0.3, 0.300000001, 0.3));
    assert_eq!((ttft.bucket_count_le(0.1), ttft.bucket_count_le(0.3)), (0, 2));
    assert_eq!(viewed.gauge("gen_ai.cache.usage", &[]), Some(0.125));
    assert_eq!((viewed.taken(), viewed.time(), viewed.elapsed()), (base.taken(), base.time(), base.elapsed()));
}

#[test]
fn what_is_off_absent_or_unused_is_left_out() {
    let registry = Registry::builder().level(crate::Level::Basic).build().unwrap();
    let _used = registry.counter("a").build().unwrap();
    let _off = registry.counter("b").level(crate::Level::Detailed).build().unwrap();
    let unused = registry.counter("c").labels(["l"]).build().unwrap();
    let of = |name, metrics: &[&'static str]| {
        family(ViewKind::Counter, name, metrics.iter().map(|metric| source(metric, &[])).collect())
    };
    let view =
        view(vec![of("va", &["a"]), of("vb", &["b"]), of("vc", &["c"]), of("vd", &["d"]), of("vab", &["b", "a"])]);
    let names = || -> Vec<String> { view.apply(&registry.snapshot()).iter().map(|f| f.desc.name.clone()).collect() };
    assert_eq!(names(), ["va", "vab"]);
    registry.set_level(crate::Level::Detailed);
    unused.with(["x"]).inc();
    assert_eq!(names(), ["va", "vb", "vc", "vab"]);
    registry.set_level(crate::Level::None);
    assert_eq!(names(), Vec::<String>::new());
}

#[test]
fn what_is_switched_off_comes_back_as_the_same_series() {
    let registry = Registry::builder().level(crate::Level::Detailed).build().unwrap();
    let detail = registry.counter("detail").level(crate::Level::Detailed).labels(["l"]).build().unwrap();
    let view = view(vec![ViewFamily {
        labels: &["l"],
        ..family(ViewKind::Counter, "v", vec![source("detail", &[Rule::Same("l")])])
    }]);
    let now = || only(&view, &registry.snapshot());
    let count = |snapshot: &Snapshot| snapshot.counter("v", &[("l", "x")]);
    detail.with(["x"]).add(5);
    let first = now();
    registry.set_level(crate::Level::Basic);
    let off = now();
    assert_eq!(count(&off), None);
    let kept = off.with_absent(&first);
    assert_eq!((count(&kept), kept.taken()), (Some(5), off.taken()));
    registry.set_level(crate::Level::Detailed);
    detail.with(["x"]).add(2);
    assert_eq!((count(&now()), count(&now().since(&kept))), (Some(7), Some(2)));
    // But not when it was removed meanwhile.
    registry.set_level(crate::Level::Basic);
    let kept = now().with_absent(&now()).with_absent(&kept);
    detail.remove(["x"]);
    registry.set_level(crate::Level::Detailed);
    detail.with(["x"]).add(1);
    assert_eq!(count(&now().since(&kept)), Some(1));
}

#[test]
fn label_sets_are_kept_while_the_series_are_the_same() {
    let registry = Registry::new();
    let steps = registry.counter("steps").labels(["phase", "rank"]).build().unwrap();
    steps.with(["prefill", "0"]).add(1);
    steps.with(["decode", "0"]).add(2);
    let view = view(vec![ViewFamily {
        labels: &["stage"],
        ..family(ViewKind::Counter, "stages", vec![source("steps", &[Rule::Same("phase")])])
    }]);
    let take = || only(&view, &registry.snapshot());
    let stage = |snapshot: &Snapshot, stage| snapshot.counter("stages", &[("stage", stage)]);
    let first = take();
    let _other = registry.counter("another").build().unwrap();
    let second = take();
    assert!(Arc::ptr_eq(&first.families()[0].labels, &second.families()[0].labels));
    // A series more: the ones before are the same ones.
    steps.with(["decode", "1"]).add(5);
    let third = take();
    assert!(!Arc::ptr_eq(&second.families()[0].labels, &third.families()[0].labels));
    assert_eq!((stage(&third, "decode"), stage(&third.since(&first), "decode")), (Some(7), Some(5)));
    assert_eq!(stage(&third.since(&first), "prefill"), Some(0));
    // A series less, and another in its place: what it was part of starts anew.
    steps.remove(["decode", "0"]);
    steps.with(["decode", "0"]).add(3);
    let fourth = take();
    let between = fourth.since(&third);
    assert_eq!((stage(&between, "decode"), stage(&between, "prefill")), (Some(8), Some(0)));
}

#[test]
fn a_viewed_snapshot_keeps_what_it_is_told_and_no_name_twice() {
    let registry = Registry::new();
    registry.counter("a").build().unwrap().add(1);
    registry.counter("b").build().unwrap().add(2);
    let h = registry.histogram("h").buckets([1.0]).build().unwrap();
    h.record(1);
    let base = registry.snapshot();
    assert_eq!(text::render(&base.viewed(|_| true, Vec::new())), text::render(&base));
    let view = view(vec![family(ViewKind::Counter, "b_total", vec![source("a", &[])])]);
    let viewed = base.viewed(|name| name != "a", view.apply(&base));
    assert_eq!((viewed.counter("a", &[]), viewed.counter("b_total", &[])), (None, Some(1)));
    assert!(page(&viewed).starts_with("# TYPE b_total counter\nb_total 1\n# TYPE h histogram\n"));
    // Viewing what is a view already.
    let again = View::new(vec![ViewFamily {
        unit: Unit::Other("thousandths"),
        power: 3,
        ..family(ViewKind::Histogram, "h", vec![source("h", &[])])
    }]);
    let once = only(&again.unwrap(), &base);
    assert!(page(&once).contains("h_thousandths_bucket{le=\"1000.0\"} 1\n"), "{}", page(&once));
}

#[test]
fn faults_name_what_does_not_fit() {
    let registry = Registry::new();
    let _a = registry.histogram("a").unit(Unit::Seconds).buckets([0.3]).labels(["l"]).build().unwrap();
    let _b = registry.histogram("b").unit(Unit::Milliseconds).tick(1.0).build().unwrap();
    let c = registry.gauge("c").build().unwrap();
    c.set(3.0);
    let family_of = |name, metrics: &[&'static str], rules: &[Rule]| {
        family(ViewKind::Histogram, name, metrics.iter().map(|metric| source(metric, rules)).collect())
    };
    let view = view(vec![
        ViewFamily { ladder: Some(vec![0.3, 0.7]), ..family_of("ladder", &["a"], &[]) },
        family_of("ticks", &["a", "b"], &[]),
        family_of("kind", &["c"], &[]),
        family_of("missing", &["d"], &[]),
        ViewFamily { labels: &["x"], ..family_of("label", &["a"], &[Rule::Same("m")]) },
        family(ViewKind::Counter, "total", vec![source("c", &[])]),
    ]);
    let faults = view.faults(&registry.snapshot());
    let expected = [
        ("ladder: a ", "0.7"),
        ("ticks: b ", "ticks of 1"),
        ("kind: c ", "is a gauge"),
        ("missing: d ", "not in"),
        ("label: a ", "[\"l\"]"),
        ("total: c ", "is a gauge"),
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:?}");
    for (fault, (start, word)) in faults.iter().zip(expected) {
        assert!(fault.starts_with(start) && fault.contains(word), "{fault}");
    }
    // And none of it makes a sample.
    assert!(view.apply(&registry.snapshot()).is_empty());
}

#[test]
fn tables_that_no_format_can_carry_are_refused() {
    let refused = |families: Vec<ViewFamily>, word: &str| {
        let error = View::new(families).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    let counter = |name| family(ViewKind::Counter, name, vec![source("a", &[])]);
    let histogram = |ladder: &[f64]| ViewFamily {
        ladder: Some(ladder.to_vec()),
        ..family(ViewKind::Histogram, "h", vec![source("a", &[])])
    };
    refused(vec![counter("a b")], "a b");
    refused(vec![counter("x.y"), counter("x_y_total")], "x_y");
    refused(vec![ViewFamily { labels: &["l"], ..counter("a") }], "0 rules for 1 labels");
    refused(vec![ViewFamily { labels: &["le"], ..histogram(&[]) }], "le");
    refused(vec![ViewFamily { const_labels: vec![("__a".into(), "1".into())], ..counter("a") }], "__a");
    refused(vec![ViewFamily { power: 19, ..counter("a") }], "10^19");
    refused(vec![histogram(&[1.0, 1.0])], "follows");
    refused(vec![histogram(&[1.0, f64::INFINITY])], "inf");
}

#[test]
fn native_buckets_are_in_the_views_unit() {
    let registry = Registry::new();
    let wait = registry.histogram("wait").unit(Unit::Milliseconds).build().unwrap();
    let other = registry.histogram("other").unit(Unit::Milliseconds).max(10.0).build().unwrap();
    [0, 2_000_000_000, 500_000_000].iter().for_each(|ticks| wait.record(*ticks));
    other.record(9_000_000);
    let merged = view(vec![ViewFamily {
        unit: Unit::Seconds,
        power: -3,
        ..family(ViewKind::Histogram, "wait_all", vec![source("wait", &[]), source("other", &[])])
    }]);
    let base = registry.snapshot();
    let viewed = only(&merged, &base);
    let found = |snapshot: &Snapshot, name: &str| {
        let histogram = snapshot.histogram(name, &[]).unwrap();
        let native = histogram.native();
        (native.schema, native.zeros, native.buckets.collect::<Vec<_>>())
    };
    // In the value's own bucket, or in the one where its cell ends.
    let index = |value: f64| (16.0 * value.log2()).ceil() as i32;
    let cell_end = |value: f64| value * (1.0 + 1.0 / 128.0);
    for (snapshot, name, values) in [(&viewed, "wait_all", &[0.009, 0.5, 2.0][..]), (&base, "wait", &[500.0, 2000.0])] {
        let (schema, zeros, buckets) = found(snapshot, name);
        assert_eq!((schema, zeros, buckets.len()), (4, 1, values.len()), "{name}");
        for (&value, (found, count)) in values.iter().zip(buckets) {
            let own = index(value)..=index(cell_end(value));
            assert!(own.contains(&found) && count == 1, "{name}: {value} is counted in {found}");
        }
    }
}

#[test]
fn a_total_that_is_none_is_none_in_a_view_either() {
    for (total, shown) in [(f64::NAN, None), (f64::INFINITY, None), (f64::MAX, Some(f64::MAX)), (0.5, Some(1.5))] {
        let registry = Registry::new();
        registry.float_counter("energy").observe(move || total).unwrap();
        registry.float_counter("more").build().unwrap().add(1.0);
        let sum = family(ViewKind::Counter, "all", vec![source("energy", &[]), source("more", &[])]);
        let tenths = ViewFamily { name: "tenths", power: 1, ..sum.clone() };
        let page = page(&only(&view(vec![sum, tenths]), &registry.snapshot()));
        let of = |name: &str| page.lines().find_map(|line| line.strip_prefix(name)?.parse::<f64>().ok());
        assert_eq!(of("all_total "), shown, "{page}");
        assert_eq!(of("tenths_total "), shown.map(|shown| (shown * 10.0).min(f64::MAX)), "{page}");
    }
}
