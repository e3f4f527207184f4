//! How segments begin, end and outlive their process.

use crate::child::{self, Part, is_locked};
use crate::parse::Segment;
use crate::{Dir, parsed, path};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use tach::{Recording, Registry};

/// The only segment of a directory.
fn only(dir: &Path) -> std::path::PathBuf {
    let mut files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let file = files.next().expect("a segment");
    assert!(files.next().is_none() && file.extension().is_some_and(|extension| extension == "tach"), "{file:?}");
    file
}

#[test]
fn two_registries_have_two_files() {
    let dir = Dir::new("two");
    let (one, other) = (dir.builder().build().unwrap(), dir.builder().build().unwrap());
    assert_ne!(path(&one), path(&other));
    let counters = [&one, &other].map(|registry| registry.counter("tokens").build().unwrap());
    counters[0].add(1);
    counters[1].add(2);
    assert_eq!(parsed(&one).series("tokens", &[]).front[0], 1);
    assert_eq!(parsed(&other).series("tokens", &[]).front[0], 2);
    let name = path(&one).file_name().unwrap().to_str().unwrap().to_owned();
    let id = name.strip_prefix(&format!("test-{}-", std::process::id())).and_then(|rest| rest.strip_suffix(".tach"));
    assert!(id.is_some_and(|id| id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit())), "{name}");
    assert_eq!(std::fs::metadata(path(&one)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(&dir.0).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_dropped_registry_leaves_its_totals_closed() {
    let dir = Dir::new("dropped");
    let registry = dir.builder().build().unwrap();
    let (counter, gauge) = (registry.counter("tokens").build().unwrap(), registry.gauge("load").build().unwrap());
    counter.add(5);
    gauge.set(1.5);
    let path = path(&registry);
    assert!(is_locked(&path));
    drop(registry);
    let check = |file: Segment| {
        assert_eq!((file.words[64], file.series("tokens", &[]).front[0]), (2, 5));
        assert_eq!(file.series("load", &[]).front[0], 1.5_f64.to_bits());
    };
    check(Segment::read(&path));
    assert!(!is_locked(&path));
    // Nor does the end of the last handle change anything; and the cells serve another registry, from zero.
    drop((counter, gauge));
    let next = Registry::new();
    let counter = next.counter("tokens").build().unwrap();
    counter.add(1);
    assert_eq!(next.snapshot().counter("tokens", &[]), Some(1));
    check(Segment::read(&path));
}

#[test]
fn a_killed_process_leaves_its_totals() {
    if let Some(dir) = child::part() {
        let registry = Registry::builder().recording(Recording::Process).segment_dir(dir).build().unwrap();
        let counter = registry.counter("tokens").build().unwrap();
        std::thread::spawn(move || counter.add(11)).join().unwrap();
        println!("> ready");
        loop {
            std::thread::park();
        }
    }
    let dir = Dir::new("killed");
    let mut part = Part::start("life::a_killed_process_leaves_its_totals", dir.0.to_str().unwrap());
    assert_eq!(part.said(), "ready");
    let path = only(&dir.0);
    assert!(is_locked(&path));
    part.child.kill().unwrap();
    part.child.wait().unwrap();
    assert!(!is_locked(&path));
    let file = Segment::read(&path);
    assert_eq!((file.words[64], file.series("tokens", &[]).front[0]), (1, 11));
    assert_eq!(file.words[5], u64::from(part.child.id()));
    assert!(file.words[6] > 0 && file.words[9] > 0 && file.words[7] | file.words[8] != 0);
}

#[test]
fn a_process_that_ends_in_order_closes_its_segment() {
    if let Some(dir) = child::part() {
        let registry = Registry::builder().recording(Recording::Process).segment_dir(dir).build().unwrap();
        registry.counter("tokens").build().unwrap().add(3);
        // As a static would, it outlives `main`.
        std::mem::forget(registry);
        return;
    }
    let dir = Dir::new("ended");
    child::run(child::command("life::a_process_that_ends_in_order_closes_its_segment", dir.0.to_str().unwrap(), &[]));
    let file = Segment::read(&only(&dir.0));
    assert_eq!((file.words[64], file.series("tokens", &[]).front[0]), (2, 3));
}

#[test]
fn the_environment_says_where_and_who() {
    if child::part().is_some() {
        let registry = Registry::builder().recording(Recording::Process).build().unwrap();
        println!("> {}", registry.segment().unwrap().unwrap().display());
        return;
    }
    let dir = Dir::new("environment");
    let mut command = child::command("life::the_environment_says_where_and_who", "", &[]);
    command.env("TACH_SEGMENT_DIR", &dir.0).env("TACH_PROCESS_NAME", "../wörker 1");
    let text = child::run(command);
    let file = only(&dir.0);
    assert!(text.contains(&format!("> {}", file.display())), "{text}");
    assert!(file.file_name().unwrap().to_str().unwrap().starts_with("___w_rker_1-"), "{file:?}");
    assert_eq!(Segment::read(&file).name(), "../wörker 1");
}

/// A registry that has no segment, because of something with these words in it, records all the same.
fn falls_back(registry: &Registry, words: &[&str]) {
    let why = registry.segment().unwrap().unwrap_err();
    assert!(words.iter().all(|word| why.contains(word)), "{why}");
    let (counter, gauge) = (registry.counter("tokens").build().unwrap(), registry.gauge("load").build().unwrap());
    counter.add(4);
    gauge.set(2.0);
    let snapshot = registry.snapshot();
    assert_eq!((snapshot.counter("tokens", &[]), snapshot.gauge("load", &[])), (Some(4), Some(2.0)));
    assert_eq!(snapshot.counter("tach_segment_fallbacks", &[]), Some(1));
}

#[test]
fn where_there_can_be_no_segment_recording_goes_on() {
    let builder = |dir: &Path| Registry::builder().recording(Recording::Process).segment_dir(dir);
    falls_back(&builder(Path::new(env!("CARGO_MANIFEST_DIR"))).build().unwrap(), &["is not on tmpfs"]);
    falls_back(&builder(Path::new("/dev/shm/tach-none/deeper")).build().unwrap(), &["cannot make the directory"]);
    let dir = Dir::new("file");
    std::fs::write(&dir.0, "").unwrap();
    falls_back(&dir.builder().build().unwrap(), &["cannot open the directory"]);
    std::fs::remove_file(&dir.0).unwrap();
    // A link is followed where it is the user's choice.
    let other = Dir::new("linked");
    std::fs::create_dir(&other.0).unwrap();
    symlink(&other.0, &dir.0).unwrap();
    assert!(dir.builder().build().unwrap().segment().unwrap().is_ok());
    std::fs::remove_file(&dir.0).unwrap();
}
