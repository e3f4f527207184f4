//! OTLP requests one after another: when series begin, and what is left for the next where one gets lost.

use crate::otlp_reader::{Request, read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;
use tach::otlp::{Encoder, Resource, Temporality};
use tach::{Level, Registry, Snapshot, Unit};

fn nanos(time: std::time::SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

fn encode(encoder: &mut Encoder, snapshot: &Snapshot) -> Request {
    read(&encoder.encode(snapshot)).unwrap()
}

/// Start and value of the one point of a sum.
fn sum(request: &Request, name: &str) -> (u64, Option<i64>) {
    let point = request.metric(name).point();
    (point.start, point.int)
}

#[test]
fn a_series_keeps_its_start_until_it_is_another_one() {
    let registry = Registry::new();
    let tokens = registry.counter("tokens").build().unwrap();
    let family = registry.counter("requests").labels(["code"]).build().unwrap();
    family.with(["200"]).add(5);
    let mut encoder = Encoder::new(Resource::new());
    let first = registry.snapshot();
    let began = nanos(first.began());
    let request = encode(&mut encoder, &first);
    assert_eq!(request.metric("tokens").point().time, nanos(first.time()));
    assert_eq!((sum(&request, "tokens"), sum(&request, "requests")), ((began, Some(0)), (began, Some(5))));

    tokens.add(2);
    family.with(["500"]).inc();
    let second = registry.snapshot();
    let request = encode(&mut encoder, &second);
    assert_eq!(sum(&request, "tokens"), (began, Some(2)));
    // The new one was zero at the request before.
    let points = &request.metric("requests").data().points;
    assert_eq!((points[0].start, points[1].start), (began, nanos(first.time())));

    family.remove(["200"]);
    family.with(["200"]).add(9);
    let request = encode(&mut encoder, &registry.snapshot());
    let points = &request.metric("requests").data().points;
    assert_eq!((points[0].start, points[0].int), (nanos(second.time()), Some(9)));
    assert_eq!((points[1].start, points[1].int), (nanos(first.time()), Some(1)));
    // The engine's own have no handle that would stay the same, and begin with the registry all the same.
    assert_eq!(request.metric("tach_overflow_series").point().start, began);
}

#[test]
fn a_total_that_falls_begins_anew() {
    let registry = Registry::new();
    let total = Arc::new(AtomicU64::new(10));
    let read = Arc::clone(&total);
    registry.observe_counter("seen", "", move || read.load(Ordering::Relaxed)).unwrap();
    let mut encoder = Encoder::new(Resource::new());
    let first = registry.snapshot();
    let _ = encoder.encode(&first);
    total.store(3, Ordering::Relaxed);
    assert_eq!(sum(&encode(&mut encoder, &registry.snapshot()), "seen"), (nanos(first.time()), Some(3)));
}

#[test]
fn what_is_switched_off_for_a_while_goes_on_where_it_was() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let registry = Registry::builder().level(Level::Detailed).build().unwrap();
        let detail = registry.counter("detail").level(Level::Detailed).build().unwrap();
        detail.add(5);
        let mut encoder = Encoder::new(Resource::new()).temporality(temporality);
        let mut push = || {
            let snapshot = registry.snapshot();
            let request = encode(&mut encoder, &snapshot);
            encoder.accepted();
            (request, nanos(snapshot.time()), nanos(snapshot.began()))
        };
        let (_, first, began) = push();
        registry.set_level(Level::Basic);
        let (request, ..) = push();
        assert!(request.metrics.iter().all(|metric| metric.name != "detail"));
        registry.set_level(Level::Detailed);
        detail.add(2);
        let (request, ..) = push();
        let expected = if temporality == Temporality::Delta { (first, Some(2)) } else { (began, Some(7)) };
        assert_eq!(sum(&request, "detail"), expected);
    }
}

#[test]
fn a_delta_begins_at_the_last_request_that_was_taken() {
    let registry = Registry::new();
    let tokens = registry.counter("tokens").build().unwrap();
    let running = registry.updown_counter("running").build().unwrap();
    let itl = registry.histogram("itl").unit(Unit::Seconds).build().unwrap();
    registry.observe_counter("seen", "", || 4).unwrap();
    let mut encoder = Encoder::new(Resource::new()).temporality(Temporality::Delta);
    let record = |n: u64| {
        tokens.add(n);
        running.add(1);
        (0..n).for_each(|n| itl.record(n * 1_000_000));
        registry.snapshot()
    };
    let first = record(3);
    let request = encode(&mut encoder, &first);
    assert_eq!(request.metric("tokens").data().temporality, 1);
    assert_eq!(request.metric("itl").data().temporality, 1);
    assert_eq!(request.metric("running").data().temporality, 2);
    let began = nanos(first.began());
    assert_eq!((sum(&request, "tokens"), sum(&request, "running")), ((began, Some(3)), (began, Some(1))));
    encoder.accepted();

    // Lost: and in the next one.
    let request = encode(&mut encoder, &record(4));
    assert_eq!(
        (sum(&request, "tokens"), sum(&request, "seen")),
        ((nanos(first.time()), Some(4)), (nanos(first.time()), Some(0)))
    );
    let third = record(5);
    let request = encode(&mut encoder, &third);
    assert_eq!((sum(&request, "tokens"), sum(&request, "running")), ((nanos(first.time()), Some(9)), (began, Some(3))));
    let point = request.metric("itl").point();
    assert_eq!((point.count, point.zeros, point.start, point.time), (9, 2, nanos(first.time()), nanos(third.time())));
    assert_eq!(point.counts.iter().sum::<u64>(), 7);
    encoder.accepted();
    let request = encode(&mut encoder, &registry.snapshot());
    assert_eq!(sum(&request, "tokens"), (nanos(third.time()), Some(0)));
    let point = request.metric("itl").point();
    assert_eq!((point.count, point.sum, point.min), (0, Some(0.0), None));
}

#[test]
fn deltas_do_not_overlap_after_the_clock_was_set_back() {
    let registry = Registry::new();
    let tokens = registry.counter("tokens").build().unwrap();
    // In the wrong order: the second has an earlier time than the first.
    let earlier = registry.snapshot();
    let later = registry.snapshot();
    assert!(nanos(earlier.time()) < nanos(later.time()));
    let mut encoder = Encoder::new(Resource::new()).temporality(Temporality::Delta);
    let mut end = nanos(later.began());
    tokens.add(3);
    for snapshot in [later, earlier, registry.snapshot()] {
        let request = encode(&mut encoder, &snapshot);
        encoder.accepted();
        let point = request.metric("tokens").point();
        assert!(point.start == end && point.time >= end, "{} {} {end}", point.start, point.time);
        end = point.time;
    }
}

#[test]
fn with_low_memory_what_a_callback_gives_stays_cumulative() {
    let registry = Registry::new();
    let tokens = registry.counter("tokens").build().unwrap();
    registry.observe_counter("seen", "", || 4).unwrap();
    let mut encoder = Encoder::new(Resource::new()).temporality(Temporality::LowMemory);
    for _ in 0..2 {
        tokens.add(3);
        let request = encode(&mut encoder, &registry.snapshot());
        assert_eq!((request.metric("tokens").data().temporality, request.metric("seen").data().temporality), (1, 2));
        assert_eq!((sum(&request, "tokens").1, sum(&request, "seen").1), (Some(3), Some(4)));
        encoder.accepted();
    }
}

/// A float counter that a callback gives, an encoder, and requests of what it gives: start and value of the one point.
struct Seen {
    registry: Registry,
    total: Arc<AtomicU64>,
    encoder: Encoder,
}

impl Seen {
    fn new(temporality: Temporality) -> Self {
        let (registry, total) = (Registry::new(), Arc::new(AtomicU64::new(0)));
        let read = Arc::clone(&total);
        registry.float_counter("seen").observe(move || f64::from_bits(read.load(Ordering::Relaxed))).unwrap();
        Self { registry, total, encoder: Encoder::new(Resource::new()).temporality(temporality) }
    }

    /// And when it was.
    fn push(&mut self, total: f64, accepted: bool) -> (Option<(u64, f64)>, u64) {
        self.total.store(total.to_bits(), Ordering::Relaxed);
        let snapshot = self.registry.snapshot();
        let request = encode(&mut self.encoder, &snapshot);
        if accepted {
            self.encoder.accepted();
        }
        let found = request.metrics.iter().find(|metric| metric.name == "seen");
        (found.map(|metric| (metric.point().start, metric.point().double.unwrap())), nanos(snapshot.time()))
    }
}

#[test]
fn what_is_no_total_has_no_delta_and_takes_nothing_from_the_others() {
    for none in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -1.0, -f64::MIN_POSITIVE] {
        let mut seen = Seen::new(Temporality::Delta);
        let began = nanos(seen.registry.snapshot().began());
        // From the beginning on: what was there before the first total is part of that.
        assert_eq!(seen.push(none, true).0, None);
        let (delta, first) = seen.push(100.0, true);
        assert_eq!(delta, Some((began, 100.0)), "{none}");
        assert_eq!([(); 2].map(|()| seen.push(none, true).0), [None; 2]);
        let (delta, second) = seen.push(120.0, true);
        assert_eq!(delta, Some((first, 20.0)), "{none}");
        assert_eq!(seen.push(125.0, true).0, Some((second, 5.0)));
        // What was refused is still to come, and no total is none that was accepted.
        assert_eq!(seen.push(130.0, false).0.map(|delta| delta.1), Some(5.0));
        assert_eq!(seen.push(none, true).0, None);
        assert_eq!(seen.push(131.0, true).0.map(|delta| delta.1), Some(6.0), "{none}");
    }
}

#[test]
fn what_is_no_total_moves_no_start() {
    for none in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -1.0] {
        let mut seen = Seen::new(Temporality::Cumulative);
        let began = nanos(seen.registry.snapshot().began());
        let pushed = [none, 100.0, none, 120.0, 125.0].map(|total| seen.push(total, true).0);
        let expected = [None, Some(100.0), None, Some(120.0), Some(125.0)];
        assert_eq!(pushed, expected.map(|total| total.map(|total| (began, total))), "{none}");
        // But one that fell beyond it does.
        let (_, last) = seen.push(125.0, true);
        seen.push(none, true);
        let (point, at) = seen.push(3.0, true);
        assert!(point.is_some_and(|(start, total)| start >= last && start < at && total == 3.0), "{none}: {point:?}");
    }
}

#[test]
fn what_a_callback_does_not_give_is_in_the_next_delta() {
    let registry = Registry::new();
    let total = Arc::new(AtomicU64::new(0));
    let read = Arc::clone(&total);
    let give = move || match read.load(Ordering::Relaxed) {
        0 => std::panic::panic_any("it cannot be read"),
        total => total,
    };
    registry.observe_counter("seen", "", give).unwrap();
    let mut encoder = Encoder::new(Resource::new()).temporality(Temporality::Delta);
    let mut push = |now: u64, accepted: bool| {
        total.store(now, Ordering::Relaxed);
        let snapshot = registry.snapshot();
        let request = encode(&mut encoder, &snapshot);
        if accepted {
            encoder.accepted();
        }
        let found = request.metrics.iter().find(|metric| metric.name == "seen");
        (found.map(|metric| (metric.point().start, metric.point().int.unwrap())), nanos(snapshot.time()))
    };
    let (_, first) = push(100, true);
    assert_eq!(push(0, true).0, None);
    let (delta, second) = push(130, true);
    assert_eq!(delta, Some((first, 30)));
    // And what nobody has taken by then too.
    assert_eq!(push(140, false).0, Some((second, 10)));
    assert_eq!(push(0, true).0, None);
    assert_eq!(push(145, true).0, Some((second, 15)));
}
