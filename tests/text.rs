//! The text format, to the letter.

use tach::{Registry, Unit, text};

/// The exposition without the engine's own metrics.
fn render(registry: &Registry) -> String {
    let text = text::render(&registry.snapshot());
    let own = |line: &&str| !line.starts_with("tach_") && !line.contains(" tach_");
    text.lines().filter(own).map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_kind_is_printed_as_it_should() {
    let registry = Registry::builder().namespace("max.serve").const_label("model", "smol\"lm\n2\\").build().unwrap();
    registry.counter("tokens").help("Tokens\ngenerated \\ \"all\".").build().unwrap().add(u64::MAX);
    registry.float_counter("energy").unit(Unit::Joules).build().unwrap().add(1e7);
    registry.updown_counter("running").build().unwrap().add(-3);
    registry.gauge("kv_usage").unit(Unit::Ratio).build().unwrap().set(f64::NAN);
    registry.counter("busy_seconds_total").unit(Unit::Seconds).build().unwrap();
    let itl = registry.histogram("itl").help("ITL").unit(Unit::Seconds).buckets([0.005, 1.0, 2.5]).build().unwrap();
    [5_000_000, 5_000_001, 1_000_000_000, 3_000_000_000].iter().for_each(|value| itl.record(*value));
    let requests = registry.counter("request.count").labels(["code", "path"]).build().unwrap();
    requests.with(["500", "/\"a\"\\\n}é"]).inc();
    requests.with(["200", ""]).add(2);
    let sizes = registry.histogram("sizes").labels(["l"]).buckets([1e6, 12_500_000.0]).build().unwrap();
    sizes.with(["x"]).record(7);
    registry.counter("unused").labels(["l"]).build().unwrap();
    let model = r#"model="smol\"lm\n2\\""#;
    let expected = [
        "# TYPE max_serve_busy_seconds_total counter",
        "max_serve_busy_seconds_total{M} 0",
        "# TYPE max_serve_energy_joules_total counter",
        "max_serve_energy_joules_total{M} 1e+07",
        "# HELP max_serve_itl_seconds ITL",
        "# TYPE max_serve_itl_seconds histogram",
        r#"max_serve_itl_seconds_bucket{M,le="0.005"} 1"#,
        r#"max_serve_itl_seconds_bucket{M,le="1.0"} 3"#,
        r#"max_serve_itl_seconds_bucket{M,le="2.5"} 3"#,
        r#"max_serve_itl_seconds_bucket{M,le="+Inf"} 4"#,
        "max_serve_itl_seconds_sum{M} 4.010000001",
        "max_serve_itl_seconds_count{M} 4",
        "# TYPE max_serve_kv_usage_ratio gauge",
        "max_serve_kv_usage_ratio{M} NaN",
        "# TYPE max_serve_request_count_total counter",
        r#"max_serve_request_count_total{M,code="200"} 2"#,
        r#"max_serve_request_count_total{M,code="500",path="/\"a\"\\\n}é"} 1"#,
        "# TYPE max_serve_running gauge",
        "max_serve_running{M} -3",
        "# TYPE max_serve_sizes histogram",
        r#"max_serve_sizes_bucket{M,l="x",le="1e+06"} 1"#,
        r#"max_serve_sizes_bucket{M,l="x",le="1.25e+07"} 1"#,
        r#"max_serve_sizes_bucket{M,l="x",le="+Inf"} 1"#,
        r#"max_serve_sizes_sum{M,l="x"} 7"#,
        r#"max_serve_sizes_count{M,l="x"} 1"#,
        r#"# HELP max_serve_tokens_total Tokens\ngenerated \\ "all"."#,
        "# TYPE max_serve_tokens_total counter",
        "max_serve_tokens_total{M} 18446744073709551615",
    ];
    let expected: String = expected.iter().map(|line| line.replace('M', model) + "\n").collect();
    assert_eq!(render(&registry), expected);
}

#[test]
fn series_are_there_at_zero_before_their_first_use() {
    let registry = Registry::new();
    let _tokens = registry.counter("tokens").build().unwrap();
    let _itl = registry.histogram("itl").buckets([1.0]).build().unwrap();
    let text = render(&registry);
    let lines = ["tokens_total 0", "itl_bucket{le=\"1.0\"} 0", "itl_bucket{le=\"+Inf\"} 0", "itl_sum 0", "itl_count 0"];
    assert!(lines.iter().all(|line| text.lines().any(|there| there == *line)), "{text}");
}

#[test]
fn the_order_does_not_depend_on_that_of_registration() {
    let build = |names: &[&str], labels: &[&str]| {
        let registry = Registry::new();
        for name in names {
            let family = registry.counter(*name).labels(["l"]).build().unwrap();
            labels.iter().for_each(|label| family.with([label]).inc());
        }
        render(&registry)
    };
    assert_eq!(build(&["b", "a", "c"], &["2", "1", "10"]), build(&["c", "a", "b"], &["10", "2", "1"]));
}

#[test]
fn a_constant_label_gives_way_to_one_of_the_engines_own() {
    let registry = Registry::builder().const_label("state", "x").const_label("metric", "y").build().unwrap();
    let _h = registry.histogram("h").build().unwrap();
    let text = text::render(&registry.snapshot());
    assert!(text.contains("tach_shards{metric=\"y\",state=\"idle\"} "), "{text}");
    assert!(text.contains("tach_clamped_total{state=\"x\",metric=\"h\"} 0"), "{text}");
}

#[test]
fn the_engine_tells_of_itself() {
    let text = text::render(&Registry::new().snapshot());
    for name in [
        "tach_callback_panics_total",
        "tach_collect_seconds",
        "tach_memory_bytes",
        "tach_overflow_recordings_total",
        "tach_overflow_series_total",
        "tach_series",
        "tach_shards{state=\"idle\"}",
        "tach_snapshot_inexact_total",
        "tach_snapshot_retries_total",
    ] {
        assert!(text.lines().any(|line| line.starts_with(&format!("{name} "))), "{name} is not in {text}");
    }
}
