//! The totals of segments that are gone, in a file of their own.
//!
//! It lists the segments that it contains. So the order is: it is written whole under another name, read back, and renamed;
//! and only then the files go. Whoever finds a file whose id is listed does not count it, wherever this was interrupted.

use super::known::{FOLDED, File, is_own};
use super::merge::{Merger, Purpose};
use super::noted::Noted;
use crate::Snapshot;
use crate::collect::Data;
use crate::reader::write;
use crate::reader::{Reading, Segment};
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

/// Where it is written.
const WRITTEN: &str = ".folding";
/// How many segments stay listed when their files are gone: other readers may still have them in memory.
const LISTED: usize = 1024;

#[derive(Debug)]
pub(super) struct Fold {
    path: PathBuf,
    /// Kept open, so that no other file gets its number.
    open: Option<(File, Segment)>,
    reading: Option<Reading>,
    listed: HashSet<[u64; 2]>,
    /// It is there and cannot be read whole: so it is not replaced either.
    is_damaged: bool,
}

/// A fold that is written, and not yet in its place.
#[derive(Debug)]
pub(super) struct Written {
    path: PathBuf,
    open: (File, Segment),
    reading: Reading,
}

impl Fold {
    pub(super) fn new(dir: &Path) -> Self {
        Self { path: dir.join(FOLDED), open: None, reading: None, listed: HashSet::new(), is_damaged: false }
    }

    /// Whether it has the totals of the segment with this id.
    pub(super) fn lists(&self, id: &[u64; 2]) -> bool {
        self.listed.contains(id)
    }

    pub(super) fn reading(&self) -> Option<&Reading> {
        self.reading.as_ref()
    }

    /// Reads it, if it is another file than before. If it has been removed, what it held stays.
    pub(super) fn refresh(&mut self, user: u32, noted: &mut Noted) {
        let metadata = match fs::symlink_metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) => {
                self.is_damaged = error.kind() != io::ErrorKind::NotFound;
                if self.is_damaged {
                    noted.note(&self.path, format!("cannot be found: {error}"));
                }
                return;
            }
        };
        let file = File::of(&metadata);
        if self.open.as_ref().is_some_and(|(open, _)| *open == file) {
            return;
        }
        let read = if is_own(&metadata, user) {
            read(&self.path)
        } else {
            Err("is no regular file of this user's: it is not read".to_owned())
        };
        self.is_damaged = match read {
            Ok((segment, reading)) => {
                for fault in &reading.faults {
                    noted.note(&self.path, fault);
                }
                let is_damaged = !reading.faults.is_empty();
                self.adopt((file, segment), reading);
                is_damaged
            }
            Err(text) => {
                noted.note(&self.path, text);
                true
            }
        };
    }

    fn adopt(&mut self, open: (File, Segment), reading: Reading) {
        self.listed = reading.folded.iter().copied().collect();
        self.open = Some(open);
        self.reading = Some(reading);
    }

    /// Writes it anew with `parts`, whose newest one comes first, beside its place.
    pub(super) fn write(
        &self,
        parts: &[&Reading],
        is_there: impl Fn(&[u64; 2]) -> bool,
        noted: &mut Noted,
    ) -> Result<Written, String> {
        if self.is_damaged {
            return Err(
                "cannot be read whole, and so is not replaced: nothing more is folded until it is moved away".into()
            );
        }
        let readings: Vec<_> = parts.iter().copied().chain(&self.reading).collect();
        let merged = Merger::default().merge(&readings, Purpose::Fold);
        for (path, fault) in &merged.faults {
            noted.note(path, fault);
        }
        let before = self.reading.as_ref().map_or(&[][..], |reading| &reading.folded);
        let first = before.len().saturating_sub(LISTED);
        let kept = before.iter().enumerate().filter(|(index, id)| *index >= first || is_there(id)).map(|(_, id)| *id);
        let ids: Vec<[u64; 2]> = kept.chain(parts.iter().map(|reading| reading.info.id)).collect();
        let (taken, time) = (Instant::now(), SystemTime::now());
        let began = readings.iter().map(|reading| reading.info.created).min().unwrap_or(time);
        let families = merged.families.len();
        let snapshot = Snapshot::new(Data { taken, time, began, elapsed: None, families: merged.families });
        let path = self.path.with_file_name(WRITTEN);
        let saturated = write(&path, "folded", &snapshot, &ids).map_err(|error| error.to_string())?;
        for text in saturated {
            noted.note(&self.path, text);
        }
        // Nothing is removed for a file that cannot be read again.
        let (segment, reading) = read(&path)?;
        if !reading.faults.is_empty() || reading.folded != ids || reading.snapshot.families().len() != families {
            return Err(format!("what was written does not read back: {:?}", reading.faults));
        }
        let file = File::of(&fs::symlink_metadata(&path).map_err(|error| error.to_string())?);
        // Where it is no memory it is to outlive the machine's fall, as the files it replaces would.
        fs::File::open(&path).and_then(|file| file.sync_all()).map_err(|error| format!("cannot be synced: {error}"))?;
        Ok(Written { path, open: (file, segment), reading })
    }

    /// Puts it in its place.
    pub(super) fn publish(&mut self, written: Written) -> Result<(), String> {
        fs::rename(&written.path, &self.path).map_err(|error| format!("cannot be replaced: {error}"))?;
        let mut reading = written.reading;
        reading.info.path.clone_from(&self.path);
        self.adopt(written.open, reading);
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn read(path: &Path) -> Result<(Segment, Reading), String> {
    let read = || {
        let mut segment = Segment::open(path)?;
        let reading = segment.read()?;
        Ok((segment, reading))
    };
    read().map_err(|error: crate::Error| error.to_string())
}
