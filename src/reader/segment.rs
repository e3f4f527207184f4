//! One segment, opened for reading.

use super::contents::Contents;
use super::directory::Directory;
use super::header::{Header, wrong};
use super::map::Map;
use super::reading::{Info, Reading};
use super::values::Reader;
use crate::collect::{Data, Snapshot};
use crate::error::Error;
use crate::segment::layout::HEADER_BYTES;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

/// A segment: what one process has recorded, or has had recorded when it ended.
///
/// Opened once and read as often as one likes: each time it looks at what is new in the directory, and merges the cells.
/// It is only ever read, never locked, and its writer does not notice. Nothing in it is trusted: whatever the file
/// holds, reading it gives an error, or a result that says what was wrong.
#[derive(Debug)]
pub struct Segment {
    path: PathBuf,
    file: File,
    map: Map,
    header: Header,
    directory: Directory,
    contents: Contents,
}

impl Segment {
    /// Opens a segment.
    ///
    /// # Errors
    ///
    /// There is no such file or it may not be read; it is a link, a directory, a pipe or a device; it is no segment, or
    /// one of another byte order or of a major version that is not known here; its header is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let system = |error| Error::system(format!("{}: cannot be read", path.display()), error);
        // Not through a link, and without waiting for whoever is at the other end of a pipe.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&path).map_err(system)?;
        let metadata = file.metadata().map_err(system)?;
        if !metadata.is_file() {
            return Err(wrong(&path, "no regular file, and so no segment"));
        }
        if metadata.len() <= HEADER_BYTES {
            let text = format!("{} bytes are too few for a segment: it was never finished, or cut", metadata.len());
            return Err(wrong(&path, text));
        }
        let map = Map::new(&file, metadata.len()).map_err(system)?;
        let header = Header::read(&map, &path);
        if map.is_cut() {
            return Err(truncated(&path));
        }
        let header = header?;
        let directory = Directory::new(header.directory);
        Ok(Self { path, file, map, header, directory, contents: Contents::default() })
    }

    /// Which segment it is, and how its writer does now.
    ///
    /// # Errors
    ///
    /// The file was truncated since it was opened; the system does not tell whether it is locked.
    pub fn info(&self) -> Result<Info, Error> {
        let info = self.header.info(&self.map, &self.file, &self.path)?;
        let is_cut = self.map.is_cut() || info.bytes < 8 * self.map.len() as u64;
        if is_cut { Err(truncated(&self.path)) } else { Ok(info) }
    }

    /// Reads all values, merged over the writer's threads.
    ///
    /// Costs looking at what is new in the directory, and reading the touched cells of every shard; a histogram that has
    /// not changed since the last time is not read again.
    ///
    /// # Errors
    ///
    /// The file was truncated since it was opened; the system refuses memory to map it.
    pub fn read(&mut self) -> Result<Reading, Error> {
        let (taken, time) = (Instant::now(), SystemTime::now());
        // First: of a writer that is gone by now, what follows is all there will ever be.
        let info = self.info()?;
        let published = Directory::published(&self.map);
        self.follow()?;
        let is_new = self.directory.advance(&self.map, published, &mut self.contents);
        self.contents.refresh(&self.map, is_new);
        let mut reader = Reader::new(&self.map, info.life.is_alive());
        let mut families = reader.families(&mut self.contents);
        families.sort_by(|(a, _), (b, _)| a.desc.base.cmp(&b.desc.base));
        let (families, set) = families.into_iter().unzip();
        let mut faults = Vec::new();
        for found in [&self.directory.faults, &self.contents.faults, &reader.faults] {
            found.push_to(&mut faults);
        }
        let torn = reader.torn;
        if self.map.is_cut() || self.len()? < 8 * self.map.len() as u64 {
            return Err(truncated(&self.path));
        }
        let snapshot = Snapshot::new(Data { taken, time, began: info.created, elapsed: None, families });
        Ok(Reading { info, snapshot, torn, faults, folded: self.contents.folded.clone(), set })
    }

    /// Maps what the file has grown by.
    fn follow(&mut self) -> Result<(), Error> {
        let len = self.len()?;
        let mapped = 8 * self.map.len() as u64;
        if len < mapped || self.map.is_cut() {
            return Err(truncated(&self.path));
        }
        if len - mapped >= 8 {
            let fail = |error| Error::system(format!("{}: cannot be mapped", self.path.display()), error);
            self.map = Map::new(&self.file, len).map_err(fail)?;
        }
        Ok(())
    }

    fn len(&self) -> Result<u64, Error> {
        let fail = |error| Error::system(format!("{}: its size is not told", self.path.display()), error);
        Ok(self.file.metadata().map_err(fail)?.len())
    }
}

fn truncated(path: &Path) -> Error {
    wrong(path, "was truncated while it was read: open it anew, or remove it")
}
