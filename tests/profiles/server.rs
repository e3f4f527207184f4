//! A server that records everything once.

use crate::page::Page;
use std::time::Duration;
use tach::serve::{
    BatchType, CacheConfig, CacheTier, Clock, Finish, Identity, KvFetchStage, LoadPhase, ManualClock, MediaKind,
    Metrics, Objectives, Profile, Profiles, RequestTimer, ResponseFormat, SleepOperation, SleepState, StepStats,
    StepTimer, StoreOutcome, Turn, WeightOperation,
};
use tach::{Registry, text};

pub(crate) const ALL: [Profile; 5] =
    [Profile::MaxServe, Profile::MaxServeGone, Profile::Vllm, Profile::Sglang, Profile::GenAi];
pub(crate) const MODEL: &str = "smollm2";

pub(crate) struct Server {
    pub(crate) registry: Registry,
    pub(crate) metrics: Metrics,
    pub(crate) clock: ManualClock,
    profiles: Profiles,
}

impl Server {
    pub(crate) fn new(profiles: &[Profile]) -> Self {
        let identity = Identity { model: MODEL.to_owned(), ..Identity::default() };
        let profiles = Profiles::new(profiles, &identity).unwrap();
        let registry = Registry::new();
        let metrics = Metrics::new();
        let (clock, hand) = Clock::manual();
        metrics.attach(&registry, &profiles, Objectives::default(), clock).unwrap();
        Self { registry, metrics, clock: hand, profiles }
    }

    pub(crate) fn page(&self) -> Page {
        Page::parse(&text::render(&self.profiles.apply(&self.registry.snapshot())))
    }

    fn pass(&self, millis: u64) {
        self.clock.advance(Duration::from_millis(millis));
    }

    /// A request that ends for this reason.
    fn request(&self, finish: Finish) {
        let metrics = &self.metrics;
        let mut request = RequestTimer::arrived(metrics);
        self.pass(2);
        request.input(300, Turn::First);
        self.pass(5);
        request.scheduled();
        let mut steps = StepTimer::new(metrics);
        for (batch, tokens, input) in
            [(BatchType::Prefill, 1, 300), (BatchType::Decode, 2, 1), (BatchType::Decode, 1, 1)]
        {
            self.pass(25);
            let mut step = steps.step();
            step.tokens(&mut request, tokens);
            let mut stats = StepStats::new(batch, 1);
            stats.input_tokens = Some(input);
            stats.kv_blocks = Some((40, 100));
            step.end(&stats);
        }
        request.finished(finish);
    }

    /// Everything that a profile's name stands for, and all with labels whose values are not known beforehand. What is
    /// given back is still waiting, for something else, and running.
    pub(crate) fn work(&self) -> [RequestTimer; 3] {
        let metrics = &self.metrics;
        for finish in [Finish::Stop, Finish::Length, Finish::Abort, Finish::Error] {
            self.request(finish);
        }
        metrics.pipeline_load(MODEL);
        metrics.request_count(200, "/v1/chat/completions");
        metrics.request_count(404, "/v1/no");
        metrics.request_count(503, "/v1/chat/completions");
        metrics.request_time(Duration::from_millis(700), "/v1/chat/completions");
        metrics.cache_hits(128, CacheTier::Device);
        metrics.cache_hits(64, CacheTier::External);
        metrics.cache_misses(108);
        metrics.prefill_computed_tokens(108);
        metrics.cache_hit_ratio(0.64);
        metrics.kv_tokens(640.0);
        metrics.kv_tokens_capacity(1600.0);
        metrics.kv_block_size(16.0);
        metrics.preemption();
        metrics.spec_decode_drafts(10);
        metrics.spec_decode_draft_tokens(40);
        metrics.spec_decode_accepted_tokens(25);
        metrics.spec_decode_accepted_tokens_per_pos(9, 0);
        metrics.spec_decode_accepted_tokens_per_pos(8, 1);
        metrics.spec_decode_acceptance_rate_per_position(90.0, 0);
        metrics.engine_sleep_state(0.0, SleepState::DiscardAll);
        metrics.request_params_max_tokens(512);
        metrics.request_params_n(1);
        metrics.structured_output_requests(ResponseFormat::JsonSchema);
        metrics.structured_output_grammar_build_time(Duration::from_millis(30));
        metrics.vision_preprocess_cache_hits(3);
        metrics.vision_preprocess_cache_misses(1);
        metrics.media_item_size(40_000, MediaKind::Image);
        metrics.media_image_size(512 * 512, "jpeg");
        metrics.media_image_decodes("jpeg");
        metrics.media_image_decode_ms(12, "jpeg");
        metrics.cache_config_info(&CacheConfig {
            block_size: 16,
            num_blocks: 100,
            cache_dtype: "bfloat16",
            enable_prefix_caching: true,
            gpu_memory_utilization: 0.9,
        });
        metrics.lora_requests_info(4, &["sql", "chat"], &["law"], 1.7e9);
        self.parts();
        let waiting = RequestTimer::arrived(metrics);
        let mut deferred = RequestTimer::arrived(metrics);
        deferred.deferred();
        let mut running = RequestTimer::arrived(metrics);
        running.scheduled();
        [waiting, deferred, running]
    }

    /// What servers record that have these parts.
    fn parts(&self) {
        let metrics = &self.metrics;
        let millis = Duration::from_millis;
        metrics.sleep_operation_time(millis(1500), SleepOperation::Sleep);
        metrics.sleep_operations_in_flight(1, SleepOperation::Wake);
        metrics.weight_operation_time(millis(9000), WeightOperation::Update);
        metrics.weight_operations_in_flight(1, WeightOperation::StartDraft);
        metrics.estimated_megaflops(2_500_000);
        metrics.estimated_read_bytes(7_000_000_000);
        metrics.estimated_write_bytes(3_000_000_000);
        metrics.prompt_tokens_recomputed(1);
        metrics.corrupted_request();
        metrics.reqs_swapped(2.0);
        metrics.kv_host_usage(0.25);
        metrics.kv_fetch_requests(3.0, KvFetchStage::InProgress);
        metrics.kv_block_lifetime(millis(40_000));
        metrics.kv_block_idle_before_evict(millis(12_000));
        metrics.kv_block_reuse_gap(millis(300));
        metrics.nixl_xfer_time(millis(8));
        metrics.nixl_post_time(millis(1));
        metrics.nixl_bytes_transferred(2_097_152);
        metrics.nixl_descriptors(128);
        metrics.nixl_failed_transfer();
        metrics.nixl_failed_notification();
        metrics.nixl_kv_expired_req();
        metrics.nixl_notification_after_expiry();
        metrics.kv_offload_load_bytes(5_000_000);
        metrics.kv_offload_load_time_us(250);
        metrics.kv_offload_load_size(5_000_000);
        metrics.kv_offload_store_bytes(2_000_000);
        metrics.kv_offload_store_time_us(1_500_000);
        metrics.kv_offload_store_size(2_000_000);
        metrics.kv_offload_lookup_sync_delay(Duration::from_micros(10));
        metrics.kv_offload_lookup_async_delay(millis(20));
        metrics.kv_offload_cpu_usage(0.75);
        metrics.kv_offload_cpu_write_usage(0.5);
        metrics.kv_offload_cpu_read_usage(0.25);
        metrics.kv_offload_allocation_failure();
        metrics.kv_offload_stores_skipped(4);
        metrics.simple_kv_offload_save_outcomes(6, StoreOutcome::Stored);
        metrics.simple_kv_offload_save_outcomes(2, StoreOutcome::DroppedCpuFull);
        metrics.simple_kv_offload_load_blocks(5, LoadPhase::Issued);
        metrics.simple_kv_offload_load_blocks(4, LoadPhase::Completed);
        metrics.simple_kv_offload_used_blocks(40.0);
        metrics.simple_kv_offload_pending_store_blocks(8.0);
    }
}
