//! Looking at a directory again and again.

use super::super::outcome::Stop;
use super::sample::{Process, Sample};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use tach::reader::{Directory, Info, Segment};

/// Reads all segments together and each by itself, and changes nothing.
pub(super) struct Watch {
    directory: Directory,
    segments: HashMap<[u64; 2], Segment>,
}

impl Watch {
    pub(super) fn new(dir: &Path) -> Result<Self, Stop> {
        Ok(Self { directory: Directory::watch(dir)?, segments: HashMap::new() })
    }

    pub(super) fn look(&mut self) -> Sample {
        let all = self.directory.read();
        let infos = self.directory.segments();
        self.segments.retain(|id, _| infos.iter().any(|info| info.id == *id));
        let created = infos.iter().map(|info| info.created).min().unwrap_or_else(|| all.time());
        let (taken, time) = (all.taken(), all.time());
        let all = Process { id: [0; 2], name: "all".to_owned(), life: None, created, faults: 0, snapshot: all };
        // What a segment that cannot be read comes to is among the directory's troubles.
        let each = infos.iter().filter_map(|info| self.process(info));
        let processes = std::iter::once(all).chain(each).collect();
        Sample { taken, time, processes, troubles: self.directory.faults() }
    }

    fn process(&mut self, info: &Info) -> Option<Process> {
        let segment = match self.segments.entry(info.id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Segment::open(&info.path).ok()?),
        };
        let reading = segment.read().ok()?;
        Some(Process {
            id: info.id,
            name: format!("{} [{}]", info.name, info.pid),
            life: Some(info.life),
            created: info.created,
            faults: reading.faults.len(),
            snapshot: reading.snapshot,
        })
    }
}
