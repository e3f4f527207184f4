//! Parts of a server that not each has: at zero where nothing records them.

use super::super::rows::Row;
use crate::collect::view::Rule;

/// Operations that stop the server's work, in seconds.
const OPERATION: [f64; 9] = [0.01, 0.1, 1.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];
const RESIDENCY: [f64; 21] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0,
    1200.0, 1800.0,
];
const TRANSFER: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 5.0];
const POST: [f64; 13] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 5.0];
/// 2 KiB to 8 GiB, by 4.
const TRANSFER_BYTES: [f64; 12] = [
    2048.0,
    8192.0,
    32_768.0,
    131_072.0,
    524_288.0,
    2_097_152.0,
    8_388_608.0,
    33_554_432.0,
    134_217_728.0,
    536_870_912.0,
    2_147_483_648.0,
    8_589_934_592.0,
];
const DESCRIPTORS: [f64; 14] =
    [10.0, 20.0, 30.0, 50.0, 75.0, 100.0, 200.0, 400.0, 1000.0, 2000.0, 4000.0, 10_000.0, 20_000.0, 50_000.0];
const OFFLOAD_BYTES: [f64; 10] = [1e6, 5e6, 1e7, 2e7, 4e7, 6e7, 8e7, 1e8, 1.5e8, 2e8];
const LOOKUP: [f64; 11] = [1e-5, 5e-5, 1e-4, 5e-4, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0];
const LOOKUP_ASYNC: [f64; 11] = [1e-4, 5e-4, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// What vLLM labels with model and engine.
pub(super) fn engine() -> impl Iterator<Item = Row> {
    estimates().into_iter().chain(residency()).chain(nixl()).chain(offload()).chain(simple_offload()).chain(gone())
}

fn estimates() -> [Row; 5] {
    [
        Row::counter("vllm:estimated_flops_per_gpu", "Estimated floating point operations of a device.")
            .power(6)
            .of("maxserve.estimated_megaflops_per_gpu"),
        Row::counter("vllm:estimated_read_bytes_per_gpu", "Estimated bytes that a device read from its memory.")
            .of("maxserve.estimated_read_bytes_per_gpu"),
        Row::counter("vllm:estimated_write_bytes_per_gpu", "Estimated bytes that a device wrote to its memory.")
            .of("maxserve.estimated_write_bytes_per_gpu"),
        Row::counter("vllm:prompt_tokens_recomputed", "Prompt tokens that were cached, and computed all the same.")
            .of("maxserve.prompt_tokens_recomputed"),
        Row::counter("vllm:corrupted_requests", "Requests with NaN among their logits.")
            .of("maxserve.corrupted_requests"),
    ]
}

fn residency() -> [Row; 4] {
    [
        Row::gauge(
            "vllm:num_requests_kv_fetch_by_stage",
            "Requests that wait for keys and values from elsewhere, by stage.",
        )
        .by(&["stage"])
        .part("maxserve.kv_fetch.num_requests", &[], &[Rule::Same("stage")]),
        Row::seconds(
            "vllm:kv_block_lifetime_seconds",
            "Time from a KV cache block's allocation to its eviction, in seconds.",
            &RESIDENCY,
        )
        .of("maxserve.kv_block.lifetime"),
        Row::seconds(
            "vllm:kv_block_idle_before_evict_seconds",
            "Time from a KV cache block's last use to its eviction, in seconds.",
            &RESIDENCY,
        )
        .of("maxserve.kv_block.idle_before_evict"),
        Row::seconds(
            "vllm:kv_block_reuse_gap_seconds",
            "Time between two uses of a KV cache block, in seconds.",
            &RESIDENCY,
        )
        .of("maxserve.kv_block.reuse_gap"),
    ]
}

fn nixl() -> [Row; 8] {
    [
        Row::seconds("vllm:nixl_xfer_time_seconds", "Time a NIXL transfer took, in seconds.", &TRANSFER)
            .of("maxserve.nixl.xfer_time"),
        Row::seconds("vllm:nixl_post_time_seconds", "Time it took to post a NIXL transfer, in seconds.", &POST)
            .of("maxserve.nixl.post_time"),
        Row::sizes("vllm:nixl_bytes_transferred", "Bytes of a NIXL transfer.", &TRANSFER_BYTES)
            .of("maxserve.nixl.bytes_transferred"),
        Row::sizes("vllm:nixl_num_descriptors", "Memory descriptors of a NIXL transfer.", &DESCRIPTORS)
            .of("maxserve.nixl.num_descriptors"),
        Row::counter("vllm:nixl_num_failed_transfers", "NIXL transfers that failed.")
            .of("maxserve.nixl.num_failed_transfers"),
        Row::counter("vllm:nixl_num_failed_notifications", "Notifications of NIXL transfers that could not be sent.")
            .of("maxserve.nixl.num_failed_notifications"),
        Row::counter(
            "vllm:nixl_num_kv_expired_reqs",
            "Requests whose blocks expired on the prefill side before they were fetched.",
        )
        .of("maxserve.nixl.num_kv_expired_reqs"),
        Row::counter(
            "vllm:nixl_num_notifications_after_expiry",
            "Notifications of NIXL transfers that came after their blocks expired.",
        )
        .of("maxserve.nixl.num_notifications_after_expiry"),
    ]
}

fn offload() -> [Row; 13] {
    [
        Row::counter("vllm:kv_offload_load_bytes", "Bytes loaded from the offload tier to the device.")
            .of("maxserve.kv_offload.load_bytes"),
        Row::counter("vllm:kv_offload_load_time", "Seconds spent loading from the offload tier.")
            .power(-6)
            .of("maxserve.kv_offload.load_time_us"),
        Row::sizes("vllm:kv_offload_load_size", "Bytes of one load from the offload tier.", &OFFLOAD_BYTES)
            .of("maxserve.kv_offload.load_size"),
        Row::counter("vllm:kv_offload_store_bytes", "Bytes stored from the device to the offload tier.")
            .of("maxserve.kv_offload.store_bytes"),
        Row::counter("vllm:kv_offload_store_time", "Seconds spent storing to the offload tier.")
            .power(-6)
            .of("maxserve.kv_offload.store_time_us"),
        Row::sizes("vllm:kv_offload_store_size", "Bytes of one store to the offload tier.", &OFFLOAD_BYTES)
            .of("maxserve.kv_offload.store_size"),
        Row::seconds(
            "vllm:kv_offload_lookup_sync_delay_seconds",
            "Time one look-up in the offload tier took, in seconds.",
            &LOOKUP,
        )
        .of("maxserve.kv_offload.lookup_sync_delay"),
        Row::seconds(
            "vllm:kv_offload_lookup_async_delay_seconds",
            "Time from a look-up's first deferral to its answer, or to the request's end, in seconds.",
            &LOOKUP_ASYNC,
        )
        .of("maxserve.kv_offload.lookup_async_delay"),
        Row::gauge("vllm:kv_offload_cpu_cache_usage_perc", "Share of the offload tier pinned by transfers, 0 to 1.")
            .of("maxserve.kv_offload.cpu_cache_usage"),
        Row::gauge("vllm:kv_offload_cpu_cache_write_usage_perc", "Share of the offload tier pinned by stores, 0 to 1.")
            .of("maxserve.kv_offload.cpu_cache_write_usage"),
        Row::gauge("vllm:kv_offload_cpu_cache_read_usage_perc", "Share of the offload tier pinned by loads, 0 to 1.")
            .of("maxserve.kv_offload.cpu_cache_read_usage"),
        Row::counter("vllm:kv_offload_allocation_failure", "Stores for which the offload tier had no room.")
            .of("maxserve.kv_offload.allocation_failure"),
        Row::counter(
            "vllm:kv_offload_stores_skipped",
            "Stores left out, as their blocks were not used again often enough.",
        )
        .of("maxserve.kv_offload.stores_skipped"),
    ]
}

fn simple_offload() -> [Row; 4] {
    [
        Row::counter(
            "vllm:simple_kv_offload_save_outcomes",
            "Blocks that the simple offload was to store, by what became of them.",
        )
        .by(&["outcome"])
        .part("maxserve.simple_kv_offload.save_outcomes", &[], &[Rule::Same("outcome")]),
        Row::counter(
            "vllm:simple_kv_offload_load_blocks",
            "Blocks of the simple offload's loads, counted when issued and again when complete.",
        )
        .by(&["phase"])
        .part("maxserve.simple_kv_offload.load_blocks", &[], &[Rule::Same("phase")]),
        Row::gauge(
            "vllm:simple_kv_offload_used_blocks",
            "Blocks of the simple offload's pool that transfers or cache hits pin.",
        )
        .of("maxserve.simple_kv_offload.used_blocks"),
        Row::gauge(
            "vllm:simple_kv_offload_pending_store_blocks",
            "Blocks of the simple offload's stores that are not done.",
        )
        .of("maxserve.simple_kv_offload.pending_store_blocks"),
    ]
}

/// What vLLM had once, and dashboards still ask for.
fn gone() -> [Row; 2] {
    [
        Row::gauge("vllm:num_requests_swapped", "Requests whose KV cache was moved to the host's memory.")
            .of("maxserve.num_requests_swapped"),
        Row::gauge("vllm:cpu_cache_usage_perc", "Share of the host tier's KV cache in use, 0 to 1.")
            .of("maxserve.kv_host_usage"),
    ]
}

/// What vLLM does not label with model and engine.
pub(super) fn server() -> [Row; 4] {
    [
        Row::seconds(
            "vllm:sleep_mode_operation_duration_seconds",
            "Time an operation of the sleep mode took, in seconds.",
            &OPERATION,
        )
        .by(&["operation"])
        .part("maxserve.sleep_mode.operation_time", &[], &[Rule::Same("operation")]),
        Row::gauge("vllm:sleep_mode_operations_in_flight", "Operations of the sleep mode in progress.")
            .by(&["operation"])
            .part("maxserve.sleep_mode.operations_in_flight", &[], &[Rule::Same("operation")]),
        Row::seconds(
            "vllm:rl_weight_update_operation_duration_seconds",
            "Time a step of an update of the weights took, in seconds.",
            &OPERATION,
        )
        .by(&["operation"])
        .part("maxserve.weight_update.operation_time", &[], &[Rule::Same("operation")]),
        Row::gauge("vllm:rl_weight_update_operations_in_flight", "Steps of updates of the weights in progress.")
            .by(&["operation"])
            .part("maxserve.weight_update.operations_in_flight", &[], &[Rule::Same("operation")]),
    ]
}
