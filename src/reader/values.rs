//! The values of a segment's series, out of its cells.

use super::contents::{Contents, Copy, Extent, Last, Metric, Series};
use super::faults::Faults;
use super::map::Map;
use super::reading::Torn;
use crate::collect::read::{held, read};
use crate::collect::{FamilySnapshot, HistogramSnapshot, Sums, Values, exemplar};
use crate::describe::{Aggregate, Kind, LabelSets};
use crate::record::copied::{Copied, HEADER};
use crate::record::exemplar::{Noted, WORDS};
use crate::segment::publish;
use crate::segment::record::SlotsRecord;
use std::sync::Arc;

/// Values a histogram holds at most: what an i64 counts.
const COUNT_MAX: u128 = i64::MAX as u128;

/// What reading the values takes and gives.
pub(super) struct Reader<'a> {
    pub(super) map: &'a Map,
    /// Whether the writer may still record.
    pub(super) is_alive: bool,
    pub(super) torn: Vec<Torn>,
    pub(super) faults: Faults,
    cells: Vec<(u32, u64)>,
    sums: Sums,
}

/// One value of a series.
enum Value {
    Count(u64),
    UpDown(u64),
    Float(f64),
    /// With when it was set.
    Gauge(f64, u64),
    Histogram(HistogramSnapshot),
}

impl<'a> Reader<'a> {
    pub(super) fn new(map: &'a Map, is_alive: bool) -> Self {
        Self { map, is_alive, torn: Vec::new(), faults: Faults::default(), cells: Vec::new(), sums: Sums::default() }
    }

    /// The families, and of each when its series were set: for gauges of which the last one counts, otherwise nothing.
    pub(super) fn families(&mut self, contents: &mut Contents) -> Vec<(FamilySnapshot, Box<[u64]>)> {
        // The last results are written while the rest is read.
        let mut metrics = std::mem::take(&mut contents.metrics);
        let visible = metrics.iter_mut().filter(|metric| !metric.is_hidden);
        let families = visible.map(|metric| self.family(metric, contents)).collect();
        contents.metrics = metrics;
        families
    }

    fn family(&mut self, metric: &mut Metric, contents: &Contents) -> (FamilySnapshot, Box<[u64]>) {
        let mut values = match metric.desc.kind {
            Kind::Counter | Kind::ObservedCounter => Values::Counter(Default::default()),
            Kind::FloatCounter | Kind::ObservedFloatCounter => Values::FloatCounter(Default::default()),
            Kind::UpDownCounter => Values::UpDown(Default::default()),
            Kind::Gauge | Kind::ObservedGauge | Kind::Info => Values::Gauge(Default::default()),
            Kind::Histogram => Values::Histogram(Vec::new()),
            // In no segment.
            Kind::Summary => Values::Summary(Vec::new()),
        };
        let mut set = Vec::new();
        let (mut left_out, mut noted) = (Vec::new(), Vec::new());
        for (index, &place) in metric.shown.iter().enumerate() {
            let series = &metric.series[place];
            let torn = self.torn.len();
            let mut last = None;
            let value = self.value(metric, series, contents.extent(series), &mut last);
            let exemplars = self.noted(metric, series, contents.extent(series));
            // Edge SEGMENT-TOMBSTONE: what was read is the series' only if it is still live.
            publish::after_cells();
            let value = value.filter(|_| series.is_live(self.map));
            if let Some(last) = last {
                metric.series[place].last = last;
            }
            if value.is_some() {
                noted.extend(exemplars.into_iter().map(|noted| (index - left_out.len(), noted)));
            }
            match (&mut values, value) {
                (Values::Counter(values), Some(Value::Count(value))) => values.push(value),
                (Values::UpDown(values), Some(Value::UpDown(value))) => values.push(value.cast_signed()),
                (Values::FloatCounter(values), Some(Value::Float(value))) => values.push(value),
                (Values::Gauge(values), Some(Value::Gauge(value, at))) => {
                    values.push(value);
                    if metric.desc.aggregate == Aggregate::Last {
                        set.push(at);
                    }
                }
                (Values::Histogram(values), Some(Value::Histogram(value))) => values.push(value),
                _ => {
                    left_out.push(index);
                    self.torn.truncate(torn);
                }
            }
        }
        let labels = if left_out.is_empty() {
            Arc::clone(&metric.labels)
        } else {
            let all = metric.labels.sets.iter().zip(&metric.labels.began).enumerate();
            let kept = all.filter(|(index, _)| left_out.binary_search(index).is_err());
            Arc::new(LabelSets::new(kept.map(|(_, (set, began))| (Arc::clone(set), *began))))
        };
        let noted = exemplar::combine(labels.sets.len(), noted.into_iter());
        (FamilySnapshot { desc: Arc::clone(&metric.desc), labels, values, noted }, set.into())
    }

    /// A value; `None` where it can be none.
    fn value(&mut self, metric: &Metric, series: &Series, extent: &Extent, last: &mut Option<Last>) -> Option<Value> {
        let cells = extent.copies.iter().map(|copy| self.map.word(copy.first + series.front));
        Some(match metric.desc.kind {
            Kind::Counter | Kind::ObservedCounter => Value::Count(cells.fold(0, u64::wrapping_add)),
            Kind::UpDownCounter => Value::UpDown(cells.fold(0, u64::wrapping_add)),
            // In the order of the copies, which never changes: so the total never falls.
            Kind::FloatCounter | Kind::ObservedFloatCounter => {
                // Adding zero makes minus zero, which is no total's spelling, zero.
                let total = cells.map(f64::from_bits).sum::<f64>() + 0.0;
                if total.is_nan() || total < 0.0 {
                    let name = &metric.desc.name;
                    self.faults.add(format_args!("{name}: a total of {total}: {:?}", series.values));
                    return None;
                }
                // As in the process; what a callback gives is shown as it is.
                Value::Float(if metric.desc.kind == Kind::FloatCounter { total.min(f64::MAX) } else { total })
            }
            Kind::Gauge | Kind::ObservedGauge | Kind::Info => {
                let shared = extent.copies.iter().find(|copy| copy.shard == 0)?.first + series.front;
                let is_last = metric.desc.aggregate == Aggregate::Last;
                let at = if is_last { self.map.word(shared + 1) } else { 0 };
                Value::Gauge(f64::from_bits(self.map.word(shared)), at)
            }
            Kind::Histogram => Value::Histogram(self.histogram(metric, series, extent, last)?),
            Kind::Summary => return None,
        })
    }

    /// The exemplars of a counter's copies, those that some recording can have left.
    fn noted(&mut self, metric: &Metric, series: &Series, extent: &Extent) -> Vec<Noted> {
        let kind = metric.desc.kind;
        if !kind.is_counter() || series.slots.slots == 0 {
            return Vec::new();
        }
        let mut noted = Vec::new();
        extent.copies.iter().for_each(|copy| gather(self.map, copy, series, &mut noted));
        if matches!(kind, Kind::Counter | Kind::ObservedCounter) {
            return noted.into_iter().map(exemplar::floated).collect();
        }
        noted.retain(|noted| (0.0..f64::INFINITY).contains(&f64::from_bits(noted.value)));
        noted
    }

    /// Merges the copies of a histogram, or gives the last result again where no count has changed since.
    fn histogram(
        &mut self,
        metric: &Metric,
        series: &Series,
        extent: &Extent,
        last: &mut Option<Last>,
    ) -> Option<HistogramSnapshot> {
        let grid = metric.desc.grid.as_ref()?;
        let map = self.map;
        let copy = |first: u64| {
            let header = map.run(first + series.front, HEADER as u64)?;
            Some(Copied::new(grid, header, map.run(first + series.back, grid.len() as u64)?))
        };
        // Each was found to lie in the file.
        let copies = || extent.copies.iter().filter_map(|at| Some((at, copy(at.first)?)));
        if let Last { counts, merged: Some(merged) } = &series.last
            && copies().map(|(_, copy)| copy.count()).eq(counts.iter().copied())
        {
            return Some(merged.clone());
        }
        let mut merged = HistogramSnapshot::empty(Arc::clone(grid));
        let mut counts = smallvec::SmallVec::new();
        // What is not exact, or torn, is better read again.
        let (mut total, mut is_whole) = (0_u128, true);
        for (at, copy) in copies() {
            let part = read(copy, &mut self.cells);
            counts.push(part.counted);
            let mut ahead = part.count.wrapping_sub(part.counted);
            if part.counted == 0 && !self.is_alive && copy.has_range() {
                // The writer's first recording there may be what it was killed in.
                ahead = held(copy, &mut self.cells);
            }
            is_whole &= part.exact && ahead == 0;
            if !part.exact && part.counted > part.count {
                self.fault(metric, series, "its buckets hold less than its count");
            } else if ahead > 0 {
                self.torn.push(torn(metric, series, at.shard, ahead));
            }
            if part.count > 0 {
                total += self.cells.iter().map(|(_, count)| u128::from(*count)).sum::<u128>();
                merged.merge(part, &self.cells, &mut self.sums);
                // After the count, so that none is missing of what that has.
                gather(map, at, series, &mut self.sums.noted);
            }
        }
        self.sums.noted.retain(|noted| noted.value <= grid.layout().max());
        merged.finish(&mut self.sums);
        if total > COUNT_MAX {
            self.fault(metric, series, "more values than can be counted");
            return None;
        }
        *last = Some(Last { counts, merged: is_whole.then(|| merged.clone()) });
        Some(merged)
    }

    fn fault(&mut self, metric: &Metric, series: &Series, text: &str) {
        self.faults.add(format_args!("{}: {text}: {:?}", metric.desc.name, series.values));
    }
}

/// Adds what is in the slots of a copy, which were found to lie in it.
fn gather(map: &Map, copy: &Copy, series: &Series, to: &mut Vec<Noted>) {
    let SlotsRecord { at, slots } = series.slots;
    if let Some(cells) = map.run(copy.first + at, slots * WORDS as u64) {
        exemplar::gather(cells, to);
    }
}

fn torn(metric: &Metric, series: &Series, shard: u64, ahead: u64) -> Torn {
    let values = series.values.iter().map(|value| value.to_string());
    Torn {
        metric: metric.desc.name.clone(),
        labels: metric.desc.labels.iter().cloned().zip(values).collect(),
        shard,
        ahead,
    }
}
