//! A directory of segments whose processes are killed while they record.

use super::Dir;
use super::child::{self, Part};
use std::fs;
use std::io::{Read, Write};
use std::thread;
use std::time::Duration;
use tach::reader::{Directory, Life, Options, Segment};
use tach::{Exporter, Recording, Registry, Snapshot, Unit, Windows};

const THREADS: u64 = 2;
const PROCESSES: u64 = 12;

/// Records until it is killed: each thread a token, then the gap before it.
fn record(dir: &str) {
    let registry = Registry::builder().recording(Recording::Process).segment_dir(dir).process_name("worker");
    let registry = registry.build().unwrap();
    let tokens = registry.counter("tokens").build().unwrap();
    let itl = registry.histogram("itl").unit(Unit::Seconds).buckets([0.01]).build().unwrap();
    registry.gauge("load").build().unwrap().set(1.0);
    println!("> {}", registry.segment().unwrap().unwrap().display());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for n in 0_u64.. {
                    tokens.inc();
                    itl.record(1_000_000 + n % 50 * 1_000_000);
                    // So that a machine with few cores has time for the others.
                    if n.is_multiple_of(4096) {
                        thread::sleep(Duration::from_micros(200));
                    }
                }
            });
        }
    });
}

fn totals(snapshot: &Snapshot) -> (u64, u64) {
    let count = snapshot.histogram("itl", &[]).map_or(0, tach::HistogramSnapshot::count);
    (snapshot.counter("tokens", &[]).unwrap_or(0), count)
}

#[test]
fn totals_of_killed_processes_are_exact_and_never_fall() {
    if let Some(dir) = child::part() {
        return record(&dir);
    }
    let dir = Dir::new("fleet");
    let options = Options { keep_count: 2, ..Options::default() };
    let mut directory = Directory::open(&dir.0, options).unwrap();
    let (mut last, mut exact) = ((0, 0), (0, 0));
    let mut watch = |directory: &Directory| {
        let now = totals(&directory.read());
        assert!(now.0 >= last.0 && now.1 >= last.1, "{now:?} after {last:?}");
        last = now;
    };
    let start = || {
        let mut part =
            Part::start("fleet::totals_of_killed_processes_are_exact_and_never_fall", dir.0.to_str().unwrap());
        let path = part.said();
        (part, path)
    };
    let mut running = vec![start()];
    for number in 1..=PROCESSES {
        if number < PROCESSES {
            running.push(start());
        }
        for _ in 0..number % 5 {
            watch(&directory);
            thread::sleep(Duration::from_millis(number % 3 + 1));
        }
        let (mut part, path) = running.remove(0);
        part.child.kill().unwrap();
        part.child.wait().unwrap();
        let reading = Segment::open(&path).unwrap().read().unwrap();
        assert_eq!(reading.info.life, Life::Died);
        assert!(reading.torn.len() as u64 <= THREADS, "{:?}", reading.torn);
        let (tokens, gaps) = totals(&reading.snapshot);
        assert!(gaps <= tokens && tokens - gaps <= THREADS, "{tokens} tokens and {gaps} gaps");
        exact = (exact.0 + tokens, exact.1 + gaps);
        watch(&directory);
        // The collector is killed, too, or ends: it has nothing that is not in a file.
        if number % 4 == 0 {
            directory = Directory::open(&dir.0, options).unwrap();
            watch(&directory);
        }
    }
    assert_eq!(totals(&directory.read()), exact);
    assert_eq!(directory.segments().len(), 2);
    let names = fs::read_dir(&dir.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.ends_with(".tach")).count(), 3);
    assert!(directory.faults().iter().all(|fault| fault.contains("collector.lock")), "{:?}", directory.faults());

    // And what an exporter serves of it.
    let registry = Registry::new();
    directory.attach_to(&registry);
    let exporter = Exporter::builder().listen("127.0.0.1:0").start(&registry).unwrap();
    let mut client = std::net::TcpStream::connect(exporter.local_addr()).unwrap();
    client.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    client.read_to_string(&mut page).unwrap();
    for line in [format!("\ntokens_total {}\n", exact.0), format!("\nitl_seconds_count {}\n", exact.1)] {
        assert!(page.contains(&line), "{line} is not in {page}");
    }
    assert!(page.contains("\ntach_segments{state=\"died\"} 2\n"), "{page}");
    assert!(!page.contains("\nload{"), "{page}");
}

#[test]
fn windows_are_kept_of_what_other_processes_record() {
    let dir = Dir::new("fleet-windows");
    let registry = Registry::new();
    Directory::open(&dir.0, Options::default()).unwrap().attach_to(&registry);
    // Before there is any.
    let windows = Windows::start(&registry, &["itl"], &[Duration::from_secs(3600)]).unwrap();
    let process = dir.builder().build().unwrap();
    let itl = process.histogram("itl").build().unwrap();
    itl.record(5);
    let hour = Duration::from_secs(3600);
    // It was not there when the window began.
    assert!(windows.histogram("itl", &[], hour).is_none());
    let late = Windows::start(&registry, &["itl"], &[hour]).unwrap();
    itl.record(7);
    let since = late.histogram("itl", &[], hour).unwrap();
    assert_eq!((since.count(), since.max()), (1, 7.0));
}
