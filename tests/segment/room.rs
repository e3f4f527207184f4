//! Where the file has no room: limits, a full or read-only tmpfs. Each in a process of its own.

use crate::child;
use crate::parse::Segment;
use std::process::Command;
use tach::{Recording, Registry};

/// Has three threads record to more metrics than fit, and checks that nothing is lost here; gives what the file holds.
fn overfill(registry: &Registry) -> usize {
    const SERIES: usize = 400;
    let family = registry.histogram("itl").labels(["n"]).build().unwrap();
    let counters = registry.counter("tokens").labels(["n"]).build().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for n in 0..SERIES {
                    let name = n.to_string();
                    family.with([&name]).record(n as u64);
                    counters.with([&name]).inc();
                }
            });
        }
    });
    let snapshot = registry.snapshot();
    for n in 0..SERIES {
        let name = n.to_string();
        assert_eq!(snapshot.counter("tokens", &[("n", &name)]), Some(3));
        assert_eq!(snapshot.histogram("itl", &[("n", &name)]).unwrap().count(), 3);
    }
    assert!(snapshot.counter("tach_segment_fallbacks", &[]).unwrap() > 0);
    let file = Segment::read(registry.segment().unwrap().unwrap());
    assert!(file.words[69] > 0);
    let series = file.all("itl");
    assert!(series.iter().all(|series| series.front[0] <= 3));
    series.len()
}

fn process(dir: &str) -> Registry {
    Registry::builder().recording(Recording::Process).segment_dir(dir).build().unwrap()
}

#[test]
fn beyond_the_limit_of_file_sizes_cells_are_in_memory() {
    const TEST: &str = "room::beyond_the_limit_of_file_sizes_cells_are_in_memory";
    if let Some(dir) = child::part() {
        // Whatever is on the way to a beat has been warned of by then.
        let series = overfill(&process(&dir));
        assert!(series > 10 && series < 400, "{series}");
        println!("> fine");
        return;
    }
    let dir = crate::Dir::new("limit");
    // Blocks of 512 bytes: 2 MiB.
    let shell = ["sh", "-c", "ulimit -f 4096 && exec \"$0\" \"$@\""];
    let text = child::run(child::command(TEST, dir.0.to_str().unwrap(), &shell));
    assert!(text.contains("> fine"), "{text}");
}

/// Runs a part in which `mount` has been run with these arguments for the directory. In namespaces, so that nobody else
/// sees it, and every user may where the system lets them.
pub(crate) fn mounted(test: &str, dir: &str, mount: &str) -> String {
    std::fs::create_dir_all(dir).unwrap();
    let script = format!("{mount} && exec \"$0\" \"$@\"");
    let works = Command::new("unshare").args(["-rm", "sh", "-c", mount]).env("D", dir).output();
    assert!(
        works.as_ref().is_ok_and(|output| output.status.success()),
        "this test needs `unshare -rm`, to mount a tmpfs of its own: allow user namespaces, or run it as root: {works:?}"
    );
    let mut command = child::command(test, dir, &["unshare", "-rm", "sh", "-c", &script]);
    command.env("D", dir);
    child::run(command)
}

#[test]
fn on_a_full_tmpfs_cells_are_in_memory() {
    if let Some(dir) = child::part() {
        let registry = process(&dir);
        let series = overfill(&registry);
        assert!(series > 10 && series < 400, "{series}");
        // The beat tells.
        std::thread::sleep(std::time::Duration::from_millis(2500));
        drop(registry);
        // Extents are large, so that something may be left behind the last; then not even a first block fits.
        let mut rest = std::fs::File::create(std::path::Path::new(&dir).join("rest")).unwrap();
        while std::io::Write::write_all(&mut rest, &[0; 4096]).is_ok() {}
        let none = process(&dir);
        assert!(none.segment().unwrap().unwrap_err().contains("cannot reserve"), "{:?}", none.segment());
        println!("> fine");
        return;
    }
    let dir = crate::Dir::new("full");
    let mount = "mount -t tmpfs -o size=2m,mode=0700 tmpfs \"$D\"";
    let text = mounted("room::on_a_full_tmpfs_cells_are_in_memory", dir.0.to_str().unwrap(), mount);
    assert!(text.contains("> fine"), "{text}");
    assert_eq!(text.matches("has no room for all metrics").count(), 1, "{text}");
    assert_eq!(text.matches("no other process will see").count(), 1, "{text}");
}

#[test]
fn in_a_read_only_directory_there_is_no_segment() {
    if let Some(dir) = child::part() {
        let registry = process(&dir);
        let why = registry.segment().unwrap().unwrap_err();
        assert!(why.contains("cannot make a file in") && why.contains("ead-only file system"), "{why}");
        registry.counter("tokens").build().unwrap().inc();
        assert_eq!(registry.snapshot().counter("tokens", &[]), Some(1));
        println!("> fine");
        return;
    }
    let dir = crate::Dir::new("read-only");
    let mount = "mount -t tmpfs -o ro tmpfs \"$D\"";
    let text = mounted("room::in_a_read_only_directory_there_is_no_segment", dir.0.to_str().unwrap(), mount);
    assert!(text.contains("> fine"), "{text}");
}

#[test]
fn without_mappings_cells_are_in_memory_and_the_file_stays_as_large() {
    const TEST: &str = "room::without_mappings_cells_are_in_memory_and_the_file_stays_as_large";
    if let Some(dir) = child::part() {
        const SERIES: usize = 300;
        let registry = process(&dir);
        let family = registry.histogram("itl").labels(["n"]).build().unwrap();
        family.with(["0"]).record(0);
        let file = registry.segment().unwrap().unwrap().to_owned();
        let size = || std::fs::metadata(&file).unwrap().len();
        let before = size();
        // As many as the system lets a process have: two that follow each other differ, so that none become one.
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE;
        let map = |access| {
            #[allow(unsafe_code)]
            // SAFETY: new mappings at addresses of the kernel's choice, which nobody uses.
            let address = unsafe { libc::mmap(std::ptr::null_mut(), 4096, access, flags, -1, 0) };
            address != libc::MAP_FAILED
        };
        while map(libc::PROT_NONE) && map(libc::PROT_READ) {}
        for n in 0..SERIES {
            family.with([&n.to_string()]).record(1 + n as u64);
        }
        let snapshot = registry.snapshot();
        for n in 1..SERIES {
            assert_eq!(snapshot.histogram("itl", &[("n", &n.to_string())]).unwrap().count(), 1, "{n}");
        }
        assert_eq!(snapshot.counter("tach_overflow_series", &[]), Some(0));
        assert!(snapshot.counter("tach_segment_fallbacks", &[]).unwrap() > 0);
        // What is reserved in vain is reserved again: the largest extent is a megabyte.
        assert!(size() - before <= 1 << 20, "{before} {}", size());
        println!("> fine");
        return;
    }
    let dir = crate::Dir::new("mappings");
    let text = child::run(child::command(TEST, dir.0.to_str().unwrap(), &[]));
    assert!(text.contains("> fine"), "{text}");
}
