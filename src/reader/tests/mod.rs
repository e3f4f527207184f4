//! What the reader promises of any file, on segments that [`super::write`] made, whole and damaged.

mod cut;
mod damaged;
mod exemplars;
mod hostile;
mod round_trip;
mod seeds;

use super::Reading;
use crate::segment::layout::{HEADER_BYTES, HEADER_WORDS, MAGIC, MAJOR, block, check, header, state as segment};
use crate::segment::record::{CopyRecord, ExtentRecord, GridRecord, MetricRecord, Record, SeriesRecord, kind, state};
use std::path::{Path, PathBuf};

/// A folder of a test's own, which goes when the test does.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tach-{}-{test}", std::process::id()));
        // Of a process that had this number before.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::join(&self.0, name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Words of the directory's block in a [`Made`] segment.
const BLOCK_WORDS: usize = 1024;
/// Where its cells begin, in bytes.
const CELLS: u64 = HEADER_BYTES + 8 * BLOCK_WORDS as u64;

/// A segment made by hand, word for word.
#[derive(Clone)]
struct Made(Vec<u64>);

impl Made {
    /// One with these records, each with its state, and so many cells behind them.
    fn new(records: &[Record], cells: usize) -> Self {
        let each: Vec<_> = records.iter().map(|record| record.to_words(state::LIVE).unwrap()).collect();
        Self::of_words(&each.concat(), records.len() as u64, cells)
    }

    fn of_words(directory: &[u64], records: u64, cells: usize) -> Self {
        let mut words = vec![0; HEADER_WORDS + BLOCK_WORDS + cells];
        words[header::MAGIC] = MAGIC;
        words[header::VERSION] = u64::from(MAJOR) << 32;
        words[header::BYTES] = HEADER_BYTES;
        words[header::STATE] = segment::OPEN;
        words[header::RECORDS] = records;
        words[HEADER_WORDS + block::BYTES] = 8 * BLOCK_WORDS as u64;
        words[HEADER_WORDS + block::WORDS..][..directory.len()].copy_from_slice(directory);
        let mut made = Self(words);
        made.seal();
        made
    }

    /// Makes the check word right.
    fn seal(&mut self) {
        self.0[header::CHECK] = check(&self.0[header::VERSION..header::CHECK]);
    }

    /// Sets cells, from one on.
    fn cells(mut self, first: usize, values: &[u64]) -> Self {
        self.0[HEADER_WORDS + BLOCK_WORDS + first..][..values.len()].copy_from_slice(values);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    fn read(&self, folder: &Folder) -> Reading {
        let path = folder.file("made.tach");
        std::fs::write(&path, self.bytes()).unwrap();
        let mut segment = super::Segment::open(&path).unwrap();
        let reading = segment.read().unwrap();
        render(&reading);
        // The second time it says the same.
        let again = segment.read().unwrap();
        assert_eq!((&again.faults, &again.torn), (&reading.faults, &reading.torn));
        assert_eq!(crate::text::render(&again.snapshot), crate::text::render(&reading.snapshot));
        reading
    }
}

/// Whatever was read, every format carries it.
fn render(reading: &Reading) -> usize {
    let snapshot = &reading.snapshot;
    for family in snapshot.families() {
        for histogram in family.values.histograms() {
            let _ = (histogram.quantile(0.5), histogram.mean(), histogram.bucket_count_le(1.0));
        }
    }
    let text = crate::text::render(snapshot).len();
    text + crate::openmetrics::render(snapshot).len() + crate::protobuf::render(snapshot).len()
}

fn metric(kind: u64, name: &str) -> Record {
    let grid = GridRecord { resolution: 1, limit: 100, tick: 1.0, bounds: vec![10.0], exact: vec![] };
    let [name, base, dotted] = [name; 3].map(str::to_owned);
    let grid = (kind == 5).then_some(grid);
    Record::Metric(Box::new(MetricRecord { kind, level: 1, name, base, dotted, grid, ..MetricRecord::default() }))
}

fn extent(cells: u64) -> Record {
    Record::Extent(ExtentRecord { cells })
}

fn copy(extent: u64, shard: u64, at: u64) -> Record {
    Record::Copy(CopyRecord { extent, shard, at })
}

fn series(metric: u64, extent: u64, front: u64, back: u64) -> Record {
    Record::Series(SeriesRecord { metric, extent, front, back, ..SeriesRecord::default() })
}

/// Numbers 0 and 1: an extent of so many cells, and its shared copy.
fn room(cells: u64) -> Vec<Record> {
    vec![extent(cells), copy(0, 0, CELLS)]
}
