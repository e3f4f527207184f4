//! Processes killed at random moments while several threads record: what they had recorded is in their segments.
//!
//! Each thread of the victim has series of its own and records a sequence of values that only the thread's number
//! decides, so how many values there are says what they must be. Beside that it writes down, every few recordings, how
//! many it has completed.

use crate::Dir;
use crate::child::{self, Part};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use tach::reader::{Life, Segment};
use tach::{Counter, Family, Histogram, HistogramSnapshot, Recording, Registry, Unit};

const THREADS: u64 = 3;
/// Recordings between two notes of how many there were.
const BATCH: u64 = 32;

/// The `n`th value that a thread records, in nanoseconds: small and large ones, so that ranges widen now and then.
fn value(thread: u64, n: u64) -> u64 {
    let mixed = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ thread << 17;
    (mixed >> 13) % 1_000_000 * (1 + n % 7)
}

fn registry(dir: &Path) -> Registry {
    let builder = Registry::builder().recording(Recording::Process).process_name("victim");
    builder.segment_dir(dir).build().expect("the registry is made")
}

struct Metrics {
    tokens: Family<Counter, 1>,
    itl: Family<Histogram, 1>,
}

fn metrics(registry: &Registry) -> Metrics {
    Metrics {
        tokens: registry.counter("tokens").labels(["thread"]).build().unwrap(),
        itl: registry.histogram("itl").unit(Unit::Seconds).buckets([0.0001, 0.001]).labels(["thread"]).build().unwrap(),
    }
}

/// Records until it is killed.
fn victim(dir: &Path) -> ! {
    let registry = registry(dir);
    let metrics = metrics(&registry);
    let notes = File::options().write(true).open(dir.join("notes")).expect("the notes are there");
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (metrics, notes) = (&metrics, &notes);
            scope.spawn(move || {
                let label = number.to_string();
                let (tokens, itl) = (metrics.tokens.with([&label]), metrics.itl.with([&label]));
                for n in 0.. {
                    itl.record(value(number, n));
                    tokens.inc();
                    if (n + 1) % BATCH == 0 {
                        notes.write_all_at(&(n + 1).to_le_bytes(), number * 8).expect("a note is written");
                    }
                }
            });
        }
    });
    unreachable!("the threads record for ever")
}

/// The segments in a directory.
fn segments(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "tach")).collect()
}

fn start(dir: &Path) -> Part {
    fs::create_dir(dir).unwrap();
    fs::write(dir.join("notes"), [0; 8 * THREADS as usize]).unwrap();
    Part::start("crash::whatever_was_recorded_before_a_kill_is_in_the_segment", dir.to_str().unwrap())
}

/// What a thread had noted.
fn noted(dir: &Path, thread: usize) -> u64 {
    let notes = fs::read(dir.join("notes")).unwrap();
    u64::from_le_bytes(notes[thread * 8..thread * 8 + 8].try_into().unwrap())
}

/// Kills at moments that differ from run to run.
fn moments(kills: u64) -> impl Iterator<Item = Duration> {
    let seed = u64::from(std::process::id()).wrapping_mul(0x2545_f491_4f6c_dd1d);
    (0..kills).map(move |n| Duration::from_micros(5_000 + value(seed, n) % 25_000))
}

#[test]
fn whatever_was_recorded_before_a_kill_is_in_the_segment() {
    if let Some(dir) = child::part() {
        victim(Path::new(&dir));
    }
    let (mut torn, mut read) = (0, 0);
    for moment in moments(200) {
        let dir = Dir::new("crash");
        let mut victim = start(&dir.0);
        // From when it records on.
        while noted(&dir.0, 0) == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(moment);
        victim.child.kill().unwrap();
        victim.child.wait().unwrap();

        let files = segments(&dir.0);
        assert_eq!(files.len(), 1);
        let reading = Segment::open(&files[0]).unwrap().read().unwrap();
        assert_eq!((reading.info.life, reading.info.fallbacks, &*reading.faults), (Life::Died, 0, &[] as &[String]));
        assert!(reading.torn.iter().all(|torn| torn.ahead == 1 && torn.metric == "itl"), "{:?}", reading.torn);
        // A plain account of the same values, in a registry that nobody killed.
        let account = Registry::new();
        let expected = metrics(&account);
        for number in 0..THREADS {
            let label = number.to_string();
            let labels = [("thread", label.as_str())];
            let Some(tokens) = reading.snapshot.counter("tokens", &labels) else {
                assert_eq!(noted(&dir.0, number as usize), 0, "a thread that recorded has its series");
                continue;
            };
            let Some(itl) = reading.snapshot.histogram("itl", &labels) else {
                assert_eq!(tokens, 0, "the second series is made before anything is recorded");
                continue;
            };
            let noted = noted(&dir.0, number as usize);
            assert!(noted <= tokens && tokens <= noted + BATCH, "{noted} noted, {tokens} counted");
            // The histogram is written before the counter.
            assert!(itl.count() == tokens || itl.count() == tokens + 1, "{} and {tokens}", itl.count());
            let is_torn = reading.torn.iter().any(|torn| torn.labels == [("thread".to_owned(), label.clone())]);
            assert_eq!(itl.is_exact(), !is_torn);
            // There, too, where the kill came before the first value.
            let _ = expected.itl.with([&label]);
            for n in 0..itl.count() {
                expected.itl.with([&label]).record(value(number, n));
            }
            let snapshot = account.snapshot();
            let exact = snapshot.histogram("itl", &labels).unwrap();
            assert_eq!(itl.buckets().collect::<Vec<_>>(), exact.buckets().collect::<Vec<_>>());
            assert_eq!(itl.to_hdr(), exact.to_hdr());
            if !is_torn {
                // By bits: where there is no value yet there is no smallest, which is not equal to itself.
                let ends = |of: &HistogramSnapshot| [of.sum(), of.min(), of.max()].map(f64::to_bits);
                assert_eq!(ends(itl), ends(exact));
            }
            read += 1;
        }
        torn += reading.torn.len();
    }
    assert!(read > 400, "most threads recorded something before they were killed: {read}");
    println!("{read} threads' series after 200 kills, {torn} torn");
}
