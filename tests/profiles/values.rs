//! The values under another name are those that were recorded.

use crate::golden::Golden;
use crate::page::Page;
use crate::server::{ALL, Server};
use std::collections::BTreeSet;
use std::time::Duration;
use tach::serve::{Profile, Turn};

/// Histograms of one recording: their profile, name, and how many of what is recorded their unit is.
type Names = [(Profile, &'static str, f64)];

const FIRST_TOKEN: &Names = &[
    (Profile::MaxServe, "maxserve_time_to_first_token_milliseconds", 1e6),
    (Profile::Vllm, "vllm:time_to_first_token_seconds", 1e9),
    (Profile::Sglang, "sglang:time_to_first_token_seconds", 1e9),
    (Profile::GenAi, "gen_ai_server_time_to_first_token_seconds", 1e9),
    (Profile::GenAi, "gen_ai_client_operation_time_to_first_chunk_seconds", 1e9),
];
const GAP: &Names = &[
    (Profile::MaxServe, "maxserve_itl_milliseconds", 1e6),
    (Profile::Vllm, "vllm:inter_token_latency_seconds", 1e9),
    (Profile::Vllm, "vllm:time_per_output_token_seconds", 1e9),
    (Profile::GenAi, "gen_ai_client_operation_time_per_output_chunk_seconds", 1e9),
];
const GAP_PER_TOKEN: &Names = &[(Profile::Sglang, "sglang:inter_token_latency_seconds", 1e9)];
const INPUT: &Names = &[
    (Profile::MaxServe, "maxserve_input_tokens_per_request_tokens", 1.0),
    (Profile::Vllm, "vllm:request_prompt_tokens", 1.0),
    (Profile::Sglang, "sglang:prompt_tokens_histogram", 1.0),
];

/// Every bound of these histograms in what is recorded, and its neighbours.
fn around_bounds(names: &Names) -> BTreeSet<u64> {
    let mut values = BTreeSet::from([0]);
    for (profile, name, per_unit) in names {
        for bound in Golden::of(*profile).bounds(name) {
            let bound = (bound.parse::<f64>().unwrap() * per_unit).round() as u64;
            values.extend([bound.saturating_sub(1), bound, bound + 1]);
        }
    }
    values
}

/// Counts and sum of each histogram must be those of `values`, counted here.
fn check(page: &Page, names: &Names, values: &BTreeSet<u64>) {
    for (profile, name, per_unit) in names {
        for le in Golden::of(*profile).bounds(name) {
            let bound = le.parse::<f64>().unwrap();
            // In whole numbers: 0.07 · 1e9 is a little more than it should be.
            let up_to = (bound * per_unit + 1e-3).floor() as u64;
            let expected = values.iter().filter(|value| **value <= up_to).count();
            let found = page.sum(&format!("{name}_bucket"), &[("le", &le)]);
            assert_eq!(found, expected as f64, "{name} up to {le}");
        }
        assert_eq!(page.sum(&format!("{name}_count"), &[]), values.len() as f64, "{name}");
        let sum = values.iter().sum::<u64>() as f64 / per_unit;
        let found = page.sum(&format!("{name}_sum"), &[]);
        assert!((found - sum).abs() <= sum * 1e-12, "{name}: sum {found}, not {sum}");
    }
}

#[test]
fn counts_up_to_every_bound_are_exact_whatever_the_ladder() {
    let server = Server::new(&ALL);
    let metrics = &server.metrics;
    let first_token = around_bounds(FIRST_TOKEN);
    let gap = around_bounds(GAP);
    let gap_per_token = around_bounds(GAP_PER_TOKEN);
    let mut input = around_bounds(INPUT);
    input.retain(|tokens| *tokens < 1_000_000_000);
    first_token.iter().for_each(|nanos| metrics.ttft(Duration::from_nanos(*nanos)));
    gap.iter().for_each(|nanos| metrics.itl(Duration::from_nanos(*nanos)));
    gap_per_token.iter().for_each(|nanos| metrics.itl_per_token(Duration::from_nanos(*nanos)));
    for (index, tokens) in input.iter().enumerate() {
        metrics.input_tokens_per_request(*tokens, [Turn::Unknown, Turn::First, Turn::Later][index % 3]);
    }
    let page = server.page();
    check(&page, FIRST_TOKEN, &first_token);
    check(&page, GAP, &gap);
    check(&page, GAP_PER_TOKEN, &gap_per_token);
    check(&page, INPUT, &input);
}

#[test]
fn sums_and_totals_agree_between_profiles() {
    let server = Server::new(&ALL);
    let _running = server.work();
    let page = server.page();
    let same = [
        // What ended: milliseconds on the left, seconds on the right.
        ("maxserve_request_latency_milliseconds_sum", "vllm:e2e_request_latency_seconds_sum", 1e-3),
        ("maxserve_request_latency_milliseconds_sum", "sglang:e2e_request_latency_seconds_sum", 1e-3),
        ("maxserve_request_latency_milliseconds_sum", "gen_ai_server_request_duration_seconds_sum", 1e-3),
        ("maxserve_request_queue_time_milliseconds_sum", "vllm:request_queue_time_seconds_sum", 1e-3),
        ("maxserve_request_decode_time_milliseconds_sum", "vllm:request_decode_time_seconds_sum", 1e-3),
        ("maxserve_time_per_output_token_milliseconds_sum", "vllm:request_time_per_output_token_seconds_sum", 1e-3),
        ("maxserve_num_output_tokens_total", "vllm:generation_tokens_total", 1.0),
        ("maxserve_num_input_tokens_total", "sglang:prompt_tokens_total", 1.0),
        ("maxserve_requests_finished_total", "vllm:request_success_total", 1.0),
        ("maxserve_request_count_total", "http_requests_total", 1.0),
        ("maxserve_iteration_tokens_sum", "vllm:iteration_tokens_total_sum", 1.0),
        ("maxserve_kv_usage_ratio", "vllm:kv_cache_usage_perc", 1.0),
        ("maxserve_kv_usage_ratio", "sglang:token_usage", 1.0),
    ];
    for (own, other, factor) in same {
        let (own_value, value) = (page.sum(own, &[]) * factor, page.sum(other, &[]));
        assert!(
            own_value > 0.0 && (value - own_value).abs() <= own_value * 1e-12,
            "{other} is {value}, not {own_value}"
        );
    }
}

/// A name, labels, and the value of what has both.
type Expected = (&'static str, &'static [(&'static str, &'static str)], f64);

#[test]
fn parts_and_sums_are_made_of_what_they_say() {
    let server = Server::new(&ALL);
    let _running = server.work();
    let page = server.page();
    // Of 300 prompt tokens 128 were found on the device, 64 beyond it, and 108 computed.
    let expected: [Expected; 22] = [
        ("vllm:prefix_cache_queries_total", &[], 300.0),
        ("vllm:prefix_cache_hits_total", &[], 128.0),
        ("vllm:gpu_prefix_cache_queries_total", &[], 300.0),
        ("vllm:gpu_prefix_cache_hits_total", &[], 128.0),
        ("vllm:external_prefix_cache_queries_total", &[], 172.0),
        ("vllm:external_prefix_cache_hits_total", &[], 64.0),
        ("vllm:prompt_tokens_by_source_total", &[("source", "local_compute")], 108.0),
        ("vllm:prompt_tokens_by_source_total", &[("source", "local_cache_hit")], 128.0),
        ("vllm:prompt_tokens_by_source_total", &[("source", "external_kv_transfer")], 64.0),
        ("vllm:prompt_tokens_cached_total", &[], 192.0),
        ("vllm:prompt_tokens_cached_by_source_total", &[("source", "external_unspecified")], 64.0),
        ("vllm:mm_cache_queries_total", &[], 4.0),
        ("vllm:mm_cache_hits_total", &[], 3.0),
        ("sglang:realtime_tokens_total", &[("mode", "prefill_cache")], 192.0),
        ("sglang:cached_tokens_total", &[("cache_source", "device")], 128.0),
        // One ended for each of four reasons.
        ("sglang:num_requests_total", &[], 3.0),
        ("sglang:num_aborted_requests_total", &[], 1.0),
        ("gen_ai_server_request_duration_seconds_count", &[("error_type", "error")], 1.0),
        ("gen_ai_server_request_duration_seconds_count", &[("error_type", "abort")], 1.0),
        ("gen_ai_server_request_duration_seconds_count", &[], 4.0),
        // Each had 300 tokens of input, and of output one, then two at once, then one.
        ("sglang:inter_token_latency_seconds_count", &[], 12.0),
        ("gen_ai_client_token_usage_sum", &[("gen_ai_token_type", "output")], 16.0),
    ];
    for (name, labels, value) in expected {
        assert_eq!(page.sum(name, labels), value, "{name} {labels:?}");
    }
    let no_error = page.0["gen_ai_server_request_duration_seconds"].samples.iter();
    let mut no_error = no_error
        .filter(|(name, labels, _)| name.ends_with("_count") && labels.iter().all(|(label, _)| label != "error_type"));
    assert_eq!(no_error.next().unwrap().2, 2.0, "those that stopped and those at their length");
    assert!(no_error.next().is_none());
}

#[test]
fn parts_that_not_each_server_has_are_there_and_are_what_was_recorded() {
    let server = Server::new(&[Profile::Vllm]);
    let names: [Expected; 18] = [
        ("vllm:sleep_mode_operation_duration_seconds_sum", &[("operation", "sleep")], 1.5),
        ("vllm:sleep_mode_operation_duration_seconds_count", &[("operation", "release_kv_cache_memory")], 0.0),
        ("vllm:sleep_mode_operations_in_flight", &[("operation", "wake")], 1.0),
        ("vllm:rl_weight_update_operation_duration_seconds_sum", &[("operation", "update")], 9.0),
        ("vllm:rl_weight_update_operations_in_flight", &[("operation", "start_draft")], 1.0),
        // Recorded in millions and in microseconds.
        ("vllm:estimated_flops_per_gpu_total", &[], 2.5e12),
        ("vllm:kv_offload_load_time_total", &[], 250e-6),
        ("vllm:kv_offload_store_time_total", &[], 1.5),
        ("vllm:kv_block_lifetime_seconds_sum", &[], 40.0),
        // Values at a bound belong below it.
        ("vllm:nixl_bytes_transferred_bucket", &[("le", "524288.0")], 0.0),
        ("vllm:nixl_bytes_transferred_bucket", &[("le", "2.097152e+06")], 1.0),
        ("vllm:kv_offload_load_size_bucket", &[("le", "1e+06")], 0.0),
        ("vllm:kv_offload_load_size_bucket", &[("le", "5e+06")], 1.0),
        ("vllm:kv_offload_lookup_sync_delay_seconds_bucket", &[("le", "1e-05")], 1.0),
        ("vllm:num_requests_kv_fetch_by_stage", &[("stage", "in_progress")], 3.0),
        ("vllm:num_requests_kv_fetch_by_stage", &[("stage", "waiting_to_start")], 0.0),
        ("vllm:simple_kv_offload_save_outcomes_total", &[("outcome", "dropped_cpu_full")], 2.0),
        ("vllm:simple_kv_offload_load_blocks_total", &[], 9.0),
    ];
    let page = server.page();
    for (name, labels, _) in names {
        assert_eq!(page.sum(name, labels), 0.0, "{name} {labels:?} before anything is recorded");
    }
    let _running = server.work();
    let page = server.page();
    for (name, labels, value) in names {
        assert_eq!(page.sum(name, labels), value, "{name} {labels:?}");
    }
}
