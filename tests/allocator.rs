//! A program that counts its own allocations: recording happens inside the allocator, also while a thread adopts its
//! shard.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::OnceLock;
use tach::{Counter, Registry};

static ALLOCATIONS: OnceLock<Counter> = OnceLock::new();

thread_local! {
    /// Those of this thread.
    static HERE: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: passes every call on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HERE.with(|here| here.set(here.get() + 1));
        if let Some(counter) = ALLOCATIONS.get() {
            counter.inc();
        }
        // SAFETY: the caller's contract is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

#[test]
fn recordings_of_an_allocator_are_exact_and_no_shard_has_two_writers() {
    let registry = Registry::new();
    let work = registry.counter("work").build().unwrap();
    // This thread has a shard before the allocator records, as the documentation asks of the one that makes metrics.
    work.inc();
    ALLOCATIONS.set(registry.counter("allocations").build().unwrap()).unwrap();
    for _ in 0..50 {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..2_000 {
                        work.inc();
                        if n % 100 == 0 {
                            drop(std::hint::black_box(vec![0_u8; 100]));
                        }
                    }
                });
            }
        });
    }
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.counter("work", &[]), Some(1 + 50 * 4 * 2_000));
    assert!(snapshot.counter("allocations", &[]).unwrap() >= 50 * 4 * 20);
    #[cfg(feature = "serve")]
    recordings_of_a_server_allocate_nothing(&registry);
}

/// Once a label set has its series, that is. `registry` is that which counts.
#[cfg(feature = "serve")]
fn recordings_of_a_server_allocate_nothing(registry: &Registry) {
    use std::time::Duration;
    use tach::serve::{
        BatchType, Clock, Identity, Measurement, MetricClient, Metrics, Objectives, Profile, Profiles, RequestTimer,
        StepStats, StepTimer,
    };
    let metrics: &'static Metrics = Box::leak(Box::new(Metrics::new()));
    let profiles = Profiles::new(&[Profile::MaxServe], &Identity::default()).unwrap();
    let server = Registry::new();
    metrics.attach(&server, &profiles, Objectives::default(), Clock::new()).unwrap();
    let client = MetricClient::new(metrics);
    let mut steps = StepTimer::new(metrics);
    let mut request = RequestTimer::arrived(metrics);
    let mut record = || {
        metrics.itl(Duration::from_millis(3));
        metrics.request_count(200, "/v1/chat/completions");
        let attributes = [("path", "/v1/chat/completions"), ("code", "200")];
        client.send(&Measurement { name: "maxserve.request_count", value: 1.0, attributes: &attributes }).unwrap();
        client.send(&Measurement { name: "no_such_name", value: 1.0, attributes: &[] }).unwrap_err();
        let mut step = steps.step();
        step.token(&mut request);
        step.end(&StepStats::new(BatchType::Decode, 1));
    };
    record();
    // Taking a snapshot allocates too, as much each time.
    let mut during = |times: u32| {
        let total = || registry.snapshot().counter("allocations", &[]).unwrap();
        let before = total();
        (0..times).for_each(|_| record());
        total() - before
    };
    let (none, many) = (during(0), during(10_000));
    assert!(many < none + 1_000, "{none} allocations without recordings, {many} with 10,000");
    assert_eq!(server.snapshot().histogram("maxserve.time_to_first_token", &[]).unwrap().count(), 1);
}

#[cfg(feature = "derive")]
#[test]
fn finding_a_series_by_typed_labels_does_not_allocate() {
    #[derive(tach::LabelSet)]
    struct Open<'a> {
        path: &'a str,
        code: i128,
        cached: bool,
    }
    #[derive(tach::LabelSet)]
    struct Closed {
        cached: bool,
    }
    let registry = Registry::new();
    let open = registry.counter("open").label_set::<Open<'_>>().build().unwrap();
    let closed = registry.counter("closed").label_set::<Closed>().build().unwrap();
    let count = |cached| {
        open.with(Open { path: "/", code: i128::MIN, cached }).inc();
        closed.with(Closed { cached }).inc();
    };
    // The first time makes the series, and what a thread has of its own.
    count(true);
    count(false);
    let before = HERE.with(Cell::get);
    (0..1_000).for_each(|n| count(n % 2 == 0));
    assert_eq!(HERE.with(Cell::get), before);
    assert_eq!(registry.snapshot().counter("closed", &[("cached", "true")]), Some(501));
}

#[test]
fn a_recording_with_an_exemplar_does_not_allocate() {
    let registry = Registry::new();
    let counter = registry.counter("counter").exemplars().build().unwrap();
    let histogram = registry.histogram("histogram").buckets([0.5, 1.0]).exemplars().build().unwrap();
    let span = tach::SpanContext::new([1; 16], [2; 8]).unwrap();
    let mut value = 0;
    let mut record = || {
        // Each is written, as it is the largest.
        value += 1_000_000;
        counter.add_with_exemplar(value, &span);
        histogram.record_with_exemplar(value, &span);
    };
    // The first takes the thread's shard.
    record();
    let before = HERE.with(Cell::get);
    (0..1_000).for_each(|_| record());
    assert_eq!(HERE.with(Cell::get), before);
}
