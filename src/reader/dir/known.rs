//! Which segments there are in a directory, and what each held when it was read last.

use super::noted::Noted;
use crate::reader::{Info, Life, Reading, Segment};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The file that has the totals of segments that are gone.
pub(super) const FOLDED: &str = "folded.tach";
/// The most segments that are read. More are no use of a machine, but somebody's mistake or mischief.
const SEGMENTS_MAX: usize = 4096;

/// One segment, open.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) path: PathBuf,
    pub(super) id: [u64; 2],
    file: File,
    segment: Segment,
    /// What it held last: nothing if it could never be read.
    pub(super) reading: Option<Reading>,
    /// Its writer was gone before it was read: it will never hold anything else.
    pub(super) is_final: bool,
    /// Somebody removed the file. What it counted is kept, and while its writer lives it goes on being read.
    pub(super) is_gone: bool,
}

/// Which file it is. A file that is open keeps its number from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct File(u64, u64);

impl File {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }
}

/// A file that is no good, as it was: size and times.
type Stamp = (File, u64, i64, i64);

fn stamp(metadata: &Metadata) -> Stamp {
    (File::of(metadata), metadata.len(), metadata.ctime(), metadata.ctime_nsec())
}

/// The segments of a directory.
#[derive(Debug, Default)]
pub(super) struct Segments {
    pub(super) all: Vec<Known>,
    refused: HashMap<PathBuf, Stamp>,
}

impl Segments {
    /// Looks which files there are now. Opens new ones, and marks those that are not there any more.
    pub(super) fn scan(&mut self, dir: &Path, user: u32, noted: &mut Noted) {
        let mut found = match files(dir, user) {
            Ok(found) => found,
            // Nothing is known of the files, so nothing changes.
            Err(error) => return noted.note(dir, format!("cannot be listed: {error}")),
        };
        for known in &mut self.all {
            let is_there = found.get(&known.path).is_some_and(|metadata| File::of(metadata) == known.file);
            known.is_gone = !is_there;
            if is_there {
                found.remove(&known.path);
            }
        }
        self.refused.retain(|path, stamp_before| found.get(path).is_some_and(|now| stamp(now) == *stamp_before));
        found.retain(|path, _| !self.refused.contains_key(path));
        for (path, metadata) in found {
            if self.all.len() >= SEGMENTS_MAX {
                noted.note(dir, format!("has more than {SEGMENTS_MAX} segments: further ones are not read"));
                break;
            }
            match self.open(&path, File::of(&metadata)) {
                Ok(()) => {}
                // Removed meanwhile.
                Err(_) if !path.exists() => {}
                Err(text) => {
                    noted.note(&path, text);
                    self.refused.insert(path, stamp(&metadata));
                }
            }
        }
        let all: HashSet<&Path> = self.all.iter().map(|known| &*known.path).collect();
        noted.keep(|path| all.contains(path) || self.refused.contains_key(path) || !is_segment(path));
    }

    fn open(&mut self, path: &Path, file: File) -> Result<(), String> {
        let segment = Segment::open(path).map_err(|error| error.to_string())?;
        let id = segment.info().map_err(|error| error.to_string())?.id;
        let mut known =
            Known { path: path.to_owned(), id, file, segment, reading: None, is_final: false, is_gone: false };
        match self.all.iter_mut().find(|other| other.id == id) {
            Some(other) if !other.is_gone => {
                Err(format!("is a copy of {}, which has the same id: it is not counted", other.path.display()))
            }
            // It was moved, and is back.
            Some(other) => {
                known.reading = other.reading.take();
                *other = known;
                Ok(())
            }
            None => {
                self.all.push(known);
                Ok(())
            }
        }
    }

    /// Reads what may have changed, but for those that `is_folded`.
    pub(super) fn read(&mut self, is_folded: impl Fn(&[u64; 2]) -> bool, noted: &mut Noted) {
        for known in self.all.iter_mut().filter(|known| !known.is_final && !is_folded(&known.id)) {
            known.read(noted);
        }
    }
}

impl Known {
    fn read(&mut self, noted: &mut Noted) {
        match self.segment.read() {
            Ok(reading) => {
                for fault in &reading.faults {
                    noted.note(&self.path, fault);
                }
                self.is_final = !reading.info.life.is_alive();
                if reading.folded.is_empty() {
                    self.reading = Some(reading);
                } else {
                    let text =
                        format!("has the totals of other segments, as a copy of {FOLDED} has: it is not counted");
                    noted.note(&self.path, text);
                    self.is_final = true;
                }
            }
            Err(error) => {
                noted.note(&self.path, error.to_string());
                // What it held last is what is known of it.
                let life = self.segment.info().map_or(Life::Died, |info| info.life);
                if let Some(reading) = &mut self.reading {
                    reading.info.life = life;
                }
                self.is_final = !life.is_alive();
            }
        }
    }

    pub(super) fn info(&self) -> Option<&Info> {
        self.reading.as_ref().map(|reading| &reading.info)
    }

    /// Whether its writer lives, as far as the system tells.
    pub(super) fn is_alive(&self) -> bool {
        self.segment.info().is_ok_and(|info| info.life.is_alive())
    }

    /// Whether the file at its path is still this one.
    pub(super) fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|metadata| File::of(&metadata) == self.file)
    }
}

fn is_segment(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.ends_with(b".tach") && !name.starts_with(b".") && name != FOLDED.as_bytes()
}

/// The regular files that may be segments, of this user, or of anybody where this user is root.
fn files(dir: &Path, user: u32) -> io::Result<BTreeMap<PathBuf, Metadata>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        // One that is removed meanwhile is not there.
        let metadata = if is_segment(&path) { fs::symlink_metadata(&path).ok() } else { None };
        if let Some(metadata) = metadata.filter(|metadata| is_own(metadata, user)) {
            found.insert(path, metadata);
        }
    }
    Ok(found)
}

/// Whether it is a regular file whose owner this user trusts.
pub(super) fn is_own(metadata: &Metadata, user: u32) -> bool {
    metadata.is_file() && (user == 0 || metadata.uid() == user)
}
