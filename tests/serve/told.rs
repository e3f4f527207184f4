//! What is told as a whole: of the adapters, and of the engine's state. These have metrics of their own.

use tach::serve::{Clock, Identity, Metrics, Objectives, Profile, Profiles, SleepState};
use tach::{Registry, text};

fn attach(metrics: &Metrics, registry: &Registry) {
    let profiles = Profiles::new(&[Profile::MaxServe, Profile::Vllm], &Identity::default()).unwrap();
    metrics.attach(registry, &profiles, Objectives::default(), Clock::manual().0).unwrap();
}

/// What the gauge has of each state: awake, offloaded, discarded.
fn states(registry: &Registry) -> [f64; 3] {
    let snapshot = registry.snapshot();
    let value = |state| snapshot.gauge("maxserve.engine_sleep_state", &[("sleep_state", state)]).unwrap();
    ["awake", "weights_offloaded", "discard_all"].map(value)
}

#[test]
fn the_engine_is_in_one_state() {
    let (registry, metrics) = (Registry::new(), Metrics::new());
    metrics.engine_state(SleepState::DiscardAll);
    attach(&metrics, &registry);
    assert_eq!(states(&registry), [1.0, 0.0, 0.0]);
    for (state, expected) in [
        (SleepState::DiscardAll, [0.0, 0.0, 1.0]),
        (SleepState::WeightsOffloaded, [0.0, 1.0, 0.0]),
        (SleepState::Awake, [1.0, 0.0, 0.0]),
        (SleepState::WeightsOffloaded, [0.0, 1.0, 0.0]),
    ] {
        metrics.engine_state(state);
        assert_eq!(states(&registry), expected);
    }
    // Attaching again wakes nobody.
    attach(&metrics, &registry);
    assert_eq!(states(&registry), [0.0, 1.0, 0.0]);
}

#[test]
fn threads_that_tell_states_at_once_leave_one() {
    let (registry, metrics) = (Registry::new(), Metrics::new());
    attach(&metrics, &registry);
    std::thread::scope(|scope| {
        for state in [SleepState::Awake, SleepState::DiscardAll] {
            let metrics = &metrics;
            scope.spawn(move || (0..10_000).for_each(|_| metrics.engine_state(state)));
        }
    });
    assert_eq!(states(&registry).iter().sum::<f64>(), 1.0);
}

/// The label values of the one series: waiting and running adapters.
fn adapters(registry: &Registry) -> [String; 2] {
    let page = text::render(&registry.snapshot());
    let mut lines = page.lines().filter(|line| line.starts_with("maxserve_lora_requests_info{"));
    let (line, None) = (lines.next().unwrap(), lines.next()) else { panic!("{page}") };
    ["waiting", "running"].map(|which| {
        // A label without a value is left out.
        let (_, rest) = line.split_once(&format!("{which}_lora_adapters=\"")).unwrap_or(("", "\""));
        rest.split_once('"').unwrap().0.to_owned()
    })
}

#[test]
fn lists_of_adapters_are_cut_between_names() {
    let (registry, metrics) = (Registry::new(), Metrics::new());
    attach(&metrics, &registry);
    // Of 64 bytes with its comma: sixteen have 1023 bytes.
    let names: Vec<String> = (0..100).map(|n| format!("{n:063}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let fitting = names[..16].join(",");
    assert_eq!(fitting.len(), 1023);
    metrics.lora_requests_info(4, &names, &names[..16], 1.0);
    assert_eq!(adapters(&registry), [fitting.clone(), fitting.clone()]);
    // To the byte.
    let [most, more] = [896, 897].map(|len| "x".repeat(len));
    metrics.lora_requests_info(4, &[names[0], &most, names[1]], &[names[0], names[1], &more], 2.0);
    let [waiting, running] = adapters(&registry);
    assert_eq!((waiting.len(), running.len()), (127, 1024));
    // And what follows replaces it.
    metrics.lora_requests_info(4, &["sql"], &[&"x".repeat(1025)], 3.0);
    assert_eq!(adapters(&registry), ["", "sql"]);
    assert_eq!(registry.snapshot().counter("tach_overflow_series", &[]), Some(0));
}
