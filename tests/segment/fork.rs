//! A child of `fork` never writes its parent's cells, and never keeps its parent's lock.

use crate::child::{self, Part, is_locked};
use crate::parse::Segment;
use crate::{Dir, path};
use std::io::Read;
use tach::{Recording, Registry};

/// Forks; `child` is run in the child, which ends in order with what it gives.
fn fork(child: impl FnOnce() -> bool) -> libc::pid_t {
    #[allow(unsafe_code)]
    // SAFETY: the other threads of this process, a part of a test, hold no lock that the child takes.
    match unsafe { libc::fork() } {
        0 => {
            let fine = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(false);
            #[allow(unsafe_code)]
            // SAFETY: ends the process, and calls what is to be called then.
            unsafe {
                libc::exit(i32::from(!fine))
            }
        }
        pid => pid,
    }
}

fn exit_code(pid: libc::pid_t) -> i32 {
    let mut status = 0;
    #[allow(unsafe_code)]
    // SAFETY: the status is this function's own.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(waited, pid);
    if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 1000 + libc::WTERMSIG(status) }
}

#[test]
fn a_child_records_to_memory_of_its_own() {
    if let Some(dir) = child::part() {
        let registry = Registry::builder().recording(Recording::Process).segment_dir(&dir).build().unwrap();
        let (counter, gauge) = (registry.counter("tokens").build().unwrap(), registry.gauge("load").build().unwrap());
        let itl = registry.histogram("itl").build().unwrap();
        let family = registry.counter("requests").labels(["n"]).build().unwrap();
        let heap = Registry::new();
        let kept = heap.counter("kept").build().unwrap();
        let removed = family.with(["1"]);
        let record = || {
            counter.add(2);
            gauge.set(1.0);
            itl.record(7);
            removed.inc();
            kept.inc();
        };
        record();
        let pid = fork(|| {
            let before = registry.snapshot();
            assert_eq!((before.counter("tokens", &[]), before.gauge("load", &[])), (Some(0), Some(0.0)));
            counter.add(100);
            gauge.set(5.0);
            itl.record(9);
            let (counter, own) = (counter.clone(), counter.clone());
            std::thread::spawn(move || counter.add(1000)).join().unwrap();
            family.remove(["1"]);
            family.with(["2"]).inc();
            own.add(1);
            let after = registry.snapshot();
            assert_eq!((after.counter("tokens", &[]), after.gauge("load", &[])), (Some(1101), Some(5.0)));
            assert_eq!(after.histogram("itl", &[]).unwrap().count(), 1);
            assert_eq!(after.counter("requests", &[("n", "2")]), Some(1));
            // A heap registry goes on from its parent's totals.
            assert_eq!(heap.snapshot().counter("kept", &[]), Some(1));
            assert!(registry.segment().unwrap().unwrap_err().contains("forked"));
            // A child may have a segment of its own, and a child that has one too.
            let own = Registry::builder().recording(Recording::Process).segment_dir(&dir).build().unwrap();
            let counter = own.counter("tokens").build().unwrap();
            counter.add(8);
            let grandchild = fork(|| {
                counter.add(1);
                own.snapshot().counter("tokens", &[]) == Some(1)
            });
            assert_eq!(exit_code(grandchild), 0);
            Segment::read(&path(&own)).series("tokens", &[]).front[0] == 8
        });
        assert_eq!(exit_code(pid), 0);
        record();
        let file = Segment::read(&path(&registry));
        assert_eq!(file.words[64], 1, "the child's end closes nothing of its parent's");
        assert_eq!(file.series("tokens", &[]).front[0], 4);
        assert_eq!(file.series("load", &[]).front[0], 1_f64.to_bits());
        let itl = file.series("itl", &[]);
        assert_eq!((itl.front[0], itl.front[1]), (2, 14));
        assert_eq!(file.all("requests").len(), 1);
        assert_eq!(file.series("requests", &["1"]).front[0], 2);
        assert!(is_locked(&path(&registry)));
        return;
    }
    let dir = Dir::new("fork");
    child::run(child::command("fork::a_child_records_to_memory_of_its_own", dir.0.to_str().unwrap(), &[]));
}

#[test]
fn the_lock_ends_with_the_parent() {
    if let Some(dir) = child::part() {
        let registry = Registry::builder().recording(Recording::Process).segment_dir(dir).build().unwrap();
        registry.counter("tokens").build().unwrap().inc();
        println!("> {}", path(&registry).display());
        // The child says who it is, and not its parent, for whom it exists before it has given up the lock.
        fork(|| {
            println!("> {}", std::process::id());
            // Until the test ends, whose end of this is closed then.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            true
        });
        loop {
            std::thread::park();
        }
    }
    let dir = Dir::new("fork-lock");
    let (reader, writer) = std::io::pipe().unwrap();
    let mut part = Part::start_with("fork::the_lock_ends_with_the_parent", dir.0.to_str().unwrap(), reader.into());
    let path = std::path::PathBuf::from(part.said());
    let child: u32 = part.said().parse().unwrap();
    assert!(is_locked(&path));
    part.child.kill().unwrap();
    part.child.wait().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).expect("the child lives on");
    assert!(!stat.contains(") Z"), "{stat}");
    assert!(!is_locked(&path));
    drop(writer);
}

#[test]
fn threads_that_record_while_the_process_forks_lose_nothing() {
    const FORKS: u64 = 50;
    if let Some(dir) = child::part() {
        let registry = Registry::builder().recording(Recording::Process).segment_dir(dir).build().unwrap();
        let family = registry.counter("requests").labels(["n"]).build().unwrap();
        let first = registry.counter("first").build().unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        let total: u64 = std::thread::scope(|scope| {
            let recorders = [1, 2, 3].map(|_| {
                scope.spawn(|| {
                    let mut n = 0;
                    // Relaxed: a hint; the values are read after the threads have been joined.
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        // Threads come, and so do extents.
                        let recorded = std::thread::spawn({
                            let series = family.with([&(n % 1000).to_string()]);
                            move || series.inc()
                        });
                        recorded.join().unwrap();
                        n += 1;
                    }
                    n
                })
            });
            for _ in 0..FORKS {
                // A first recording takes the lock that the parent's threads were fighting for.
                let child = fork(|| {
                    first.inc();
                    true
                });
                assert_eq!(exit_code(child), 0);
            }
            // Relaxed: as above.
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            recorders.map(|recorder| recorder.join().unwrap()).iter().sum()
        });
        let file = Segment::read(&path(&registry));
        let found: u64 = file.all("requests").iter().map(|series| series.front[0]).sum();
        assert_eq!((found, file.series("first", &[]).front[0]), (total, 0));
        return;
    }
    let dir = Dir::new("fork-busy");
    let test = "fork::threads_that_record_while_the_process_forks_lose_nothing";
    child::run(child::command(test, dir.0.to_str().unwrap(), &[]));
}

/// Waits until the registry has beaten so often.
fn beaten(registry: &Registry, beats: u64) {
    while Segment::read(&path(registry)).words[66] < beats {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn a_child_has_neither_its_parents_resting_cells_nor_what_it_read() {
    if let Some(dir) = child::part() {
        let registry = Registry::builder().recording(Recording::Process).segment_dir(dir).build().unwrap();
        let family = registry.counter("requests").labels(["n"]).build().unwrap();
        let itl = registry.histogram("itl").build().unwrap();
        itl.record(7);
        beaten(&registry, 2);
        // So many that the map lets go of most of them.
        for n in 0..1000 {
            family.with([&n.to_string()]).add(5);
            family.remove([&n.to_string()]);
        }
        // Nor does the list of the last collection keep any.
        assert_eq!(registry.snapshot().histogram("itl", &[]).unwrap().max(), 7.0);
        let pid = fork(|| {
            itl.record(9);
            (0..1000).for_each(|n| family.with([&n.to_string()]).inc());
            let snapshot = registry.snapshot();
            assert!((0..1000).all(|n| snapshot.counter("requests", &[("n", &n.to_string())]) == Some(1)));
            let itl = snapshot.histogram("itl", &[]).unwrap();
            (itl.count(), itl.max()) == (1, 9.0)
        });
        assert_eq!(exit_code(pid), 0);
        return;
    }
    let dir = Dir::new("fork-rest");
    let test = "fork::a_child_has_neither_its_parents_resting_cells_nor_what_it_read";
    child::run(child::command(test, dir.0.to_str().unwrap(), &[]));
}

#[test]
fn a_beat_leaves_no_lock_to_a_child() {
    if let Some(dir) = child::part() {
        let registry = Registry::builder().recording(Recording::Process).segment_dir(dir).build().unwrap();
        let family = registry.counter("requests").labels(["n"]).limit(30_000).build().unwrap();
        // So many that a beat, which makes a list of them after each change, takes its time.
        for n in 0..10_000 {
            let _ = family.with([&n.to_string()]);
        }
        beaten(&registry, 2);
        let (mut n, until) = (0, Segment::read(&path(&registry)).words[66] + 4);
        while Segment::read(&path(&registry)).words[66] < until {
            n += 1;
            let _ = family.with([&format!("new {n}")]);
            let pid = fork(|| {
                #[allow(unsafe_code)]
                // SAFETY: always sound. A child that waits for ever is ended by a signal.
                unsafe {
                    libc::alarm(20)
                };
                family.with([&format!("child {n}")]).inc();
                registry.counter("another").build().unwrap().inc();
                registry.snapshot().counter("another", &[]) == Some(1)
            });
            assert_eq!(exit_code(pid), 0);
        }
        assert!(n > 10, "{n}");
        return;
    }
    let dir = Dir::new("fork-beat");
    child::run(child::command("fork::a_beat_leaves_no_lock_to_a_child", dir.0.to_str().unwrap(), &[]));
}
