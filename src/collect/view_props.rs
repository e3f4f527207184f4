//! Views of anything: against the exposition of the source, one histogram of all values, and plain counting.

use super::view::{Rule, Source, View, ViewFamily, ViewKind};
use crate::{HistogramSnapshot, Registry, Snapshot, Unit, text};
use proptest::collection::vec;
use proptest::prelude::*;

const MODELS: [&str; 3] = ["m", "n\"", ""];
const PHASES: [&str; 2] = ["decode", "prefill"];

fn family(kind: ViewKind, name: &'static str, metrics: &[&'static str], rules: &[Rule]) -> ViewFamily {
    let source = |&metric: &&'static str| Source { metric, only: &[], labels: rules.to_vec() };
    let sources = metrics.iter().map(source).collect();
    let (help, unit, const_labels) = ("Help.", Unit::None, Vec::new());
    ViewFamily { name, help, kind, unit, labels: &[], const_labels, ladder: None, power: 0, sources }
}

fn only(families: Vec<ViewFamily>, base: &Snapshot) -> Snapshot {
    base.viewed(|_| false, View::new(families).unwrap().apply(base))
}

/// Ticks, and the place of their label values.
fn values() -> impl Strategy<Value = Vec<(u64, usize, usize)>> {
    let ticks = (any::<u64>(), 24..64_u32).prop_map(|(value, cut)| value >> cut);
    // At the bounds and beside them, where it matters.
    let edges = (0..LADDER.len(), 0..3_u64).prop_map(|(at, beside)| (LADDER[at] * 1e6) as u64 + beside - 1);
    vec((prop_oneof![ticks, edges], 0..MODELS.len(), 0..PHASES.len()), 0..60)
}

/// In milliseconds: of one server, and of another.
const LADDER: [f64; 6] = [0.3, 1.0, 17.3, 250.0, 250.001, 40_000.0];
const OTHER: [f64; 4] = [0.5, 17.2, 17.3, 60_000.0];

fn assert_same(one: &HistogramSnapshot, other: &HistogramSnapshot) {
    let all = |h: &HistogramSnapshot| {
        let quantiles = [0.0, 0.1, 0.5, 0.9, 0.999, 1.0].map(|q| h.quantile(q).to_bits());
        let ends = [h.sum(), h.min(), h.max()].map(f64::to_bits);
        (h.count(), h.clamped(), ends, quantiles, h.buckets().collect::<Vec<_>>(), h.bucket_count_le(23.0))
    };
    assert_eq!(all(one), all(other));
    assert!(one.to_hdr() == other.to_hdr());
}

proptest! {
    #[test]
    fn identity_gives_the_text_of_the_source(values in values(), floats in vec(any::<f64>(), 3), down in any::<i64>()) {
        let registry = Registry::builder().const_label("zone", "eu").build().unwrap();
        let itl = registry.histogram("base_itl").help("Help.").tick(1e-6).buckets(LADDER).labels(["model", "phase"]);
        let itl = itl.build().unwrap();
        let tokens = registry.counter("base_tokens").help("Help.").labels(["model"]).build().unwrap();
        let energy = registry.float_counter("base_energy").help("Help.").labels(["phase"]).build().unwrap();
        registry.updown_counter("base_running").help("Help.").build().unwrap().add(down);
        let usage = registry.gauge("base_usage").help("Help.").labels(["model"]).build().unwrap();
        for (ticks, model, phase) in values {
            itl.with([MODELS[model], PHASES[phase]]).record(ticks);
            tokens.with([MODELS[model]]).add(ticks);
            energy.with([PHASES[phase]]).add(ticks as f64 / 7.0);
            usage.with([MODELS[model]]).set(floats[model]);
        }
        let base = registry.snapshot();
        let (model, phase) = (Rule::Same("model"), Rule::Same("phase"));
        let of = |kind, name, metric: &'static str, rules: &[Rule]| family(kind, name, &[metric], rules);
        let families = vec![
            ViewFamily {
                labels: &["model", "phase"],
                ..of(ViewKind::Histogram, "view_itl", "base_itl", &[model, phase])
            },
            ViewFamily { labels: &["model"], ..of(ViewKind::Counter, "view_tokens", "base_tokens", &[model]) },
            ViewFamily { labels: &["phase"], ..of(ViewKind::Counter, "view_energy", "base_energy", &[phase]) },
            of(ViewKind::Gauge, "view_running", "base_running", &[]),
            ViewFamily { labels: &["model"], ..of(ViewKind::Gauge, "view_usage", "base_usage", &[model]) },
        ];
        let viewed = text::render(&only(families, &base));
        let page = text::render(&base.viewed(|name| name.starts_with("base_"), Vec::new()));
        prop_assert_eq!(viewed, page.replace("base_", "view_"));
    }

    #[test]
    fn merged_series_are_one_histogram_of_all_values(before in values(), after in values()) {
        let registry = Registry::new();
        let build = |name| registry.histogram(name).tick(1e-6).max(50_000.0).buckets(LADDER).exact_at([23.0]);
        let itl = build("itl").labels(["model", "phase"]).build().unwrap();
        let all = [build("decode").build().unwrap(), build("prefill").build().unwrap()];
        let view = View::new(vec![ViewFamily {
            labels: &["phase"],
            ..family(ViewKind::Histogram, "itl", &["itl"], &[Rule::Same("phase")])
        }]).unwrap();
        let mut taken = Vec::new();
        for values in [before, after] {
            for (ticks, model, phase) in values {
                itl.with([MODELS[model], PHASES[phase]]).record(ticks);
                all[phase].record(ticks);
            }
            let base = registry.snapshot();
            taken.push((base.viewed(|_| false, view.apply(&base)), base));
        }
        let differences = (taken[1].0.since(&taken[0].0), taken[1].1.since(&taken[0].1));
        for (viewed, base) in &taken {
            for phase in PHASES {
                let one = base.histogram(phase, &[]).unwrap();
                match viewed.histogram("itl", &[("phase", phase)]) {
                    Some(merged) => assert_same(merged, one),
                    None => prop_assert_eq!(one.count(), 0),
                }
            }
        }
        for phase in PHASES {
            if let Some(merged) = differences.0.histogram("itl", &[("phase", phase)]) {
                let one = differences.1.histogram(phase, &[]).unwrap();
                prop_assert_eq!((merged.count(), merged.sum()), (one.count(), one.sum()));
                prop_assert!(merged.buckets().eq(one.buckets()));
            }
        }
    }

    #[test]
    fn converted_counts_are_those_of_the_values(here in values(), there in values(), digits in 1..=3_u8) {
        let registry = Registry::new();
        let build = |name| registry.histogram(name).unit(Unit::Milliseconds).buckets(LADDER);
        // Cells of other widths, split at other bounds besides.
        let first = build("first").exact_at(OTHER).build().unwrap();
        let second = build("second").max(90_000.0).digits(digits).exact_at([0.7, 299.0].iter().chain(&OTHER).copied());
        let second = second.build().unwrap();
        here.iter().for_each(|(ticks, ..)| first.record(*ticks));
        there.iter().for_each(|(ticks, ..)| second.record(*ticks));
        let ladder: Vec<f64> = OTHER.iter().map(|bound| bound / 1e3).collect();
        let seconds = |name, metrics: &[&'static str], ladder: Option<Vec<f64>>| {
            ViewFamily { unit: Unit::Seconds, power: -3, ladder, ..family(ViewKind::Histogram, name, metrics, &[]) }
        };
        let both = ["first", "second"];
        let view = View::new(vec![
            seconds("other", &both, Some(ladder.clone())),
            seconds("declared", &both, None),
            seconds("reversed", &["second", "first"], Some(ladder.clone())),
        ]).unwrap();
        let base = registry.snapshot();
        prop_assert_eq!(view.faults(&base), Vec::<String>::new());
        let viewed = base.viewed(|_| false, view.apply(&base));
        // The default maximum of the first is an hour, beyond any value; the second's clamps.
        let all: Vec<u64> =
            here.iter().map(|value| value.0).chain(there.iter().map(|value| value.0.min(90_000_000_000))).collect();
        let below = |bound: f64| all.iter().filter(|ticks| **ticks as f64 / 1e6 <= bound).count() as u64;
        let buckets = |name: &str| viewed.histogram(name, &[]).unwrap().buckets().collect::<Vec<_>>();
        let expected: Vec<(f64, u64)> = ladder.iter().zip(OTHER).map(|(le, bound)| (*le, below(bound))).collect();
        prop_assert_eq!(&buckets("other"), &expected);
        prop_assert_eq!(&buckets("reversed"), &expected);
        let declared = [0.0003, 0.001, 0.0173, 0.25, 0.250001, 40.0];
        let expected: Vec<(f64, u64)> = declared.into_iter().zip(LADDER.map(below)).collect();
        prop_assert_eq!(&buckets("declared"), &expected);
        let other = viewed.histogram("other", &[]).unwrap();
        let sum: u128 = all.iter().copied().map(u128::from).sum();
        prop_assert_eq!((other.count(), other.sum()), (all.len() as u64, sum as f64 / 1e9));
        for bound in LADDER {
            prop_assert_eq!(other.bucket_count_le(bound / 1e3), below(bound));
        }
        if let (Some(low), Some(high)) = (all.iter().min(), all.iter().max()) {
            prop_assert_eq!((other.min(), other.max()), (*low as f64 / 1e9, *high as f64 / 1e9));
            // The order of the sources does not matter, nor that one of them has fewer cells.
            let reversed = viewed.histogram("reversed", &[]).unwrap();
            prop_assert_eq!((other.quantile(1.0), reversed.quantile(1.0)), (other.max(), other.max()));
        }
    }
}
