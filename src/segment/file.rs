//! One segment being written.

use super::directory::{At, BLOCK_BYTES, Directory};
use super::layout::{self, HEADER_WORDS, MAGIC, header, state};
use super::record::{CopyRecord, ExtentRecord, Record, state as record_state};
use super::system::Mapping;
use super::{Settings, now, place, publish, system};
use crate::sync::{Arc, AtomicU64, Mutex};
use std::fs::{self, File};
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a segment beats.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);
/// The largest pages that extents consist of.
const PAGE_MAX: u64 = 16 << 10;

/// A file that this process writes. It stays when the process, or whoever made it, is gone.
#[derive(Debug)]
pub(crate) struct Segment {
    path: PathBuf,
    file: File,
    /// An open of its own: a lock belongs to an open file, and `file`'s is shared by every mapping.
    lock: File,
    /// The header, and behind it the first block of the directory.
    start: Arc<Mapping>,
    space: Mutex<Space>,
    /// In which process it was made: see [`system::forks`].
    forks: u32,
}

#[derive(Debug)]
struct Space {
    directory: Directory,
    /// Bytes of the file that are reserved.
    end: u64,
}

impl Segment {
    /// Makes a segment, locked and open. An error's text says what is wrong with what.
    pub(crate) fn create(settings: &Settings) -> Result<Arc<Self>, String> {
        let dir = place::dir(settings)?;
        if system::page() > PAGE_MAX {
            return Err(format!("pages of {} bytes are larger than the parts of a segment", system::page()));
        }
        let process = place::process_name(settings);
        let id = place::id().map_err(|error| format!("cannot read /dev/urandom: {error}"))?;
        let name = place::file_name(&process, id[0]);
        let temporary = dir.join(format!(".{name}"));
        let path = dir.join(format!("{name}.tach"));
        let made = place::open(&temporary, true)
            .map_err(|error| format!("cannot make a file in {}: {error}", dir.display()))
            .and_then(|file| Self::prepare(file, &temporary, path, &process, id));
        if made.is_err() {
            // What is left of it has no use; where it cannot be removed either, readers pass such names over.
            let _ = fs::remove_file(&temporary);
        }
        made.map(Arc::new)
    }

    fn prepare(file: File, temporary: &Path, path: PathBuf, process: &str, id: [u64; 2]) -> Result<Self, String> {
        let shown = temporary.display();
        let end = BLOCK_BYTES;
        system::reserve(&file, 0, end).map_err(|error| format!("cannot reserve {end} bytes for {shown}: {error}"))?;
        let start = Mapping::new(&file, 0, end).map_err(|error| format!("cannot map {shown}: {error}"))?;
        let start = Arc::new(start);
        let lock = place::open(temporary, false).map_err(|error| format!("cannot open {shown} again: {error}"))?;
        let space = Mutex::new(Space { directory: Directory::new(Arc::clone(&start)), end });
        let segment = Self { path, file, lock, start, space, forks: system::forks() };
        // Listed before it is locked, and so given up by a child of a fork that comes in between.
        system::enlist(&segment.start, &segment.lock, &segment.file);
        system::lock(&segment.lock, true).map_err(|error| format!("cannot lock {shown}: {error}"))?;
        publish::write(segment.header(), &first_words(process, id));
        segment.put(header::STATE, state::OPEN);
        segment.put(header::RESERVED, end);
        // The last word: from here on it is a segment, and the name says so.
        publish::publish(&segment.header()[header::MAGIC], MAGIC);
        fs::rename(temporary, &segment.path).map_err(|error| format!("cannot rename {shown}: {error}"))?;
        Ok(segment)
    }

    fn header(&self) -> &[AtomicU64] {
        &self.start.words()[..HEADER_WORDS]
    }

    fn put(&self, word: usize, value: u64) {
        publish::put(&self.header()[word], value);
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it belongs to another process, from which this one was forked.
    pub(crate) fn is_detached(&self) -> bool {
        self.forks != system::forks()
    }

    /// Whether it is this process's and goes on.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_detached() && publish::get(&self.header()[header::STATE]) == state::OPEN
    }

    /// The file, to be mapped where [`Segment::reserve`] says.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// Reserves so many bytes, and says where they begin. `None` where there is no room.
    pub(crate) fn reserve(&self, bytes: u64) -> Option<u64> {
        if !self.is_open() {
            return None;
        }
        self.reserve_in(&mut self.space.lock().end, bytes)
    }

    /// Takes back what was reserved in vain, to be reserved again: where nothing was reserved since.
    pub(crate) fn give_back(&self, at: u64, bytes: u64) {
        self.give_back_in(&mut self.space.lock().end, at, bytes);
    }

    fn give_back_in(&self, end: &mut u64, at: u64, bytes: u64) {
        if *end == at + bytes.next_multiple_of(system::page()) && self.is_open() {
            *end = at;
            self.put(header::RESERVED, at);
        }
    }

    fn reserve_in(&self, end: &mut u64, bytes: u64) -> Option<u64> {
        let at = *end;
        let bytes = bytes.next_multiple_of(system::page());
        system::reserve(&self.file, at, bytes).ok()?;
        *end += bytes;
        self.put(header::RESERVED, *end);
        Some(at)
    }

    /// Publishes a record. `None` where there is no room for it, or it is too long, or the segment is closed.
    pub(crate) fn publish(&self, record: &Record, state: u64) -> Option<At> {
        if !self.is_open() {
            return None;
        }
        let space = &mut *self.space.lock();
        let published = record.to_words(state).ok().and_then(|words| {
            space.directory.append(&words, &self.header()[header::RECORDS], |bytes| {
                let at = self.reserve_in(&mut space.end, bytes)?;
                let mapping = Mapping::new(&self.file, at, bytes);
                if mapping.is_err() {
                    self.give_back_in(&mut space.end, at, bytes);
                }
                Some((mapping.ok()?, at))
            })
        });
        if published.is_none() {
            self.count_fallback();
        }
        published
    }

    /// Publishes an extent, and gives its number.
    pub(crate) fn extent(&self, cells: u64) -> Option<u64> {
        self.publish(&Record::Extent(ExtentRecord { cells }), record_state::LIVE).map(|at| at.number)
    }

    /// Publishes where a copy of an extent is. Whether there was room for that.
    pub(crate) fn copy(&self, extent: u64, shard: u64, at: u64) -> bool {
        self.publish(&Record::Copy(CopyRecord { extent, shard, at }), record_state::LIVE).is_some()
    }

    /// Changes the state of a metric or a series.
    pub(crate) fn set_state(&self, at: At, state: u64) {
        if self.is_open() {
            self.space.lock().directory.set_state(at, state);
        }
    }

    /// Counts what found no room here.
    pub(crate) fn count_fallback(&self) {
        publish::count(&self.header()[header::FALLBACKS]);
    }

    /// How often something found no room here.
    pub(crate) fn fallbacks(&self) -> u64 {
        publish::get(&self.header()[header::FALLBACKS])
    }

    /// Shows that the process lives. By one thread.
    pub(crate) fn beat(&self) {
        self.put(header::BEAT, now());
        publish::count(&self.header()[header::BEATS]);
    }

    /// How many beats there were.
    pub(crate) fn beats(&self) -> u64 {
        publish::get(&self.header()[header::BEATS])
    }

    /// Ends it in order: nothing more is published, and the lock is free. The cells stay as they are.
    pub(crate) fn close(&self) {
        if self.is_open() {
            self.put(header::STATE, state::CLOSED);
            // Where that fails the lock ends with the descriptor.
            let _ = system::lock(&self.lock, false);
        }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.close();
        system::delist(&self.start, &self.lock);
    }
}

/// What of the header never changes, but for the magic.
fn first_words(process: &str, id: [u64; 2]) -> [u64; HEADER_WORDS] {
    let mut words = layout::identity(id, process, now());
    words[header::START] = place::started();
    words[header::BOOT..][..2].copy_from_slice(&place::boot());
    words[header::PID_NAMESPACE] = place::pid_namespace();
    words[header::INTERVAL] = INTERVAL.as_nanos() as u64;
    layout::seal(&mut words);
    words
}
