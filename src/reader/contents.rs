//! What a segment's records say there is: metrics, their series, and where the cells of these lie. All of it checked
//! against the file and against each other.

use super::describe::describe;
use super::directory::Claims;
use super::faults::Faults;
use super::header::time;
use super::map::Map;
use crate::bucket::SLOTS_MAX;
use crate::collect::HistogramSnapshot;
use crate::describe::{Aggregate, Descriptor, Escaping, Kind, LabelSets, LabelValues};
use crate::record::copied::HEADER;
use crate::record::exemplar::WORDS;
use crate::segment::record::{CopyRecord, MetricRecord, Record, SeriesRecord, SlotsRecord, state};
use smallvec::SmallVec;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

/// A page of text takes at most so many bytes for each byte of the file.
const TEXT_PER_BYTE: u64 = 64;
/// And this much in any case.
const TEXT_MIN: u64 = 1 << 20;
/// What a line of text has besides its names and values, at most: braces, quotes, a bound, the value.
const LINE: usize = 80;
/// And what one with an exemplar has besides, at most.
const EXEMPLAR: usize = 140;

/// What a record is, by its number.
#[derive(Debug)]
enum Entry {
    Metric(u32),
    Extent(u32),
    Other,
}

/// A run of cells.
#[derive(Debug)]
pub(super) struct Extent {
    cells: u64,
    /// One of the copies is the shared one.
    has_shared: bool,
    pub(super) copies: Vec<Copy>,
}

/// One copy of it.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) shard: u64,
    /// Its first word in the file.
    pub(super) first: u64,
}

/// A metric.
#[derive(Debug)]
pub(super) struct Metric {
    state_at: u64,
    pub(super) desc: Arc<Descriptor>,
    /// In the order of their label values, from the last [`Contents::refresh`] on.
    pub(super) series: Vec<Series>,
    /// Those that are shown, by their places among them, and their labels.
    pub(super) shown: Vec<usize>,
    pub(super) labels: Arc<LabelSets>,
    pub(super) is_hidden: bool,
}

/// A series.
#[derive(Debug)]
pub(super) struct Series {
    /// The number of its record.
    number: u64,
    state_at: u64,
    began: SystemTime,
    pub(super) values: LabelValues,
    pub(super) extent: u32,
    pub(super) front: u64,
    pub(super) back: u64,
    /// Its slots for exemplars.
    pub(super) slots: SlotsRecord,
    is_live: bool,
    pub(super) last: Last,
}

/// What the last read found of a histogram.
#[derive(Debug, Default)]
pub(super) struct Last {
    /// By copy.
    pub(super) counts: SmallVec<[u64; 2]>,
    pub(super) merged: Option<HistogramSnapshot>,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Contents {
    entries: Vec<Entry>,
    pub(super) metrics: Vec<Metric>,
    extents: Vec<Extent>,
    /// Every name that some format gives a metric.
    names: BTreeSet<(Escaping, String)>,
    pub(super) folded: Vec<[u64; 2]>,
    /// What is wrong with what is live now.
    pub(super) faults: Faults,
}

impl Series {
    pub(super) fn is_live(&self, map: &Map) -> bool {
        map.word(self.state_at) == state::LIVE
    }

    /// The runs of cells that it has.
    fn runs(&self, desc: &Descriptor) -> [(u64, u64); 3] {
        let front = match (desc.kind, desc.aggregate) {
            (Kind::Histogram, _) => HEADER as u64,
            // And when it was set.
            (Kind::Gauge, Aggregate::Last) => 2,
            _ => 1,
        };
        let back = desc.grid.as_ref().map_or(0, |grid| grid.len() as u64);
        [(self.front, front), (self.back, back), (self.slots.at, self.slots.slots * WORDS as u64)]
    }
}

impl Contents {
    /// The cells that a series is in.
    pub(super) fn extent(&self, series: &Series) -> &Extent {
        &self.extents[series.extent as usize]
    }

    /// Takes the next record, which is at the word `at`. What it refuses is to be skipped.
    pub(super) fn take(&mut self, at: u64, record: Record, map: &Map, claims: &mut Claims) -> Result<(), String> {
        let entry = match record {
            Record::Metric(record) => self.metric(at, *record)?,
            Record::Series(record) => self.series(at, record)?,
            Record::Extent(record) => {
                self.extents.push(Extent { cells: record.cells, has_shared: false, copies: Vec::new() });
                Entry::Extent(self.extents.len() as u32 - 1)
            }
            Record::Copy(record) => self.copy(record, map, claims)?,
            Record::Folded(id) => {
                self.folded.push(id);
                Entry::Other
            }
            Record::Unknown => Entry::Other,
        };
        self.entries.push(entry);
        Ok(())
    }

    /// The next record is none that others can refer to.
    pub(super) fn skip(&mut self) {
        self.entries.push(Entry::Other);
    }

    fn metric(&mut self, at: u64, record: MetricRecord) -> Result<Entry, String> {
        let desc = describe(record)?;
        if desc.has_total_in_base() {
            return Err(format!("{}: a counter's base name {} has its suffix already", desc.name, desc.base));
        }
        // Whether names of others need escaping is not known yet.
        let names = desc.names_in(Escaping::telling(true));
        if let Some((_, name)) = names.iter().find(|name| self.names.contains(*name)) {
            return Err(format!("{}: the name {name}, which another metric has", desc.name));
        }
        self.names.extend(names);
        self.metrics.push(Metric {
            state_at: at + 1,
            desc,
            series: Vec::new(),
            shown: Vec::new(),
            labels: Arc::new(LabelSets::new([])),
            is_hidden: false,
        });
        Ok(Entry::Metric(self.metrics.len() as u32 - 1))
    }

    fn series(&mut self, at: u64, record: SeriesRecord) -> Result<Entry, String> {
        let Some(&Entry::Metric(metric)) = self.entry(record.metric) else {
            return Err(format!("a series of record {}, which is no metric", record.metric));
        };
        let metric = &mut self.metrics[metric as usize];
        let name = &metric.desc.name;
        let entry = usize::try_from(record.extent).ok().and_then(|number| self.entries.get(number));
        let Some(Entry::Extent(extent)) = entry else {
            return Err(format!("{name}: a series in record {}, which is no extent", record.extent));
        };
        if record.values.len() != metric.desc.labels.len() {
            return Err(format!("{name}: a series with {} label values", record.values.len()));
        }
        let slots = record.exemplars.unwrap_or_default();
        if slots.slots > SLOTS_MAX as u64 {
            return Err(format!("{name}: a series with {} slots for exemplars", slots.slots));
        }
        let series = Series {
            number: self.entries.len() as u64,
            state_at: at + 1,
            began: time(record.began),
            values: record.values.into_iter().map(String::into_boxed_str).collect(),
            extent: *extent,
            front: record.front,
            back: record.back,
            slots,
            is_live: false,
            last: Last::default(),
        };
        let cells = self.extents[*extent as usize].cells;
        let is_within = |&(start, len): &(u64, u64)| start.checked_add(len).is_some_and(|end| end <= cells);
        if !series.runs(&metric.desc).iter().filter(|run| run.1 > 0).all(is_within) {
            return Err(format!("{name}: a series beyond the end of its extent"));
        }
        metric.series.push(series);
        Ok(Entry::Other)
    }

    fn copy(&mut self, record: CopyRecord, map: &Map, claims: &mut Claims) -> Result<Entry, String> {
        let Some(&Entry::Extent(extent)) = self.entry(record.extent) else {
            return Err(format!("a copy of record {}, which is no extent", record.extent));
        };
        let extent = &mut self.extents[extent as usize];
        let first = record.at / 8;
        let end = first.checked_add(extent.cells).filter(|end| *end <= map.len() as u64);
        let Some(end) = end.filter(|_| record.at.is_multiple_of(8) && extent.cells > 0) else {
            return Err(format!("a copy of {} cells at {}, which the file does not have", extent.cells, record.at));
        };
        if record.shard == 0 && extent.has_shared {
            return Err("a second shared copy of one extent".to_owned());
        }
        if !claims.claim(first, end) {
            return Err(format!("a copy of {} cells at {}, where something else is", extent.cells, record.at));
        }
        extent.has_shared |= record.shard == 0;
        extent.copies.push(Copy { shard: record.shard, first });
        Ok(Entry::Other)
    }

    fn entry(&self, number: u64) -> Option<&Entry> {
        usize::try_from(number).ok().and_then(|number| self.entries.get(number))
    }

    /// Looks which metrics and series are live now; `is_new`: there are records since the last time.
    pub(super) fn refresh(&mut self, map: &Map, is_new: bool) {
        let mut changed = is_new;
        for metric in &mut self.metrics {
            let is_hidden = map.word(metric.state_at) != state::LIVE;
            changed |= is_hidden != metric.is_hidden;
            metric.is_hidden = is_hidden;
            for series in &mut metric.series {
                let is_live = series.is_live(map);
                changed |= is_live != series.is_live;
                series.is_live = is_live;
            }
        }
        if changed {
            self.list(map);
        }
    }

    /// Makes the lists of what is shown.
    fn list(&mut self, map: &Map) {
        self.faults.clear();
        let overlapping = self.overlapping();
        let mut text = TEXT_MIN + TEXT_PER_BYTE.saturating_mul(8 * map.len() as u64);
        for metric in &mut self.metrics {
            let name = &metric.desc.name;
            // What is removed does not come back.
            metric.series.retain(|series| map.word(series.state_at) != state::REMOVED);
            metric.series.sort_unstable_by(|a, b| a.values.cmp(&b.values).then(a.number.cmp(&b.number)));
            let before = std::mem::take(&mut metric.shown);
            let mut last: Option<&Series> = None;
            for (place, series) in metric.series.iter().enumerate().filter(|(_, series)| series.is_live) {
                let extent = &self.extents[series.extent as usize];
                if last.is_some_and(|last| last.values == series.values) {
                    self.faults.add(format_args!("{name}: a series twice: {:?}", series.values));
                } else if overlapping.contains(&series.number) {
                    self.faults.add(format_args!("{name}: a series in the cells of another: {:?}", series.values));
                } else if extent.copies.is_empty() || metric.desc.kind == Kind::Gauge && !extent.has_shared {
                    self.faults.add(format_args!("{name}: a series without cells: {:?}", series.values));
                } else {
                    metric.shown.push(place);
                    last = Some(series);
                }
            }
            let needed = metric.text();
            if needed > text {
                self.faults.add(format_args!("{name}: as text it would be far larger than the file"));
                metric.shown.clear();
            } else {
                text -= needed;
            }
            let shown = || metric.shown.iter().map(|&place| &metric.series[place]);
            let is_same = before.len() == metric.shown.len()
                && shown().zip(&metric.labels.sets).all(|(series, set)| Arc::ptr_eq(&series.values, set));
            if !is_same {
                metric.labels = Arc::new(LabelSets::new(shown().map(|s| (Arc::clone(&s.values), s.began))));
            }
        }
    }

    /// The numbers of live series some of whose cells another has.
    fn overlapping(&self) -> BTreeSet<u64> {
        let mut runs = Vec::new();
        for metric in &self.metrics {
            for series in metric.series.iter().filter(|series| series.is_live) {
                let held = series.runs(&metric.desc).into_iter().filter(|run| run.1 > 0);
                runs.extend(held.map(|(start, len)| (series.extent, start, start + len, series.number)));
            }
        }
        runs.sort_unstable();
        let mut overlapping = BTreeSet::new();
        let (mut extent, mut end) = (u32::MAX, 0);
        for run in runs {
            if run.0 == extent && run.1 < end {
                overlapping.insert(run.3);
            } else {
                (extent, end) = (run.0, run.2);
            }
        }
        overlapping
    }
}

impl Metric {
    /// Bytes of its page of text, at most.
    fn text(&self) -> u64 {
        let desc = &self.desc;
        let len = |texts: &[String]| texts.iter().map(String::len).sum::<usize>();
        let constant: usize = desc.const_labels.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let line = LINE + desc.base.len() + len(&desc.labels) + 4 * desc.labels.len() + constant;
        let lines = desc.grid.as_ref().map_or(1, |grid| grid.ladder().bounds().len() + 3) as u64;
        let series = self.shown.iter().map(|&place| &self.series[place]);
        let bytes = series.map(|series| {
            let values: usize = series.values.iter().map(|value| value.len()).sum();
            let exemplar = if series.slots.slots > 0 { EXEMPLAR } else { 0 };
            lines.saturating_mul((line + values + exemplar) as u64)
        });
        bytes.fold((2 * (desc.base.len() + LINE) + desc.help.len()) as u64, u64::saturating_add)
    }
}
