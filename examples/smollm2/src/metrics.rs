//! Everything that is recorded, where and in which unit: the only file that names tach.
//!
//! Handles are built once and held, so a recording is a few plain stores of the thread that makes it. Times are
//! recorded in nanoseconds and exposed in seconds. Names and bucket bounds follow vLLM's, so that its dashboards fit
//! once their prefix is changed.

use std::net::SocketAddr;

use anyhow::{Result, anyhow};
use tach::{Counter, Exporter, Gauge, Histogram, Recording, Registry, Snapshot, Unit, UpDownCounter};

use crate::request::FinishReason;

/// Before every exposed name.
const NAMESPACE: &str = "smollm2";

pub(crate) const GENERATION_TOKENS: &str = "generation_tokens";
pub(crate) const PROMPT_TOKENS: &str = "prompt_tokens";
pub(crate) const REQUESTS_RUNNING: &str = "num_requests_running";
pub(crate) const REQUESTS_WAITING: &str = "num_requests_waiting";
pub(crate) const REQUEST_SUCCESS: &str = "request_success";
pub(crate) const KV_CACHE_TOKENS: &str = "kv_cache_tokens";
pub(crate) const TIME_TO_FIRST_TOKEN: &str = "time_to_first_token";
pub(crate) const INTER_TOKEN_LATENCY: &str = "inter_token_latency";
pub(crate) const QUEUE_TIME: &str = "request_queue_time";
pub(crate) const E2E_LATENCY: &str = "e2e_request_latency";
pub(crate) const STEP_TIME: &str = "step_time";
pub(crate) const BATCH_SIZE: &str = "batch_size";

const FINISHED_REASON: &str = "finished_reason";

/// The longest time that is recorded as it is, in seconds: a day.
const LONGEST: f64 = 86_400.0;

/// Upper bounds in seconds, for waits of a whole prompt.
const FIRST_TOKEN_BOUNDS: [f64; 18] =
    [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0];
/// Upper bounds in seconds, for one step.
const TOKEN_BOUNDS: [f64; 18] =
    [0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Upper bounds in seconds, for a whole request.
const REQUEST_BOUNDS: [f64; 15] = [0.1, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0];
/// Upper bounds in streams.
const BATCH_BOUNDS: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// The handles.
pub(crate) struct Metrics {
    registry: Registry,
    recording: bool,
    generation_tokens: Counter,
    prompt_tokens: Counter,
    running: UpDownCounter,
    waiting: UpDownCounter,
    /// By the number of the reason.
    success: Vec<Counter>,
    kv_tokens: Gauge,
    first_token: Histogram,
    inter_token: Histogram,
    queue_time: Histogram,
    e2e_latency: Histogram,
    step_time: Histogram,
    batch_size: Histogram,
}

impl Metrics {
    /// Registers everything. Without `recording` the calls stay and do nothing.
    pub(crate) fn new(model_name: &str, recording: bool) -> Result<Self> {
        let registry = Registry::builder()
            .namespace(NAMESPACE)
            .const_label("model_name", model_name)
            .recording(if recording { Recording::Sharded } else { Recording::Noop })
            .build()?;
        let counter = |name, help| registry.counter(name).help(help).build();
        let level = |name, help| registry.updown_counter(name).help(help).build();
        let seconds = |name, bounds: &[f64], help| {
            let histogram = registry.histogram(name).unit(Unit::Seconds).buckets(bounds.iter().copied());
            histogram.max(LONGEST).help(help).build()
        };
        let success = registry
            .counter(REQUEST_SUCCESS)
            .help("Requests that ended, by reason: stop (end token), length (limit reached), abort, error")
            .labels([FINISHED_REASON])
            .build()?;
        Ok(Self {
            recording,
            generation_tokens: counter(
                GENERATION_TOKENS,
                "Tokens generated, the first of each request and its end token included",
            )?,
            prompt_tokens: counter(PROMPT_TOKENS, "Prompt tokens processed, counted when the first token is ready")?,
            running: level(REQUESTS_RUNNING, "Requests that hold a stream slot")?,
            waiting: level(REQUESTS_WAITING, "Requests that have arrived and wait for a stream slot")?,
            success: FinishReason::ALL.map(|reason| success.with([reason.label()])).into(),
            kv_tokens: registry
                .gauge(KV_CACHE_TOKENS)
                .help("Tokens held in the KV caches of all streams after the latest step")
                .build()?,
            first_token: seconds(
                TIME_TO_FIRST_TOKEN,
                &FIRST_TOKEN_BOUNDS,
                "From a request's arrival to its first token, time in the queue included; one value per request",
            )?,
            inter_token: seconds(
                INTER_TOKEN_LATENCY,
                &TOKEN_BOUNDS,
                "Per gap: from a request's token to its next one; one value per token after the first",
            )?,
            queue_time: seconds(
                QUEUE_TIME,
                &REQUEST_BOUNDS,
                "From a request's arrival to its admission to a stream slot; one value per admitted request",
            )?,
            e2e_latency: seconds(
                E2E_LATENCY,
                &REQUEST_BOUNDS,
                "From a request's arrival to its last token; one value per complete request, none for aborted ones",
            )?,
            step_time: seconds(
                STEP_TIME,
                &TOKEN_BOUNDS,
                "From the end of one step to the end of the next: one token for each stream of the batch",
            )?,
            batch_size: registry
                .histogram(BATCH_SIZE)
                .buckets(BATCH_BOUNDS)
                .max(1024.0)
                .help("Streams that got a token in a step; one value per step")
                .build()?,
            registry,
        })
    }

    /// Whether the calls do anything.
    pub(crate) fn is_recording(&self) -> bool {
        self.recording
    }

    /// Serves `/metrics` at `address` until the exporter is dropped.
    pub(crate) fn serve(&self, address: SocketAddr) -> Result<Exporter> {
        Exporter::builder().listen(address.to_string()).start(&self.registry).map_err(|error| {
            let other = |port| SocketAddr::new(address.ip(), port);
            let next = other(address.port().checked_add(1).unwrap_or(9464));
            let any = other(0);
            anyhow!(
                "/metrics cannot be served: {error}\n  \
                 here: --listen {next}, or any free port: --listen {any}, or no server: --listen none"
            )
        })
    }

    /// A request came in.
    pub(crate) fn arrived(&self) {
        self.waiting.inc();
    }

    /// A request got a slot after `waited` nanoseconds.
    pub(crate) fn admitted(&self, waited: u64) {
        self.waiting.dec();
        self.running.inc();
        self.queue_time.record(waited);
    }

    /// A request's first token, `since_arrival` nanoseconds after it came in.
    pub(crate) fn first_token(&self, since_arrival: u64, prompt_tokens: u64) {
        self.first_token.record(since_arrival);
        self.prompt_tokens.add(prompt_tokens);
        self.generation_tokens.inc();
    }

    /// A request's next token, `gap` nanoseconds after the one before.
    pub(crate) fn next_token(&self, gap: u64) {
        self.inter_token.record(gap);
        self.generation_tokens.inc();
    }

    /// A request is complete, `since_arrival` nanoseconds after it came in.
    pub(crate) fn completed(&self, reason: FinishReason, since_arrival: u64) {
        self.e2e_latency.record(since_arrival);
        self.ended(reason);
    }

    /// A running request leaves its slot.
    pub(crate) fn ended(&self, reason: FinishReason) {
        self.running.dec();
        self.success[reason as usize].inc();
    }

    /// A waiting request leaves the queue, because the run ends.
    pub(crate) fn gave_up_waiting(&self) {
        self.waiting.dec();
        self.success[FinishReason::Abort as usize].inc();
    }

    /// A step of `step_time` nanoseconds gave `batch` streams a token; their caches now hold `kv_tokens`.
    pub(crate) fn step(&self, batch: u64, step_time: u64, kv_tokens: u64) {
        self.step_time.record(step_time);
        self.batch_size.record(batch);
        self.kv_tokens(kv_tokens);
    }

    /// The caches hold `tokens`.
    pub(crate) fn kv_tokens(&self, tokens: u64) {
        self.kv_tokens.set(tokens as f64);
    }

    /// What the progress line shows.
    pub(crate) fn progress(&self) -> Progress {
        let snapshot = self.registry.snapshot();
        let level = |name| snapshot.gauge(name, &[]).unwrap_or(0.0) as u64;
        let gaps = snapshot.histogram(INTER_TOKEN_LATENCY, &[]).filter(|gaps| gaps.count() > 0);
        Progress {
            tokens: snapshot.counter(GENERATION_TOKENS, &[]).unwrap_or(0),
            running: level(REQUESTS_RUNNING),
            waiting: level(REQUESTS_WAITING),
            kv_tokens: level(KV_CACHE_TOKENS),
            inter_token: gaps.map(|gaps| (gaps.quantile(0.5), gaps.quantile(0.99))),
        }
    }

    /// Everything, read once.
    pub(crate) fn read(&self) -> Reading {
        let snapshot = self.registry.snapshot();
        let plain = |name| (name, snapshot.counter(name, &[]).unwrap_or(0));
        let level = |name| (name, snapshot.gauge(name, &[]).unwrap_or(0.0));
        let reason =
            |reason: FinishReason| snapshot.counter(REQUEST_SUCCESS, &[(FINISHED_REASON, reason.label())]).unwrap_or(0);
        Reading {
            counters: [PROMPT_TOKENS, GENERATION_TOKENS].map(plain).into(),
            finished: FinishReason::ALL.map(reason),
            levels: [REQUESTS_RUNNING, REQUESTS_WAITING, KV_CACHE_TOKENS].map(level).into(),
            histograms: [TIME_TO_FIRST_TOKEN, INTER_TOKEN_LATENCY, QUEUE_TIME, E2E_LATENCY, STEP_TIME, BATCH_SIZE]
                .map(|name| Summary::of(&snapshot, name))
                .into(),
        }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    pub(crate) tokens: u64,
    pub(crate) running: u64,
    pub(crate) waiting: u64,
    pub(crate) kv_tokens: u64,
    /// p50 and p99 of the inter-token latency since the start, in seconds.
    pub(crate) inter_token: Option<(f64, f64)>,
}

/// All values at one moment.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) counters: Vec<(&'static str, u64)>,
    /// Ended requests, by the number of the reason.
    pub(crate) finished: [u64; FinishReason::ALL.len()],
    pub(crate) levels: Vec<(&'static str, f64)>,
    pub(crate) histograms: Vec<Summary>,
}

/// One histogram, in its exposed unit.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) name: &'static str,
    pub(crate) count: u64,
    pub(crate) sum: f64,
    /// p50, p90, p99, p99.9.
    pub(crate) quantiles: [f64; 4],
    pub(crate) max: f64,
    /// Whether count, sum and buckets belong to exactly the same values.
    pub(crate) exact: bool,
}

impl Summary {
    fn of(snapshot: &Snapshot, name: &'static str) -> Self {
        let Some(histogram) = snapshot.histogram(name, &[]) else { return Self { name, ..Self::default() } };
        Self {
            name,
            count: histogram.count(),
            sum: histogram.sum(),
            quantiles: [0.5, 0.9, 0.99, 0.999].map(|q| histogram.quantile(q)),
            max: histogram.max(),
            exact: histogram.is_exact(),
        }
    }

    /// Whether the values are seconds; otherwise they are a number of things.
    pub(crate) fn is_time(&self) -> bool {
        self.name != BATCH_SIZE
    }
}
