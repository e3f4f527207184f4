//! vLLM's names.

mod parts;

use super::Identity;
use super::rows::{Row, Values, table};
use crate::collect::view::{Rule, ViewFamily};
use std::borrow::Cow;

const TTFT: [f64; 22] = [
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
    160.0, 640.0, 2560.0,
];
const ITL: [f64; 19] =
    [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0];
const REQUEST: [f64; 21] = [
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0,
    1920.0, 7680.0,
];
/// 1, 2, 5 up to a context of 131,072 tokens.
const LENGTH: [f64; 16] = [
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0, 20_000.0, 50_000.0,
    100_000.0,
];
const STEP: [f64; 13] = [1.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16_384.0];
const SEQUENCES: [f64; 5] = [1.0, 2.0, 5.0, 10.0, 20.0];
const HTTP: [f64; 3] = [0.1, 0.5, 1.0];

const DEVICE: Values = &[("tier", "g0")];
const EXTERNAL: Values = &[("tier", "external")];

pub(super) fn families(identity: &Identity) -> Vec<ViewFamily> {
    let constant = [("model_name", identity.model.as_str()), ("engine", identity.engine.as_str())];
    let engine = scheduler().into_iter().chain(caches()).chain(tokens()).chain(requests()).chain(times());
    let engine = engine.chain(parts::engine());
    let mut families = table(&constant, engine);
    families.extend(table(&[], server().into_iter().chain(parts::server())));
    families
}

fn scheduler() -> [Row; 9] {
    [
        Row::gauge("vllm:num_requests_running", "Requests that have a place in a batch.")
            .of("maxserve.num_requests_scheduled"),
        Row::gauge("vllm:num_requests_waiting", "Requests that wait for a place in a batch.")
            .of("maxserve.num_requests_waiting")
            .of("maxserve.num_requests_deferred"),
        Row::gauge(
            "vllm:num_requests_waiting_by_reason",
            "Requests that wait, for room in a batch (capacity) or for something else (deferred).",
        )
        .by(&["reason"])
        .part("maxserve.num_requests_waiting", &[], &[Rule::Constant("capacity")])
        .part("maxserve.num_requests_deferred", &[], &[Rule::Constant("deferred")]),
        Row::gauge("vllm:kv_cache_usage_perc", "Share of the device's KV cache in use, 0 to 1.")
            .of("maxserve.kv_usage"),
        Row::gauge(
            "vllm:gpu_cache_usage_perc",
            "Share of the device's KV cache in use, 0 to 1: the older name of kv_cache_usage_perc.",
        )
        .of("maxserve.kv_usage"),
        Row::gauge("vllm:engine_sleep_state", "1 for the state that the engine is in, 0 for the others.")
            .by(&["sleep_state"])
            .part("maxserve.engine_sleep_state", &[], &[Rule::Same("sleep_state")]),
        Row::counter("vllm:num_preemptions", "Requests preempted for want of cache blocks.")
            .of("maxserve.cache.preemption_count"),
        Row::gauge("vllm:cache_config_info", "The KV cache's configuration, as labels; the value is 1.")
            .by(&["block_size", "cache_dtype", "enable_prefix_caching", "gpu_memory_utilization", "num_gpu_blocks"])
            .part(
                "maxserve.cache_config_info",
                &[],
                &[
                    Rule::Same("block_size"),
                    Rule::Same("cache_dtype"),
                    Rule::Same("enable_prefix_caching"),
                    Rule::Same("gpu_memory_utilization"),
                    Rule::Same("num_blocks"),
                ],
            ),
        Row::sizes("vllm:iteration_tokens_total", "Prompt and output tokens of a step.", &STEP)
            .of("maxserve.iteration_tokens"),
    ]
}

fn caches() -> [Row; 8] {
    [
        Row::counter("vllm:prefix_cache_queries", "Prompt tokens looked up in the prefix cache.")
            .of("maxserve.cache.hits")
            .of("maxserve.cache.misses"),
        Row::counter("vllm:prefix_cache_hits", "Prompt tokens found in the device's prefix cache.")
            .of_only("maxserve.cache.hits", DEVICE),
        Row::counter(
            "vllm:gpu_prefix_cache_queries",
            "Prompt tokens looked up in the prefix cache: the older name of prefix_cache_queries.",
        )
        .of("maxserve.cache.hits")
        .of("maxserve.cache.misses"),
        Row::counter(
            "vllm:gpu_prefix_cache_hits",
            "Prompt tokens found in the device's prefix cache: the older name of prefix_cache_hits.",
        )
        .of_only("maxserve.cache.hits", DEVICE),
        Row::counter(
            "vllm:external_prefix_cache_queries",
            "Prompt tokens that the device's prefix cache had not, looked up in the tiers beyond it.",
        )
        .of_only("maxserve.cache.hits", EXTERNAL)
        .of("maxserve.cache.misses"),
        Row::counter("vllm:external_prefix_cache_hits", "Prompt tokens found in a tier beyond the device.")
            .of_only("maxserve.cache.hits", EXTERNAL),
        Row::counter("vllm:mm_cache_queries", "Images looked up in the cache of preprocessed media.")
            .of("maxserve.vision.preprocess_cache_hits")
            .of("maxserve.vision.preprocess_cache_misses"),
        Row::counter("vllm:mm_cache_hits", "Images found in the cache of preprocessed media.")
            .of("maxserve.vision.preprocess_cache_hits"),
    ]
}

fn tokens() -> [Row; 9] {
    [
        Row::counter("vllm:prompt_tokens", "Input tokens of requests, cached ones included.")
            .of("maxserve.num_input_tokens"),
        Row::counter(
            "vllm:prompt_tokens_by_source",
            "Prompt tokens, by where their keys and values came from: computed, the device's cache, a tier beyond it.",
        )
        .by(&["source"])
        .part("maxserve.cache.misses", &[], &[Rule::Constant("local_compute")])
        .part("maxserve.cache.hits", DEVICE, &[Rule::Constant("local_cache_hit")])
        .part("maxserve.cache.hits", EXTERNAL, &[Rule::Constant("external_kv_transfer")]),
        Row::counter("vllm:prompt_tokens_cached", "Prompt tokens found in any cache.").of("maxserve.cache.hits"),
        Row::counter("vllm:prompt_tokens_cached_by_source", "Prompt tokens found in a cache, by tier.")
            .by(&["source"])
            .part("maxserve.cache.hits", DEVICE, &[Rule::Constant("device")])
            .part("maxserve.cache.hits", EXTERNAL, &[Rule::Constant("external_unspecified")]),
        Row::counter("vllm:generation_tokens", "Output tokens generated.").of("maxserve.num_output_tokens"),
        Row::counter("vllm:spec_decode_num_drafts", "Drafts that were verified.").of("maxserve.spec_decode.num_drafts"),
        Row::counter("vllm:spec_decode_num_draft_tokens", "Tokens of the drafts that were verified.")
            .of("maxserve.spec_decode.num_draft_tokens"),
        Row::counter("vllm:spec_decode_num_accepted_tokens", "Draft tokens that were accepted.")
            .of("maxserve.spec_decode.num_accepted_tokens"),
        Row::counter(
            "vllm:spec_decode_num_accepted_tokens_per_pos",
            "Draft tokens that were accepted, by position in the draft.",
        )
        .by(&["position"])
        .part("maxserve.spec_decode.num_accepted_tokens_per_pos", &[], &[Rule::Same("position")]),
    ]
}

fn requests() -> [Row; 7] {
    [
        Row::counter("vllm:request_success", "Requests that ended, by reason.").by(&["finished_reason"]).part(
            "maxserve.requests_finished",
            &[],
            &[Rule::Same("finished_reason")],
        ),
        Row::sizes("vllm:request_prompt_tokens", "Input tokens of a request.", &LENGTH)
            .of("maxserve.input_tokens_per_request"),
        Row::sizes("vllm:request_generation_tokens", "Output tokens of a request.", &LENGTH)
            .of("maxserve.output_tokens_per_request"),
        Row::sizes(
            "vllm:request_prefill_kv_computed_tokens",
            "Prompt tokens of a request that had to be computed.",
            &LENGTH,
        )
        .of("maxserve.request_prefill_computed_tokens"),
        Row::sizes(
            "vllm:request_max_num_generation_tokens",
            "Output tokens of the longest of a request's sequences.",
            &LENGTH,
        )
        .of("maxserve.max_num_generation_tokens"),
        Row::sizes("vllm:request_params_max_tokens", "Largest number of output tokens that a request allows.", &LENGTH)
            .of("maxserve.request_params_max_tokens"),
        Row::sizes("vllm:request_params_n", "Sequences that a request asks for.", &SEQUENCES)
            .of("maxserve.request_params_n"),
    ]
}

fn times() -> [Row; 9] {
    [
        Row::seconds(
            "vllm:e2e_request_latency_seconds",
            "Time from a request's arrival to its end, in seconds.",
            &REQUEST,
        )
        .of("maxserve.request_latency"),
        Row::seconds(
            "vllm:request_queue_time_seconds",
            "Time from a request's arrival to its first step, in seconds.",
            &REQUEST,
        )
        .of("maxserve.request_queue_time"),
        Row::seconds(
            "vllm:request_inference_time_seconds",
            "Time from a request's first step to its last token, in seconds.",
            &REQUEST,
        )
        .of("maxserve.request_inference_time"),
        Row::seconds(
            "vllm:request_prefill_time_seconds",
            "Time from a request's first step to its first token, in seconds.",
            &REQUEST,
        )
        .of("maxserve.request_prefill_time"),
        Row::seconds(
            "vllm:request_decode_time_seconds",
            "Time from a request's first token to its last, in seconds.",
            &REQUEST,
        )
        .of("maxserve.request_decode_time"),
        Row::seconds(
            "vllm:time_to_first_token_seconds",
            "Time from a request's arrival to its first token, in seconds.",
            &TTFT,
        )
        .of("maxserve.time_to_first_token"),
        Row::seconds(
            "vllm:inter_token_latency_seconds",
            "Inter-token latency per gap, in seconds: one value for each output event after a request's first, however \
             many tokens it brings.",
            &ITL,
        )
        .of("maxserve.itl"),
        Row::seconds(
            "vllm:time_per_output_token_seconds",
            "Inter-token latency per gap, in seconds: the older name of inter_token_latency_seconds.",
            &ITL,
        )
        .of("maxserve.itl"),
        Row::seconds(
            "vllm:request_time_per_output_token_seconds",
            "Mean time per output token of a request after its first, in seconds, once per request of two tokens or more.",
            &ITL,
        )
        .of("maxserve.time_per_output_token"),
    ]
}

/// What vLLM does not label with model and engine.
fn server() -> [Row; 3] {
    [
        Row::gauge(
            "vllm:lora_requests_info",
            "LoRA adapters that requests run and wait with, as labels; the value is the time of the last change in Unix \
             seconds.",
        )
        .by(&["max_lora", "waiting_lora_adapters", "running_lora_adapters"])
        .part(
            "maxserve.lora_requests_info",
            &[],
            &[Rule::Same("max_lora"), Rule::Same("waiting_lora_adapters"), Rule::Same("running_lora_adapters")],
        ),
        Row::counter("http_requests", "Requests answered by the API, by class of status and route.")
            .by(&["status", "handler"])
            .part("maxserve.request_count", &[], &[Rule::Mapped("code", status_class), Rule::Same("path")]),
        Row::seconds(
            "http_request_duration_seconds",
            "Time from a request's receipt by the API to the end of its response, in seconds.",
            &HTTP,
        )
        .by(&["handler"])
        .part("maxserve.request_time", &[], &[Rule::Same("path")]),
    ]
}

/// `2xx` for 200. What is no status, as that of series beyond the limit, stays what it is.
fn status_class(code: &str) -> Option<Cow<'static, str>> {
    Some(match code.as_bytes() {
        [b'1', _, _] => "1xx".into(),
        [b'2', _, _] => "2xx".into(),
        [b'3', _, _] => "3xx".into(),
        [b'4', _, _] => "4xx".into(),
        [b'5', _, _] => "5xx".into(),
        _ => code.to_owned().into(),
    })
}
