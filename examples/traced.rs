//! A registry with exemplars, for `tests/conformance/exemplars.py`.
//!
//! ```text
//! traced --print openmetrics|protobuf|otlp    prints it once
//! traced --expect                             prints what each exemplar must say, as one line of JSON
//! traced --serve                              serves it on loopback until the input ends; prints the address at first
//! ```

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;
use tach::{Error, Exporter, Registry, SpanContext, Unit, openmetrics, otlp, protobuf};

/// Values in ticks of a nanosecond, each with the upper end of its bucket in seconds.
const VALUES: [(u64, &str); 4] =
    [(7_000_000_000, "+Inf"), (3_000_000, "0.005"), (20_000_000, "0.025"), (25_000_000, "0.025")];
/// Those that are the largest of their bucket, and so its exemplars.
const SHOWN: [usize; 3] = [0, 1, 3];
/// So that no two have the same time, of which Prometheus keeps one for each series: some ticks of any clock.
const PAUSE: Duration = Duration::from_millis(20);
const TOKENS: u64 = 17;

/// The span of the recording with this number.
fn span(number: usize) -> SpanContext {
    let header = format!("00-{:032x}-{:016x}-01", number + 1, number + 0xabc);
    SpanContext::from_traceparent(&header).expect("it is written as the standard says")
}

fn record(registry: &Registry) -> Result<(), Error> {
    let latency = registry.histogram("latency").unit(Unit::Seconds).buckets([0.005, 0.01, 0.025, 5.0]);
    let latency = latency.labels(["model"]).exemplars().build()?;
    for (number, (value, _)) in VALUES.iter().enumerate() {
        latency.with(["a"]).record_with_exemplar(*value, &span(number));
        std::thread::sleep(PAUSE);
    }
    // Without exemplars: nothing is to be found of these.
    latency.with(["b"]).record(1);
    registry.counter("tokens").exemplars().build()?.add_with_exemplar(TOKENS, &span(VALUES.len()));
    Ok(())
}

fn expect() -> String {
    let ids = |number: usize| format!(r#""trace_id":"{:032x}","span_id":"{:016x}""#, number + 1, number + 0xabc);
    let of_bucket = |number: &usize| {
        let (value, le) = VALUES[*number];
        format!(r#"{{"le":"{le}","value":{},{}}}"#, value as f64 / 1e9, ids(*number))
    };
    let buckets: Vec<_> = SHOWN.iter().map(of_bucket).collect();
    let counter = format!(r#"{{"value":{TOKENS},{}}}"#, ids(VALUES.len()));
    format!(r#"{{"buckets":[{}],"counter":{counter}}}"#, buckets.join(","))
}

fn run(arguments: &[&str]) -> Result<(), Error> {
    let registry = Registry::new();
    record(&registry)?;
    let snapshot = registry.snapshot();
    let bytes = match arguments {
        ["--print", "openmetrics"] => openmetrics::render(&snapshot).into_bytes(),
        ["--print", "protobuf"] => protobuf::render(&snapshot),
        ["--print", "otlp"] => otlp::Encoder::new(otlp::Resource::new()).encode(&snapshot),
        ["--print", "otlp-explicit"] => {
            let encoder = otlp::Encoder::new(otlp::Resource::new());
            encoder.histograms(otlp::Histograms::Explicit).encode(&snapshot)
        }
        ["--expect"] => format!("{}\n", expect()).into_bytes(),
        ["--serve"] => {
            let exporter = Exporter::builder().listen("127.0.0.1:0").start(&registry)?;
            println!("{}", exporter.local_addr());
            // Until the input ends.
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            return Ok(());
        }
        _ => {
            eprintln!("usage: traced --print openmetrics|protobuf|otlp|otlp-explicit | --expect | --serve");
            std::process::exit(2);
        }
    };
    // Whoever reads it may have had enough.
    let _ = std::io::stdout().write_all(&bytes);
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("traced: {error}");
            ExitCode::FAILURE
        }
    }
}
