//! The directory of segments, with processes that are files under a lock.

mod comings;
mod crashes;
mod hostile;
mod merge;

use super::lock::lock;
use super::{Directory, Options};
use crate::reader::write;
use crate::segment::layout::{check, header, state};
use crate::{Counter, FloatCounter, Gauge, Histogram, Registry, Snapshot, Unit};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A folder of a test's own, which goes when the test does.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        // Each test has a thread of its own.
        let thread = format!("{:?}", std::thread::current().id()).replace(|c: char| !c.is_ascii_digit(), "");
        let path = std::env::temp_dir().join(format!("tach-dir-{}-{thread}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn open(&self, keep_count: usize) -> Directory {
        Directory::open(&self.0, Options { keep_count, ..Options::default() }).unwrap()
    }

    /// The names of the files that may be seen.
    fn files(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.ends_with(".tach")).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process as a directory sees it: a segment, locked, whose totals grow.
struct Process {
    path: PathBuf,
    registry: Registry,
    lock: Option<File>,
    tokens: Counter,
    busy: FloatCounter,
    load: Gauge,
    itl: Histogram,
    /// What the segment's header says.
    id: Option<[u8; 16]>,
}

impl Process {
    fn start(folder: &Folder, name: &str) -> Self {
        let registry = Registry::new();
        fs::create_dir_all(&folder.0).unwrap();
        let mut process = Self {
            path: folder.0.join(format!("{name}.tach")),
            lock: None,
            tokens: registry.counter("tokens").build().unwrap(),
            busy: registry.float_counter("busy").build().unwrap(),
            load: registry.gauge("load").build().unwrap(),
            itl: registry.histogram("itl").unit(Unit::Seconds).buckets([0.01]).digits(1).max(1.0).build().unwrap(),
            registry,
            id: None,
        };
        process.beat();
        process.lock = lock(&process.path).unwrap();
        assert!(process.lock.is_some());
        process
    }

    fn record(&mut self, n: u64) {
        self.tokens.add(n);
        self.busy.add(n as f64 / 10.0);
        self.load.set(n as f64);
        (0..n % 8).for_each(|_| self.itl.record(n * 1_000_000));
        self.beat();
    }

    /// Writes what was recorded into the file that is there.
    fn beat(&mut self) {
        let written = self.path.with_extension("written");
        let snapshot = self.registry.snapshot().part(|family| !family.desc.base.starts_with("tach_"));
        let name = self.path.file_stem().unwrap().to_str().unwrap();
        write(&written, name, &snapshot, &[]).unwrap();
        let id = 8 * header::ID..8 * header::ID + 16;
        let mut bytes = fs::read(&written).unwrap();
        let kept = *self.id.get_or_insert_with(|| bytes[id.clone()].try_into().unwrap());
        bytes[id].copy_from_slice(&kept);
        let words = bytes.chunks(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap()));
        let words: Vec<u64> = words.take(header::CHECK).collect();
        let check = check(&words[header::VERSION..]).to_ne_bytes();
        bytes[8 * header::CHECK..8 * header::CHECK + 8].copy_from_slice(&check);
        if let Some(lock) = &self.lock {
            lock.write_all_at(&bytes, 0).unwrap();
            fs::remove_file(&written).unwrap();
        } else {
            fs::write(&written, &bytes).unwrap();
            fs::rename(&written, &self.path).unwrap();
        }
    }

    /// It is gone without a word. What it had recorded since its last beat was in the file already.
    fn die(mut self) -> PathBuf {
        let lock = self.lock.take().unwrap();
        lock.write_all_at(&state::OPEN.to_ne_bytes(), 8 * header::STATE as u64).unwrap();
        self.path.clone()
    }
}

/// All totals of a snapshot: tokens, busy, count and sum of the histogram.
fn totals(snapshot: &Snapshot) -> (u64, f64, u64, f64) {
    let itl = snapshot.histogram("itl", &[]);
    (
        snapshot.counter("tokens", &[]).unwrap_or(0),
        snapshot.float_counter("busy", &[]).unwrap_or(0.0),
        itl.map_or(0, crate::HistogramSnapshot::count),
        itl.map_or(0.0, crate::HistogramSnapshot::sum),
    )
}

/// A file's time of the last beat, set back.
fn age(path: &Path, by: Duration) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut word = [0; 8];
    file.read_exact_at(&mut word, 8 * header::BEAT as u64).unwrap();
    let beat = u64::from_ne_bytes(word) - by.as_nanos() as u64;
    file.write_all_at(&beat.to_ne_bytes(), 8 * header::BEAT as u64).unwrap();
}
