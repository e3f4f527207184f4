//! Looking a series up by its label values: strings, and types.

use std::sync::LazyLock;

use tach::{Counter, Family, Registry, TypedFamily};

use crate::contender::{Contender, Work, cycle, repeat};
use crate::values::{SETS, label_sets};

#[derive(Clone, Copy, tach::LabelValue)]
enum Class {
    Informational,
    Success,
    Redirection,
    NotFound,
    OtherClient,
    Unavailable,
    OtherServer,
    Aborted,
}

#[derive(Clone, Copy, tach::LabelValue)]
enum Route {
    Chat,
    Completions,
    Embeddings,
    Models,
    Tokenize,
    Health,
    Metrics,
    Other,
}

#[derive(Clone, Copy, tach::LabelSet)]
struct Closed {
    class: Class,
    route: Route,
}

#[derive(tach::LabelSet)]
struct Open<'a> {
    code: &'a str,
    path: &'a str,
}

const CLASSES: [Class; 8] = [
    Class::Informational,
    Class::Success,
    Class::Redirection,
    Class::NotFound,
    Class::OtherClient,
    Class::Unavailable,
    Class::OtherServer,
    Class::Aborted,
];

const ROUTES: [Route; 8] = [
    Route::Chat,
    Route::Completions,
    Route::Embeddings,
    Route::Models,
    Route::Tokenize,
    Route::Health,
    Route::Metrics,
    Route::Other,
];

/// Every class with every route, shuffled.
fn closed_sets() -> &'static [Closed; SETS] {
    static ALL: LazyLock<[Closed; SETS]> = LazyLock::new(|| {
        let mut all =
            std::array::from_fn(|i| Closed { class: CLASSES[i / ROUTES.len()], route: ROUTES[i % ROUTES.len()] });
        fastrand::Rng::with_seed(11).shuffle(&mut all);
        all
    });
    &ALL
}

fn family() -> (Registry, TypedFamily<Counter, Closed>) {
    let registry = Registry::new();
    let requests = registry.counter("requests").label_set::<Closed>().build().expect("valid description");
    (registry, requests)
}

/// Closed labels that stand in the source: one of 64 series.
pub(crate) fn constant() -> Contender {
    let (registry, requests) = family();
    let run = move |work: &Work<'_>| {
        let _alive = &registry;
        let count = |requests: &TypedFamily<Counter, Closed>| {
            requests.with(Closed { class: Class::Success, route: Route::Chat }).inc()
        };
        repeat(work, &requests, count)
    };
    Contender::new("tach counter by typed labels (dense)", run).note("labels that stand in the source")
}

/// Closed labels that are known at run time only.
pub(crate) fn closed(name: &'static str) -> Contender {
    let (registry, requests) = family();
    let run = move |work: &Work<'_>| {
        let _alive = &registry;
        cycle(work, &requests, closed_sets(), |requests, set| requests.with(*set).inc())
    };
    Contender::new(name, run).note("64 label sets in turn, with a table load")
}

fn open() -> Contender {
    let registry = Registry::new();
    let requests: TypedFamily<Counter, Open<'static>> =
        registry.counter("requests").label_set::<Open<'_>>().limit(1_000).build().expect("valid description");
    let run = move |work: &Work<'_>| {
        let _alive = &registry;
        cycle(work, &requests, label_sets(), |requests, set| {
            requests.with(Open { code: &set.code, path: &set.path }).inc()
        })
    };
    Contender::new("tach TypedFamily::with, two strings", run).note("compares the strings")
}

pub(crate) fn labels() -> Vec<Contender> {
    let registry = Registry::new();
    let requests: Family<Counter, 2> =
        registry.counter("requests").labels(["code", "path"]).limit(1_000).build().expect("valid description");
    let run = move |work: &Work<'_>| {
        let _alive = &registry;
        cycle(work, &requests, label_sets(), |requests, set| requests.with([&set.code, &set.path]).inc())
    };
    vec![
        Contender::new("tach Family::with", run).note("compares the strings").reference(),
        open(),
        closed("tach TypedFamily::with, two enums"),
    ]
}
