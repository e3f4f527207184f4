//! A registry with every kind of metric and the nastiest content that is legal, for the checks in `tests/conformance/`.
//!
//! ```text
//! nasty [--clean] --print FORMAT    prints it once, as text or openmetrics, with +target whose it is
//! nasty [--clean] --expect          prints what it must say, as one line of JSON
//! nasty [--clean] --serve ADDRESS   serves it until the input ends; prints a line of JSON at first, and another one
//!                                   after it has recorded more, which each line of input asks for
//! ```
//!
//! With `--clean` names and helps are such that promlint has nothing to say; label values are as nasty as without. The
//! JSON is told from what was recorded, not from a snapshot: it is the truth that readers of the text are held against.

mod expected;

use expected::{CONSTANTS, Expected, canonical, push_family, push_list, push_string};
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tach::{Counter, Error, Histogram, Level, Recording, Registry, Resource, Snapshot, Unit, Windows};

/// Label values that a printer or a parser could stumble over.
const VALUES: [&str; 26] = [
    "plain",
    "",
    " ",
    " space around ",
    "\"",
    "\\",
    "\n",
    "\\n",
    "\\\"",
    "\"quoted\"",
    "ends with \\",
    "tab\tand return\r",
    "nul\0in it",
    "}",
    "{",
    "# no comment",
    "a=\"b\",c=\"d\"",
    "\"} 1\napp_tokens_total 2",
    ",",
    "ä ö ü ß",
    "😀 👩‍👩‍👧 🇪🇺",
    "\u{feff}\u{200f}\u{202e}\u{2028}\u{85}",
    "e\u{301}",
    "\u{1}\u{7f}\u{fffd}",
    "\u{10ffff}",
    "+Inf",
];

/// Bounds in seconds, and the same in ticks of a nanosecond.
const LATENCY_BOUNDS: [(f64, u64); 14] = [
    (0.000_001, 1_000),
    (0.005, 5_000_000),
    (0.01, 10_000_000),
    (0.025, 25_000_000),
    (0.05, 50_000_000),
    (0.1, 100_000_000),
    (0.25, 250_000_000),
    (0.3, 300_000_000),
    (0.5, 500_000_000),
    (1.0, 1_000_000_000),
    (2.5, 2_500_000_000),
    (5.0, 5_000_000_000),
    (10.0, 10_000_000_000),
    (2560.0, 2_560_000_000_000),
];

/// Values that a gauge may have.
const GAUGES: [(&str, f64); 12] = [
    ("nan", f64::NAN),
    ("infinite", f64::INFINITY),
    ("minus infinite", f64::NEG_INFINITY),
    ("minus zero", -0.0),
    ("largest", f64::MAX),
    ("smallest", 5e-324),
    ("tenth", 0.1),
    ("million", 1e6),
    ("just below a million", 999_999.9),
    ("small", 0.000_01),
    ("whole", -120.0),
    ("third", 1.0 / 3.0),
];

/// The registry, what grows in it, and what all else must be.
struct Nasty {
    registry: Registry,
    windows: Arc<Windows>,
    tokens: Counter,
    latency: Histogram,
    tokens_recorded: u64,
    latencies_recorded: Vec<u64>,
    fixed: Vec<Expected>,
}

impl Nasty {
    fn new(clean: bool) -> Result<Self, Error> {
        let builder = Registry::builder().namespace("app").recording(Recording::Sharded).level(Level::Basic);
        let labelled = CONSTANTS.iter().fold(builder, |builder, (name, value)| builder.const_label(*name, *value));
        let registry = labelled.build()?;
        let mut fixed = Vec::new();
        scalars(&registry, &mut fixed)?;
        families(&registry, &mut fixed)?;
        histograms(&registry, &mut fixed)?;
        if !clean {
            odd_names(&registry, &mut fixed)?;
        }
        let tokens = registry.counter("tokens").help(TOKENS_HELP).build()?;
        let bounds = LATENCY_BOUNDS.map(|(bound, _)| bound);
        let latency = registry.histogram("latency").unit(Unit::Seconds).buckets(bounds).help(LATENCY_HELP).build()?;
        let windows = Arc::new(windows(&registry, &mut fixed)?);
        let mut nasty =
            Self { registry, windows, tokens, latency, tokens_recorded: 0, latencies_recorded: Vec::new(), fixed };
        // Beyond what a float holds: printed digit by digit all the same.
        nasty.add_tokens((1 << 53) + 1);
        let around = LATENCY_BOUNDS.iter().flat_map(|(_, ticks)| [ticks - 1, *ticks, ticks + 1]);
        around.for_each(|nanos| nasty.add_latency(nanos));
        nasty.add_latency(0);
        Ok(nasty)
    }

    fn add_tokens(&mut self, n: u64) {
        self.tokens.add(n);
        self.tokens_recorded += n;
    }

    fn add_latency(&mut self, nanos: u64) {
        self.latency.record(nanos);
        self.latencies_recorded.push(nanos);
    }

    #[cfg(feature = "http")]
    fn record_more(&mut self) {
        self.add_tokens(1_000_000);
        [40_000_000, 41_000_000, 25_000_000, 3_000_000_000].iter().for_each(|nanos| self.add_latency(*nanos));
    }

    fn snapshot(&self) -> Snapshot {
        self.windows.show(&self.registry.snapshot())
    }

    /// Everything as JSON, on one line. `address`: where it is served.
    fn json(&self, address: Option<&str>) -> String {
        let mut tokens = Expected::new("app_tokens_total", "counter", TOKENS_HELP);
        tokens.sample("", &[], self.tokens_recorded);
        let mut latency = Expected::new("app_latency_seconds", "histogram", LATENCY_HELP);
        let bounds = LATENCY_BOUNDS.map(|(bound, ticks)| (canonical(bound), ticks));
        latency.series(&[], &bounds, &self.latencies_recorded, 1e9);
        let mut json = String::from("{");
        if let Some(address) = address {
            json.push_str("\"address\": ");
            push_string(&mut json, address);
            json.push_str(", ");
        }
        json.push_str("\"families\": ");
        push_list(&mut json, self.fixed.iter().chain([&tokens, &latency]), push_family);
        json.push('}');
        json
    }
}

const TOKENS_HELP: &str = "Tokens \"generated\": a backslash \\, \\n, and a line\nfeed. ä 😀 # }";
const LATENCY_HELP: &str = "From a request to its first token.";

fn scalars(registry: &Registry, fixed: &mut Vec<Expected>) -> Result<(), Error> {
    let mut energy = Expected::new("app_energy_joules_total", "counter", "Energy used.");
    let counter = registry.float_counter("energy").unit(Unit::Joules).help(energy.help).build()?;
    counter.add(0.1);
    counter.add(0.2);
    // None of these may break the total.
    [f64::NAN, f64::INFINITY, -1.0].iter().for_each(|amount| counter.add(*amount));
    energy.sample("", &[], 0.1 + 0.2);

    let mut running = Expected::new("app_running", "gauge", "Requests running.");
    let updown = registry.updown_counter("running").help(running.help).build()?;
    updown.add(-5);
    updown.inc();
    running.sample("", &[], -4);

    let mut depth = Expected::new("app_queue_depth", "gauge", "Asked for when collecting.");
    registry.observe_gauge("queue_depth", depth.help, || 3.5)?;
    depth.sample("", &[], 3.5);

    let mut seen = Expected::new("app_seen_total", "counter", "The largest total there is.");
    registry.observe_counter("seen", seen.help, || u64::MAX)?;
    seen.sample("", &[], u64::MAX);

    let mut untouched = Expected::new("app_untouched_total", "counter", "Never recorded, and there all the same.");
    registry.counter("untouched").help(untouched.help).build()?;
    untouched.sample("", &[], 0);
    fixed.extend([energy, running, depth, seen, untouched]);

    // Above the registry's level: neither recorded nor exposed.
    registry.counter("detail").level(Level::Detailed).help("Not to be seen.").build()?.inc();
    Ok(())
}

fn families(registry: &Registry, fixed: &mut Vec<Expected>) -> Result<(), Error> {
    let mut requests = Expected::new("app_requests_total", "counter", "Requests by path.");
    let family = registry.counter("requests").help(requests.help).labels(["path"]).build()?;
    for (index, value) in VALUES.iter().enumerate() {
        family.with([value]).add(index as u64);
        requests.sample("", &[("path", value)], index);
    }
    family.with(["removed"]).inc();
    family.remove(["removed"]);

    let mut level = Expected::new("app_level", "gauge", "Every sort of number.");
    let gauges = registry.gauge("level").help(level.help).labels(["case"]).build()?;
    for (case, value) in GAUGES {
        gauges.with([case]).set(value);
        level.sample("", &[("case", case)], value);
    }

    let mut pairs = Expected::new("app_pairs_total", "counter", "Many series.");
    let family = registry.counter("pairs").help(pairs.help).labels(["x", "y", "z"]).limit(1000).build()?;
    for (index, x) in VALUES.iter().enumerate() {
        for y in VALUES {
            family.with([x, y, "z"]).add(index as u64 + 1);
            pairs.sample("", &[("x", x), ("y", y), ("z", "z")], index + 1);
        }
    }

    let mut full = Expected::new("app_full_total", "counter", "More series than allowed.");
    let family = registry.counter("full").help(full.help).labels(["a", "b"]).limit(2).build()?;
    for name in ["1", "2", "3", "4"] {
        family.with([name, "x"]).inc();
    }
    for name in ["1", "2"] {
        full.sample("", &[("a", name), ("b", "x")], 1);
    }
    full.sample("", &[("a", "tach_overflow"), ("b", "tach_overflow")], 2);
    fixed.extend([requests, level, pairs, full]);

    // A family without series has nothing to show.
    registry.gauge("nobody").help("Not to be seen.").labels(["a"]).build()?;
    Ok(())
}

fn histograms(registry: &Registry, fixed: &mut Vec<Expected>) -> Result<(), Error> {
    let mut size = Expected::new("app_size_bytes", "histogram", "Sizes by direction.");
    let bounds = [0.0, 1.0, 1024.0, 1e6, 1_048_576.0, 1.5e9];
    let family = registry.histogram("size").unit(Unit::Bytes).digits(3).buckets(bounds).help(size.help).labels(["to"]);
    let family = family.build()?;
    let printed = bounds.map(|bound| (canonical(bound), bound as u64));
    let values = [0, 1, 2, 1023, 1024, 1025, 999_999, 1_000_000, 1_000_001, 1_048_577, 1_500_000_000, 1_500_000_001];
    for (index, value) in VALUES.iter().enumerate() {
        let series = family.with([value]);
        let values = &values[..index.min(values.len())];
        values.iter().for_each(|value| series.record(*value));
        size.series(&[("to", value)], &printed, values, 1.0);
    }

    let mut batch = Expected::new("app_batch", "histogram", "No bounds: one bucket.");
    let histogram = registry.histogram("batch").help(batch.help).max(1000.0).build()?;
    histogram.record_n(32, 3);
    histogram.record(1_000_000);
    batch.series(&[], &[], &[32, 32, 32, 1000], 1.0);

    let mut share = Expected::new("app_share_ratio", "histogram", "Never recorded, and there all the same.");
    registry.histogram("share").unit(Unit::Ratio).buckets([0.5, 1.0, f64::INFINITY]).help(share.help).build()?;
    share.series(&[], &[("0.5".to_owned(), 0), ("1.0".to_owned(), 0)], &[], 1.0);
    fixed.extend([size, batch, share]);
    Ok(())
}

/// Summaries of windows: the quantiles are those of what was recorded since they began, the totals are of all.
fn windows(registry: &Registry, fixed: &mut Vec<Expected>) -> Result<Windows, Error> {
    let mut wait = Expected::new("app_wait_seconds", "histogram", "In whole seconds.");
    let mut summary = Expected::new(
        "app_wait_window_seconds",
        "summary",
        "Quantiles of the window, and totals of: In whole seconds.",
    );
    let mut values = Expected::new(
        "app_wait_seconds_window_values",
        "gauge",
        "Number of values in the window of: In whole seconds.",
    );
    let family = registry.histogram("wait").unit(Unit::Seconds).tick(1.0).help(wait.help).labels(["path"]).build()?;
    // One window is empty.
    VALUES.iter().for_each(|path| family.with([path]).record_n(7, 3));
    let windows = Windows::start(registry, &["wait"], &[Duration::from_secs(3600), Duration::from_secs(5400)])?;
    let windows = windows.quantiles(&[1.0, 0.5, 0.99, 0.0])?.summaries()?;
    for (index, path) in VALUES.iter().enumerate() {
        let count = if index == 0 { 0 } else { 100 };
        (1..=count).for_each(|value| family.with([path]).record(value));
        let all: Vec<u64> = [7; 3].into_iter().chain(1..=count).collect();
        wait.series(&[("path", path)], &[], &all, 1.0);
        for window in ["1h", "90m"] {
            for (quantile, value) in [("0.0", 1.0), ("0.5", 50.0), ("0.99", 99.0), ("1.0", 100.0)] {
                let value = if count == 0 { f64::NAN } else { value };
                summary.sample("", &[("path", path), ("window", window), ("quantile", quantile)], value);
            }
            let labels = [("path", *path), ("window", window)];
            summary.sample("_sum", &labels, all.iter().sum::<u64>() as f64);
            summary.sample("_count", &labels, all.len());
            values.sample("", &labels, count);
        }
    }
    fixed.extend([wait, summary, values]);
    Ok(windows)
}

/// Names that are legal and that promlint has something to say about.
fn odd_names(registry: &Registry, fixed: &mut Vec<Expected>) -> Result<(), Error> {
    for (name, exposed) in [
        ("vllm:cache.usage", "app_vllm:cache_usage"),
        ("camelCase", "app_camelCase"),
        ("_", "app__"),
        ("gauge_ms", "app_gauge_ms"),
        ("odd_count", "app_odd_count"),
        ("odd_bucket", "app_odd_bucket"),
        ("odd_total", "app_odd_total"),
    ] {
        // Without a help.
        registry.gauge(name).build()?.set(1.5);
        let mut expected = Expected::new(exposed, "gauge", "");
        expected.sample("", &[], 1.5);
        fixed.push(expected);
    }
    let mut pause = Expected::new("app_pause_milliseconds", "histogram", "No base unit.");
    let histogram =
        registry.histogram("pause").unit(Unit::Milliseconds).buckets([0.1, 2.5]).help(pause.help).build()?;
    let values = [100_000, 100_001, 2_500_000];
    values.iter().for_each(|value| histogram.record(*value));
    pause.series(&[], &[("0.1".to_owned(), 100_000), ("2.5".to_owned(), 2_500_000)], &values, 1e6);
    fixed.push(pause);
    Ok(())
}

#[cfg(feature = "http")]
fn serve(mut nasty: Nasty, address: &str) -> Result<(), Box<dyn std::error::Error>> {
    let windows = Arc::clone(&nasty.windows);
    let exporter = tach::Exporter::builder().listen(address).view(move |snapshot| windows.show(snapshot));
    let exporter = exporter.start(&nasty.registry)?;
    let address = exporter.local_addr().to_string();
    let mut out = std::io::stdout();
    writeln!(out, "{}", nasty.json(Some(&address)))?;
    out.flush()?;
    for line in std::io::stdin().lines() {
        line?;
        nasty.record_more();
        writeln!(out, "{}", nasty.json(Some(&address)))?;
        out.flush()?;
    }
    Ok(())
}

#[cfg(not(feature = "http"))]
fn serve(_: Nasty, _: &str) -> Result<(), Box<dyn std::error::Error>> {
    Err("built without the feature http".into())
}

/// Whose metrics these are, with what a printer or a parser could stumble over.
fn target() -> Resource {
    Resource::new().service("\" \\ \n } ä").with("service.instance.id", "7").with("zone-name", "# no comment")
}

fn run(arguments: &[&str]) -> Result<bool, Box<dyn std::error::Error>> {
    let clean = arguments.first() == Some(&"--clean");
    let arguments = &arguments[usize::from(clean)..];
    let nasty = Nasty::new(clean)?;
    match arguments {
        ["--print", format @ ("text" | "openmetrics" | "created" | "text+target" | "openmetrics+target")] => {
            let plain = nasty.snapshot();
            let snapshot = if format.ends_with("target") { plain.target_info(&target())? } else { plain };
            let options = tach::openmetrics::Options::new().created(*format == "created");
            let open = || tach::openmetrics::render_with(&snapshot, options);
            let page = if format.starts_with("text") { tach::text::render(&snapshot) } else { open() };
            std::io::stdout().write_all(page.as_bytes())?;
        }
        ["--expect"] => writeln!(std::io::stdout(), "{}", nasty.json(None))?,
        ["--serve", address] => serve(nasty, address)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!(
                "usage: nasty [--clean] --print text[+target]|openmetrics[+target]|created | --expect | --serve ADDRESS"
            );
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("nasty: {error}");
            ExitCode::FAILURE
        }
    }
}
