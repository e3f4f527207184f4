//! The KV cache.

use super::labels::CacheTier;
use super::rows::{handle, instruments, late, method, metric, series, start};

instruments! {
    /// The KV cache.
    Cache in cache, MaxServe;

    cache_num_used_blocks: Amount "cache.num_used_blocks" BLOCKS NO Detailed,
        "KV cache blocks in use.";
    cache_num_total_blocks: Amount "cache.num_total_blocks" BLOCKS NO Detailed,
        "KV cache blocks in all.";
    cache_used_kv_pct: Real "cache.used_kv_pct" PERCENT PCT Basic,
        "Share of the device's KV cache blocks in use, 0 to 100, once per step.";
    cache_used_host_kv_pct: Real "cache.used_host_kv_pct" PERCENT PCT Detailed,
        "Share of the host tier's bytes in use, 0 to 100, once per step.";
    cache_used_disk_kv_pct: Real "cache.used_disk_kv_pct" PERCENT PCT Detailed,
        "Share of the disk tier's bytes in use, 0 to 100, once per step.";
    cache_request_prefix_coverage: Real "cache.request_prefix_coverage" PERCENT PCT Basic,
        "Share of an admitted request's prompt that was cached, 0 to 100.";
    cache_hits: Count "cache.hits" TOKENS NO Detailed by ByTier { tier: CacheTier },
        "Prompt tokens found in the cache, by tier.";
    cache_misses: Count "cache.misses" TOKENS NO Detailed,
        "Prompt tokens that had to be computed.";
    cache_device_blocks_served: Count "cache.device_blocks_served" BLOCKS NO Detailed,
        "Blocks that the device's prefix cache served.";
    preemption: Event "cache.preemption_count" NONE NO Detailed,
        "Requests preempted for want of cache blocks.";
    cache_h2d_bytes_copied: Count "cache.h2d_bytes_copied" BYTES NO Detailed,
        "Bytes copied from the host tier to the device.";
    cache_d2h_bytes_copied: Count "cache.d2h_bytes_copied" BYTES NO Detailed,
        "Bytes copied from the device to the host tier.";
    cache_disk_bytes_read: Count "cache.disk_bytes_read" BYTES NO Detailed,
        "Bytes read from the disk tier.";
    cache_disk_bytes_written: Count "cache.disk_bytes_written" BYTES NO Detailed,
        "Bytes written to the disk tier.";
    cache_cross_replica_blocks_copied: Count "cache.cross_replica_blocks_copied" BLOCKS NO Detailed,
        "Blocks copied from device to device between replicas.";
    cache_cross_replica_bytes_copied: Count "cache.cross_replica_bytes_copied" BYTES NO Detailed,
        "Bytes copied from device to device between replicas.";
    cache_connector_loads_refused: Count "cache.connector_loads_refused" LOADS NO Detailed,
        "Loads that the tiers refused, so that the tokens were computed anew.";
    cache_connector_load_failures: Count "cache.connector_load_failures" LOADS NO Basic,
        "Loads from the tiers whose copy failed.";
    cache_connector_offload_blocks_dropped: Count "cache.connector_offload_blocks_dropped" BLOCKS NO Detailed,
        "Blocks to offload for which the host tier had no room.";
}
