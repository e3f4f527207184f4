//! What the fuzz target `segment` starts from: `fuzz/seeds/segment/`, segments without the zeros at their ends.
//!
//! `TACH_WRITE_SEEDS=1 cargo test --lib seeds` writes them anew.

use super::*;
use crate::reader::{Segment, write};
use crate::{Registry, Unit};

/// With a few series of each kind.
fn mixed(path: &Path) {
    let registry = Registry::builder().namespace("srv").const_label("zone", "x").build().unwrap();
    let requests = registry.counter("requests").help("Requests.").labels(["model", "code"]).build().unwrap();
    requests.with(["a", "200"]).add(9);
    requests.with(["b\"\n", ""]).add(u64::MAX);
    registry.float_counter("energy").unit(Unit::Joules).build().unwrap().add(0.5);
    registry.updown_counter("running").build().unwrap().add(-3);
    let share = registry.gauge("share").unit(Unit::Ratio).aggregate(crate::Aggregate::Last).labels(["gpu"]).build();
    share.unwrap().with(["0"]).set(f64::NAN);
    put(path, &registry);
}

fn histograms(path: &Path) {
    let registry = Registry::new();
    let itl = registry.histogram("itl").unit(Unit::Seconds).digits(1).tick(0.001).max(1.0).buckets([0.01, 0.1]);
    let itl = itl.exact_at([0.033]).labels(["model"]).build().unwrap();
    [0, 1, 7, 33, 34, 50, 101, 5000].iter().for_each(|value| itl.with(["a"]).record(*value));
    itl.with(["b"]).record_n(12, 1000);
    registry.histogram("pages").unit(Unit::Other("pages")).digits(2).max(100.0).build().unwrap().record(3);
    put(path, &registry);
}

fn put(path: &Path, registry: &Registry) {
    let snapshot = registry.snapshot().part(|family| !family.desc.base.starts_with("tach_"));
    write(path, "seed", &snapshot, &[[1, 2]]).unwrap();
}

/// As a process of three threads leaves one that is killed: in each shard a recording under way.
fn killed(path: &Path) {
    let mut records = vec![extent(256)];
    records.extend((0..3).map(|shard| copy(0, shard, CELLS + 8 * 256 * shard)));
    records.extend([metric(5, "a"), series(4, 0, 0, 8), metric(1, "b"), series(6, 0, 200, 0), extent(8)]);
    records.push(copy(8, 0, CELLS + 8 * 768));
    records.extend([metric(4, "c"), series(10, 8, 1, 0), metric(2, "d"), series(12, 8, 7, 0), Record::Folded([5, 6])]);
    let mut made = Made::new(&records, 776);
    for shard in 0..3 {
        made = made.cells(256 * shard, &[shard as u64, 3, 2, !1, 1, 2, 0, 2, 0, 1, 1]).cells(256 * shard + 200, &[4]);
    }
    made = made.cells(768, &[0, 2.5_f64.to_bits()]);
    made.0[header::RESERVED] = 8 * made.0.len() as u64;
    std::fs::write(path, made.bytes()).unwrap();
}

#[test]
fn the_seeds_are_segments() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    // The package has the sources only.
    if !fuzz.is_dir() {
        return;
    }
    let folder = Folder::new("seeds");
    for name in ["mixed", "histograms", "killed"] {
        let (fresh, seed) = (folder.file("fresh.tach"), fuzz.join("seeds/segment").join(name));
        match name {
            "mixed" => mixed(&fresh),
            "histograms" => histograms(&fresh),
            _ => killed(&fresh),
        }
        let bytes = std::fs::read(&fresh).unwrap();
        if std::env::var_os("TACH_WRITE_SEEDS").is_some() {
            let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
            std::fs::write(&seed, &bytes[..used.next_multiple_of(8)]).unwrap();
        }
        let mut padded = std::fs::read(&seed).unwrap();
        padded.resize(bytes.len(), 0);
        let kept = folder.file("kept.tach");
        std::fs::write(&kept, padded).unwrap();
        let [fresh, kept] = [fresh, kept].map(|path| Segment::open(path).unwrap().read().unwrap());
        assert_eq!((kept.faults.len(), &kept.torn), (0, &fresh.torn), "{name}: write the seeds anew: see above");
        assert_eq!(crate::text::render(&kept.snapshot), crate::text::render(&fresh.snapshot), "{name}");
    }
}
