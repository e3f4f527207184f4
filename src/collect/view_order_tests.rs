//! Views of snapshots that come in any order, and of sources that come and go.

use super::view::{Rule, Source, View, ViewFamily, ViewKind};
use crate::describe::LabelValues;
use crate::{Level, Registry, Snapshot, Unit};
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::SystemTime;

fn view(sources: &[(&'static str, Rule)]) -> View {
    let source = |&(metric, rule): &(&'static str, Rule)| Source { metric, only: &[], labels: vec![rule] };
    View::new(vec![ViewFamily {
        name: "v",
        help: "",
        kind: ViewKind::Counter,
        unit: Unit::None,
        labels: &["l"],
        const_labels: Vec::new(),
        ladder: None,
        power: 0,
        sources: sources.iter().map(source).collect(),
    }])
    .unwrap()
}

/// The view of a snapshot, and how each of its series is known.
fn seen(view: &View, base: &Snapshot) -> (Snapshot, Vec<(LabelValues, SystemTime)>) {
    let shown = base.viewed(|_| false, view.apply(base));
    let labels = shown.family("v").map(|family| Arc::clone(&family.labels));
    let series = labels.iter().flat_map(|labels| labels.sets.iter().cloned().zip(labels.began.iter().copied()));
    let series = series.collect();
    (shown, series)
}

fn is_same(a: &(LabelValues, SystemTime), b: &(LabelValues, SystemTime)) -> bool {
    Arc::ptr_eq(&a.0, &b.0) && a.1 == b.1
}

fn value(snapshot: &Snapshot, label: &str) -> Option<u64> {
    snapshot.counter("v", &[("l", label)])
}

#[test]
fn an_older_snapshot_makes_no_series_anew() {
    let registry = Registry::new();
    let steps = registry.counter("steps").labels(["phase", "rank"]).build().unwrap();
    let view = view(&[("steps", Rule::Same("phase"))]);
    steps.with(["decode", "0"]).add(100);
    let s1 = registry.snapshot();
    // One more that goes into a series, and one that makes a series of its own.
    steps.with(["decode", "1"]).add(10);
    steps.with(["prefill", "0"]).add(1);
    let s2 = registry.snapshot();
    steps.with(["prefill", "1"]).add(2);
    let s3 = registry.snapshot();
    for order in [[&s1, &s2, &s1, &s3], [&s2, &s1, &s3, &s2], [&s3, &s1, &s2, &s1]] {
        let seen: Vec<_> = order.map(|base| seen(&view, base)).into();
        for (shown, series) in &seen {
            for (other, others) in &seen {
                assert!(series.iter().zip(others).all(|(a, b)| is_same(a, b)));
                if other.taken() <= shown.taken() {
                    let difference = shown.since(other);
                    let expected = value(shown, "decode").unwrap() - value(other, "decode").unwrap();
                    assert_eq!(value(&difference, "decode"), Some(expected));
                }
            }
        }
    }
}

#[test]
fn what_began_anew_is_another_series_in_every_order() {
    let registry = Registry::new();
    let steps = registry.counter("steps").labels(["phase", "rank"]).build().unwrap();
    let view = view(&[("steps", Rule::Same("phase"))]);
    steps.with(["decode", "0"]).add(100);
    steps.with(["decode", "1"]).add(50);
    steps.with(["prefill", "0"]).add(7);
    let before = registry.snapshot();
    steps.remove(["decode", "0"]);
    let without = registry.snapshot();
    steps.with(["decode", "0"]).add(1);
    let after = registry.snapshot();
    let first = seen(&view, &before);
    let second = seen(&view, &without);
    for (base, expected, other) in [(&before, &first, &second), (&after, &second, &first), (&without, &second, &first)]
    {
        let again = seen(&view, base);
        assert!(is_same(&again.1[0], &expected.1[0]) && !is_same(&again.1[0], &other.1[0]));
        assert!(is_same(&again.1[1], &expected.1[1]) && is_same(&again.1[1], &other.1[1]));
    }
    // Of what has started anew the whole, of the rest nothing.
    let difference = seen(&view, &after).0.since(&first.0);
    assert_eq!((value(&difference, "decode"), value(&difference, "prefill")), (Some(51), Some(0)));
    assert_eq!((second.1[0].1, seen(&view, &after).1[0].1), (without.time(), without.time()));
}

#[test]
fn a_source_that_is_switched_off_takes_no_series_along_that_it_is_no_part_of() {
    let registry = Registry::builder().level(Level::Detailed).build().unwrap();
    let (output, detail) = (registry.counter("output"), registry.counter("detail").level(Level::Detailed));
    let (output, detail) = (output.build().unwrap(), detail.labels(["l"]).build().unwrap());
    output.add(1000);
    detail.with(["prefill"]).add(7);
    let view = view(&[("output", Rule::Constant("decode")), ("detail", Rule::Same("l"))]);
    let now = || seen(&view, &registry.snapshot());
    let first = now();
    registry.set_level(Level::Basic);
    output.add(1);
    let off = now();
    assert_eq!((value(&off.0, "prefill"), value(&off.0.since(&first.0), "decode")), (None, Some(1)));
    registry.set_level(Level::Detailed);
    output.add(2);
    detail.with(["prefill"]).add(3);
    let on = now();
    assert_eq!((value(&on.0.since(&off.0), "decode"), value(&on.0.since(&first.0), "decode")), (Some(2), Some(3)));
    // And one who did not look meanwhile finds the other where it was.
    assert_eq!(value(&on.0.since(&first.0), "prefill"), Some(3));
    assert!(is_same(&on.1[0], &first.1[0]) && is_same(&on.1[0], &off.1[0]) && is_same(&on.1[1], &first.1[1]));
}

#[test]
fn a_series_that_a_source_comes_back_to_does_not_go_on_from_without_it() {
    let registry = Registry::builder().level(Level::Basic).build().unwrap();
    let (output, detail) = (registry.counter("output"), registry.counter("detail").level(Level::Detailed));
    let (output, detail) = (output.build().unwrap(), detail.build().unwrap());
    let view = view(&[("output", Rule::Constant("x")), ("detail", Rule::Constant("x"))]);
    let at = |level| {
        registry.set_level(level);
        output.add(1);
        detail.add(100);
        seen(&view, &registry.snapshot())
    };
    let [first, second, third, fourth] = [Level::Basic, Level::Detailed, Level::Basic, Level::Detailed].map(at);
    let values = [&first, &second, &third, &fourth].map(|seen| value(&seen.0, "x").unwrap());
    assert_eq!(values, [1, 102, 3, 204]);
    assert!(!is_same(&first.1[0], &second.1[0]) && is_same(&first.1[0], &third.1[0]));
    assert!(is_same(&second.1[0], &fourth.1[0]));
    assert_eq!((value(&fourth.0.since(&second.0), "x"), value(&fourth.0.since(&third.0), "x")), (Some(102), Some(204)));
}

#[test]
fn what_is_gone_and_seen_by_nobody_is_forgotten() {
    let registry = Registry::new();
    let steps = registry.counter("steps").labels(["l"]).build().unwrap();
    let view = view(&[("steps", Rule::Same("l"))]);
    steps.with(["lasts"]).inc();
    let held = seen(&view, &registry.snapshot());
    for n in 0..100 {
        let name = n.to_string();
        steps.with([&*name]).inc();
        seen(&view, &registry.snapshot());
        steps.remove([&*name]);
    }
    let last = seen(&view, &registry.snapshot());
    assert!(is_same(&held.1[0], &last.1[0]));
    assert!(view.kept_series() <= 3, "{}", view.kept_series());
}

#[test]
fn what_a_source_makes_that_was_seen_without_it_is_all_that_is_new() {
    let registry = Registry::builder().level(Level::Basic).build().unwrap();
    let output = registry.counter("output").build().unwrap();
    let detail = registry.counter("detail").level(Level::Detailed).labels(["l"]).build().unwrap();
    output.add(1000);
    let view = view(&[("output", Rule::Constant("decode")), ("detail", Rule::Same("l"))]);
    seen(&view, &registry.snapshot());
    registry.set_level(Level::Detailed);
    let before = seen(&view, &registry.snapshot());
    detail.with(["decode"]).add(1);
    let after = seen(&view, &registry.snapshot());
    assert_eq!(value(&after.0.since(&before.0), "decode"), Some(1));
}

proptest! {
    #[test]
    fn a_series_is_another_one_just_where_a_member_was_removed(
        steps in vec((0..2_usize, 0..3_usize), 1..24),
        again in vec(any::<prop::sample::Index>(), 0..48),
    ) {
        const PHASES: [&str; 2] = ["decode", "prefill"];
        let registry = Registry::new();
        let family = registry.counter("steps").labels(["phase", "rank"]).build().unwrap();
        let view = view(&[("steps", Rule::Same("phase"))]);
        let (mut there, mut removals) = ([[false; 3]; 2], [0; 2]);
        let mut taken = Vec::new();
        for (phase, rank) in steps {
            let labels = [PHASES[phase], ["0", "1", "2"][rank]];
            if there[phase][rank] {
                prop_assert!(family.remove(labels));
                removals[phase] += 1;
            } else {
                family.with(labels).inc();
            }
            there[phase][rank] ^= true;
            let base = registry.snapshot();
            let seen = seen(&view, &base).1;
            taken.push((base, seen, removals));
        }
        for at in again {
            let (base, first, removals) = &taken[at.index(taken.len())];
            let again = seen(&view, base).1;
            prop_assert!(again.len() == first.len() && again.iter().zip(first).all(|(a, b)| is_same(a, b)));
            for (_, others, others_removals) in &taken {
                for ((set, _), (other, _)) in again.iter().flat_map(|a| others.iter().map(move |b| (a, b))) {
                    let Some(phase) = PHASES.iter().position(|phase| *set[0] == **phase && set == other) else {
                        continue;
                    };
                    prop_assert_eq!(Arc::ptr_eq(set, other), removals[phase] == others_removals[phase]);
                }
            }
        }
    }
}
