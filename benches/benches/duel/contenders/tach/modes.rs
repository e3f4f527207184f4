//! The recording modes and levels, each on the same two metrics.

use std::path::PathBuf;

use tach::{Level, Recording, Registry, SpanContext, Unit};

use crate::contender::{Contender, nanos, repeat};
use crate::values::LADDER;

fn registry(recording: Recording) -> Registry {
    // Of no effect but for PROCESS, whose file goes with the run.
    let builder = Registry::builder().recording(recording).segment_dir(segments());
    builder.build().expect("valid settings")
}

/// Where PROCESS has its files: under a name of this run.
fn segments() -> PathBuf {
    PathBuf::from(format!("/dev/shm/tach-duel-{}", std::process::id()))
}

/// Cells in a file on tmpfs.
fn process() -> Registry {
    let registry = registry(Recording::Process);
    let path = registry.segment().expect("mode PROCESS").expect("a tmpfs at /dev/shm");
    // The mapping stays, the names need not.
    std::fs::remove_file(path).expect("the file just made");
    std::fs::remove_dir(segments()).expect("an empty directory");
    registry
}

fn gauge(name: &'static str, registry: Registry) -> Contender {
    let load = registry.gauge("load").level(Level::Detailed).build().expect("valid name");
    Contender::new(name, move |work| {
        let _alive = &registry;
        repeat(work, &load, |load| load.set(0.5))
    })
}

pub(crate) fn gauges() -> Vec<Contender> {
    vec![
        gauge("tach Gauge, SHARDED", registry(Recording::Sharded)).reference(),
        gauge("tach Gauge, PROCESS", process()),
        gauge("tach Gauge, NOOP", registry(Recording::Noop)),
    ]
}

fn counter(name: &'static str, registry: Registry) -> Contender {
    let tokens = registry.counter("tokens").level(Level::Detailed).build().expect("valid name");
    Contender::new(name, move |work| {
        let _alive = &registry;
        repeat(work, &tokens, |tokens| tokens.inc())
    })
}

fn histogram(name: &'static str, registry: Registry) -> Contender {
    let itl = registry.histogram("itl").unit(Unit::Seconds).level(Level::Detailed).buckets(LADDER);
    let itl = itl.build().expect("valid description");
    Contender::new(name, move |work| {
        let _alive = &registry;
        nanos(work, &itl, |itl, value| itl.record(value))
    })
}

/// Switched off by its level.
fn off() -> Registry {
    Registry::builder().level(Level::Basic).build().expect("valid settings")
}

pub(crate) fn counters() -> Vec<Contender> {
    vec![
        counter("tach Counter, SHARDED", registry(Recording::Sharded)).reference(),
        counter("tach Counter, PROCESS", process()),
        counter("tach Counter, SYNC", registry(Recording::Sync)),
        counter("tach Counter, NOOP", registry(Recording::Noop)),
        counter("tach Counter, above the level", off()),
    ]
}

pub(crate) fn histograms() -> Vec<Contender> {
    vec![
        histogram("tach Histogram, SHARDED", registry(Recording::Sharded)).reference(),
        histogram("tach Histogram, PROCESS", process()),
        histogram("tach Histogram, SYNC", registry(Recording::Sync)),
        histogram("tach Histogram, NOOP", registry(Recording::Noop)),
        histogram("tach Histogram, above the level", off()),
    ]
}

/// The same recordings with a span. In a run of them hardly any takes the place of the last exemplar: it is the clock that
/// is paid, and the look at what is there.
pub(crate) fn exemplars() -> Vec<Contender> {
    let registry = registry(Recording::Sharded);
    let span = SpanContext::new([1; 16], [2; 8]).expect("ids that are not zero");
    let build = |name: &str| registry.histogram(name).unit(Unit::Seconds).buckets(LADDER);
    let plain = build("plain").build().expect("valid description");
    let kept = build("kept").exemplars().build().expect("valid description");
    let traced = build("traced").exemplars().build().expect("valid description");
    let without = build("without").build().expect("valid description");
    let tokens = registry.counter("tokens").build().expect("valid name");
    let traced_tokens = registry.counter("traced_tokens").exemplars().build().expect("valid name");
    let _alive = registry;
    vec![
        Contender::new("tach Histogram, 20 bounds", move |work| {
            nanos(work, &plain, |plain, value| plain.record(value))
        })
        .reference(),
        Contender::new("tach Histogram with exemplars, no span", move |work| {
            nanos(work, &kept, |kept, value| kept.record(value))
        }),
        Contender::new("tach Histogram with exemplars, a span", move |work| {
            nanos(work, &(&traced, span), |(traced, span), value| traced.record_with_exemplar(value, span))
        }),
        Contender::new("tach Histogram without exemplars, a span", move |work| {
            nanos(work, &(&without, span), |(without, span), value| without.record_with_exemplar(value, span))
        }),
        Contender::new("tach Counter", move |work| repeat(work, &tokens, |tokens| tokens.inc())),
        Contender::new("tach Counter with exemplars, a span", move |work| {
            repeat(work, &(&traced_tokens, span), |(tokens, span)| tokens.inc_with_exemplar(span))
        }),
    ]
}
