//! What the reader promises of any file, on segments that [`super::write`] made, whole and damaged.

mod round_trip;

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
