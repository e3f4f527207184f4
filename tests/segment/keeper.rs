//! A collector whose directory has no room, or is read-only.

use crate::child;
use crate::room::mounted;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use tach::reader::{Directory, Options};
use tach::{Recording, Registry};

/// A process that has recorded and ended.
fn ended(dir: &str) {
    let registry = Registry::builder().recording(Recording::Process).segment_dir(dir).build().unwrap();
    assert!(registry.segment().unwrap().is_ok());
    registry.counter("tokens").build().unwrap().add(5);
    let itl = registry.histogram("itl").digits(1).build().unwrap();
    (0..7).for_each(|_| itl.record(1000));
}

/// Opens a directory that keeps no file of a process that is gone.
fn open(dir: &str) -> Directory {
    Directory::open(dir, Options { keep_count: 0, ..Options::default() }).unwrap()
}

fn check(directory: &Directory, processes: u64) {
    let snapshot = directory.read();
    assert_eq!(snapshot.counter("tokens", &[]), Some(5 * processes));
    assert_eq!(snapshot.histogram("itl", &[]).unwrap().count(), 7 * processes);
}

fn segments(dir: &str) -> usize {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".tach") && name != "folded.tach").count()
}

#[test]
fn where_a_fold_finds_no_room_files_stay_and_totals_too() {
    if let Some(dir) = child::part() {
        let directory = open(&dir);
        ended(&dir);
        check(&directory, 1);
        assert_eq!(segments(&dir), 0, "it is folded where there is room");
        ended(&dir);
        ended(&dir);
        let rest = Path::new(&dir).join("rest");
        let mut file = File::create(&rest).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        for _ in 0..3 {
            check(&directory, 3);
            assert_eq!(segments(&dir), 2);
        }
        let faults = directory.faults();
        assert!(faults.iter().any(|fault| fault.contains("folded.tach") && fault.contains("No space")), "{faults:?}");
        check(&open(&dir), 3);
        drop(file);
        fs::remove_file(&rest).unwrap();
        check(&directory, 3);
        assert_eq!(segments(&dir), 0);
        check(&open(&dir), 3);
        println!("> fine");
        return;
    }
    let dir = crate::Dir::new("keeper-full");
    let mount = "mount -t tmpfs -o size=16m,mode=0700 tmpfs \"$D\"";
    let test = "keeper::where_a_fold_finds_no_room_files_stay_and_totals_too";
    let text = mounted(test, dir.0.to_str().unwrap(), mount);
    assert!(text.contains("> fine"), "{text}");
}

#[test]
fn what_is_in_a_read_only_directory_is_read() {
    if let Some(dir) = child::part() {
        ended(&dir);
        ended(&dir);
        let remounted = std::process::Command::new("mount").args(["-o", "remount,ro", &dir]).status();
        assert!(remounted.unwrap().success());
        let directory = open(&dir);
        for _ in 0..3 {
            check(&directory, 2);
        }
        assert!(!directory.is_keeper());
        assert_eq!(segments(&dir), 2);
        let faults = directory.faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains("collector.lock: cannot be locked"), "{faults:?}");
        println!("> fine");
        return;
    }
    let dir = crate::Dir::new("keeper-read-only");
    let mount = "mount -t tmpfs -o mode=0700 tmpfs \"$D\"";
    let text = mounted("keeper::what_is_in_a_read_only_directory_is_read", dir.0.to_str().unwrap(), mount);
    assert!(text.contains("> fine"), "{text}");
}
