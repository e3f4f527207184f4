//! The groups: who competes, over what work, in which unit.

mod clock;
pub(crate) mod collect;
mod counter;
mod gauge;
mod histogram;
mod labels;
pub(crate) mod memory;
mod modes;
pub(crate) mod render;
mod serve;
pub(crate) mod tail;

use crate::contender::Contender;
use crate::values::Values;

/// How many threads record at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lanes {
    One,
    /// Two threads on the same metric, each timed by itself.
    Two,
}

/// What the time of one unit of work is shown in.
#[derive(Clone, Copy)]
pub(crate) enum Scale {
    Nanos,
    Millis,
}

/// Contenders that do the same work, and the floor that their ratios refer to.
pub(crate) struct Group {
    pub(crate) key: &'static str,
    /// The unit of work, e.g. "op".
    pub(crate) work: &'static str,
    pub(crate) scale: Scale,
    pub(crate) lanes: Lanes,
    pub(crate) values: Values,
    pub(crate) floor: Contender,
    pub(crate) contenders: Vec<Contender>,
}

impl Group {
    fn new(key: &'static str, floor: Contender, contenders: Vec<Contender>) -> Group {
        let values = Values::latencies();
        Group { key, work: "op", scale: Scale::Nanos, lanes: Lanes::One, values, floor, contenders }
    }

    /// The floor, then the contenders.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Contender> {
        std::iter::once(&self.floor).chain(&self.contenders)
    }

    fn two_lanes(mut self, key: &'static str) -> Group {
        self.key = key;
        self.lanes = Lanes::Two;
        self
    }

    fn measured_in(mut self, scale: Scale, work: &'static str) -> Group {
        self.scale = scale;
        self.work = work;
        self
    }
}

/// A group's name and how to build it. Built one at a time, so that no group runs beside another's data.
pub(crate) type Entry = (&'static str, fn() -> Group);

/// All timed groups, in the order of the table.
pub(crate) const ALL: [Entry; 16] = [
    ("clock", clock::group),
    ("counter", counter::group),
    ("counter, two threads", counter::two_threads),
    ("gauge", gauge::group),
    ("histogram", histogram::group),
    ("histogram, one value", histogram::one_value),
    ("histogram, two threads", histogram::two_threads),
    ("labels", labels::group),
    ("modes, counter", modes::counters),
    ("modes, gauge", modes::gauges),
    ("modes, histogram", modes::histograms),
    ("exemplars", modes::exemplars),
    ("serve", serve::group),
    ("render", render::group),
    ("collect counters", collect::counters),
    ("collect histograms", collect::histograms),
];

/// The groups for which instructions per operation are worth counting.
pub(crate) const COUNTED: [&str; 4] = ["counter", "gauge", "histogram", "labels"];
