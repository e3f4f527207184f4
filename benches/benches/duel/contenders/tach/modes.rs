//! The recording modes and levels, each on the same two metrics.

use tach::{Level, Recording, Registry, Unit};

use crate::contender::{Contender, nanos, repeat};
use crate::values::LADDER;

fn registry(recording: Recording) -> Registry {
    Registry::builder().recording(recording).build().expect("valid settings")
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
        counter("tach Counter, SYNC", registry(Recording::Sync)),
        counter("tach Counter, NOOP", registry(Recording::Noop)),
        counter("tach Counter, above the level", off()),
    ]
}

pub(crate) fn histograms() -> Vec<Contender> {
    vec![
        histogram("tach Histogram, SHARDED", registry(Recording::Sharded)).reference(),
        histogram("tach Histogram, SYNC", registry(Recording::Sync)),
        histogram("tach Histogram, NOOP", registry(Recording::Noop)),
        histogram("tach Histogram, above the level", off()),
    ]
}
