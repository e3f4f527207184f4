//! Counters and gauges.

use std::sync::LazyLock;

use tach::{Counter, LazyCounter, Registry};

use crate::contender::{Contender, Work, repeat};

static TOKENS: LazyLock<Counter> =
    LazyLock::new(|| tach::global().counter("tokens").build().expect("the only metric of this name"));

static LAZY_TOKENS: LazyCounter = LazyCounter::new(|registry| registry.counter("lazy_tokens").build());

pub(crate) fn counter() -> Vec<Contender> {
    let registry = Registry::new();
    let tokens = registry.counter("tokens").build().expect("valid name");
    let (for_local, in_register) = (tokens.clone(), tokens.clone());
    vec![
        Contender::new("tach Counter, held handle", move |work| {
            let _alive = &registry;
            repeat(work, &tokens, |tokens| tokens.inc())
        })
        .reference(),
        Contender::new("tach Counter, handle in a register", move |work| {
            let tokens = &in_register;
            repeat(work, &(), move |()| tokens.inc())
        }),
        Contender::new("tach LazyCounter, static", |work| repeat(work, &(), |()| LAZY_TOKENS.inc())),
        Contender::new("tach Counter in a LazyLock", |work| repeat(work, &(), |()| TOKENS.inc())),
        Contender::new("tach Counter::local", move |work| {
            let mut local = for_local.local();
            repeat(work, &(), move |()| local.inc())
        }),
    ]
}

pub(crate) fn gauge() -> Vec<Contender> {
    let registry = Registry::new();
    let usage = registry.gauge("usage").build().expect("valid name");
    let run = move |work: &Work<'_>| {
        let _alive = &registry;
        repeat(work, &usage, |usage| usage.set(0.5))
    };
    vec![Contender::new("tach Gauge", run).reference()]
}
