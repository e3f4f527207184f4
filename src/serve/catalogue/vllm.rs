//! Parts of a server that not each has, as vLLM's dashboards ask for them: made where its names are chosen.

use super::labels::{KvFetchStage, LoadPhase, SleepOperation, StoreOutcome, WeightOperation};
use super::rows::{handle, instruments, late, method, metric, series, start};

instruments! {
    /// Parts of a server that not each has.
    Vllm in vllm, Needed;

    sleep_operation_time: Time "sleep_mode.operation_time" MILLIS LAT Basic
        by BySleepOperation { operation: SleepOperation },
        "Time an operation of the sleep mode took.";
    sleep_operations_in_flight: Delta "sleep_mode.operations_in_flight" NONE NO Basic
        by BySleepOperation { operation: SleepOperation },
        "Operations of the sleep mode in progress.";
    weight_operation_time: Time "weight_update.operation_time" MILLIS LAT Basic
        by ByWeightOperation { operation: WeightOperation },
        "Time a step of an update of the weights took.";
    weight_operations_in_flight: Delta "weight_update.operations_in_flight" NONE NO Basic
        by ByWeightOperation { operation: WeightOperation },
        "Steps of updates of the weights in progress.";
    estimated_megaflops: Count "estimated_megaflops_per_gpu" NONE NO Basic,
        "Estimated floating point operations of a device, in millions.";
    estimated_read_bytes: Count "estimated_read_bytes_per_gpu" NONE NO Basic,
        "Estimated bytes that a device read from its memory.";
    estimated_write_bytes: Count "estimated_write_bytes_per_gpu" NONE NO Basic,
        "Estimated bytes that a device wrote to its memory.";
    prompt_tokens_recomputed: Count "prompt_tokens_recomputed" TOKENS NO Basic,
        "Prompt tokens that were cached, and computed all the same.";
    corrupted_request: Event "corrupted_requests" NONE NO Basic,
        "Requests with NaN among their logits.";
    reqs_swapped: Amount "num_requests_swapped" NONE NO Basic,
        "Requests whose KV cache was moved to the host's memory.";
    kv_host_usage: Value "kv_host_usage" RATIO NO Basic,
        "Share of the host tier's KV cache in use, 0 to 1.";
    kv_fetch_requests: Amount "kv_fetch.num_requests" NONE NO Basic by ByKvFetchStage { stage: KvFetchStage },
        "Requests that wait for keys and values from elsewhere, by stage.";
    kv_block_lifetime: Time "kv_block.lifetime" MILLIS LAT Basic,
        "Time from a KV cache block's allocation to its eviction.";
    kv_block_idle_before_evict: Time "kv_block.idle_before_evict" MILLIS LAT Basic,
        "Time from a KV cache block's last use to its eviction.";
    kv_block_reuse_gap: Time "kv_block.reuse_gap" MILLIS LAT Basic,
        "Time between two uses of a KV cache block.";
    nixl_xfer_time: Time "nixl.xfer_time" MILLIS LAT Basic,
        "Time a NIXL transfer took.";
    nixl_post_time: Time "nixl.post_time" MILLIS LAT Basic,
        "Time it took to post a NIXL transfer.";
    nixl_bytes_transferred: Size "nixl.bytes_transferred" BYTES BYT Basic,
        "Bytes of a NIXL transfer.";
    nixl_descriptors: Size "nixl.num_descriptors" NONE CNT Basic,
        "Memory descriptors of a NIXL transfer.";
    nixl_failed_transfer: Event "nixl.num_failed_transfers" NONE NO Basic,
        "NIXL transfers that failed.";
    nixl_failed_notification: Event "nixl.num_failed_notifications" NONE NO Basic,
        "Notifications of NIXL transfers that could not be sent.";
    nixl_kv_expired_req: Event "nixl.num_kv_expired_reqs" NONE NO Basic,
        "Requests whose blocks expired on the prefill side before they were fetched.";
    nixl_notification_after_expiry: Event "nixl.num_notifications_after_expiry" NONE NO Basic,
        "Notifications of NIXL transfers that came after their blocks expired.";
    kv_offload_load_bytes: Count "kv_offload.load_bytes" BYTES NO Basic,
        "Bytes loaded from the offload tier to the device.";
    kv_offload_load_time_us: Count "kv_offload.load_time_us" NONE NO Basic,
        "Microseconds spent loading from the offload tier.";
    kv_offload_load_size: Size "kv_offload.load_size" BYTES BYT Basic,
        "Bytes of one load from the offload tier.";
    kv_offload_store_bytes: Count "kv_offload.store_bytes" BYTES NO Basic,
        "Bytes stored from the device to the offload tier.";
    kv_offload_store_time_us: Count "kv_offload.store_time_us" NONE NO Basic,
        "Microseconds spent storing to the offload tier.";
    kv_offload_store_size: Size "kv_offload.store_size" BYTES BYT Basic,
        "Bytes of one store to the offload tier.";
    kv_offload_lookup_sync_delay: Time "kv_offload.lookup_sync_delay" MILLIS LAT Basic,
        "Time one look-up in the offload tier took.";
    kv_offload_lookup_async_delay: Time "kv_offload.lookup_async_delay" MILLIS LAT Basic,
        "Time from a look-up's first deferral to its answer, or to the request's end.";
    kv_offload_cpu_usage: Value "kv_offload.cpu_cache_usage" RATIO NO Basic,
        "Share of the offload tier pinned by transfers, 0 to 1.";
    kv_offload_cpu_write_usage: Value "kv_offload.cpu_cache_write_usage" RATIO NO Basic,
        "Share of the offload tier pinned by stores, 0 to 1.";
    kv_offload_cpu_read_usage: Value "kv_offload.cpu_cache_read_usage" RATIO NO Basic,
        "Share of the offload tier pinned by loads, 0 to 1.";
    kv_offload_allocation_failure: Event "kv_offload.allocation_failure" NONE NO Basic,
        "Stores for which the offload tier had no room.";
    kv_offload_stores_skipped: Count "kv_offload.stores_skipped" NONE NO Basic,
        "Stores left out, as their blocks were not used again often enough.";
    simple_kv_offload_save_outcomes: Count "simple_kv_offload.save_outcomes" NONE NO Basic
        by ByStoreOutcome { outcome: StoreOutcome },
        "Blocks that the simple offload was to store, by what became of them.";
    simple_kv_offload_load_blocks: Count "simple_kv_offload.load_blocks" NONE NO Basic by ByLoadPhase { phase: LoadPhase },
        "Blocks of the simple offload's loads, counted when issued and again when complete.";
    simple_kv_offload_used_blocks: Amount "simple_kv_offload.used_blocks" NONE NO Basic,
        "Blocks of the simple offload's pool that transfers or cache hits pin.";
    simple_kv_offload_pending_store_blocks: Amount "simple_kv_offload.pending_store_blocks" NONE NO Basic,
        "Blocks of the simple offload's stores that are not done.";
}
