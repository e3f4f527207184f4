//! The same contenders under Criterion, for its reports and its comparison with the previous run.
//!
//! Criterion measures one benchmark after the other, seconds apart; the table's ratios come from `rounds.rs` instead,
//! and its column "criterion" shows this pass's medians beside them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use criterion::{Criterion, SamplingMode};
use serde_json::Value;

use crate::contender::Contender;
use crate::groups::{Group, Lanes};
use crate::report::target_directory;

/// Longest stretch without a pause: queues are drained and samples given back between runs.
const CHUNK: u64 = 100_000;

/// Runs every contender of a group; a group with two lanes has nothing that Criterion could time by itself.
pub(crate) fn run(group: &Group) -> Vec<Option<f64>> {
    if group.lanes == Lanes::Two {
        return group.all().map(|_| None).collect();
    }
    let mut criterion = Criterion::default()
        .without_plots()
        .output_directory(&directory())
        .sample_size(20)
        .nresamples(5_000)
        .warm_up_time(Duration::from_millis(150))
        .measurement_time(Duration::from_millis(600));
    let mut benches = criterion.benchmark_group(group.key);
    benches.sampling_mode(SamplingMode::Flat);
    for contender in group.all() {
        benches.bench_function(contender.name, |bencher| {
            bencher.iter_custom(|iterations| in_chunks(contender, iterations, group));
        });
    }
    benches.finish();
    group.all().map(|contender| saved_median(group.key, contender.name).map(|nanos| nanos / contender.units)).collect()
}

fn in_chunks(contender: &Contender, mut iterations: u64, group: &Group) -> Duration {
    let mut total = Duration::ZERO;
    while iterations > 0 {
        let chunk = iterations.min(CHUNK);
        total += contender.run_alone(chunk, &group.values);
        iterations -= chunk;
    }
    total
}

fn directory() -> PathBuf {
    target_directory().join("criterion")
}

/// The median that Criterion saved for a benchmark. Names here need no escaping except for the colon of the floors.
fn saved_median(group: &str, name: &str) -> Option<f64> {
    let path = directory().join(group).join(name.replace(':', "_")).join("new/estimates.json");
    let estimates: Value = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}
