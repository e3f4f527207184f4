//! A segment that may hold anything, beside one that is as it should be.

use super::*;
use crate::segment::layout::HEADER_WORDS;

/// Numbers of no order, the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 >> 33) as usize % limit
    }
}

/// A segment with something wrong in it: mostly where its directory says what there is, and seldom in what is checked.
fn damaged(whole: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let directory = 8 * HEADER_WORDS..8 * HEADER_WORDS + 4096;
    for _ in 0..=chance.below(4) {
        let range = if chance.below(8) == 0 { 0..bytes.len() } else { directory.clone() };
        let word = (range.start + chance.below(range.len())) / 8 * 8;
        let now = u64::from_ne_bytes(bytes[word..word + 8].try_into().unwrap());
        let kinds =
            [0, u64::MAX, now.wrapping_add(1), now ^ 1 << chance.below(64), 1 << 63, chance.below(bytes.len()) as u64];
        let other = kinds[chance.below(kinds.len())];
        bytes[word..word + 8].copy_from_slice(&other.to_ne_bytes());
    }
    if chance.below(8) == 0 {
        bytes.truncate(chance.below(whole.len()));
    }
    bytes
}

#[test]
fn a_hostile_segment_does_not_stop_the_others() {
    let folder = Folder::new();
    let mut good = Process::start(&folder, "good");
    let own = good.registry.counter("own").build().unwrap();
    let mut other = Process::start(&folder, "other");
    other.record(3);
    let whole = fs::read(other.die()).unwrap();
    fs::remove_file(folder.0.join("other.tach")).unwrap();
    let path = folder.0.join("hostile.tach");
    let mut chance = Chance(1);
    let directory = folder.open(0);
    for n in 1..=800 {
        let _ = fs::remove_file(&path);
        fs::write(&path, damaged(&whole, &mut chance)).unwrap();
        let held = if chance.below(2) == 0 { lock(&path).unwrap() } else { None };
        own.inc();
        good.record(1);
        let snapshot = directory.read();
        assert_eq!(snapshot.counter("own", &[]), Some(n), "{:?}", directory.faults());
        assert_eq!(snapshot.gauge("load", &[("process", "good")]), Some(1.0));
        // And while it is being changed.
        fs::write(&path, damaged(&whole, &mut chance)).unwrap();
        assert_eq!(directory.read().counter("own", &[]), Some(n));
        drop(held);
    }
    good.die();
    assert_eq!(directory.read().counter("own", &[]), Some(800));
    assert!(directory.faults().len() > 10 && !folder.files().contains(&"good.tach".to_owned()));
    assert_eq!(folder.open(0).read().counter("own", &[]), Some(800));
}
