//! What a directory tells of itself.

use crate::collect::FamilySnapshot;
use crate::error::Error;
use crate::reader::Life;
use crate::registry::{Family, Registry};
use crate::{Counter, Gauge, Unit};
use std::time::Duration;

const NAMES: [&str; 4] = ["tach_segments", "tach_segment_faults", "tach_segments_folded", "tach_segment_read"];
const STATES: [(Life, &str); 4] =
    [(Life::Running, "running"), (Life::Stuck, "stuck"), (Life::Closed, "closed"), (Life::Died, "died")];

/// Its metrics, in a registry that nobody else sees.
#[derive(Debug)]
pub(super) struct Own {
    registry: Registry,
    states: Family<Gauge, 1>,
    faults: Counter,
    /// How many of them.
    told: u64,
    pub(super) folded: Counter,
    read: Gauge,
}

impl Own {
    pub(super) fn new() -> Result<Self, Error> {
        let registry = Registry::builder().build()?;
        let states = registry.gauge("tach_segments").own().help("Segments in the directory, by what their writers do.");
        let faults = registry.counter("tach_segment_faults").own();
        let folded = registry.counter("tach_segments_folded").own();
        let read = registry.gauge("tach_segment_read").unit(Unit::Seconds).own();
        Ok(Self {
            states: states.labels(["state"]).build()?,
            faults: faults.help("Things found wrong with segments, each counted once.").build()?,
            folded: folded.help("Segments of ended processes whose totals were moved to one file.").build()?,
            read: read.help("How long reading and merging the segments took for this exposition.").build()?,
            told: 0,
            registry,
        })
    }

    /// The families now, for segments that live so.
    pub(super) fn families(
        &mut self,
        lives: impl Iterator<Item = Life>,
        faults: u64,
        took: Duration,
    ) -> Vec<FamilySnapshot> {
        let lives: Vec<Life> = lives.collect();
        for (life, state) in STATES {
            let count = lives.iter().filter(|other| **other == life).count();
            self.states.with([state]).set(count as f64);
        }
        self.faults.add(faults - self.told);
        self.told = faults;
        self.read.set(took.as_secs_f64());
        let snapshot = self.registry.snapshot().part(|family| NAMES.contains(&&*family.desc.name));
        snapshot.families().to_vec()
    }
}
