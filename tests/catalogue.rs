//! The catalogue against the facts it is made of, and against its page `docs/METRICS.md`.

use std::collections::BTreeSet;
use std::fmt::Write;
use tach::serve::{Clock, Identity, Instrument, Kind, Metrics, Objectives, Origin, Profile, Profiles, catalogue};
use tach::{Level, Registry};

fn of(origin: Origin) -> impl Iterator<Item = &'static Instrument> {
    catalogue().filter(move |row| row.origin == origin)
}

#[test]
fn all_114_instruments_are_there() {
    let count = |kinds: &[Kind]| of(Origin::MaxServe).filter(|row| kinds.contains(&row.kind)).count();
    assert_eq!(count(&[Kind::Event, Kind::Count]), 47);
    assert_eq!(count(&[Kind::Delta]), 2);
    assert_eq!(count(&[Kind::Value, Kind::Amount]), 9);
    assert_eq!(count(&[Kind::Time, Kind::Size, Kind::Real]), 56);
}

#[test]
fn names_and_methods_are_unique() {
    let names: BTreeSet<_> = catalogue().map(|row| row.name).collect();
    let methods: BTreeSet<_> = catalogue().map(|row| row.method).collect();
    assert_eq!((names.len(), methods.len()), (catalogue().count(), catalogue().count()));
}

#[test]
fn ladders_are_those_of_their_formulas() {
    let mut seen = BTreeSet::new();
    for row in catalogue() {
        let (ladder, bounds) = (&row.ladder, row.ladder.bounds);
        assert_eq!(row.is_histogram(), !bounds.is_empty(), "{}", row.name);
        if !seen.insert(ladder.name) {
            continue;
        }
        assert!(bounds.is_sorted_by(|a, b| a < b), "{}", ladder.name);
        // Start, end, largest ratio, number of bounds; by the formula, in equal steps of the logarithm.
        let (start, end, ratio, len) = match ladder.name {
            "LAT" => (1.0, 2.88e7, 1.5, 45),
            "CNT" => (1.0, 1e8, 1.5, 48),
            "BSZ" => (1.0, 512.0, 1.5, 18),
            "TPS" => (10.0, 1e6, 1.5, 31),
            "GIB" => (0.1, 800.0, 2.0, 15),
            "BYT" => (1024.0, f64::from(1 << 30), 2.0, 22),
            "PIX" => (1024.0, 1e8, 2.0, 19),
            "PCT" | "ACC" | "" => {
                let expected: Vec<f64> = match ladder.name {
                    "PCT" => (0..=18).map(|n| n * 5).chain(91..=100).map(f64::from).collect(),
                    "ACC" => (1..=64).map(|n| f64::from(n) / 4.0).collect(),
                    _ => Vec::new(),
                };
                assert_eq!(bounds, expected);
                continue;
            }
            other => panic!("ladder {other} is not known here"),
        };
        let steps = (f64::ln(end / start) / f64::ln(ratio)).ceil();
        let rounded = |value: f64| format!("{value:.2e}").parse::<f64>().unwrap();
        let step = |n: usize| rounded(start * (end / start).powf(n as f64 / steps));
        let expected: Vec<f64> = std::iter::once(0.0).chain((0..=steps as usize).map(step)).collect();
        assert_eq!((bounds.len(), bounds), (len, &expected[..]), "{}", ladder.name);
    }
    assert_eq!(seen.len(), 10);
}

/// The page: what a server records, in the order of the catalogue.
fn page() -> String {
    let mut page = String::from(
        "# Metrics\n\nEvery instrument of `tach::serve`, as the profile `maxserve` exposes it. The methods are those of \
         `tach::serve::METRICS`: the\nvalue comes first, then the labels. Made from the catalogue \
         (`src/serve/catalogue/`) by `TACH_WRITE_DOCS=1 cargo test --features\nserve --test catalogue`.\n\nWhat a method \
         takes: *event*: nothing, adds one; *count*: a whole number to add; *delta*: one that may be negative;\n*value*: \
         what the gauge is set to; *amount*: the same, and a collector adds it up over processes;\n*time*: a \
         `Duration`; *size*: a whole number; *real*: a number in the exposed unit.\n",
    );
    for (origin, title) in [
        (Origin::MaxServe, "Those of MAX serve"),
        (Origin::Own, "tach's own"),
        (Origin::Needed, "Made for other profiles only"),
        (Origin::Gone, "Those that MAX serve had once (profile `maxserve-gone`)"),
    ] {
        let _ = write!(page, "\n## {title}\n\n| exposed as | method | takes | labels | level | tells |\n");
        page.push_str("|---|---|---|---|---|---|\n");
        for row in of(origin) {
            let labels: Vec<_> = row.labels.iter().map(label).collect();
            let level = if row.level == Level::Basic { "basic" } else { "detailed" };
            let takes = format!("{:?}", row.kind).to_lowercase();
            let ladder = if row.is_histogram() { format!(" ({})", row.ladder.name) } else { String::new() };
            let (name, method, help) = (exposed(row), row.method, row.help);
            let _ = writeln!(
                page,
                "| `{name}` | `{method}` | {takes}{ladder} | {} | {level} | {help} |",
                labels.join("; ")
            );
        }
    }
    page.push_str("\n## Buckets\n\nThe `le` bounds of the distributions; `+Inf` comes on top. ");
    page.push_str("Quantiles do not depend on them.\n\n");
    let mut seen = BTreeSet::new();
    for ladder in catalogue().map(|row| &row.ladder).filter(|ladder| !ladder.bounds.is_empty()) {
        if seen.insert(ladder.name) {
            let bounds: Vec<_> = ladder.bounds.iter().map(f64::to_string).collect();
            let _ = writeln!(page, "- **{}** ({}): {}", ladder.name, ladder.bounds.len(), bounds.join(", "));
        }
    }
    page
}

fn label(label: &tach::Label) -> String {
    match label.values() {
        None => format!("`{}`", label.name()),
        Some(values) => {
            let shown = |value: &&str| if value.is_empty() { "(none)".to_owned() } else { format!("`{value}`") };
            let values: Vec<_> = values.iter().map(shown).collect();
            format!("`{}`: {}", label.name(), values.join(", "))
        }
    }
}

/// The name in the text format, of a series' family.
fn exposed(row: &Instrument) -> String {
    let base = format!("maxserve_{}", row.name.replace('.', "_"));
    let unit = row.unit.suffix();
    let base = if unit.is_empty() || base.ends_with(&format!("_{unit}")) { base } else { format!("{base}_{unit}") };
    if matches!(row.kind, Kind::Event | Kind::Count) { format!("{base}_total") } else { base }
}

#[test]
fn the_page_is_that_of_the_catalogue() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/METRICS.md");
    if std::env::var_os("TACH_WRITE_DOCS").is_some() {
        std::fs::write(path, page()).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap();
    assert!(
        there == page(),
        "docs/METRICS.md is not that of the catalogue: run TACH_WRITE_DOCS=1 cargo test --features serve --test catalogue"
    );
}

#[test]
fn what_is_exposed_is_what_the_page_says() {
    let registry = Registry::new();
    let metrics = Metrics::new();
    let profiles = Profiles::new(&[Profile::MaxServe, Profile::MaxServeGone], &Identity::default()).unwrap();
    metrics.attach(&registry, &profiles, Objectives::default(), Clock::new()).unwrap();
    let text = tach::text::render(&registry.snapshot());
    let types: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    for row in catalogue() {
        let kind = match row.kind {
            Kind::Event | Kind::Count => "counter",
            Kind::Delta | Kind::Value | Kind::Amount => "gauge",
            _ => "histogram",
        };
        let line = format!("{} {kind}", exposed(row));
        // Series with an open label come with their first value.
        let is_open = row.labels.iter().any(|label| label.values().is_none());
        assert_eq!(types.contains(&*line), !is_open && row.origin != Origin::Needed, "{line}");
    }
    // Every closed series is there at zero, and nothing else; but an engine is awake.
    for line in text.lines().filter(|line| line.starts_with("maxserve_") && !line.contains("\"awake\"")) {
        assert!(line.ends_with(" 0") || line.ends_with(" 0.0"), "{line}");
    }
}

/// A worker's part of a fleet: amounts are added up, shares stay apart, and what its requests got is not told twice.
#[cfg(target_os = "linux")]
#[test]
fn gauges_of_processes_are_added_up_where_they_are_amounts() {
    use tach::serve::{BatchType, StepStats, StepTimer};

    let dir = format!("/dev/shm/tach-test-{}-amounts", std::process::id());
    let profiles = Profiles::new(&[Profile::MaxServe, Profile::Vllm], &Identity::default()).unwrap();
    let _workers = [("worker-0", 25), ("worker-1", 75)].map(|(name, used)| {
        let registry = Registry::builder().recording(tach::Recording::Process).segment_dir(&dir).process_name(name);
        let registry = registry.memory_budget(1 << 26).build().unwrap();
        let metrics = Metrics::new();
        let (clock, time) = Clock::manual();
        metrics.attach(&registry, &profiles, Objectives::default(), clock).unwrap();
        let mut steps = StepTimer::new(&metrics);
        time.advance(std::time::Duration::from_millis(500));
        let stats = StepStats::new(BatchType::Decode, 4);
        steps.step().end(&StepStats { output_tokens: Some(4), kv_blocks: Some((used, 100)), ..stats });
        (registry, metrics)
    });
    let read = tach::reader::Directory::watch(&dir).unwrap().read();
    std::fs::remove_dir_all(&dir).unwrap();
    let gauge = |row: &str, labels: &[_]| read.gauge(&format!("maxserve.{row}"), labels);
    for (row, sum) in
        [("cache.num_used_blocks", 100.0), ("cache.num_total_blocks", 200.0), ("generation_throughput", 16.0)]
    {
        assert_eq!((gauge(row, &[]), gauge(row, &[("process", "worker-0")])), (Some(sum), None), "{row}");
    }
    assert_eq!((gauge("kv_usage", &[]), gauge("kv_usage", &[("process", "worker-0")])), (None, Some(0.25)));
    assert_eq!(read.histogram("maxserve.iteration_tokens", &[]).map(|h| (h.count(), h.sum())), Some((2, 8.0)));
    assert_eq!(read.counter("maxserve.num_output_tokens", &[]), Some(0));
    // Under another server's name a share is a share, too, and not the sum of two.
    let view = profiles.apply(&read);
    let usage = |process| view.gauge("vllm:kv_cache_usage_perc", &[("process", process)]);
    assert_eq!([usage("worker-0"), usage("worker-1")], [Some(0.25), Some(0.75)]);
}

#[test]
fn levels_switch_instruments_while_the_server_runs() {
    let registry = Registry::builder().level(Level::Basic).build().unwrap();
    let metrics = Metrics::new();
    let profiles = Profiles::new(&[Profile::MaxServe], &Identity::default()).unwrap();
    metrics.attach(&registry, &profiles, Objectives::default(), Clock::new()).unwrap();
    let read = |name: &str| registry.snapshot().counter(name, &[]);
    let record = || {
        metrics.input_tokens(1);
        metrics.cache_misses(1);
    };
    record();
    assert_eq!((read("maxserve.num_input_tokens"), read("maxserve.cache.misses")), (Some(1), None));
    registry.set_level(Level::Detailed);
    record();
    assert_eq!((read("maxserve.num_input_tokens"), read("maxserve.cache.misses")), (Some(2), Some(1)));
    registry.set_level(Level::None);
    record();
    registry.set_level(Level::Detailed);
    assert_eq!((read("maxserve.num_input_tokens"), read("maxserve.cache.misses")), (Some(2), Some(1)));
}

#[test]
fn what_no_profile_shows_is_not_there() {
    let registry = Registry::new();
    let metrics = Metrics::new();
    let profiles = Profiles::new(&[Profile::MaxServe], &Identity::default()).unwrap();
    metrics.attach(&registry, &profiles, Objectives::default(), Clock::new()).unwrap();
    metrics.num_input_characters(5);
    assert_eq!(registry.snapshot().counter("maxserve.num_input_characters", &[]), None);
}

#[test]
fn two_servers_of_a_process_do_not_mix() {
    let (one, two) = (Registry::new(), Registry::new());
    let profiles = Profiles::new(&[Profile::MaxServe], &Identity::default()).unwrap();
    let metrics = [&one, &two].map(|registry| {
        let metrics = Metrics::new();
        metrics.attach(registry, &profiles, Objectives::default(), Clock::new()).unwrap();
        metrics
    });
    metrics[0].output_tokens(3);
    metrics[1].output_tokens(4);
    metrics[1].detach();
    metrics[1].output_tokens(100);
    let read = |registry: &Registry| registry.snapshot().counter("maxserve.num_output_tokens", &[]);
    assert_eq!((read(&one), read(&two)), (Some(3), Some(4)));
}
