//! Looking at a directory again and again.

use super::super::outcome::Stop;
use super::sample::{Process, Sample};
use std::path::Path;
use tach::reader::{Directory, Reading};

/// Reads all segments together and each by itself, and changes nothing.
pub(super) struct Watch(Directory);

impl Watch {
    pub(super) fn new(dir: &Path) -> Result<Self, Stop> {
        Ok(Self(Directory::watch(dir)?))
    }

    pub(super) fn look(&mut self) -> Sample {
        let all = self.0.read();
        let readings = self.0.readings();
        let created = readings.iter().map(|reading| reading.info.created).min().unwrap_or_else(|| all.time());
        let (taken, time) = (all.taken(), all.time());
        let all = Process { id: [0; 2], name: "all".to_owned(), life: None, created, faults: 0, snapshot: all };
        let processes = std::iter::once(all).chain(readings.into_iter().map(process)).collect();
        Sample { taken, time, processes, troubles: self.0.faults() }
    }
}

fn process(reading: Reading) -> Process {
    let info = reading.info;
    Process {
        id: info.id,
        name: format!("{} [{}]", info.name, info.pid),
        life: Some(info.life),
        created: info.created,
        faults: reading.faults.len(),
        snapshot: reading.snapshot,
    }
}
