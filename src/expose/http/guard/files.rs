//! Whether files have changed since they were read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The largest file that is read: certificates and configurations are far smaller.
const BYTES_MAX: u64 = 1 << 20;

/// What changes when a file is written or another takes its place; `None`: it cannot be seen.
type Stamp = Option<(SystemTime, u64, u64)>;

/// Files that were read, as they were just before.
#[derive(Debug, Default)]
pub(super) struct Files(Vec<(PathBuf, Stamp)>);

impl Files {
    /// Reads a file, and takes note of it whether or not that works.
    pub(super) fn read(&mut self, path: &Path) -> Result<String, String> {
        self.0.push((path.to_owned(), stamp(path)));
        let read = || {
            let data = fs::metadata(path)?;
            // Reading a pipe would wait for whoever writes to it.
            if !data.is_file() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
            }
            if data.len() > BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it has more than a megabyte"));
            }
            fs::read_to_string(path)
        };
        read().map_err(|error| format!("{} cannot be read: {error}", path.display()))
    }

    /// Whether one of them is no longer what was read.
    pub(super) fn have_changed(&self) -> bool {
        self.0.iter().any(|(path, before)| stamp(path) != *before)
    }
}

fn stamp(path: &Path) -> Stamp {
    let data = fs::metadata(path).ok()?;
    #[cfg(unix)]
    let id = std::os::unix::fs::MetadataExt::ino(&data);
    #[cfg(not(unix))]
    let id = 0;
    Some((data.modified().ok()?, data.len(), id))
}
