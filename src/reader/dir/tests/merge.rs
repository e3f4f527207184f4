//! Readings of registries in this process, merged.

use super::super::merge::{Merged, Merger, Purpose};
use crate::collect::Data;
use crate::reader::{Info, Life, Reading};
use crate::{Aggregate, Registry, Snapshot, Unit, text};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// A registry's values as if they had been read from a segment.
fn reading(name: &str, id: u64, life: Life, registry: &Registry) -> Reading {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(id);
    let info = Info {
        path: PathBuf::from(format!("{id}.tach")),
        id: [id << 32, id],
        name: name.to_owned(),
        pid: 7,
        created: time,
        beat: time,
        interval: Duration::from_secs(1),
        life,
        fallbacks: 0,
        bytes: 0,
    };
    let snapshot = registry.snapshot().part(|family| !family.desc.base.starts_with("tach_"));
    Reading { info, snapshot, torn: Vec::new(), faults: Vec::new(), folded: Vec::new(), set: Vec::new() }
}

fn snapshot(merged: &Merged) -> Snapshot {
    let (taken, time) = (Instant::now(), SystemTime::now());
    Snapshot::new(Data { taken, time, began: time, elapsed: None, families: merged.families.clone() })
}

fn merge(readings: &[&Reading]) -> Merged {
    Merger::default().merge(readings, Purpose::Show)
}

/// A process with one of each kind, all at `n`.
fn process(n: u32, labels: &[(&str, &str)]) -> Registry {
    let builder = labels.iter().fold(Registry::builder(), |builder, (name, value)| builder.const_label(*name, *value));
    let registry = builder.build().unwrap();
    let codes = registry.counter("requests").labels(["code"]).build().unwrap();
    codes.with(["200"]).add(n.into());
    codes.with([&format!("50{n}")]).inc();
    registry.float_counter("busy").unit(Unit::Seconds).build().unwrap().add(f64::from(n) / 10.0);
    registry.updown_counter("running").build().unwrap().add(n.into());
    registry.gauge("load").build().unwrap().set(n.into());
    for (name, aggregate) in
        [("sum", Aggregate::Sum), ("max", Aggregate::Max), ("min", Aggregate::Min), ("last", Aggregate::Last)]
    {
        registry.gauge(name).aggregate(aggregate).build().unwrap().set(n.into());
    }
    let itl = registry.histogram("itl").unit(Unit::Seconds).buckets([0.01, 0.02]).build().unwrap();
    (0..n).for_each(|_| itl.record(u64::from(n) * 5_000_000));
    registry
}

#[test]
fn totals_are_of_all_and_gauges_of_those_that_live() {
    let mut c = reading("c", 3, Life::Stuck, &process(3, &[]));
    let mut a = reading("a", 1, Life::Running, &process(1, &[]));
    for (reading, time) in [(&mut a, 20), (&mut c, 10)] {
        let times = |base: &str| if base == "last" { Box::from([time]) } else { Box::default() };
        reading.set = reading.snapshot.families().iter().map(|family| times(&family.desc.base)).collect();
    }
    let (b, d) = (reading("b", 2, Life::Died, &process(2, &[])), reading("d", 4, Life::Closed, &process(4, &[])));
    let merged = merge(&[&c, &a, &d, &b]);
    assert!(merged.faults.is_empty());
    let all = snapshot(&merged);
    assert_eq!(all.counter("requests", &[("code", "200")]), Some(10));
    assert_eq!(all.counter("requests", &[("code", "502")]), Some(1));
    assert_eq!(all.float_counter("busy", &[]), Some(1.0));
    assert_eq!(all.gauge("running", &[]), Some(4.0));
    assert_eq!(all.gauge("load", &[("process", "a")]), Some(1.0));
    assert_eq!(all.gauge("load", &[("process", "c")]), Some(3.0));
    assert_eq!(all.gauge("load", &[("process", "b")]), None);
    let gauges = ["sum", "max", "min", "last"].map(|name| all.gauge(name, &[]).unwrap());
    assert_eq!(gauges, [4.0, 3.0, 1.0, 1.0]);
    let itl = all.histogram("itl", &[]).unwrap();
    assert_eq!((itl.count(), itl.min(), itl.max()), (10, 0.005, 0.02));
    assert!((itl.sum() - 0.15).abs() < 1e-12);
    assert_eq!(itl.buckets().collect::<Vec<_>>(), [(0.01, 3), (0.02, 10)]);
    let page = text::render(&all);
    assert!(page.contains("requests_total{code=\"504\"} 1\n"), "{page}");
    assert!(page.contains("itl_seconds_bucket{le=\"0.01\"} 3\n"), "{page}");
}

#[test]
fn of_times_that_are_equal_the_newer_segments_counts() {
    let (new, old) =
        (reading("n", 2, Life::Running, &process(5, &[])), reading("o", 1, Life::Running, &process(6, &[])));
    assert_eq!(snapshot(&merge(&[&new, &old])).gauge("last", &[]), Some(5.0));
}

#[test]
fn processes_of_one_name_are_told_apart() {
    let names = |readings: &[&Reading]| {
        let merged = merge(readings);
        let load = merged.families.iter().find(|family| family.desc.base == "load").unwrap();
        load.labels.sets.iter().map(|set| set[0].to_string()).collect::<Vec<_>>()
    };
    let one = process(1, &[]);
    let mut worker = reading("worker", 1, Life::Running, &one);
    let mut other = reading("worker", 2, Life::Running, &one);
    let dead = reading("worker", 3, Life::Died, &one);
    assert_eq!(names(&[&worker, &dead]), ["worker"]);
    other.info.pid = 8;
    assert_eq!(names(&[&worker, &other, &dead]), ["worker-7", "worker-8"]);
    other.info.pid = 7;
    assert_eq!(names(&[&worker, &other]), ["worker-7-00000001", "worker-7-00000002"]);
    // A name that is what another one's becomes.
    let third = reading("worker-7", 4, Life::Running, &one);
    worker.info.pid = 9;
    assert_eq!(names(&[&worker, &other, &third]), ["worker-7-00000002", "worker-7-7", "worker-9"]);
}

#[test]
fn constant_labels_that_differ_tell_series_apart() {
    let a = reading("a", 1, Life::Running, &process(1, &[("zone", "z"), ("gpu", "0")]));
    let b = reading("b", 2, Life::Died, &process(2, &[("zone", "z"), ("gpu", "1")]));
    let c = reading("c", 3, Life::Died, &process(3, &[("zone", "z")]));
    let page = text::render(&snapshot(&merge(&[&a, &b, &c])));
    for line in [
        "requests_total{zone=\"z\",gpu=\"0\",code=\"200\"} 1\n",
        "requests_total{zone=\"z\",gpu=\"1\",code=\"200\"} 2\n",
        "requests_total{zone=\"z\",code=\"200\"} 3\n",
        // Of one process there is nothing to tell.
        "load{zone=\"z\",gpu=\"0\",process=\"a\"} 1",
    ] {
        assert!(page.contains(line), "{line} is not in {page}");
    }
    let named = reading("n", 4, Life::Running, &process(1, &[("process", "mine")]));
    assert!(text::render(&snapshot(&merge(&[&named]))).contains("load{process=\"mine\",tach_process=\"n\"} 1"));
}

#[test]
fn the_first_description_counts_and_others_are_left_out() {
    let make = |bounds: &[f64], label: &str, kind: u8| {
        let registry = Registry::new();
        registry.histogram("itl").buckets(bounds.to_vec()).build().unwrap().record(3);
        registry.counter("requests").labels([label]).build().unwrap().with(["x"]).inc();
        match kind {
            0 => registry.gauge("load").aggregate(Aggregate::Sum).build().unwrap().set(1.0),
            1 => registry.gauge("load").aggregate(Aggregate::Max).build().unwrap().set(1.0),
            _ => registry.updown_counter("load").build().unwrap().add(1),
        }
        registry
    };
    let first = reading("a", 1, Life::Running, &make(&[1.0, 2.0], "code", 0));
    let other = reading("b", 2, Life::Running, &make(&[1.0], "status", 1));
    let third = reading("c", 3, Life::Running, &make(&[1.0, 2.0], "code", 2));
    let merged = merge(&[&first, &other, &third]);
    let all = snapshot(&merged);
    assert_eq!(all.histogram("itl", &[]).unwrap().count(), 2);
    assert_eq!(all.counter("requests", &[("code", "x")]), Some(2));
    assert_eq!(all.gauge("load", &[]), Some(1.0));
    let faults: Vec<_> = merged.faults.iter().map(|(path, text)| format!("{}: {text}", path.display())).collect();
    assert_eq!(faults.len(), 4, "{faults:?}");
    for start in ["2.tach: itl ", "2.tach: requests ", "2.tach: load ", "3.tach: load "] {
        assert!(faults.iter().any(|fault| fault.starts_with(start)), "{start}: {faults:?}");
    }
}

#[test]
fn what_is_the_same_is_kept_from_one_merge_to_the_next() {
    let (one, two) = (process(1, &[]), process(2, &[]));
    let mut merger = Merger::default();
    let mut families = |registries: &[&Registry]| {
        let readings: Vec<_> = (1..).zip(registries).map(|(id, all)| reading("p", id, Life::Running, all)).collect();
        let readings: Vec<_> = readings.iter().collect();
        let families = merger.merge(&readings, Purpose::Show).families;
        families.into_iter().find(|family| family.desc.base == "requests").unwrap()
    };
    let before = families(&[&one]);
    let after = families(&[&one]);
    assert!(Arc::ptr_eq(&before.labels, &after.labels) && Arc::ptr_eq(&before.desc, &after.desc));
    // One more process with no series of its own.
    let empty = Registry::new();
    empty.counter("requests").labels(["code"]).build().unwrap();
    let after = families(&[&one, &empty]);
    assert!(Arc::ptr_eq(&before.labels, &after.labels) && Arc::ptr_eq(&before.desc, &after.desc));
    assert_eq!(families(&[&one, &two]).labels.sets.len(), 3);
}

#[test]
fn sums_that_are_too_large_saturate() {
    let full = |n: u64| {
        let registry = Registry::new();
        registry.counter("c").build().unwrap().add(n);
        reading("p", 1, Life::Died, &registry)
    };
    let merged = merge(&[&full(u64::MAX), &full(5)]);
    assert_eq!(snapshot(&merged).counter("c", &[]), Some(u64::MAX));
}

#[test]
fn a_fold_has_totals_only() {
    let all = [reading("a", 1, Life::Running, &process(1, &[])), reading("b", 2, Life::Died, &process(2, &[]))];
    let merged = Merger::default().merge(&all.iter().collect::<Vec<_>>(), Purpose::Fold);
    let names: Vec<_> = merged.families.iter().map(|family| &*family.desc.base).collect();
    assert_eq!(names, ["busy_seconds", "itl_seconds", "requests"]);
}

#[test]
fn a_fold_is_not_below_what_it_is_of() {
    let busy = |id: u64, life: Life, seconds: f64| {
        let registry = Registry::new();
        registry.float_counter("busy").build().unwrap().add(seconds);
        reading("p", id, life, &registry)
    };
    let half = f64::EPSILON / 2.0;
    let (one, small, alive) = (busy(1, Life::Died, 1.0), busy(2, Life::Died, half), busy(3, Life::Running, half));
    let before = snapshot(&merge(&[&alive, &small, &one])).float_counter("busy", &[]).unwrap();
    let fold = Merger::default().merge(&[&small, &one], Purpose::Fold);
    let fold = busy(4, Life::Closed, snapshot(&fold).float_counter("busy", &[]).unwrap());
    assert!(snapshot(&merge(&[&alive, &fold])).float_counter("busy", &[]).unwrap() >= before);
}
