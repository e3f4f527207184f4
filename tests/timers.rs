//! The timers' definitions, by a clock that moves when it is told to.

use std::time::Duration;
use tach::serve::{
    BatchType, Clock, Finish, Identity, ManualClock, Metrics, Objectives, Profile, Profiles, RequestTimer, StepStats,
    StepTimer, Turn,
};
use tach::{HistogramSnapshot, Level, Registry, Snapshot};

/// A server of its own.
struct Server {
    registry: Registry,
    metrics: &'static Metrics,
    clock: ManualClock,
}

impl Server {
    fn new(objectives: Objectives) -> Self {
        let (clock, hand) = Clock::manual();
        let registry = Registry::new();
        let metrics: &'static Metrics = Box::leak(Box::new(Metrics::new()));
        let profiles = Profiles::new(&[Profile::MaxServe, Profile::Sglang], &Identity::default()).unwrap();
        metrics.attach(&registry, &profiles, objectives, clock).unwrap();
        Self { registry, metrics, clock: hand }
    }

    fn after(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
    }

    fn read(&self) -> Reading {
        Reading(self.registry.snapshot())
    }
}

struct Reading(Snapshot);

impl Reading {
    fn histogram(&self, name: &str, labels: &[(&str, &str)]) -> &HistogramSnapshot {
        self.0.histogram(&format!("maxserve.{name}"), labels).unwrap_or_else(|| panic!("{name} {labels:?}"))
    }

    /// Count and sum.
    fn values(&self, name: &str) -> (u64, f64) {
        let histogram = self.histogram(name, &[]);
        (histogram.count(), histogram.sum())
    }

    fn counter(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.0.counter(&format!("maxserve.{name}"), labels).unwrap_or_else(|| panic!("{name} {labels:?}"))
    }

    /// Requests running, awaiting admission, waiting, scheduled.
    fn levels(&self) -> [f64; 4] {
        ["running", "awaiting_admission", "waiting", "scheduled"]
            .map(|level| self.0.gauge(&format!("maxserve.num_requests_{level}"), &[]).unwrap())
    }
}

#[test]
fn a_request_yields_every_time_from_its_definition() {
    let server = Server::new(Objectives::default());
    let mut request = RequestTimer::arrived(server.metrics);
    assert_eq!(server.read().levels(), [1.0, 1.0, 1.0, 0.0]);
    server.after(3);
    request.input(512, Turn::Later);
    server.after(2);
    request.admitted();
    assert_eq!(server.read().levels(), [1.0, 0.0, 1.0, 0.0]);
    server.after(10);
    request.scheduled();
    assert_eq!(server.read().levels(), [1.0, 0.0, 0.0, 1.0]);
    server.after(100);
    request.tokens(1);
    server.after(20);
    request.tokens(1);
    server.after(40);
    request.tokens(4);
    request.tokens(0);
    server.after(1);
    assert_eq!(request.output_tokens(), 6);
    request.finished(Finish::Length);

    let read = server.read();
    assert_eq!(read.levels(), [0.0; 4]);
    assert_eq!(read.values("input_processing_time"), (1, 3.0));
    assert_eq!(read.values("request_queue_time"), (1, 15.0));
    assert_eq!(read.values("time_to_first_token"), (1, 115.0));
    assert_eq!(read.values("request_prefill_time"), (1, 100.0));
    assert_eq!(read.values("itl"), (2, 60.0));
    // 20 once, and 40 / 4 four times.
    assert_eq!(read.values("itl_per_token"), (5, 60.0));
    assert_eq!(read.histogram("itl_per_token", &[]).min(), 10.0);
    assert_eq!(read.values("time_per_output_token"), (1, 12.0));
    assert_eq!(read.values("request_decode_time"), (1, 60.0));
    assert_eq!(read.values("request_inference_time"), (1, 160.0));
    assert_eq!(read.values("output_processing_time"), (1, 173.0));
    let latency = read.histogram("request_latency", &[("finished_reason", "length")]);
    assert_eq!((latency.count(), latency.sum()), (1, 176.0));
    assert_eq!(read.counter("requests_finished", &[("finished_reason", "length")]), 1);
    assert_eq!(read.counter("num_input_tokens", &[]), 512);
    assert_eq!(read.histogram("input_tokens_per_request", &[("turn", "later")]).sum(), 512.0);
    assert_eq!(read.counter("num_output_tokens", &[]), 6);
    assert_eq!(read.values("output_tokens_per_request"), (1, 6.0));
    assert_eq!(read.values("max_num_generation_tokens"), (1, 6.0));
}

#[test]
fn what_is_not_told_is_not_recorded() {
    let server = Server::new(Objectives::default());
    let mut request = RequestTimer::arrived(server.metrics);
    server.after(50);
    request.tokens(1);
    let while_it_runs = server.read();
    request.finished(Finish::Stop);
    let read = server.read();
    assert_eq!(read.values("time_to_first_token"), (1, 50.0));
    // A token takes a place, told or not.
    assert_eq!(while_it_runs.levels(), [1.0, 0.0, 0.0, 1.0]);
    for name in [
        "request_queue_time",
        "request_prefill_time",
        "request_inference_time",
        "output_processing_time",
        "itl",
        "itl_per_token",
        // There is no time per token after the first.
        "time_per_output_token",
    ] {
        assert_eq!(read.values(name), (0, 0.0), "{name}");
    }
    assert_eq!(read.values("request_decode_time"), (1, 0.0));
    assert_eq!(read.levels(), [0.0; 4]);
}

#[test]
fn a_dropped_request_is_aborted_wherever_it_was() {
    let server = Server::new(Objectives::default());
    drop(RequestTimer::arrived(server.metrics));
    let mut scheduled = RequestTimer::arrived(server.metrics);
    scheduled.scheduled();
    drop(scheduled);
    let mut streaming = RequestTimer::arrived(server.metrics);
    streaming.tokens(3);
    // As when a task is dropped on another thread, or panics.
    std::thread::spawn(move || drop(streaming)).join().unwrap();
    let panicking = RequestTimer::arrived(server.metrics);
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _request = panicking;
        panic!("the handler's");
    }));
    let read = server.read();
    assert_eq!(read.counter("requests_finished", &[("finished_reason", "abort")]), 4);
    assert_eq!(read.levels(), [0.0; 4]);
    assert_eq!(read.counter("num_output_tokens", &[]), 3);
    // Only one got as far as to have an output.
    assert_eq!(read.values("output_tokens_per_request"), (1, 3.0));
}

#[test]
fn a_preempted_request_waits_again_and_has_one_queue_time() {
    let server = Server::new(Objectives::default());
    let mut request = RequestTimer::arrived(server.metrics);
    server.after(5);
    request.scheduled();
    server.after(5);
    request.tokens(1);
    request.preempted();
    assert_eq!(server.read().levels(), [1.0, 0.0, 1.0, 0.0]);
    server.after(100);
    request.scheduled();
    request.scheduled();
    assert_eq!(server.read().levels(), [1.0, 0.0, 0.0, 1.0]);
    server.after(5);
    request.tokens(1);
    request.finished(Finish::Stop);
    let read = server.read();
    assert_eq!(read.values("request_queue_time"), (1, 5.0));
    assert_eq!(read.values("itl"), (1, 105.0));
    assert_eq!(read.counter("cache.preemption_count", &[]), 1);
    assert_eq!(read.levels(), [0.0; 4]);
}

#[test]
fn goodput_counts_requests_that_keep_every_objective() {
    let ms = |ms| Some(Duration::from_millis(ms));
    let server = Server::new(Objectives { ttft: ms(100), tpot: ms(10), e2e: ms(200) });
    let run = |ttft, gap, reason| {
        let mut request = RequestTimer::arrived(server.metrics);
        server.after(ttft);
        request.tokens(1);
        server.after(gap);
        request.tokens(1);
        request.finished(reason);
    };
    // On the objective is within it.
    run(100, 10, Finish::Stop);
    run(101, 10, Finish::Length);
    run(100, 11, Finish::Stop);
    run(150, 60, Finish::Stop);
    // Neither good nor bad.
    run(1, 1, Finish::Abort);
    run(1, 1, Finish::Error);
    // A single token has no time per token to miss.
    let mut single = RequestTimer::arrived(server.metrics);
    single.tokens(1);
    single.finished(Finish::Stop);
    let read = server.read();
    assert_eq!(read.counter("requests_good", &[]), 2);
    let missed = |objective| read.counter("requests_missed", &[("objective", objective)]);
    assert_eq!((missed("ttft"), missed("tpot"), missed("e2e")), (2, 2, 1));
}

#[test]
fn the_whole_time_is_judged_to_the_last_token() {
    let ms = |ms| Some(Duration::from_millis(ms));
    let server = Server::new(Objectives { ttft: ms(10), tpot: None, e2e: ms(100) });
    let good = || server.read().counter("requests_good", &[]);
    let mut request = RequestTimer::arrived(server.metrics);
    server.after(10);
    request.tokens(1);
    server.after(90);
    request.tokens(1);
    // The client reads slowly.
    server.after(1_000);
    request.finished(Finish::Stop);
    assert_eq!(good(), 1);
    // Without a token it is judged by its end, and by that alone.
    for (after, good_then) in [(100, 2), (101, 2)] {
        let request = RequestTimer::arrived(server.metrics);
        server.after(after);
        request.finished(Finish::Stop);
        assert_eq!(good(), good_then);
    }
    let read = server.read();
    let missed = |objective| read.counter("requests_missed", &[("objective", objective)]);
    assert_eq!((missed("ttft"), missed("e2e")), (0, 1));
}

#[test]
fn a_deferred_request_waits_for_something_else() {
    let server = Server::new(Objectives::default());
    let deferred = || server.registry.snapshot().gauge("maxserve.num_requests_deferred", &[]).unwrap();
    let mut request = RequestTimer::arrived(server.metrics);
    request.deferred();
    assert_eq!((server.read().levels(), deferred()), ([1.0, 1.0, 0.0, 0.0], 1.0));
    request.ready();
    request.ready();
    assert_eq!((server.read().levels(), deferred()), ([1.0, 1.0, 1.0, 0.0], 0.0));
    request.deferred();
    request.scheduled();
    assert_eq!((server.read().levels(), deferred()), ([1.0, 0.0, 0.0, 1.0], 0.0));
    request.preempted();
    request.deferred();
    drop(request);
    assert_eq!((server.read().levels(), deferred()), ([0.0; 4], 0.0));
}

#[test]
fn a_level_that_changes_while_a_request_runs_leaves_no_trace() {
    let server = Server::new(Objectives::default());
    let levels = [Level::None, Level::Basic, Level::Detailed];
    for before in levels {
        for after in levels {
            server.registry.set_level(before);
            let mut request = RequestTimer::arrived(server.metrics);
            request.scheduled();
            server.registry.set_level(after);
            request.finished(Finish::Stop);
            server.registry.set_level(Level::Detailed);
            assert_eq!(server.read().levels(), [0.0; 4], "{before:?} {after:?}");
        }
    }
}

#[test]
fn a_step_records_each_request_where_it_began() {
    let (old, new) = (Server::new(Objectives::default()), Server::new(Objectives::default()));
    let mut requests = [old.metrics, new.metrics, new.metrics].map(RequestTimer::arrived);
    // The step is the new one's; one request began to be timed by the old one, and one before there was any.
    let mut before = RequestTimer::arrived(&Metrics::new());
    let mut steps = StepTimer::new(new.metrics);
    for _ in 0..3 {
        new.after(20);
        let mut step = steps.step();
        for request in &mut requests {
            step.token(request);
        }
        step.token(&mut before);
        step.end(&StepStats::new(BatchType::Decode, 4));
    }
    let (old, new) = (old.read(), new.read());
    assert_eq!((old.counter("num_output_tokens", &[]), new.counter("num_output_tokens", &[])), (3, 6));
    assert_eq!((old.values("itl").0, new.values("itl")), (2, (4, 80.0)));
    assert_eq!(new.histogram("batch_size", &[("batch_type", "TG")]).count(), 3);
    assert_eq!(old.histogram("batch_size", &[("batch_type", "TG")]).count(), 0);
    // What the step generated, whoever counts it.
    assert_eq!(new.values("iteration_tokens"), (3, 9.0));
}

#[test]
fn numbers_without_reason_do_no_harm() {
    let server = Server::new(Objectives::default());
    let mut request = RequestTimer::arrived(server.metrics);
    let mut steps = StepTimer::new(server.metrics);
    for _ in 0..3 {
        let mut step = steps.step();
        step.tokens(&mut request, u64::MAX);
        step.end(&StepStats { input_tokens: Some(u64::MAX), ..StepStats::new(BatchType::Prefill, u64::MAX) });
        request.tokens(u64::MAX);
    }
    request.finished(Finish::Stop);
    assert_eq!(server.read().values("time_to_first_token").0, 1);
}

#[test]
fn without_objectives_nothing_is_judged() {
    let server = Server::new(Objectives::default());
    let mut request = RequestTimer::arrived(server.metrics);
    request.tokens(1);
    request.finished(Finish::Stop);
    assert_eq!(server.read().counter("requests_good", &[]), 0);
}

#[test]
fn a_step_serves_a_whole_batch_and_agrees_with_the_requests_alone() {
    let steps = |by_step: bool| {
        let server = Server::new(Objectives::default());
        let mut timer = StepTimer::new(server.metrics);
        let mut batch: Vec<_> = (0..5).map(|_| RequestTimer::arrived(server.metrics)).collect();
        for round in 0..40_u64 {
            server.after(10 + round % 3);
            let mut step = timer.step();
            let now = step.now();
            for (number, request) in (0_u64..).zip(&mut batch) {
                // Some sit out, so that their next gap is another one; some get several tokens.
                if round % (number + 1) == 0 {
                    let n = 1 + number / 4;
                    if by_step { step.tokens(request, n) } else { request.tokens_at(n, now) }
                }
            }
            drop(step);
        }
        batch.into_iter().for_each(|request| request.finished(Finish::Stop));
        server.read()
    };
    let (together, alone) = (steps(true), steps(false));
    for name in ["itl", "itl_per_token", "time_to_first_token", "time_per_output_token"] {
        let (together, alone) = (together.histogram(name, &[]), alone.histogram(name, &[]));
        assert!(alone.count() > 1);
        assert_eq!((together.count(), together.sum()), (alone.count(), alone.sum()), "{name}");
        for q in [0.0, 0.25, 0.5, 0.75, 0.9, 1.0] {
            assert_eq!(together.quantile(q), alone.quantile(q), "{name} {q}");
        }
    }
    assert_eq!(together.counter("num_output_tokens", &[]), alone.counter("num_output_tokens", &[]));
}

#[test]
fn a_step_records_what_the_scheduler_knows() {
    let server = Server::new(Objectives::default());
    let mut timer = StepTimer::new(server.metrics);
    let mut request = RequestTimer::arrived(server.metrics);
    // Waiting for requests is no part of a step.
    server.after(1_000);
    timer.begin();
    server.after(200);
    let mut step = timer.step();
    step.token(&mut request);
    assert_eq!(step.took(), 200_000_000);
    let mut stats = StepStats::new(BatchType::Prefill, 1);
    (stats.input_tokens, stats.context_tokens) = (Some(400), Some(400));
    (stats.queued, stats.pending) = (Some(7), Some(2));
    (stats.kv_blocks, stats.creation) = (Some((25, 200)), Some(1_500_000));
    step.end(&stats);
    server.after(20);
    let mut step = timer.step();
    step.token(&mut request);
    step.end(&StepStats { input_tokens: Some(1), terminated: Some(1), ..StepStats::new(BatchType::Decode, 1) });

    let read = server.read();
    let by = |name, batch_type| {
        let histogram = read.histogram(name, &[("batch_type", batch_type)]);
        (histogram.count(), histogram.sum())
    };
    assert_eq!((by("batch_size", "CE"), by("batch_size", "TG")), ((1, 1.0), (1, 1.0)));
    assert_eq!((by("batch_execution_time", "CE"), by("batch_execution_time", "TG")), ((1, 200.0), (1, 20.0)));
    assert_eq!((by("batch_input_tokens", "CE"), by("batch_context_tokens", "CE")), ((1, 400.0), (1, 400.0)));
    assert_eq!((by("batch_creation_time", "CE"), by("batch_creation_time", "TG")), ((1, 1.5), (0, 0.0)));
    assert_eq!(by("batch_prompt_throughput", "CE"), (1, 2_000.0));
    assert_eq!(by("batch_generation_throughput", "TG"), (1, 50.0));
    assert_eq!((by("batch_terminated_reqs", "TG"), by("batch_pending_reqs", "CE")), ((1, 1.0), (1, 2.0)));
    assert_eq!(read.values("iteration_tokens"), (2, 402.0));
    assert_eq!(read.values("cache.used_kv_pct"), (1, 12.5));
    let gauge = |name: &str| read.0.gauge(&format!("maxserve.{name}"), &[]);
    assert_eq!(gauge("kv_usage"), Some(0.125));
    assert_eq!((gauge("cache.num_used_blocks"), gauge("cache.num_total_blocks")), (Some(25.0), Some(200.0)));
    // What the last step did not know of is as it was.
    assert_eq!(gauge("num_requests_queued"), Some(7.0));
    assert_eq!((by("batch_context_tokens", "TG"), by("batch_pending_reqs", "TG")), ((0, 0.0), (0, 0.0)));
    assert_eq!(gauge("generation_throughput"), Some(50.0));
}

#[test]
fn a_step_by_the_callers_stamps_begins_where_it_is_told() {
    let server = Server::new(Objectives::default());
    let mut timer = StepTimer::new(server.metrics);
    let at = tach::serve::Stamp::from_nanos;
    timer.begin_at(at(5_000_000));
    assert_eq!(timer.step_at(at(7_000_000)).took(), 2_000_000);
    assert_eq!(timer.step_at(at(7_500_000)).took(), 500_000);
}

#[test]
fn a_clock_that_falls_back_gives_zero_and_not_centuries() {
    let server = Server::new(Objectives::default());
    let (late, early) = (tach::serve::Stamp::from_nanos(2_000), tach::serve::Stamp::from_nanos(1_000));
    let mut request = RequestTimer::arrived_at(server.metrics, late);
    request.scheduled_at(early);
    request.tokens_at(1, early);
    request.tokens_at(1, early);
    request.finished_at(Finish::Stop, early);
    assert_eq!(server.read().values("time_to_first_token"), (1, 0.0));
    assert_eq!(server.read().values("itl"), (1, 0.0));
}

#[test]
fn without_a_registry_timers_do_nothing() {
    let metrics = Metrics::new();
    let mut steps = StepTimer::new(&metrics);
    let mut request = RequestTimer::arrived(&metrics);
    request.scheduled();
    let mut step = steps.step();
    step.token(&mut request);
    step.end(&StepStats::new(BatchType::Decode, 1));
    request.finished(Finish::Stop);
    assert!(!metrics.is_attached());
}

#[test]
fn timers_move_between_threads_and_tasks() {
    fn is_send<T: Send + 'static>() {}
    is_send::<RequestTimer>();
    is_send::<StepTimer<'static>>();
    assert!(size_of::<RequestTimer>() <= 128, "a plain value, and not a large one");
}
