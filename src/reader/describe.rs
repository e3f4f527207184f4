//! Descriptions out of a segment's records, checked as those that are registered are; equal ones are one.
//!
//! A [`Grid`] or [`Descriptor`] that another segment has too is the same `Arc`, so that histograms of several processes
//! can be added and what a rendering keeps is kept once.

use crate::bucket::Grid;
use crate::describe::{Aggregate, Descriptor, Escaping, Kind, Level, Unit, check_exposed, check_label, check_metric};
use crate::segment::record::{GridRecord, MetricRecord, Record, state};
use crate::sync::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::{Arc, Weak};

/// How many words for units other than the known ones a process takes: they are never given back.
const UNITS_MAX: usize = 256;
/// And how long each may be, in bytes.
const UNIT_BYTES_MAX: usize = 64;
/// The fewest entries at which a pool looks for dead ones.
const SWEEP_MIN: usize = 64;

/// Values by the words that they were made of, for as long as somebody has them.
struct Pool<T> {
    held: BTreeMap<Box<[u64]>, Weak<T>>,
    /// At so many entries the dead ones are taken out.
    sweep: usize,
}

impl<T> Pool<T> {
    const fn new() -> Self {
        Self { held: BTreeMap::new(), sweep: SWEEP_MIN }
    }

    fn get(&mut self, words: &[u64], make: impl FnOnce() -> Result<T, String>) -> Result<Arc<T>, String> {
        if let Some(held) = self.held.get(words).and_then(Weak::upgrade) {
            return Ok(held);
        }
        let made = Arc::new(make()?);
        if self.held.len() >= self.sweep {
            self.held.retain(|_, held| held.strong_count() > 0);
            self.sweep = SWEEP_MIN.max(2 * self.held.len());
        }
        self.held.insert(words.into(), Arc::downgrade(&made));
        Ok(made)
    }
}

static GRIDS: Mutex<Pool<Grid>> = Mutex::new(Pool::new());
static DESCRIPTORS: Mutex<Pool<Descriptor>> = Mutex::new(Pool::new());
static UNITS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// The description in a record; `Err` says what no exposition could carry.
pub(super) fn describe(record: MetricRecord) -> Result<Arc<Descriptor>, String> {
    // The words of the record as it was parsed, not those of the file: equal descriptions have equal ones.
    let record = Record::Metric(Box::new(record));
    let words = record.to_words(state::LIVE).map_err(text)?;
    let Record::Metric(record) = record else { unreachable!("made above") };
    let record = *record;
    DESCRIPTORS.lock().get(&words, || make(record))
}

fn make(record: MetricRecord) -> Result<Descriptor, String> {
    let kind = match record.kind {
        1 => Kind::Counter,
        2 => Kind::FloatCounter,
        3 => Kind::UpDownCounter,
        4 => Kind::Gauge,
        5 => Kind::Histogram,
        other => return Err(format!("{}: a metric of the unknown kind {other}", record.name)),
    };
    check_metric(&record.name, record.utf8).map_err(text)?;
    check_exposed(&record.name, &record.base, "", record.utf8).map_err(text)?;
    check_exposed(&record.name, &record.dotted, ".", record.utf8).map_err(text)?;
    let aggregate = match record.aggregate {
        0 => Aggregate::PerProcess,
        1 => Aggregate::Sum,
        2 => Aggregate::Max,
        3 => Aggregate::Min,
        4 => Aggregate::Last,
        other => return Err(format!("{}: the unknown aggregate {other}", record.name)),
    };
    let level = match record.level {
        0 => Level::None,
        1 => Level::Basic,
        2 => Level::Detailed,
        other => return Err(format!("{}: the unknown level {other}", record.name)),
    };
    let (pairs, rest) = record.const_labels.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(format!("{}: a constant label without a value", record.name));
    }
    let mut names = BTreeSet::new();
    for label in record.labels.iter().chain(pairs.iter().map(|[name, _]| name)) {
        check_label(&record.name, label, kind == Kind::Histogram, record.utf8).map_err(text)?;
        // As scrapers see them: two may be one to some.
        let mut escaped = Escaping::telling(record.utf8).iter().map(|&escaping| (escaping, escaping.label(label)));
        if !escaped.all(|name| names.insert(name)) {
            return Err(format!("{}: the label {label} twice", record.name));
        }
    }
    let grid = match (&record.grid, kind) {
        (Some(grid), Kind::Histogram) => Some(shared(grid).map_err(|wrong| format!("{}: {wrong}", record.name))?),
        (None, Kind::Histogram) => return Err(format!("{}: a histogram without buckets", record.name)),
        _ => None,
    };
    Ok(Descriptor {
        unit: unit(&record.unit).map_err(|wrong| format!("{}: {wrong}", record.name))?,
        const_labels: pairs.iter().map(|[name, value]| (name.clone(), value.clone())).collect(),
        name: record.name,
        base: record.base,
        dotted: record.dotted,
        help: record.help,
        kind,
        utf8: record.utf8,
        level,
        aggregate,
        labels: record.labels.into(),
        label_set: None,
        // Of no use here. (Not `usize::MAX`: that is the mark of metrics whose series are made for each snapshot.)
        limit: 0,
        grid,
        exemplars: false,
    })
}

/// The one grid that is as this record says.
fn shared(record: &GridRecord) -> Result<Arc<Grid>, String> {
    let floats = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let (bounds, exact) = (floats(&record.bounds), floats(&record.exact));
    let fixed = [record.resolution, record.limit, record.tick.to_bits(), bounds.len() as u64];
    let words = [&fixed[..], &bounds, &exact].concat();
    GRIDS.lock().get(&words, || record.grid().map_err(text))
}

fn unit(suffix: &str) -> Result<Unit, String> {
    let known = [Unit::None, Unit::Seconds, Unit::Milliseconds, Unit::Bytes, Unit::Ratio, Unit::Joules];
    if let Some(unit) = known.into_iter().find(|unit| unit.suffix() == suffix) {
        return Ok(unit);
    }
    if suffix.len() > UNIT_BYTES_MAX || !suffix.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err("a unit that cannot be part of a name".to_owned());
    }
    let mut units = UNITS.lock();
    if let Some(unit) = units.get(suffix) {
        return Ok(Unit::Other(unit));
    }
    if units.len() >= UNITS_MAX {
        return Err(format!("the unit {suffix}, beyond the first {UNITS_MAX} that this process has met"));
    }
    let unit: &'static str = Box::leak(suffix.into());
    units.insert(unit);
    Ok(Unit::Other(unit))
}

fn text(wrong: impl Display) -> String {
    wrong.to_string()
}
