//! A snapshot as a closed segment of one copy: totals that are kept after their processes' segments are gone.

use crate::collect::{FamilySnapshot, HistogramSnapshot, Snapshot, Values};
use crate::describe::Aggregate;
use crate::describe::Kind;
use crate::error::{Error, ErrorKind};
use crate::record::copied::{CLAMPED, COUNT, FLOOR, HEADER, SUM, TOP};
use crate::segment::layout::{HEADER_BYTES, HEADER_WORDS, MAGIC, PAGE_BYTES};
use crate::segment::layout::{block, header, identity, seal, state as segment};
use crate::segment::record::{CopyRecord, ExtentRecord, GridRecord, MetricRecord, Record, SeriesRecord, state};
use crate::segment::{new_id, unix_nanos};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// The numbers of the first two records.
const EXTENT: u64 = 0;
const SHARED: u64 = 1;

/// Writes what `snapshot` holds to a segment at `path`, as a process called `name` would have left it, and that it has the
/// totals of the segments `folded`. What was at `path` is replaced, whole or not at all.
///
/// Summaries, which windows make anew out of histograms, are left out.
///
/// Gives what did not fit, in words: a histogram's sum beyond 2^64 ticks is kept as the largest that does.
///
/// # Errors
///
/// The file cannot be written; a histogram holds 2^63 values or more; a description is longer than a megabyte.
pub fn write(path: &Path, name: &str, snapshot: &Snapshot, folded: &[[u64; 2]]) -> Result<Vec<String>, Error> {
    let wrong = |text: &str| Error::new(ErrorKind::Segment, format!("{}: {text}", path.display()));
    let snapshot = &snapshot.part(|family| family.desc.kind != Kind::Summary);
    let mut saturated = Vec::new();
    let (mut cells, cells_len) = lay_out(snapshot, &mut saturated).map_err(|text| wrong(&text))?;
    let (directory, records) = directory(snapshot, cells_len, folded).map_err(|text| wrong(&text))?;
    let id = new_id().map_err(|error| Error::system("/dev/urandom cannot be read", error))?;
    let mut head = header(id, name, snapshot);
    head[header::RECORDS] = records;
    let file_name = path.file_name().ok_or_else(|| wrong("no name of a file"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(file_name);
    let temporary = path.with_file_name(hidden);
    let written = (|| {
        // One of these is of a process that was killed meanwhile.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        put(&file, &head, &directory, &mut cells)?;
        // The magic word last.
        file.write_all_at(&MAGIC.to_ne_bytes(), 8 * header::MAGIC as u64)?;
        fs::rename(&temporary, path)
    })();
    written.map_err(|error| {
        // What is left of it, if anything.
        let _ = fs::remove_file(&temporary);
        Error::system(format!("{}: cannot be written", path.display()), error)
    })?;
    Ok(saturated)
}

/// Writes all but the magic word. Every page is written, so that there is memory behind it.
fn put(file: &File, head: &[u64], directory: &[u64], cells: &mut dyn Iterator<Item = u64>) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    let mut written = 0_u64;
    let mut put = |word: u64| {
        written += 1;
        out.write_all(&word.to_ne_bytes())
    };
    head.iter().chain(directory).copied().try_for_each(&mut put)?;
    for cell in cells {
        put(cell)?;
    }
    // One more, as an extent has a cell at least, and up to the end of the page.
    put(0)?;
    let bytes = (8 * written).next_multiple_of(PAGE_BYTES);
    out.write_all(&vec![0; (bytes - 8 * written) as usize])?;
    out.flush()?;
    file.write_all_at(&bytes.to_ne_bytes(), 8 * header::RESERVED as u64)
}

fn header(id: [u64; 2], name: &str, snapshot: &Snapshot) -> [u64; HEADER_WORDS] {
    let mut words = identity(id, name, unix_nanos(snapshot.began()));
    seal(&mut words);
    words[header::STATE] = segment::CLOSED;
    words[header::BEAT] = unix_nanos(snapshot.time());
    words[header::BEATS] = 1;
    words
}

/// Cells of a series: at the front, and buckets.
fn shape(family: &FamilySnapshot, index: usize) -> (u64, u64) {
    match (&family.values, family.desc.aggregate) {
        (Values::Histogram(values), _) => (HEADER as u64, values[index].grid().len() as u64),
        (Values::Gauge(_), Aggregate::Last) => (2, 0),
        _ => (1, 0),
    }
}

/// All cells in their order, and how many they are.
#[allow(clippy::type_complexity, reason = "said in the line above")]
fn lay_out<'a>(
    snapshot: &'a Snapshot,
    saturated: &mut Vec<String>,
) -> Result<(Box<dyn Iterator<Item = u64> + 'a>, u64), String> {
    let mut len = 0;
    for family in snapshot.families() {
        for index in 0..family.labels.sets.len() {
            let (front, back) = shape(family, index);
            len += front + back;
        }
        for histogram in family.values.histograms() {
            let name = &family.desc.name;
            if histogram.count() > i64::MAX as u64 {
                return Err(format!("{name} holds 2^63 values or more, which no segment does"));
            }
            if u64::try_from(histogram.ticks().0).is_err() {
                saturated.push(format!("{name}: a sum of {} ticks is kept as 2^64 - 1", histogram.ticks().0));
            }
        }
    }
    let cells = snapshot.families().iter().flat_map(|family| {
        (0..family.labels.sets.len()).flat_map(move |index| match &family.values {
            Values::Counter(values) => vec![values[index]],
            Values::UpDown(values) => vec![values[index].cast_unsigned()],
            Values::FloatCounter(values) => vec![values[index].to_bits()],
            Values::Gauge(values) if family.desc.aggregate == Aggregate::Last => vec![values[index].to_bits(), 0],
            Values::Gauge(values) => vec![values[index].to_bits()],
            Values::Histogram(values) => histogram(&values[index]),
            Values::Summary(_) => Vec::new(),
        })
    });
    Ok((Box::new(cells), len))
}

/// The cells of one histogram: the header, then the buckets.
fn histogram(histogram: &HistogramSnapshot) -> Vec<u64> {
    let grid = histogram.grid();
    let mut cells = vec![0; HEADER + grid.len()];
    let (sum, low, high) = histogram.ticks();
    cells[COUNT] = histogram.count();
    cells[SUM] = u64::try_from(sum).unwrap_or(u64::MAX);
    (cells[TOP], cells[FLOOR]) = (high, !low);
    cells[CLAMPED] = histogram.clamped();
    for &(place, count) in histogram.cells() {
        let lowest = grid.values(place as usize).0;
        cells[HEADER + grid.splits().index(grid.layout().index(lowest), lowest)] = count;
    }
    cells
}

/// The directory, one block, and how many records it has.
fn directory(snapshot: &Snapshot, cells: u64, folded: &[[u64; 2]]) -> Result<(Vec<u64>, u64), String> {
    let mut records = vec![Record::Extent(ExtentRecord { cells: cells.max(1) })];
    records.push(Record::Copy(CopyRecord { extent: EXTENT, shard: 0, at: 0 }));
    records.extend(folded.iter().map(|id| Record::Folded(*id)));
    let mut next = 0;
    for family in snapshot.families() {
        let metric = records.len() as u64;
        records.push(Record::Metric(Box::new(metric_record(family)?)));
        for (index, (set, began)) in family.labels.sets.iter().zip(&family.labels.began).enumerate() {
            let (front, back) = shape(family, index);
            records.push(Record::Series(SeriesRecord {
                metric,
                extent: EXTENT,
                front: next,
                back: if back > 0 { next + front } else { 0 },
                began: unix_nanos(*began),
                values: set.iter().map(|value| value.to_string()).collect(),
                // Their traces are gone before long.
                exemplars: None,
            }));
            next += front + back;
        }
    }
    let words = |record: &Record| record.to_words(state::LIVE).map_err(|wrong| wrong.to_string());
    let each = records.iter().map(words).collect::<Result<Vec<_>, _>>()?;
    let len: usize = each.iter().map(Vec::len).sum();
    // With a word that ends the block.
    let bytes = (8 * (block::WORDS + len + 1) as u64).next_multiple_of(PAGE_BYTES);
    // Where the cells begin is known now.
    let at = HEADER_BYTES + bytes;
    records[SHARED as usize] = Record::Copy(CopyRecord { extent: EXTENT, shard: 0, at });
    let mut all = vec![0; block::WORDS];
    all[block::BYTES] = bytes;
    for (number, record) in (0..).zip(each) {
        if number == SHARED { all.extend(words(&records[SHARED as usize])?) } else { all.extend(record) }
    }
    all.resize((bytes / 8) as usize, 0);
    Ok((all, records.len() as u64))
}

fn metric_record(family: &FamilySnapshot) -> Result<MetricRecord, String> {
    let desc = &family.desc;
    let grid = desc.grid.as_ref().map(|grid| GridRecord::of(grid));
    let is_own = |histogram: &HistogramSnapshot| Some(GridRecord::of(histogram.grid())) == grid;
    if !family.values.histograms().iter().all(is_own) {
        return Err(format!("{}: a histogram in other buckets than its own", desc.name));
    }
    Ok(crate::registry::metric_record(desc))
}
