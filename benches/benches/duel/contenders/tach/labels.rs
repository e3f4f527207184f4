//! Looking a series up by its label values.

use tach::{Counter, Family, Registry};

use crate::contender::{Contender, Work, cycle};
use crate::values::label_sets;

pub(crate) fn labels() -> Vec<Contender> {
    let registry = Registry::new();
    let requests: Family<Counter, 2> =
        registry.counter("requests").labels(["code", "path"]).limit(1_000).build().expect("valid description");
    let run = move |work: &Work<'_>| {
        let _alive = &registry;
        cycle(work, &requests, label_sets(), |requests, set| requests.with([&set.code, &set.path]).inc())
    };
    vec![Contender::new("tach Family::with", run).note("compares the strings").reference()]
}
