//! Reading: snapshots, text, and the memory that series take.

use std::hint::black_box;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use tach::{Counter, Family, Histogram, Registry, Unit};

use crate::contender::{Contender, Work, repeat};
use crate::contenders::{encoding, rendering};
use crate::groups::collect::{self, SHARDS};
use crate::groups::memory::{Footprint, Touch};
use crate::groups::render::{COUNTERS, HISTOGRAMS, observations};
use crate::groups::tail::Tail;
use crate::values::{LADDER, RENDERED, Values, twelve_octaves};

/// A registry that no group here can fill.
fn roomy() -> Registry {
    Registry::builder().memory_budget(1 << 30).build().expect("valid budget")
}

fn counter_series(registry: &Registry, count: usize) -> Vec<Counter> {
    let family: Family<Counter, 1> =
        registry.counter("tokens").labels(["series"]).limit(count + 1).build().expect("valid description");
    (0..count).map(|i| family.with([&i.to_string()])).collect()
}

fn histogram_series(registry: &Registry, count: usize, bounds: &[f64], digits: u8) -> Vec<Histogram> {
    let mut builder = registry.histogram("itl").unit(Unit::Seconds).digits(digits);
    if !bounds.is_empty() {
        builder = builder.buckets(bounds.iter().copied());
    }
    let family: Family<Histogram, 1> = builder.labels(["series"]).limit(count + 1).build().expect("valid description");
    (0..count).map(|i| family.with([&i.to_string()])).collect()
}

pub(crate) fn render() -> Vec<Contender> {
    let registry = roomy();
    let histograms = histogram_series(&registry, HISTOGRAMS, &LADDER[..RENDERED], 2);
    for series in &histograms {
        observations().for_each(|value| series.record((value * 1e9) as u64));
    }
    for (i, series) in counter_series(&registry, COUNTERS).iter().enumerate() {
        series.add(i as u64);
    }
    let snapshot = registry.snapshot();
    let (idle, reading, changing) = (registry.clone(), registry.clone(), histograms.clone());
    // What has not changed since the last snapshot is not read again: so everything changes, some microseconds' worth.
    let change = |histograms: &[Histogram]| histograms.iter().for_each(|series| series.record(1_000_000));
    let (open, binary) = (snapshot.clone(), snapshot.clone());
    vec![
        rendering("tach snapshot + render", move |out| {
            change(&histograms);
            tach::text::render_into(&registry.snapshot(), out);
        })
        .reference()
        .note("every histogram has changed since the last"),
        rendering("tach snapshot + render, idle", move |out| tach::text::render_into(&idle.snapshot(), out))
            .note("none has"),
        rendering("tach render alone", move |out| tach::text::render_into(&snapshot, out)),
        rendering("tach render alone, OpenMetrics", move |out| tach::openmetrics::render_into(&open, out)),
        encoding("tach render alone, protobuf", move |out| tach::protobuf::render_into(&binary, out)),
        Contender::new("tach snapshot alone", move |work| {
            repeat(work, &reading, |reading| {
                change(&changing);
                black_box(reading.snapshot())
            })
        }),
    ]
}

/// Threads that recorded once and stay alive, so that their shards stay theirs.
struct Parked {
    leave: Option<Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Parked {
    fn after(touch: impl Fn() + Clone + Send + 'static) -> Parked {
        let (leave, left) = channel::<()>();
        let left = std::sync::Arc::new(Mutex::new(left));
        let (ready, all_ready) = channel::<()>();
        let spawn = |_| {
            let (touch, left, ready) = (touch.clone(), left.clone(), ready.clone());
            let body = move || {
                touch();
                drop(ready);
                wait(&left);
            };
            thread::Builder::new().stack_size(256 << 10).spawn(body).expect("64 threads can be started")
        };
        let threads = (0..SHARDS).map(spawn).collect();
        drop(ready);
        assert!(all_ready.recv().is_err(), "nothing is sent, every sender is dropped");
        Parked { leave: Some(leave), threads }
    }
}

/// Returns once the sender is gone.
fn wait(left: &Mutex<Receiver<()>>) {
    let _ = left.lock().expect("not poisoned").recv();
}

impl Drop for Parked {
    fn drop(&mut self) {
        drop(self.leave.take());
        self.threads.drain(..).for_each(|thread| thread.join().expect("parked threads do not panic"));
    }
}

pub(crate) fn collect_counters(cells: usize) -> Contender {
    let registry = roomy();
    let held = counter_series(&registry, collect::COUNTERS);
    let parked = Parked::after(move || held.iter().for_each(Counter::inc));
    collecting("tach snapshot", registry, parked, cells, Vec::new()).reference()
}

pub(crate) fn collect_histograms(cells: usize, idle: bool) -> Contender {
    let registry = roomy();
    let held = histogram_series(&registry, collect::HISTOGRAMS, &[], 2);
    let changing = if idle { Vec::new() } else { held.clone() };
    let parked = Parked::after(move || {
        let values = Values::latencies();
        held.iter().for_each(|itl| values.nanos.iter().for_each(|&value| itl.record(value)));
    });
    if idle {
        collecting("tach snapshot, idle", registry, parked, cells, changing).note("nothing has changed since the last")
    } else {
        collecting("tach snapshot", registry, parked, cells, changing).reference()
    }
}

/// Each of `changing` is recorded to before a snapshot, as what has not changed is not read again.
fn collecting(
    name: &'static str,
    registry: Registry,
    parked: Parked,
    cells: usize,
    changing: Vec<Histogram>,
) -> Contender {
    let run = move |work: &Work<'_>| {
        let _parked = &parked;
        repeat(work, &registry, |registry| {
            changing.iter().for_each(|itl| itl.record(1_000_000));
            black_box(registry.snapshot())
        })
    };
    Contender::new(name, run).units(cells)
}

pub(crate) fn footprints() -> Vec<Footprint> {
    vec![
        Footprint { name: "tach", counters: Some(counters), histograms: Some(|count| histograms(count, 2)), note: "" },
        Footprint { name: "tach, 1 digit", counters: None, histograms: Some(|count| histograms(count, 1)), note: "" },
    ]
}

fn counters(count: usize) -> Touch {
    let registry = roomy();
    let held = counter_series(&registry, count);
    Box::new(move || {
        let _alive = &registry;
        held.iter().for_each(Counter::inc);
    })
}

fn histograms(count: usize, digits: u8) -> Touch {
    let registry = roomy();
    let held = histogram_series(&registry, count, &[], digits);
    let values = twelve_octaves();
    Box::new(move || {
        let _alive = &registry;
        held.iter().for_each(|itl| values.iter().for_each(|&value| itl.record(value)));
    })
}

/// The recording thread's time per recording while a registry of 250 series is read 1,000 times a second.
pub(crate) fn tail(tail: &mut Tail) {
    let registry = Registry::new();
    counter_series(&registry, 200).iter().for_each(Counter::inc);
    let held = histogram_series(&registry, 50, &[], 2);
    held.iter().for_each(|itl| itl.record(1_000_000));
    let itl = held[17].clone();
    tail.subject("tach Histogram", |value| itl.record(value), || drop(black_box(registry.snapshot())));
}
