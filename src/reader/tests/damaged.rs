//! A real segment, damaged at every place: reading it never panics, and makes no more of it than the file is worth.

use super::*;
use crate::reader::{Segment, write};
use crate::{Registry, Unit};
use std::os::unix::fs::FileExt;

/// A page of text is at most so many times the file.
const TIMES: usize = 64;

/// A small segment with something of each kind.
fn real(path: &Path) -> Vec<u8> {
    let registry = Registry::builder().const_label("zone", "x").build().unwrap();
    registry.counter("requests").labels(["model"]).build().unwrap().with(["m"]).add(9);
    registry.float_counter("cost").build().unwrap().add(0.5);
    registry.updown_counter("running").build().unwrap().add(-3);
    registry.gauge("share").aggregate(crate::Aggregate::Last).build().unwrap().set(0.25);
    let itl = registry.histogram("itl").unit(Unit::Seconds).digits(1).tick(0.001).max(1.0).buckets([0.01, 0.1]);
    let itl = itl.build().unwrap();
    [0, 1, 7, 50, 101, 5000].iter().for_each(|value| itl.record(*value));
    let snapshot = registry.snapshot().part(|family| !family.desc.base.starts_with("tach_"));
    write(path, "real", &snapshot, &[[1, 2]]).unwrap();
    std::fs::read(path).unwrap()
}

fn look(path: &Path, bytes: usize) -> bool {
    let Ok(mut segment) = Segment::open(path) else { return false };
    let Ok(reading) = segment.read() else { return false };
    assert!(render(&reading) <= 3 * (TIMES * bytes + (1 << 20)));
    true
}

#[test]
fn any_byte_may_be_another() {
    let folder = Folder::new("bytes");
    let path = folder.file("one.tach");
    let bytes = real(&path);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    // All that is not zero, and some that are.
    let places = bytes.iter().enumerate().filter(|(place, byte)| **byte != 0 || place % 37 == 0);
    let mut read = 0;
    for (place, &byte) in places {
        for other in [0, 0xff, byte ^ 1, byte ^ 0x80] {
            file.write_all_at(&[other], place as u64).unwrap();
            read += u32::from(look(&path, bytes.len()));
        }
        file.write_all_at(&[byte], place as u64).unwrap();
    }
    assert!(look(&path, bytes.len()) && read > 100);
}

#[test]
fn any_word_may_be_any_number() {
    let folder = Folder::new("words");
    let path = folder.file("one.tach");
    let bytes = real(&path);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    for word in 0..bytes.len() / 8 {
        // The constants are covered by the check word, and cells by other tests.
        if bytes[8 * word..][..8] == [0; 8] && word > HEADER_WORDS + 700 {
            continue;
        }
        for value in [0, 1, u64::MAX, 1 << 32 | 2, 4096, 1 << 60, i64::MAX as u64] {
            file.write_all_at(&value.to_ne_bytes(), 8 * word as u64).unwrap();
            look(&path, bytes.len());
        }
        file.write_all_at(&bytes[8 * word..][..8], 8 * word as u64).unwrap();
    }
    assert!(look(&path, bytes.len()));
}

#[test]
fn any_beginning_of_it_may_be_all() {
    let folder = Folder::new("lengths");
    let path = folder.file("one.tach");
    let bytes = real(&path);
    for len in (0..bytes.len()).step_by(61) {
        std::fs::write(&path, &bytes[..len]).unwrap();
        look(&path, bytes.len());
    }
}
