//! `metrics` with `metrics-exporter-prometheus`: the macros with owned labels for each token, as in a server's
//! streaming code. The lock and the clock reading that such code has besides are left out.

use super::{BOUNDS, Contender, EachToken, Record, observed};
use crate::cpu;
use metrics::{counter, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

const TOKENS: &str = "tokens_processed_total";

/// What a request's stream carries along.
#[derive(Clone)]
struct Stream {
    method: String,
    path: String,
    model: String,
    status: String,
}

impl Record for Stream {
    #[inline]
    fn token(&mut self, gap: Option<u64>) {
        if let Some(gap) = gap {
            histogram!(
                "inter_token_latency_seconds",
                "method" => self.method.clone(),
                "path" => self.path.clone(),
                "model" => self.model.clone(),
                "status" => self.status.clone()
            )
            .record(gap as f64 / 1e9);
        }
        counter!(TOKENS).increment(1);
    }
}

fn tokens(exporter: &PrometheusHandle) -> Option<u64> {
    let text = exporter.render();
    let value = text.lines().find_map(|line| line.strip_prefix(TOKENS)?.strip_prefix(' '));
    Some(value.and_then(|value| value.parse().ok()).unwrap_or(0))
}

/// Installs the recorder of the process.
pub(crate) fn contender() -> Result<Contender, Box<dyn std::error::Error>> {
    let recorder = PrometheusBuilder::new().set_buckets(&BOUNDS)?.build_recorder();
    let exporter = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    let stream = Stream {
        method: "POST".to_owned(),
        path: "/v1/chat/completions".to_owned(),
        model: "mock".to_owned(),
        status: "200".to_owned(),
    };
    Ok(Contender::new(
        "metrics, macros with labels",
        "4 owned labels on the histogram; samples pile up until upkeep",
        move |trace, settings| {
            let count_before = tokens(&exporter);
            let mut run = observed(trace, settings, || EachToken(stream.clone()), || None);
            run.backlog = run.tokens as usize;
            let cpu_before = cpu::of_this_thread();
            exporter.run_upkeep();
            run.elsewhere = cpu::of_this_thread() - cpu_before;
            run.counted = tokens(&exporter).zip(count_before).map(|(after, before)| after - before);
            run
        },
    ))
}
