//! What MAX serve had once and a dashboard may still ask for.

use super::rows::{handle, instruments, late, method, metric, series, start};

instruments! {
    /// What MAX serve had once.
    Legacy in legacy, Gone;

    cache_hit_rate: Real "cache.hit_rate" PERCENT_UTILIZATION PCT Basic,
        "Share of an admitted request's prompt that was cached, 0 to 100; now cache.request_prefix_coverage.";
    cache_h2d_blocks_copied: Count "cache.h2d_blocks_copied" BLOCKS NO Detailed,
        "Blocks copied from the host tier to the device; now cache.h2d_bytes_copied.";
    cache_d2h_blocks_copied: Count "cache.d2h_blocks_copied" BLOCKS NO Detailed,
        "Blocks copied from the device to the host tier; now cache.d2h_bytes_copied.";
    cache_disk_blocks_read: Count "cache.disk_blocks_read" BLOCKS NO Detailed,
        "Blocks read from the disk tier; now cache.disk_bytes_read.";
    cache_disk_blocks_written: Count "cache.disk_blocks_written" BLOCKS NO Detailed,
        "Blocks written to the disk tier; now cache.disk_bytes_written.";
    num_input_characters: Count "num_input_characters" NONE NO Basic,
        "Characters of requests' input.";
}
