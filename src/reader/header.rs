//! The header of a segment: what it says is checked once, when the file is opened.

use super::map::{Map, is_locked};
use super::reading::{Info, Life};
use crate::error::{Error, ErrorKind};
use crate::segment::layout::{HEADER_BYTES, HEADER_WORDS, MAGIC, MAJOR, NAME_BYTES, check, header, state};
use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A beat that is so many intervals old is late.
const INTERVALS_LATE: u32 = 5;

/// What never changes.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) id: [u64; 2],
    pub(super) created: u64,
    /// Where the first block of the directory begins, in words.
    pub(super) directory: u64,
    pid: u64,
    interval: Duration,
    name: String,
}

/// What is wrong with a file.
pub(super) fn wrong(path: &Path, text: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Segment, format!("{}: {text}", path.display()))
}

/// A time as a segment has it.
pub(super) fn time(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

impl Header {
    /// Reads and checks it. The map has a header's bytes.
    pub(super) fn read(map: &Map, path: &Path) -> Result<Self, Error> {
        // Copied once: what was checked is what is used.
        let mut words = [0; HEADER_WORDS];
        (0..).zip(&mut words).for_each(|(index, word)| *word = map.word(index));
        match words[header::MAGIC] {
            MAGIC => {}
            0 => {
                return Err(wrong(path, "no segment, or one that was never finished: give a file NAME.tach"));
            }
            other if other.swap_bytes() == MAGIC => {
                let text = "a segment of a machine with another byte order: read it on one of the same";
                return Err(wrong(path, text));
            }
            _ => return Err(wrong(path, "no segment: it does not begin as one does")),
        }
        let (major, minor) = (words[header::VERSION] >> 32, words[header::VERSION] & u64::from(u32::MAX));
        if major != u64::from(MAJOR) {
            let text = format!("a segment of version {major}.{minor}, and only {MAJOR}.x is known here: update tach");
            return Err(wrong(path, text));
        }
        if check(&words[header::VERSION..header::CHECK]) != words[header::CHECK] {
            return Err(wrong(path, "its header is damaged: the check word is not that of the words before it"));
        }
        let bytes = words[header::BYTES];
        if bytes < HEADER_BYTES || !bytes.is_multiple_of(8) || bytes / 8 >= map.len() as u64 {
            return Err(wrong(path, format!("its header is damaged: it says that it has {bytes} bytes")));
        }
        let len = usize::try_from(words[header::NAME_LEN]).unwrap_or(usize::MAX);
        let name = words[header::NAME..header::CHECK].iter().flat_map(|word| word.to_ne_bytes());
        let name: Vec<u8> = name.take(len.min(NAME_BYTES)).collect();
        Ok(Self {
            id: [words[header::ID], words[header::ID + 1]],
            created: words[header::CREATED],
            directory: bytes / 8,
            pid: words[header::PID],
            interval: Duration::from_nanos(words[header::INTERVAL]),
            name: String::from_utf8_lossy(&name).into_owned(),
        })
    }

    /// How the segment does now.
    pub(super) fn info(&self, map: &Map, file: &File, path: &Path) -> Result<Info, Error> {
        let fail = |error| Error::system(format!("{}: cannot ask for its lock", path.display()), error);
        let (locked, bytes) = is_locked(file).and_then(|locked| Ok((locked, file.metadata()?.len()))).map_err(fail)?;
        let beat = time(map.word(header::BEAT as u64));
        // A beat of the future, by a clock that was set, is not late.
        let age = SystemTime::now().duration_since(beat).unwrap_or_default();
        let is_late = !self.interval.is_zero() && age > self.interval.saturating_mul(INTERVALS_LATE);
        let life = match (locked, map.word(header::STATE as u64)) {
            (true, _) if is_late => Life::Stuck,
            (true, _) => Life::Running,
            (false, state::CLOSED) => Life::Closed,
            (false, _) => Life::Died,
        };
        Ok(Info {
            path: path.to_owned(),
            id: self.id,
            name: self.name.clone(),
            pid: self.pid,
            created: time(self.created),
            beat,
            interval: self.interval,
            life,
            fallbacks: map.word(header::FALLBACKS as u64),
            bytes,
        })
    }
}
