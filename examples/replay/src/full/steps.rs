//! What is recorded with a step besides what the step timer knows: cache tiers, drafts, encoders, the external store.

use super::batch_type;
use crate::account::{BARE, Book, by};
use crate::engine::{Batch, StepFacts, mix};
use std::time::Duration;
use tach::serve::{CacheTier, Metrics};

/// A batch's draft tokens, by position.
const POSITIONS: [&str; 3] = ["0", "1", "2"];

pub(super) fn step(m: &Metrics, b: &mut impl Book, step: &StepFacts) {
    let seed = mix(step.number);
    replicas(m, b, step, seed);
    tiers(m, b, seed);
    match step.batch {
        Batch::Prefill => {
            prompts(m, b, step, seed);
            encoders(m, b, seed);
            store(m, b, seed);
        }
        Batch::Decode => drafts(m, b, step, seed),
    }
}

/// A part of 100 000, as the percentage that it is with three decimals.
fn percent(thousandths: u64) -> f64 {
    thousandths as f64 / 1e3
}

fn replicas(m: &Metrics, b: &mut impl Book, step: &StepFacts, seed: u64) {
    let batch = batch_type(step.batch);
    let labels = by("batch_type", if step.batch == Batch::Prefill { "CE" } else { "TG" });
    let (active, context) = (seed % 100_001, seed / 7 % 100_001);
    m.dp_active_token_occupancy(percent(active), batch);
    b.value("dp_active_token_occupancy", labels, active);
    m.dp_context_token_occupancy(percent(context), batch);
    b.value("dp_context_token_occupancy", labels, context);
    m.dp_active_tokens(step.input_tokens, batch);
    b.count("dp_active_tokens", labels, step.input_tokens);
    m.dp_step_capacity_tokens(step.input_tokens + seed % 64, batch);
    b.count("dp_step_capacity_tokens", labels, step.input_tokens + seed % 64);
    let (held, room) = ((16 * step.blocks_used) as f64, (16 * step.blocks_total) as f64);
    m.kv_tokens(held);
    b.last("kv_tokens", BARE, held);
    m.kv_tokens_capacity(room);
    b.last("kv_tokens_capacity", BARE, room);
}

fn tiers(m: &Metrics, b: &mut impl Book, seed: u64) {
    let (host, disk) = (seed / 3 % 100_001, seed / 5 % 100_001);
    m.cache_used_host_kv_pct(percent(host));
    b.value("cache.used_host_kv_pct", BARE, host);
    m.cache_used_disk_kv_pct(percent(disk));
    b.value("cache.used_disk_kv_pct", BARE, disk);
    let blocks = 1 + seed % 9;
    let bytes = blocks * 524_288;
    m.cache_h2d_bytes_copied(bytes);
    b.count("cache.h2d_bytes_copied", BARE, bytes);
    m.cache_d2h_bytes_copied(2 * bytes);
    b.count("cache.d2h_bytes_copied", BARE, 2 * bytes);
    m.cache_disk_bytes_read(3 * bytes);
    b.count("cache.disk_bytes_read", BARE, 3 * bytes);
    m.cache_disk_bytes_written(4 * bytes);
    b.count("cache.disk_bytes_written", BARE, 4 * bytes);
    m.cache_cross_replica_blocks_copied(blocks);
    b.count("cache.cross_replica_blocks_copied", BARE, blocks);
    m.cache_cross_replica_bytes_copied(bytes);
    b.count("cache.cross_replica_bytes_copied", BARE, bytes);
    m.cache_connector_loads_refused(seed % 2);
    b.count("cache.connector_loads_refused", BARE, seed % 2);
    m.cache_connector_load_failures(seed % 3);
    b.count("cache.connector_load_failures", BARE, seed % 3);
    m.cache_connector_offload_blocks_dropped(seed % 5);
    b.count("cache.connector_offload_blocks_dropped", BARE, seed % 5);
    m.cache_h2d_blocks_copied(blocks);
    b.count("cache.h2d_blocks_copied", BARE, blocks);
    m.cache_d2h_blocks_copied(2 * blocks);
    b.count("cache.d2h_blocks_copied", BARE, 2 * blocks);
    m.cache_disk_blocks_read(3 * blocks);
    b.count("cache.disk_blocks_read", BARE, 3 * blocks);
    m.cache_disk_blocks_written(4 * blocks);
    b.count("cache.disk_blocks_written", BARE, 4 * blocks);
}

/// What of the prompts was cached.
fn prompts(m: &Metrics, b: &mut impl Book, step: &StepFacts, seed: u64) {
    let share = seed % 80_001;
    let cached = step.input_tokens * share / 100_000;
    m.cache_request_prefix_coverage(percent(share));
    b.value("cache.request_prefix_coverage", BARE, share);
    m.cache_hit_rate(percent(share));
    b.value("cache.hit_rate", BARE, share);
    m.cache_hit_ratio(share as f64 / 1e5);
    b.last("cache_hit_ratio", BARE, share as f64 / 1e5);
    m.cache_hits(cached, CacheTier::Device);
    b.count("cache.hits", by("tier", "g0"), cached);
    m.cache_hits(cached / 3, CacheTier::External);
    b.count("cache.hits", by("tier", "external"), cached / 3);
    m.cache_misses(step.input_tokens - cached);
    b.count("cache.misses", BARE, step.input_tokens - cached);
    m.prefill_computed_tokens(step.input_tokens - cached);
    b.value("request_prefill_computed_tokens", BARE, step.input_tokens - cached);
    m.cache_device_blocks_served(cached / 16);
    b.count("cache.device_blocks_served", BARE, cached / 16);
    m.di_ce_preempted_tg_iteration_count();
    b.count("di.ce_preempted_tg_iteration_count", BARE, 1);
    m.di_ce_preempted_tg_pending_count(step.pending);
    b.value("di.ce_preempted_tg_pending_count", BARE, step.pending);
}

fn drafts(m: &Metrics, b: &mut impl Book, step: &StepFacts, seed: u64) {
    let length = 1_000 + seed % 3_001;
    m.spec_decode_avg_acceptance_length(percent(length));
    b.value("spec_decode.avg_acceptance_length", BARE, length);
    m.spec_decode_drafts(step.requests);
    b.count("spec_decode.num_drafts", BARE, step.requests);
    m.spec_decode_draft_tokens(3 * step.requests);
    b.count("spec_decode.num_draft_tokens", BARE, 3 * step.requests);
    m.spec_decode_accepted_tokens(2 * step.requests);
    b.count("spec_decode.num_accepted_tokens", BARE, 2 * step.requests);
    for (position, text) in (0..).zip(POSITIONS) {
        let rate = mix(seed ^ u64::from(position)) % 100_001;
        m.spec_decode_acceptance_rate_per_position(percent(rate), position);
        b.value("spec_decode.acceptance_rate_per_position", by("position", text), rate);
        m.spec_decode_accepted_tokens_per_pos(step.requests, position);
        b.count("spec_decode.num_accepted_tokens_per_pos", by("position", text), step.requests);
    }
}

/// Images and clips.
fn encoders(m: &Metrics, b: &mut impl Book, seed: u64) {
    let (images, clips) = (1 + seed % 6, 1 + seed % 2);
    m.vision_images_encoded(images);
    b.count("vision.images_encoded", BARE, images);
    m.vision_images_cached(images / 2);
    b.count("vision.images_cached", BARE, images / 2);
    m.vision_patches_encoded(1024 * images);
    b.count("vision.patches_encoded", BARE, 1024 * images);
    m.vision_tokens_encoded(256 * images);
    b.count("vision.tokens_encoded", BARE, 256 * images);
    m.vision_cache_hit_rate(percent(seed % 100_001));
    b.value("vision.cache_hit_rate", BARE, seed % 100_001);
    m.video_clips_encoded(clips);
    b.count("video.clips_encoded", BARE, clips);
    m.video_tokens_encoded(2048 * clips);
    b.count("video.tokens_encoded", BARE, 2048 * clips);
    m.video_encoding_time_milliseconds(Duration::from_nanos(seed % 800_000_000));
    b.value("video.encoding_time_milliseconds", BARE, seed % 800_000_000);
    m.video_frames_per_clip(8 + seed % 120);
    b.value("video.frames_per_clip", BARE, 8 + seed % 120);
}

/// The external KV store.
fn store(m: &Metrics, b: &mut impl Book, seed: u64) {
    let mut time = |name, record: fn(&Metrics, Duration), nanos| {
        record(m, Duration::from_nanos(nanos));
        b.value(name, BARE, nanos);
    };
    time("dkv.nixl_read_latency", Metrics::dkv_nixl_read_latency, seed % 7_000_000);
    time("dkv.nixl_read_latency_max", Metrics::dkv_nixl_read_latency_max, seed % 19_000_000);
    time("dkv.nixl_write_latency", Metrics::dkv_nixl_write_latency, seed % 8_000_000);
    time("dkv.rpc_acquire_latency", Metrics::dkv_rpc_acquire_latency, seed % 900_000);
    time("dkv.rpc_read_latency", Metrics::dkv_rpc_read_latency, seed % 800_000);

    m.dkv_nixl_read_gib_per_s(percent(seed % 90_001));
    b.value("dkv.nixl_read_gib_per_s", BARE, seed % 90_001);
    m.dkv_nixl_write_gib_per_s(percent(seed % 70_001));
    b.value("dkv.nixl_write_gib_per_s", BARE, seed % 70_001);

    let mut level = |name, record: fn(&Metrics, f64), value| {
        record(m, value);
        b.last(name, BARE, value);
    };
    level("dkv.connected_clients", Metrics::dkv_connected_clients, 1.0 + (seed % 8) as f64);
    level("dkv.total_clients", Metrics::dkv_total_clients, 8.0);
    level("dkv.reconnect_attempts", Metrics::dkv_reconnect_attempts, 1.0 + (seed % 4) as f64);

    let mut count = |name, record: fn(&Metrics, u64), n| {
        record(m, n);
        b.count(name, BARE, n);
    };
    count("dkv.read_blocks", Metrics::dkv_read_blocks, 1 + seed % 30);
    count("dkv.peer_attaches", Metrics::dkv_peer_attaches, seed % 3);
    count("dkv.peer_attach_failures", Metrics::dkv_peer_attach_failures, seed % 2);
    count("dkv.peers_dropped", Metrics::dkv_peers_dropped, seed % 4);
    count("dkv.peer_loads", Metrics::dkv_peer_loads, seed % 5);
    count("dkv.peer_load_failures", Metrics::dkv_peer_load_failures, seed % 6);
    count("dkv.hints_rejected", Metrics::dkv_hints_rejected, seed % 7);
}
