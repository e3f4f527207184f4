//! A program that counts its own allocations: recording happens inside the allocator, also while a thread adopts its
//! shard.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::OnceLock;
use tach::{Counter, Registry};

static ALLOCATIONS: OnceLock<Counter> = OnceLock::new();

struct Counting;

// SAFETY: passes every call on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
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
    let profiles = Profiles::new(&[Profile::MaxServe], &Identity::default());
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
