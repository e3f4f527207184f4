//! A snapshot that is written, opened and read is the same.

use super::Folder;
use crate::collect::{FamilySnapshot, Values};
use crate::reader::{Life, Segment, write};
use crate::{Registry, Snapshot, Unit};
use proptest::prelude::*;

/// The families that a process records itself.
fn users(snapshot: &Snapshot) -> Snapshot {
    snapshot.part(|family| !family.desc.base.starts_with("tach_"))
}

/// Everything about a family, as text.
fn told(family: &FamilySnapshot) -> String {
    let desc = &family.desc;
    let sets: Vec<_> = family.labels.sets.iter().zip(&family.labels.began).collect();
    let values = match &family.values {
        Values::Histogram(values) => {
            let one = |h: &crate::HistogramSnapshot| {
                format!("{} {:?} {} {} {:?}", h.count(), h.ticks(), h.clamped(), h.is_exact(), h.cells())
            };
            values.iter().map(one).collect::<Vec<_>>().join("\n")
        }
        // With the bits of a NaN.
        Values::Gauge(values) => format!("{:?}", values.iter().map(|value| value.to_bits()).collect::<Vec<_>>()),
        other => format!("{other:?}"),
    };
    format!(
        "{} {} {} {:?} {} {:?} {:?} {:?} {:?} {:?} {sets:?} {values}",
        desc.name,
        desc.base,
        desc.dotted,
        desc.help,
        desc.kind,
        desc.unit,
        desc.level,
        desc.aggregate,
        desc.labels,
        desc.const_labels,
    )
}

fn all(snapshot: &Snapshot) -> Vec<String> {
    snapshot.families().iter().map(told).collect()
}

fn check(folder: &Folder, snapshot: &Snapshot) {
    let path = folder.file("one.tach");
    assert_eq!(write(&path, "namé", snapshot, &[[1, 2], [3, 4]]).unwrap(), [""; 0]);
    let mut segment = Segment::open(&path).unwrap();
    let reading = segment.read().unwrap();
    assert_eq!(reading.faults, [""; 0]);
    assert_eq!((&*reading.info.name, reading.info.life), ("namé", Life::Closed));
    assert_eq!((reading.folded.len(), reading.torn.len()), (2, 0));
    assert_eq!(all(&reading.snapshot), all(snapshot));
    assert_eq!(crate::text::render(&reading.snapshot), crate::text::render(snapshot));
    // What does not change stays the same in memory, too.
    let again = segment.read().unwrap().snapshot;
    for (a, b) in reading.snapshot.families().iter().zip(again.families()) {
        assert!(std::sync::Arc::ptr_eq(&a.labels, &b.labels) && std::sync::Arc::ptr_eq(&a.desc, &b.desc));
    }
    assert_eq!(all(&again), all(snapshot));
}

#[test]
fn an_empty_one_reads_back() {
    check(&Folder::new("empty"), &users(&Registry::new().snapshot()));
}

#[derive(Clone, Debug)]
struct Given {
    counts: Vec<(String, u64)>,
    float: f64,
    steps: Vec<i64>,
    gauge: u64,
    digits: u8,
    values: Vec<(u64, u32)>,
}

fn given() -> impl Strategy<Value = Given> {
    let counts = prop::collection::vec((".{0,9}", any::<u64>()), 0..5);
    let values =
        prop::collection::vec(((0..64_u32, any::<u64>()).prop_map(|(cut, value)| value >> cut), 1..9_u32), 0..40);
    (counts, 0.0..1e9_f64, prop::collection::vec(any::<i64>(), 0..3), any::<u64>(), 1..=3_u8, values)
        .prop_map(|(counts, float, steps, gauge, digits, values)| Given { counts, float, steps, gauge, digits, values })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_is_written_reads_back(given in given()) {
        let folder = Folder::new("round");
        let registry = Registry::builder().namespace("a.b").const_label("zone", "x\"y").build().unwrap();
        let family = registry.counter("requests").help("Zahl\n\\ü").unit(Unit::Other("pages")).labels(["model"]);
        let family = family.build().unwrap();
        for (label, n) in &given.counts {
            family.with([label]).add(*n);
        }
        registry.float_counter("cost").unit(Unit::Joules).build().unwrap().add(given.float);
        let running = registry.updown_counter("running").build().unwrap();
        given.steps.iter().for_each(|step| running.add(*step));
        registry.gauge("share").aggregate(crate::Aggregate::Last).build().unwrap().set(f64::from_bits(given.gauge));
        let itl = registry.histogram("itl").unit(Unit::Seconds).digits(given.digits).buckets([0.0, 1e-9, 0.025, 0.3]);
        let itl = itl.exact_at([0.1]).max(10.0).build().unwrap();
        registry.histogram("unused").build().unwrap();
        given.values.iter().for_each(|(value, n)| itl.record_n(*value, u64::from(*n)));
        let snapshot = users(&registry.snapshot());
        check(&folder, &snapshot);
    }
}
