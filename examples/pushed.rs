//! A registry that is pushed, by OTLP and to a Pushgateway, and the truth about it: for the checks in
//! `tests/conformance/`.
//!
//! The OTLP exporter is set up by OpenTelemetry's variables. Each line of input asks for something and is answered by
//! one line of JSON:
//!
//! ```text
//! record                        records more, and tells all that was recorded so far
//! flush                         pushes now, and tells how that went
//! counts                        tells what is counted of pushing
//! put URL, post URL, delete URL pushes to a Pushgateway, in a group with odd labels
//! page                          tells the Prometheus text, which is what a Pushgateway gets
//! ```
//!
//! When the input ends the exporter is shut down, which is told last.

use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;
use tach::otlp::{OtlpBuilder, OtlpExporter};
use tach::push::Pushgateway;
use tach::{Counter, Error, Family, FloatCounter, Gauge, Histogram, Registry, UpDownCounter, text};

/// Label values that an encoder could stumble over.
const VALUES: [&str; 6] = ["plain", "", "\"quoted\" \\ \n", "ä 😀 \u{10ffff}", "nul\0in it", "tach"];

const TTFT_BOUNDS: [f64; 4] = [0.005, 0.025, 0.1, 2.5];

struct Pushed {
    registry: Registry,
    tokens: Counter,
    requests: Family<Counter, 1>,
    energy: FloatCounter,
    running: UpDownCounter,
    usage: Gauge,
    ttft: Histogram,
    sizes: Family<Histogram, 1>,
    rounds: u64,
    recorded_ttft: Vec<u64>,
    recorded_sizes: Vec<Vec<u64>>,
}

impl Pushed {
    fn new() -> Result<Self, Error> {
        let registry = Registry::builder().namespace("llm.server").const_label("model", "smol \"LM\"").build()?;
        registry.observe_counter("seen", "Told when asked.", || (1 << 53) + 1)?;
        registry.observe_gauge("depth", "", || -3.5)?;
        let ttft = registry.histogram("ttft").unit(tach::Unit::Seconds).buckets(TTFT_BOUNDS);
        Ok(Self {
            tokens: registry.counter("tokens").unit(tach::Unit::Other("tokens")).help("Tokens\n\"made\".").build()?,
            requests: registry.counter("requests").labels(["path"]).build()?,
            energy: registry.float_counter("energy").unit(tach::Unit::Joules).build()?,
            running: registry.updown_counter("running").build()?,
            usage: registry.gauge("usage").unit(tach::Unit::Ratio).build()?,
            ttft: ttft.help("To the first token.").build()?,
            sizes: registry.histogram("sizes").unit(tach::Unit::Bytes).digits(3).labels(["to"]).build()?,
            registry,
            rounds: 0,
            recorded_ttft: Vec::new(),
            recorded_sizes: vec![Vec::new(); VALUES.len()],
        })
    }

    fn record(&mut self) {
        self.rounds += 1;
        self.tokens.add(1 << 40);
        for (index, value) in (1..).zip(VALUES) {
            self.requests.with([value]).add(index);
        }
        self.energy.add(0.25);
        self.running.add(-2);
        self.usage.set(0.5 / self.rounds as f64);
        let edges = [1_000, 5_000_000, 25_000_000, 100_000_000, 2_500_000_000];
        let around = edges.iter().flat_map(|edge| [edge - 1, *edge, edge + 1]);
        let spread = (0..200).map(|n: u64| (n * n * n + self.rounds) * 9_973 % 3_000_000_000);
        for ticks in around.chain(spread).chain([0]) {
            self.ttft.record(ticks);
            self.recorded_ttft.push(ticks);
        }
        // The first one stays empty.
        for (index, value) in VALUES.iter().enumerate().skip(1) {
            let bytes = 1 << (6 * index as u64) | self.rounds;
            self.sizes.with([value]).record_n(bytes, 3);
            self.recorded_sizes[index].extend([bytes; 3]);
        }
        let _ = self.sizes.with([VALUES[0]]);
    }

    /// Each series as OTLP is to tell it.
    fn truth(&self) -> Value {
        let mut series = Vec::new();
        let mut add = |name: &str, unit: &str, kind: &str, label: Option<(&str, &str)>, value: Value| {
            let mut attributes = serde_json::Map::from_iter([("model".to_owned(), json!("smol \"LM\""))]);
            if let Some((name, value)) = label.filter(|(_, value)| !value.is_empty()) {
                attributes.insert(name.to_owned(), json!(value));
            }
            let name = format!("llm.server.{name}");
            series.push(json!({"name": name, "unit": unit, "kind": kind, "attributes": attributes, "value": value}));
        };
        add("seen", "", "counter", None, json!((1_u64 << 53) + 1));
        add("depth", "", "gauge", None, json!(-3.5));
        add("tokens", "{token}", "counter", None, json!(self.rounds << 40));
        add("energy", "J", "counter", None, json!(0.25 * self.rounds as f64));
        add("running", "", "updown", None, json!(-2 * self.rounds.cast_signed()));
        add("usage", "1", "gauge", None, json!(0.5 / self.rounds as f64));
        for (index, value) in (1..).zip(VALUES) {
            add("requests", "", "counter", Some(("path", value)), json!(index * self.rounds));
        }
        let values: Vec<f64> = self.recorded_ttft.iter().map(|ticks| *ticks as f64 / 1e9).collect();
        let sum = self.recorded_ttft.iter().sum::<u64>() as f64 / 1e9;
        let histogram = json!({"values": values, "sum": sum, "bounds": TTFT_BOUNDS, "scale": 4, "error": 1.053});
        add("ttft", "s", "histogram", None, histogram);
        for (value, recorded) in VALUES.iter().zip(&self.recorded_sizes) {
            let sum = recorded.iter().sum::<u64>() as f64;
            let histogram = json!({"values": recorded, "sum": sum, "bounds": [], "scale": 5, "error": 1.023});
            add("sizes", "By", "histogram", Some(("to", value)), histogram);
        }
        Value::Array(series)
    }

    fn counts(&self) -> Value {
        let snapshot = self.registry.snapshot();
        let count = |name: &str| snapshot.counter(&format!("tach_otlp_{name}"), &[]);
        let reasons = ["400", "429", "502", "503", "504", "connection", "timeout", "response", "size"];
        let of_grpc = [
            "CANCELLED",
            "INVALID_ARGUMENT",
            "DEADLINE_EXCEEDED",
            "RESOURCE_EXHAUSTED",
            "ABORTED",
            "OUT_OF_RANGE",
            "INTERNAL",
            "UNAVAILABLE",
            "DATA_LOSS",
        ];
        let failures: serde_json::Map<String, Value> = reasons
            .iter()
            .chain(&of_grpc)
            .filter_map(|reason| {
                let count = snapshot.counter("tach_otlp_failures", &[("reason", reason)])?;
                Some(((*reason).to_owned(), json!(count)))
            })
            .collect();
        let [exports, dropped, rejected] = ["exports", "dropped", "rejected_points"].map(count);
        json!({"exports": exports, "dropped": dropped, "rejected": rejected, "failures": failures})
    }

    fn gateway(&self, method: &str, url: &str) -> Result<(), Error> {
        let gateway = Pushgateway::new(url, "nightly ä/b")?.group("shard", "50% of ?#&+")?.group("empty", "")?;
        match method {
            "put" => gateway.put(&self.registry.snapshot()),
            "post" => gateway.post(&self.registry.snapshot()),
            _ => gateway.delete(),
        }
    }

    fn answer(&mut self, exporter: &OtlpExporter, line: &str) -> Value {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["record"] => {
                self.record();
                self.truth()
            }
            ["flush"] => told(exporter.flush()),
            ["counts"] => self.counts(),
            ["page"] => json!(text::render(&self.registry.snapshot())),
            [method @ ("put" | "post" | "delete"), url] => told(self.gateway(method, url)),
            _ => json!({"error": format!("{line:?} is nothing to ask for")}),
        }
    }
}

fn told(result: Result<(), Error>) -> Value {
    match result {
        Ok(()) => json!({"error": null}),
        Err(error) => json!({"error": error.to_string()}),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut pushed = Pushed::new()?;
    let backoff = OtlpBuilder::from_env()?.backoff(Duration::from_millis(50), Duration::from_millis(200));
    let exporter = backoff.start(&pushed.registry)?;
    let mut out = std::io::stdout();
    let mut say = |value: &Value| -> std::io::Result<()> {
        writeln!(out, "{value}")?;
        out.flush()
    };
    for line in std::io::stdin().lines() {
        say(&pushed.answer(&exporter, &line?))?;
    }
    say(&told(exporter.shutdown()))?;
    Ok(())
}
