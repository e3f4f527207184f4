//! Processes that come and go, files that are removed, copied and no segments.

use super::{Folder, Process, age, totals};
use crate::reader::Life;
use crate::{Registry, text};
use std::fs;
use std::time::Duration;

#[test]
fn processes_come_and_go_and_their_totals_stay() {
    let folder = Folder::new();
    let directory = folder.open(1);
    assert_eq!(totals(&directory.read()), (0, 0.0, 0, 0.0));
    let (mut a, mut b) = (Process::start(&folder, "a"), Process::start(&folder, "b"));
    a.record(3);
    b.record(4);
    let all = directory.read();
    assert_eq!(totals(&all), (7, 0.7, 7, 0.025));
    assert_eq!(
        (all.gauge("load", &[("process", "a")]), all.gauge("load", &[("process", "b")])),
        (Some(3.0), Some(4.0))
    );
    assert_eq!(all.gauge("tach_segments", &[("state", "running")]), Some(2.0));
    a.record(2);
    a.die();
    let all = directory.read();
    assert_eq!(totals(&all), (9, 0.9, 9, 0.029));
    assert_eq!(all.gauge("load", &[("process", "a")]), None);
    let lives: Vec<_> = directory.segments().into_iter().map(|info| (info.name, info.life)).collect();
    assert_eq!(lives, [("a".to_owned(), Life::Died), ("b".to_owned(), Life::Running)]);
    b.die();
    // One of the two is too many.
    assert_eq!(totals(&directory.read()), (9, 0.9, 9, 0.029));
    assert_eq!(folder.files().len(), 2, "{:?}", folder.files());
    assert!(folder.files().contains(&"folded.tach".to_owned()));
    assert_eq!(directory.read().counter("tach_segments_folded", &[]), Some(1));
    assert_eq!(totals(&folder.open(1).read()), (9, 0.9, 9, 0.029));
    assert_eq!(directory.faults(), Vec::<String>::new());
}

#[test]
fn a_file_is_kept_for_a_while() {
    let folder = Folder::new();
    let directory = folder.open(16);
    let mut a = Process::start(&folder, "a");
    a.record(5);
    let path = a.die();
    let _ = directory.read();
    assert_eq!(folder.files(), ["a.tach"]);
    age(&path, Duration::from_secs(3700));
    // What was read when it was gone already is not read again: another one looks at it anew.
    drop(directory);
    let directory = folder.open(16);
    assert_eq!(totals(&directory.read()).0, 5);
    assert_eq!(folder.files(), ["folded.tach"]);
    assert!(directory.segments().is_empty());
}

#[test]
fn what_a_removed_file_counted_is_kept_and_goes_on() {
    let folder = Folder::new();
    let directory = folder.open(16);
    let mut a = Process::start(&folder, "a");
    a.record(5);
    assert_eq!(totals(&directory.read()).0, 5);
    fs::remove_file(&a.path).unwrap();
    assert_eq!(totals(&directory.read()).0, 5);
    // Its writer does not know.
    a.record(1);
    assert_eq!(totals(&directory.read()).0, 6);
    let mut again = Process::start(&folder, "a");
    again.record(10);
    assert_eq!(totals(&directory.read()).0, 16);
    a.record(1);
    a.die();
    assert_eq!(totals(&directory.read()).0, 17);
    // It has no file any more, and so its totals were moved at once.
    assert_eq!(folder.files(), ["a.tach", "folded.tach"]);
    drop(directory);
    assert_eq!(totals(&folder.open(16).read()).0, 17);
}

#[test]
fn files_that_are_no_use_stop_nothing_and_are_named_once() {
    let folder = Folder::new();
    let mut a = Process::start(&folder, "a");
    a.record(5);
    let at = |name: &str| folder.0.join(name);
    fs::write(at("b.tach"), vec![7_u8; 10_000]).unwrap();
    fs::copy(&a.path, at("c.tach")).unwrap();
    fs::create_dir(at("d.tach")).unwrap();
    std::os::unix::fs::symlink(&a.path, at("e.tach")).unwrap();
    fs::copy(&a.path, at(".f.tach")).unwrap();
    fs::copy(&a.path, at("g.other")).unwrap();
    let directory = folder.open(16);
    for _ in 0..3 {
        assert_eq!(totals(&directory.read()).0, 5);
    }
    let faults = directory.faults();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].contains("b.tach: ") && faults[1].contains("is a copy of"), "{faults:?}");
    assert_eq!(directory.read().counter("tach_segment_faults", &[]), Some(2));
    // It is looked at again when it is another one.
    let mut b = Process::start(&folder, "b");
    b.record(1);
    assert_eq!(totals(&directory.read()).0, 6);
}

#[test]
fn a_segment_that_is_cut_keeps_what_it_had() {
    let folder = Folder::new();
    let directory = folder.open(0);
    let mut a = Process::start(&folder, "a");
    a.record(5);
    assert_eq!(totals(&directory.read()).0, 5);
    a.lock.as_ref().unwrap().set_len(4096).unwrap();
    assert_eq!(totals(&directory.read()).0, 5);
    a.lock = None;
    assert_eq!(totals(&directory.read()).0, 5);
    assert_eq!(directory.faults().len(), 1, "{:?}", directory.faults());
    drop(directory);
    assert_eq!(totals(&folder.open(0).read()).0, 5);
}

#[test]
fn a_second_one_only_reads_until_the_first_is_gone() {
    let folder = Folder::new();
    let first = folder.open(0);
    let _ = first.read();
    let second = folder.open(0);
    let (mut a, mut b) = (Process::start(&folder, "a"), Process::start(&folder, "b"));
    a.record(1);
    b.record(2);
    assert_eq!(totals(&second.read()).0, 3);
    assert!(first.is_keeper() && !second.is_keeper());
    assert!(second.faults()[0].contains("only reads"), "{:?}", second.faults());
    a.die();
    assert_eq!(totals(&second.read()).0, 3);
    assert_eq!(folder.files(), ["a.tach", "b.tach"]);
    assert_eq!(totals(&first.read()).0, 3);
    assert_eq!(folder.files(), ["b.tach", "folded.tach"]);
    // What it had seen die is not counted beside the fold.
    assert_eq!(totals(&second.read()).0, 3);
    drop(first);
    b.die();
    assert_eq!(totals(&second.read()).0, 3);
    assert!(second.is_keeper());
    assert_eq!(folder.files(), ["folded.tach"]);
}

#[test]
fn a_fold_that_is_damaged_is_not_replaced() {
    let folder = Folder::new();
    fs::create_dir_all(&folder.0).unwrap();
    fs::write(folder.0.join("folded.tach"), "no segment").unwrap();
    let mut a = Process::start(&folder, "a");
    a.record(1);
    a.die();
    let directory = folder.open(0);
    assert_eq!(totals(&directory.read()).0, 1);
    assert_eq!(folder.files(), ["a.tach", "folded.tach"]);
    assert!(directory.faults().iter().any(|fault| fault.contains("is not replaced")), "{:?}", directory.faults());
    // A copy of a fold elsewhere is no process.
    fs::remove_file(folder.0.join("folded.tach")).unwrap();
    assert_eq!(totals(&directory.read()).0, 1);
    fs::copy(folder.0.join("folded.tach"), folder.0.join("copy.tach")).unwrap();
    assert_eq!(totals(&directory.read()).0, 1);
    assert_eq!(folder.files(), ["copy.tach", "folded.tach"]);
}

#[test]
fn a_registry_shows_what_is_attached() {
    let folder = Folder::new();
    let mut a = Process::start(&folder, "a");
    a.record(5);
    let registry = Registry::builder().namespace("own").const_label("zone", "z").build().unwrap();
    registry.counter("tokens").build().unwrap().add(1);
    folder.open(16).attach_to(&registry);
    let page = text::render(&registry.snapshot());
    for line in ["\nown_tokens_total{zone=\"z\"} 1\n", "\ntokens_total 5\n", "\ntach_segments{state=\"running\"} 1\n"] {
        assert!(page.contains(line), "{line} is not in {page}");
    }
    assert_eq!(registry.histograms(|name| name == "itl").histogram("itl", &[]).unwrap().count(), 5);
    // One name is the registry's own metric's.
    let other = Registry::new();
    other.gauge("tokens").build().unwrap().set(9.0);
    folder.open(16).attach_to(&other);
    let page = text::render(&other.snapshot());
    assert!(
        page.contains("\ntokens 9\n") && !page.contains("tokens_total") && page.contains("\nbusy_total 0.5\n"),
        "{page}"
    );
}
