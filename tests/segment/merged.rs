//! Series that several registries have, each as a process of its own: what differences make of their parts.

use super::Dir;
use tach::reader::{Directory, Options};
use tach::{Registry, Snapshot};

const X: [&str; 1] = ["x"];

fn record(registry: &Registry, n: u64) {
    registry.counter("tokens").labels(["l"]).build().unwrap().with(X).add(n);
    registry.float_counter("busy").labels(["l"]).build().unwrap().with(X).add(n as f64);
    registry.histogram("itl").labels(["l"]).build().unwrap().with(X).record_n(1, n);
}

fn remove(registry: &Registry) {
    registry.counter("tokens").labels(["l"]).build().unwrap().remove(X);
    registry.float_counter("busy").labels(["l"]).build().unwrap().remove(X);
    registry.histogram("itl").labels(["l"]).build().unwrap().remove(X);
}

/// Tokens, busy, and how many gaps.
fn totals(snapshot: &Snapshot) -> (u64, f64, u64) {
    let labels = &[("l", "x")];
    let count = snapshot.histogram("itl", labels).unwrap().count();
    (snapshot.counter("tokens", labels).unwrap(), snapshot.float_counter("busy", labels).unwrap(), count)
}

#[test]
fn what_is_left_when_a_process_removes_its_part_is_not_new() {
    let dir = Dir::new("merged");
    let parts = [dir.builder().build().unwrap(), dir.builder().build().unwrap()];
    let directory = Directory::open(&dir.0, Options::default()).unwrap();
    parts.iter().for_each(|part| record(part, 20));
    let both = directory.read();
    remove(&parts[1]);
    let one = directory.read();
    assert_eq!((totals(&both), totals(&one)), ((40, 40.0, 40), (20, 20.0, 20)));
    assert_eq!(totals(&one.since(&both)), (0, 0.0, 0));
    record(&parts[0], 5);
    let more = directory.read();
    assert_eq!(totals(&more.since(&one)), (5, 5.0, 5));
    // The other one too: so what is there then is new.
    remove(&parts[0]);
    record(&parts[0], 2);
    record(&parts[1], 1);
    assert_eq!(totals(&directory.read().since(&more)), (3, 3.0, 3));
}

#[cfg(feature = "otlp")]
#[test]
fn totals_of_a_directory_begin_with_their_series() {
    use std::time::{SystemTime, UNIX_EPOCH};
    use tach::otlp::{Encoder, Resource, Temporality};

    let dir = Dir::new("merged-otlp");
    let earliest = SystemTime::now();
    let part = dir.builder().build().unwrap();
    record(&part, 20);
    let latest = SystemTime::now();
    std::thread::sleep(std::time::Duration::from_millis(2));
    let collector = Registry::new();
    Directory::open(&dir.0, Options::default()).unwrap().attach_to(&collector);
    collector.counter("own").build().unwrap().inc();
    let snapshot = collector.snapshot();
    let nanos = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let request = Encoder::new(Resource::new()).temporality(temporality).encode(&snapshot);
        let starts = |name: &str| starts(&request, name);
        for name in ["tokens", "busy", "itl"] {
            let [start] = starts(name)[..] else { panic!("{name} has one point") };
            assert!((nanos(earliest)..=nanos(latest)).contains(&start), "{name}: {start}");
        }
        assert_eq!(starts("own"), [nanos(collector.snapshot().began())]);
    }
}

/// The starts of a metric's points in a request of OTLP.
#[cfg(feature = "otlp")]
fn starts(request: &[u8], name: &str) -> Vec<u64> {
    let metrics = fields(request, &[1, 2, 2]);
    let is_it = |metric: &&&[u8]| fields(metric, &[1]) == [name.as_bytes()];
    let metric = metrics.iter().find(is_it).unwrap();
    // As a sum, or an exponential histogram.
    let points = [7, 10].iter().flat_map(|kind| fields(metric, &[*kind, 1]));
    points.flat_map(|point| fields(point, &[2])).map(|start| u64::from_le_bytes(start.try_into().unwrap())).collect()
}

/// The bytes of the fields at a path of numbers in a message of protobuf.
#[cfg(feature = "otlp")]
fn fields<'a>(mut message: &'a [u8], path: &[u64]) -> Vec<&'a [u8]> {
    let Some((wanted, rest)) = path.split_first() else { return vec![message] };
    let varint = |bytes: &mut &'a [u8]| {
        let len = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let (head, tail) = bytes.split_at(len);
        *bytes = tail;
        head.iter().rev().fold(0_u64, |value, byte| value << 7 | u64::from(byte & 0x7f))
    };
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let len = match key & 7 {
            0 => {
                varint(&mut message);
                continue;
            }
            1 => 8,
            2 => varint(&mut message) as usize,
            wire => panic!("wire type {wire}"),
        };
        let (value, tail) = message.split_at(len);
        message = tail;
        if key >> 3 == *wanted {
            found.extend(fields(value, rest));
        }
    }
    found
}

#[test]
fn what_its_only_process_makes_again_is_new() {
    let dir = Dir::new("merged-again");
    let part = dir.builder().build().unwrap();
    let directory = Directory::open(&dir.0, Options::default()).unwrap();
    record(&part, 3);
    let first = directory.read();
    remove(&part);
    // More than before: it does not fall.
    record(&part, 5);
    assert_eq!(totals(&directory.read().since(&first)), (5, 5.0, 5));
}

#[test]
fn a_process_with_other_constant_labels_makes_no_series_of_the_others_new() {
    let dir = Dir::new("merged-constant");
    let part = |gpu: &str| dir.builder().const_label("gpu", gpu).const_label("host", "h").build().unwrap();
    let directory = Directory::open(&dir.0, Options::default()).unwrap();
    let first = part("0");
    record(&first, 1000);
    let alone = directory.read();
    let second = part("1");
    record(&second, 7);
    record(&first, 1);
    let both = directory.read();
    let of = |snapshot: &Snapshot, gpu: &str| snapshot.counter("tokens", &[("gpu", gpu), ("l", "x")]).unwrap();
    assert_eq!((of(&both, "0"), of(&both, "1")), (1001, 7));
    let difference = both.since(&alone);
    assert_eq!((of(&difference, "0"), of(&difference, "1")), (1, 7));
    // And where it is alone again.
    remove(&second);
    drop(second);
    record(&first, 2);
    let again = directory.read();
    assert_eq!(again.since(&both).counter("tokens", &[("gpu", "0"), ("l", "x")]), Some(2));
}
