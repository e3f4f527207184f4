//! A directory of segments, read as one.
//!
//! ```text
//! lock    who may move and remove files
//! known   which segments there are, and what each held last
//! exact   sums of floats that no order changes
//! merge   several readings as one set of families
//! fold    the totals of segments that are gone, in a file
//! noted   what was wrong, each thing once
//! own     what a directory tells of itself
//! ```

mod exact;
mod fold;
mod known;
mod lock;
mod merge;
mod noted;
mod own;
#[cfg(test)]
mod tests;

use crate::collect::{Data, Snapshot};
use crate::error::{Error, ErrorKind};
use crate::reader::{Info, Reading};
use crate::registry::Registry;
use crate::segment::system;
use crate::sync::Mutex;
use fold::Fold;
use known::{File, Segments};
use lock::lock;
use merge::{Merger, Purpose};
use noted::Noted;
use own::Own;
use std::cmp::Reverse;
use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// What keeps a second collector from folding.
const LOCK: &str = "collector.lock";

/// How long the files of processes that are gone are kept to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Since their last beat. An hour unless told.
    pub keep_for: Duration,
    /// How many, the newest ones. 16 unless told.
    pub keep_count: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { keep_for: Duration::from_secs(3600), keep_count: 16 }
    }
}

/// The segments of a directory as one set of metrics.
///
/// Counters and histograms are those of all processes, also of those that are gone; up-down counters and gauges of those
/// that live, the latter as each declares by [`aggregate`](crate::MetricBuilder::aggregate). Processes may come and go
/// at any time. What one process's file holds that is wrong is left out and said, and stops nothing.
///
/// The file of a process that is gone stays for a while; then its totals move to the file `folded.tach`, and it is
/// removed. Totals never fall by that, nor by a process's end, the removal of a file, or where this is killed and opened
/// anew. They do where a process removes a series or switches a metric off, as within one process.
///
/// One at a time moves and removes files: it holds a lock on `collector.lock`. Any other one only reads, until the first
/// is gone. Cloning gives another handle to the same one.
///
/// `docs/FLEET.md` tells how this is used.
#[derive(Clone)]
pub struct Directory(Arc<Shared>);

struct Shared {
    path: PathBuf,
    state: Mutex<State>,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("path", &self.0.path).finish_non_exhaustive()
    }
}

impl Directory {
    /// Opens a directory, which is made if it is not there: for this user alone.
    ///
    /// Only regular files of this user's are read; of anybody's, if it is root.
    ///
    /// # Errors
    ///
    /// It is no directory, or cannot be made or listed.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let fail =
            |error| Error::system(format!("{}: cannot be read as a directory of segments", path.display()), error);
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(fail(error)),
            _ => {}
        }
        fs::read_dir(&path).map_err(fail)?;
        Self::new(path, options, false)
    }

    /// Opens a directory that is there to read it and nothing else: no file is locked, moved or removed, and so
    /// [`Directory::is_keeper`] is false. What a segment counted that somebody removes without folding it is there for as
    /// long as this is.
    ///
    /// # Errors
    ///
    /// It is not there, is no directory, or cannot be listed.
    pub fn watch(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let fail =
            |error| Error::system(format!("{}: cannot be read as a directory of segments", path.display()), error);
        fs::read_dir(&path).map_err(fail)?;
        Self::new(path, Options::default(), true)
    }

    fn new(path: PathBuf, options: Options, only_reads: bool) -> Result<Self, Error> {
        if options.keep_for > Duration::from_secs(100 * 365 * 24 * 3600) {
            let text = "directory of segments: files cannot be kept for more than a hundred years: give a shorter time";
            return Err(Error::new(ErrorKind::Setting, text));
        }
        let state = State {
            options,
            only_reads,
            user: system::user(),
            lock: None,
            segments: Segments::default(),
            fold: Fold::new(&path),
            merger: Merger::default(),
            noted: Noted::default(),
            own: Own::new()?,
            opened: SystemTime::now(),
            #[cfg(test)]
            crash: None,
        };
        Ok(Self(Arc::new(Shared { path, state: Mutex::new(state) })))
    }

    /// Reads everything there is now.
    ///
    /// Costs listing the directory, reading the touched cells of every segment, and adding them up.
    #[must_use]
    pub fn read(&self) -> Snapshot {
        self.0.state.lock().read(&self.0.path)
    }

    /// The segments as they were at the last [`Directory::read`], in the order of their files' names; without those whose
    /// totals have moved.
    #[must_use]
    pub fn segments(&self) -> Vec<Info> {
        self.readings().into_iter().map(|reading| reading.info).collect()
    }

    /// What each of the [`Directory::segments`] held at the last [`Directory::read`], in the same order. Costs cloning what
    /// was found wrong with each.
    #[must_use]
    pub fn readings(&self) -> Vec<Reading> {
        let state = self.0.state.lock();
        let counted = state.segments.all.iter().filter(|known| !state.fold.lists(&known.id));
        let mut readings: Vec<Reading> = counted.filter_map(|known| known.reading.clone()).collect();
        readings.sort_by(|a, b| a.info.path.cmp(&b.info.path));
        readings
    }

    /// What was found wrong with files so far, each thing once: the last 256, oldest first.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.0.state.lock().noted.lines().cloned().collect()
    }

    /// Whether this one holds the lock, and so moves the totals of processes that are gone. Another one only reads.
    #[must_use]
    pub fn is_keeper(&self) -> bool {
        self.0.state.lock().lock.is_some()
    }

    /// Has every snapshot of `registry` contain what this reads at that moment; and so an
    /// [`Exporter`](crate::Exporter) of it serve that, in all formats, windows and pushes included.
    ///
    /// The registry's namespace and constant labels are not for these. Where both have a metric of one name the
    /// registry's own is shown; but of the engine's own metrics, `tach_*`, those of the directory.
    pub fn attach_to(&self, registry: &Registry) {
        let directory = self.clone();
        registry.attach(move || directory.read());
    }

    #[cfg(test)]
    pub(super) fn crash_at(&self, step: Step) {
        self.0.state.lock().crash = Some(step);
    }
}

/// Where folding can be interrupted.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Written,
    Published,
    RemovedOne,
}

struct State {
    options: Options,
    /// Never seeks the lock.
    only_reads: bool,
    user: u32,
    /// Held for as long as this lives.
    lock: Option<fs::File>,
    segments: Segments,
    fold: Fold,
    merger: Merger,
    noted: Noted,
    own: Own,
    opened: SystemTime,
    #[cfg(test)]
    crash: Option<Step>,
}

impl State {
    fn read(&mut self, dir: &Path) -> Snapshot {
        let (taken, time) = (Instant::now(), SystemTime::now());
        if !self.only_reads {
            self.seek_lock(dir);
        }
        // The files before the fold: so what is not among them, as somebody folds it just now, is in the fold. And what is
        // in both is listed there.
        self.segments.scan(dir, self.user, &mut self.noted);
        self.segments.read(|id| self.fold.lists(id), &mut self.noted);
        self.fold.refresh(self.user, &mut self.noted);
        if self.lock.is_some() {
            self.remove_folded();
            self.fold(time);
        }
        let fold = &self.fold;
        self.segments.all.retain(|known| !(known.is_gone && fold.lists(&known.id)));
        let counted = self.segments.all.iter().filter(|known| !fold.lists(&known.id));
        let mut readings: Vec<&Reading> = counted.filter_map(|known| known.reading.as_ref()).collect();
        newest_first(&mut readings);
        readings.extend(fold.reading());
        let merged = self.merger.merge(&readings, Purpose::Show);
        for (path, fault) in &merged.faults {
            self.noted.note(path, fault);
        }
        let lives = self.segments.all.iter().filter(|known| !fold.lists(&known.id)).filter_map(|known| known.info());
        let mut families = self.own.families(lives.map(|info| info.life), self.noted.count(), taken.elapsed());
        let own: HashSet<String> = families.iter().map(|family| family.desc.base.clone()).collect();
        families.extend(merged.families.into_iter().filter(|family| !own.contains(&family.desc.base)));
        families.sort_by(|a, b| a.desc.base.cmp(&b.desc.base));
        Snapshot::new(Data { taken, time, began: self.opened, elapsed: None, families })
    }

    /// Takes the lock, if it is to be had.
    fn seek_lock(&mut self, dir: &Path) {
        let path = dir.join(LOCK);
        let is_same = |held: &fs::File| {
            let there = fs::symlink_metadata(&path);
            there.and_then(|there| Ok(File::of(&there) == File::of(&held.metadata()?))).unwrap_or(false)
        };
        // Who removes the file lets another one in.
        if self.lock.as_ref().is_some_and(is_same) {
            return;
        }
        self.lock = None;
        match lock(&path) {
            Ok(Some(held)) => self.lock = Some(held),
            Ok(None) => {
                self.noted.note(&path, "is locked by another collector: this one only reads, and folds nothing")
            }
            Err(error) => {
                self.noted.note(&path, format!("cannot be locked, so files of processes that are gone stay: {error}"));
            }
        }
    }

    /// Moves totals of processes that are gone to the fold.
    fn fold(&mut self, now: SystemTime) {
        let due = self.due(now);
        if due.is_empty() {
            return;
        }
        let all = &self.segments.all;
        let mut parts: Vec<&Reading> = due.iter().filter_map(|&index| all[index].reading.as_ref()).collect();
        newest_first(&mut parts);
        let there: HashSet<[u64; 2]> = all.iter().filter(|known| !known.is_gone).map(|known| known.id).collect();
        let (count, path) = (parts.len() as u64, self.fold.path().to_owned());
        let written = match self.fold.write(&parts, |id| there.contains(id), &mut self.noted) {
            Ok(written) => written,
            Err(text) => return self.noted.note(&path, text),
        };
        #[cfg(test)]
        if self.crash == Some(Step::Written) {
            return;
        }
        if let Err(text) = self.fold.publish(written) {
            return self.noted.note(&path, text);
        }
        #[cfg(test)]
        if self.crash == Some(Step::Published) {
            return;
        }
        self.own.folded.add(count);
        self.remove_folded();
    }

    /// The segments that are to be folded: removed ones, those that are old, and those that are too many.
    fn due(&self, now: SystemTime) -> Vec<usize> {
        let dead = self.segments.all.iter().enumerate().filter_map(|(index, known)| {
            let info = known.info().filter(|_| known.is_final && !self.fold.lists(&known.id))?;
            Some((index, known.is_gone, info.beat))
        });
        let (gone, mut kept): (Vec<_>, Vec<_>) = dead.partition(|(_, is_gone, _)| *is_gone);
        kept.sort_by_key(|(_, _, beat)| Reverse(*beat));
        let is_old = |beat: SystemTime| now.duration_since(beat).is_ok_and(|age| age > self.options.keep_for);
        let kept = (0..).zip(kept).filter(|(rank, (_, _, beat))| *rank >= self.options.keep_count || is_old(*beat));
        gone.into_iter().chain(kept.map(|(_, dead)| dead)).map(|(index, ..)| index).collect()
    }

    /// Removes the files whose totals are in the fold.
    fn remove_folded(&mut self) {
        let (fold, noted) = (&self.fold, &mut self.noted);
        #[cfg(test)]
        let mut removed = 0;
        self.segments.all.retain(|known| {
            #[cfg(test)]
            if self.crash == Some(Step::RemovedOne) && removed == 1 {
                return true;
            }
            // One that is locked after all is no part of the fold, but one that has its id.
            if known.is_gone || !fold.lists(&known.id) || known.is_alive() || !known.is_there() {
                return true;
            }
            #[cfg(test)]
            {
                removed += 1;
            }
            match fs::remove_file(&known.path) {
                Ok(()) => false,
                Err(error) => {
                    noted.note(&known.path, format!("is folded, and cannot be removed: {error}"));
                    true
                }
            }
        });
    }
}

/// Those that live first, and of each the newest first: whose descriptions count.
fn newest_first(readings: &mut [&Reading]) {
    readings.sort_by_key(|reading| {
        let info = &reading.info;
        (Reverse(info.life.is_alive()), Reverse(info.created), info.id)
    });
}
