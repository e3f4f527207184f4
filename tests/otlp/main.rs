//! Pushing by OTLP and to a Pushgateway, against a receiver that answers as a test says.

mod answers;
mod gateway;
#[cfg(feature = "otlp-grpc")]
mod grpc;
mod life;
mod receiver;
#[cfg(feature = "tls")]
mod secure;

// The reader of requests that the formats are tested with.
#[allow(dead_code, reason = "not every field matters here")]
#[path = "../formats/otlp_reader.rs"]
mod otlp_reader;
#[allow(dead_code, reason = "only what it has in common with the other reader is used here")]
#[path = "../formats/pb_reader.rs"]
mod pb_reader;

/// What the readers give labels as.
mod model {
    pub(crate) type Labels = std::collections::BTreeMap<String, String>;
}

use tach::otlp::{OtlpBuilder, OtlpExporter, Resource};
use tach::{Counter, Registry};

/// The product, and the exporter as OTLP's specification names one in a language.
const AGENT: &str = concat!("tach/", env!("CARGO_PKG_VERSION"), " OTel-OTLP-Exporter-Rust/", env!("CARGO_PKG_VERSION"));

/// A registry with a counter in it, and what is counted of pushing.
struct Pushed {
    registry: Registry,
    tokens: Counter,
}

impl Pushed {
    fn new() -> Self {
        let registry = Registry::builder().namespace("app").build().unwrap();
        let tokens = registry.counter("tokens").build().unwrap();
        Self { registry, tokens }
    }

    /// Exports, dropped, rejected points.
    fn counts(&self) -> [u64; 3] {
        let snapshot = self.registry.snapshot();
        ["exports", "dropped", "rejected_points"]
            .map(|name| snapshot.counter(&format!("tach_otlp_{name}"), &[]).unwrap())
    }

    /// How many attempts failed for this reason.
    fn failures(&self, reason: &str) -> u64 {
        self.registry.snapshot().counter("tach_otlp_failures", &[("reason", reason)]).unwrap_or(0)
    }
}

/// An exporter that pushes only when it is told, and wastes no time.
fn settings(endpoint: &str) -> OtlpBuilder {
    let millis = std::time::Duration::from_millis;
    let hour = std::time::Duration::from_secs(3600);
    let builder = OtlpExporter::builder().endpoint(endpoint).interval(hour).backoff(millis(1), millis(5));
    builder.resource(Resource::new().service("test"))
}

/// The total of tokens that a request tells.
fn tokens(request: &receiver::Received) -> i64 {
    tokens_of(&request.body)
}

fn tokens_of(message: &[u8]) -> i64 {
    let read = otlp_reader::read(message).unwrap();
    read.metric("app.tokens").point().int.unwrap()
}
