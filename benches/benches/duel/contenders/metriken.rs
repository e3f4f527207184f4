//! `metriken`: metrics are statics; a counter is one atomic, a histogram an array of them, both also sharded by thread.

use metriken::{AtomicCounterHistogram, Counter, Gauge, ShardedCounterGroup, ShardedCounterHistogram, metric};

use crate::contender::{Contender, Work, nanos, repeat};
use crate::contenders::notes;
use crate::groups::memory::{Footprint, Touch};
use crate::values::twelve_octaves;

#[metric(name = "tokens")]
static TOKENS: Counter = Counter::new();

#[metric(name = "sharded_tokens")]
static SHARDED_TOKENS: ShardedCounterGroup = ShardedCounterGroup::new(8);

#[metric(name = "usage")]
static USAGE: Gauge = Gauge::new();

#[metric(name = "itl")]
static ITL: AtomicCounterHistogram = AtomicCounterHistogram::new(7, 64);

#[metric(name = "sharded_itl")]
static SHARDED_ITL: ShardedCounterHistogram = ShardedCounterHistogram::new(7, 64);

pub(crate) fn counter() -> Vec<Contender> {
    vec![
        Contender::new("metriken Counter", |work| repeat(work, &(), |()| TOKENS.increment())),
        Contender::new("metriken ShardedCounterGroup", |work| repeat(work, &(), |()| SHARDED_TOKENS.increment(3))),
    ]
}

pub(crate) fn gauge() -> Vec<Contender> {
    let run = move |work: &Work<'_>| repeat(work, &(), |()| USAGE.set(5));
    vec![Contender::new("metriken Gauge", run).note("whole numbers only")]
}

pub(crate) fn histogram() -> Vec<Contender> {
    vec![
        Contender::new("metriken AtomicCounterHistogram", |work| nanos(work, &(), |(), value| ITL.increment(value)))
            .note(notes::NO_SUM),
        Contender::new("metriken ShardedCounterHistogram", |work| {
            nanos(work, &(), |(), value| SHARDED_ITL.increment(value))
        })
        .note(notes::NO_SUM),
    ]
}

pub(crate) fn footprints() -> [Footprint; 2] {
    [
        Footprint {
            name: "metriken",
            counters: None,
            histograms: Some(|series| {
                let held: Vec<_> = (0..series).map(|_| AtomicCounterHistogram::new(7, 64)).collect();
                touching(held, AtomicCounterHistogram::increment)
            }),
            note: notes::NO_SUM,
        },
        Footprint {
            name: "metriken, sharded",
            counters: None,
            histograms: Some(|series| {
                let held: Vec<_> = (0..series).map(|_| ShardedCounterHistogram::new(7, 64)).collect();
                touching(held, ShardedCounterHistogram::increment)
            }),
            note: notes::NO_SUM,
        },
    ]
}

fn touching<H: Send + Sync + 'static, R: 'static>(held: Vec<H>, record: fn(&H, u64) -> R) -> Touch {
    let values = twelve_octaves();
    Box::new(move || {
        for itl in &held {
            for &value in &values {
                record(itl, value);
            }
        }
    })
}
