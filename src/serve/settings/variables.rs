//! The environment's variables, as data: from it come the reading, the errors and the page `docs/SETTINGS.md`.

use super::{Settings, read};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// One setting, as the environment gives it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The name that MAX serve has for it, which counts where `name` is not set.
    pub other: Option<&'static str>,
    /// What holds without it, as it would be written; empty where that is nothing.
    pub default: &'static str,
    /// What can be written.
    pub allowed: &'static str,
    /// What it decides.
    pub meaning: &'static str,
    /// Takes a value over, or says what is wrong with it.
    read: fn(&mut Settings, &str) -> Result<(), String>,
}

impl Variable {
    /// Takes over what is given for it, if anything is.
    pub(super) fn apply(&self, given: &BTreeMap<OsString, OsString>, settings: &mut Settings) -> Result<(), String> {
        for name in [Some(self.name), self.other].into_iter().flatten() {
            let Some(value) = given.get(OsStr::new(name)) else { continue };
            let Some(text) = value.to_str() else {
                return Err(format!("{name} is {value:?}, which is not UTF-8; allowed: {}", self.allowed));
            };
            let text = text.trim();
            if !text.is_empty() {
                // What has an address's user in it may have a password.
                let shown =
                    if text.contains('@') { "a value with an @, not shown".into() } else { format!("{text:?}") };
                return (self.read)(settings, text)
                    .map_err(|problem| format!("{name} is {shown}, {problem}; allowed: {}", self.allowed));
            }
        }
        Ok(())
    }
}

pub(super) static VARIABLES: &[Variable] = &[
    Variable {
        name: "TACH_RECORDING",
        other: Some("MAX_SERVE_METRIC_RECORDING_METHOD"),
        default: "SHARDED",
        allowed: "NOOP, SYNC, SHARDED, ASYNCIO (the same as SHARDED) or PROCESS",
        meaning: "How recordings reach their cells. NOOP: not at all, and no port is opened. PROCESS: in a file \
                  on tmpfs that other processes read, in TACH_SEGMENT_DIR and under TACH_PROCESS_NAME; on Linux.",
        read: read::recording,
    },
    Variable {
        name: "TACH_LEVEL",
        other: Some("MAX_SERVE_METRIC_LEVEL"),
        default: "DETAILED",
        allowed: "NONE, BASIC or DETAILED",
        meaning: "How much is measured.",
        read: read::level,
    },
    Variable {
        name: "TACH_METRICS_PORT",
        other: Some("MAX_SERVE_METRICS_ENDPOINT_PORT"),
        default: "8001",
        allowed: "a port from 0 to 65535, where 0 takes any free one",
        meaning: "The port of /metrics.",
        read: read::port,
    },
    Variable {
        name: "TACH_METRICS_HOST",
        other: Some("MAX_SERVE_HOST"),
        default: "127.0.0.1",
        allowed: "an IP address of this machine, 0.0.0.0 or :: for all of them, or localhost",
        meaning: "The interface of /metrics: loopback only unless told, as there is neither encryption nor a password \
                  without TACH_WEB_CONFIG.",
        read: read::host,
    },
    Variable {
        name: "TACH_WEB_CONFIG",
        other: None,
        default: "",
        allowed: "the path of a file",
        meaning: "The file that has /metrics encrypted and guarded by passwords or certificates, as those of Prometheus's \
                  exporters; read again when it changes. Takes a build with the feature tls; refused at the start by \
                  others.",
        read: read::web_config,
    },
    Variable {
        name: "TACH_OPENMETRICS_2",
        other: None,
        default: "false",
        allowed: "1, true, t, yes, y, on, or 0, false, f, no, n, off",
        meaning: "Whether scrapers that ask for OpenMetrics 2.0.0 get it, of which there is only a release candidate.",
        read: read::openmetrics_2,
    },
    Variable {
        name: "TACH_HISTOGRAM_BUCKETS",
        other: None,
        default: "both",
        allowed: "both, native or classic",
        meaning: "Which buckets histograms have in protobuf and OpenMetrics 2.0: those of native histograms, the classic \
                  ones, or both together, of which a scraper chooses. Text and OpenMetrics 1.0.0 have the classic ones \
                  whatever is told.",
        read: read::histogram_buckets,
    },
    Variable {
        name: "TACH_TARGET_INFO",
        other: None,
        default: "false",
        allowed: "1, true, t, yes, y, on, or 0, false, f, no, n, off",
        meaning: "Whether scrapes begin with target_info: service.name, service.instance.id and what else \
                  OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say, as labels.",
        read: read::target_info,
    },
    Variable {
        name: "TACH_DISABLE_TELEMETRY",
        other: Some("MAX_SERVE_DISABLE_TELEMETRY"),
        default: "false",
        allowed: "1, true, t, yes, y, on, or 0, false, f, no, n, off",
        meaning: "Whether nothing is recorded and no port opened, whatever the rest says, even what could not be read.",
        read: read::disabled,
    },
    Variable {
        name: "TACH_OTLP_ENDPOINT",
        other: Some("MAX_SERVE_OTLP_METRICS_ENDPOINT"),
        default: "",
        allowed: "an http or https URL, as http://localhost:4318/v1/metrics, or http://localhost:4317 by gRPC",
        meaning: "Where to push to by OTLP besides: with the path, but by gRPC (OTEL_EXPORTER_OTLP_PROTOCOL=grpc) without \
                  one. Takes a build with the feature otlp or otlp-grpc, and with tls for https; refused at the start by \
                  others.",
        read: read::otlp_endpoint,
    },
    Variable {
        name: "TACH_PROFILE",
        other: None,
        default: "maxserve",
        allowed: "maxserve, maxserve-gone, vllm, sglang, genai, and more than one with commas between",
        meaning: "Whose names the recordings are exposed under.",
        read: read::profiles,
    },
    Variable {
        name: "TACH_MODEL_NAME",
        other: None,
        default: "unknown",
        allowed: "any text",
        meaning: "The model's name, in the labels of the profiles that have one.",
        read: read::model,
    },
    Variable {
        name: "TACH_ENGINE",
        other: None,
        default: "0",
        allowed: "any text",
        meaning: "Which of a server's engines this is, in the labels of the profiles that have one.",
        read: read::engine,
    },
    // After the profiles, whose labels it must not have.
    Variable {
        name: "TACH_EXTRA_ATTRIBUTES",
        other: None,
        default: "",
        allowed: "name=value, and more after commas, each name once and none that an instrument or a \
                  chosen profile has for a label",
        meaning: "Labels on every series.",
        read: read::attributes,
    },
    Variable {
        name: "TACH_OBJECTIVES",
        other: None,
        default: "",
        allowed: "ttft=TIME, tpot=TIME or e2e=TIME, and more after commas, each once, where TIME is above zero and has a \
                  unit: ttft=500ms,tpot=50ms,e2e=30s",
        meaning: "What a request must keep to count as good: the longest time to the first token, per output token after \
                  it, and in all.",
        read: read::objectives,
    },
    Variable {
        name: "TACH_WINDOWS",
        other: None,
        default: "",
        allowed: "a TIME of a second or longer, as 10s, and more after commas, each once: 10s,1m,5m",
        meaning: "The lengths of rolling windows of the main latencies, whose quantiles, numbers and rates are exposed as \
                  gauges with the label window.",
        read: read::windows,
    },
    Variable {
        name: "TACH_WINDOW_SUMMARIES",
        other: None,
        default: "false",
        allowed: "1, true, t, yes, y, on, or 0, false, f, no, n, off",
        meaning: "Whether the quantiles of these windows are exposed as summaries, with the label quantile and the \
                  histogram's totals, and not as gauges. Nothing without TACH_WINDOWS.",
        read: read::window_summaries,
    },
    Variable {
        name: "TACH_MEMORY_BUDGET",
        other: None,
        default: "4294967296",
        allowed: "a whole number of bytes from 1 up",
        meaning: "How many bytes the cells may come to occupy; further threads then share cells, and further label sets a \
                  series.",
        read: read::memory_budget,
    },
];
