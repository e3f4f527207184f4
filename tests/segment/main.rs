//! Mode PROCESS: what is recorded is found in the file, by a reader that knows the page on its layout
//! and nothing else; and by the crate's own, in `crash` and `fleet`.

#![cfg(target_os = "linux")]

mod child;
mod crash;
#[cfg(feature = "http")]
mod fleet;
mod fork;
mod keeper;
mod life;
mod merged;
mod parse;
mod room;
mod values;

use std::path::PathBuf;
use tach::{Recording, Registry, RegistryBuilder};

/// A directory on tmpfs for one test, removed after it.
struct Dir(PathBuf);

impl Dir {
    fn new(test: &str) -> Self {
        let dir = PathBuf::from(format!("/dev/shm/tach-test-{}-{test}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        Self(dir)
    }

    /// The settings of a registry with a segment here.
    fn builder(&self) -> RegistryBuilder {
        Registry::builder().recording(Recording::Process).segment_dir(&self.0).process_name("test")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn path(registry: &Registry) -> PathBuf {
    registry.segment().expect("mode PROCESS").expect("a segment").to_owned()
}

fn parsed(registry: &Registry) -> parse::Segment {
    parse::Segment::read(&path(registry))
}
