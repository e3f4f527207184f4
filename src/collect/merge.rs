//! Merging the shards of a registry into a snapshot.
//!
//! Reads cells only, takes no lock that a recording could wait for, and visits what was touched: the used front of each
//! extent, region by region in the order of memory, and of each histogram the buckets between its smallest and its
//! largest value.

use super::exemplar;
use super::foreign;
use super::histogram::{HistogramSnapshot, Sums};
use super::read::read;
use super::snapshot::{Data, FamilySnapshot, Snapshot, Values};
use crate::describe::{Descriptor, Kind, LabelSets, LabelValues};
use crate::record::hdr::Hdr;
use crate::record::local;
use crate::record::shard::Regions;
use crate::record::space::Front;
use crate::registry::{Core, Figures, Met, Observed, Registry, Series};
use crate::sync::Mutex;
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

impl Registry {
    /// Merges all shards into a fresh snapshot, on the calling thread.
    ///
    /// Costs reading the touched cells of every shard. Recordings that happened before the call, on this thread or on
    /// one that this thread synchronised with, are in it.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let (taken, time) = (Instant::now(), SystemTime::now());
        let mut met = Met::default();
        // Callbacks first, while nothing is locked: they may record, and register.
        let mut families = self.observed(&mut met);
        let foreign = self.foreign();
        let began = Instant::now();
        // The series before the fronts: a series' extent is in the list, then, and its front covers the series. And
        // both before cells are read: so whatever was recorded before this call is found.
        let listing = self.listing();
        let regions = local::shards().map(|shards| shards.regions()).unwrap_or_default();
        let cells = Cells { fronts: self.space().fronts(&regions), regions: &regions };
        let mut scratch = Scratch::default();
        let (mut clamped, mut series) = (Vec::new(), families.len());
        families.reserve(listing.len() + 10);
        for (desc, listed) in &*listing {
            let Some(values) = values(desc, listed, &cells, &mut met, &mut scratch) else { continue };
            // The engine's own that are kept like others.
            if !desc.base.starts_with("tach_") {
                series += listed.labels.sets.len();
            }
            if let Values::Histogram(values) = &values {
                let now: u64 = values.iter().map(HistogramSnapshot::clamped).sum();
                clamped.push((desc.base.clone(), listed.clamped + now));
            }
            let noted = exemplar::column(desc, listed, &values, &regions);
            families.push(FamilySnapshot { desc: Arc::clone(desc), labels: Arc::clone(&listed.labels), values, noted });
        }
        own(self, &mut families, clamped, series, met, &regions, began);
        foreign::add(&mut families, foreign);
        families.sort_by(|a, b| a.desc.base.cmp(&b.desc.base));
        Snapshot::new(Data { taken, time, began: self.made(), elapsed: None, families })
    }

    /// The histograms whose own names `keep` lets pass, and nothing else: no callback is called, but that for foreign
    /// families.
    pub(crate) fn histograms(&self, keep: impl Fn(&str) -> bool) -> Snapshot {
        let (taken, time) = (Instant::now(), SystemTime::now());
        let listing = self.listing();
        let regions = local::shards().map(|shards| shards.regions()).unwrap_or_default();
        // Histograms are not read from the fronts.
        let cells = Cells { fronts: Vec::new(), regions: &regions };
        let (mut met, mut scratch) = (Met::default(), Scratch::default());
        let chosen = listing.iter().filter(|(desc, _)| desc.kind == Kind::Histogram && keep(&desc.name));
        let family = |(desc, listed): &(Arc<Descriptor>, Series)| {
            let values = values(desc, listed, &cells, &mut met, &mut scratch)?;
            let (desc, labels) = (Arc::clone(desc), Arc::clone(&listed.labels));
            Some(FamilySnapshot { desc, labels, values, noted: Default::default() })
        };
        let mut families = chosen.filter_map(family).collect();
        self.own().count(met);
        let mut foreign = self.foreign();
        foreign.retain(|family| family.desc.kind == Kind::Histogram && keep(&family.desc.name));
        foreign::add(&mut families, foreign);
        families.sort_by(|a, b| a.desc.base.cmp(&b.desc.base));
        Snapshot::new(Data { taken, time, began: self.made(), elapsed: None, families })
    }

    /// What the callbacks give.
    fn observed(&self, met: &mut Met) -> Vec<FamilySnapshot> {
        let listing = self.listing();
        let observed = listing.iter().filter(|(desc, _)| desc.kind.is_observed()).filter_map(|(desc, listed)| {
            // A callback that panics has no value to show.
            let values = match listed.cores.first()?.observe(met)? {
                Observed::Gauge(value) => Values::Gauge(smallvec![value]),
                Observed::Counter(total) => Values::Counter(smallvec![total]),
                Observed::FloatCounter(total) => Values::FloatCounter(smallvec![total]),
            };
            let (desc, labels) = (Arc::clone(desc), Arc::clone(&listed.labels));
            Some(FamilySnapshot { desc, labels, values, noted: Default::default() })
        });
        observed.collect()
    }
}

/// The values of all series of a metric; `None` for one that a callback gives, or windows.
fn values(
    desc: &Descriptor,
    listed: &Series,
    cells: &Cells<'_>,
    met: &mut Met,
    scratch: &mut Scratch,
) -> Option<Values> {
    let cores = &listed.cores;
    Some(match desc.kind {
        Kind::Counter => Values::Counter(cells.totals(&listed.offsets).collect()),
        Kind::UpDownCounter => Values::UpDown(cells.totals(&listed.offsets).map(u64::cast_signed).collect()),
        // Added up in the order of the copies, which never changes for those that hold something: so the total never
        // falls. What has left the floats behind stays at the largest: infinity no format shows.
        Kind::FloatCounter => {
            let read = |core: &Core| match core {
                Core::Scalar(core) => core.read(cells.regions).map(f64::from_bits).sum::<f64>().min(f64::MAX),
                _ => f64::NAN,
            };
            Values::FloatCounter(cores.iter().map(read).collect())
        }
        Kind::Gauge => {
            let read = |core: &Core| if let Core::Gauge(core) = core { core.read() } else { f64::NAN };
            Values::Gauge(cores.iter().map(read).collect())
        }
        Kind::Histogram => {
            let lasts = listed.memo.get(|| Mutex::new(vec![Last::default(); cores.len()]));
            let mut lasts = lasts.map(|lasts| lasts.lock());
            let mut read = |(index, core): (usize, &Core)| {
                let Core::Histogram(core) = core else { return None };
                let last = lasts.as_mut().and_then(|lasts| lasts.get_mut(index));
                Some(cells.histogram(core, last, met, scratch))
            };
            Values::Histogram(cores.iter().enumerate().filter_map(&mut read).collect())
        }
        Kind::ObservedGauge | Kind::ObservedCounter | Kind::ObservedFloatCounter | Kind::Info | Kind::Summary => {
            return None;
        }
    })
}

/// Where values are read from.
struct Cells<'a> {
    fronts: Vec<Front>,
    regions: &'a Regions,
}

impl Cells<'_> {
    /// The totals of metrics that are one integer cell each.
    fn totals<'a>(&'a self, offsets: &'a [u32]) -> impl Iterator<Item = u64> + 'a {
        // Most lie in the same extent as the one before.
        let mut front: Option<&Front> = None;
        offsets.iter().map(move |offset| {
            front.and_then(|front| front.total(*offset)).unwrap_or_else(|| {
                let after = self.fronts.partition_point(|front| front.start() <= *offset);
                front = after.checked_sub(1).map(|index| &self.fronts[index]);
                front.and_then(|front| front.total(*offset)).unwrap_or(0)
            })
        })
    }

    /// Merges the copies of a histogram, or gives `last` again where no count has changed since.
    ///
    /// A copy's count only grows, and is the last thing that a recording writes: where it is what it was, whatever was
    /// recorded before this call was in the last collection.
    fn histogram(
        &self,
        core: &Hdr,
        last: Option<&mut Last>,
        met: &mut Met,
        scratch: &mut Scratch,
    ) -> HistogramSnapshot {
        let copies = || core.place().extent.copies(self.regions);
        if let Some(Last { counts, merged: Some(merged), forks }) = last.as_deref()
            && *forks == local::forks()
            && copies().map(|base| core.count(base)).eq(counts.iter().copied())
        {
            return merged.clone();
        }
        let mut merged = HistogramSnapshot::empty(Arc::clone(core.grid()));
        let mut counts = SmallVec::new();
        for base in copies() {
            let part = read(core.copy(base), &mut scratch.cells);
            counts.push(part.count);
            met.retries += u64::from(part.retries);
            met.inexact += u64::from(!part.exact);
            if part.count > 0 {
                merged.merge(part, &scratch.cells, &mut scratch.sums);
                // After the count, so that none is missing of what that has.
                exemplar::gather(core.noted(base), &mut scratch.sums.noted);
            }
        }
        merged.finish(&mut scratch.sums);
        if let Some(last) = last {
            // What is not exact is better read again.
            let merged = merged.is_exact().then(|| merged.clone());
            *last = Last { counts, merged, forks: local::forks() };
        }
        merged
    }
}

/// What the last collection found of a histogram series.
#[derive(Clone, Default)]
struct Last {
    /// By copy.
    counts: SmallVec<[u64; 2]>,
    merged: Option<HistogramSnapshot>,
    /// A child's cells begin anew where they were in its parent's segment: what was merged before is none of them.
    forks: u32,
}

/// What reading and adding up histograms needs for a while.
#[derive(Default)]
struct Scratch {
    cells: Vec<(u32, u64)>,
    sums: Sums,
}

/// Adds the engine's own metrics.
fn own(
    registry: &Registry,
    families: &mut Vec<FamilySnapshot>,
    clamped: Vec<(String, u64)>,
    series: usize,
    met: Met,
    regions: &Regions,
    began: Instant,
) {
    let mut add = |desc: Arc<Descriptor>, labels: Vec<LabelValues>, values| {
        let labels = Arc::new(LabelSets::since(registry.made(), labels));
        families.push(FamilySnapshot { desc, labels, values, noted: Default::default() });
    };
    for (desc, figures) in registry.own_figures(clamped, series, met, regions) {
        match figures {
            Figures::Totals(totals) => {
                let (labels, totals): (_, SmallVec<_>) = totals.into_iter().unzip();
                add(desc, labels, Values::Counter(totals));
            }
            Figures::Values(values) => {
                let (labels, values): (_, SmallVec<_>) = values.into_iter().unzip();
                add(desc, labels, Values::Gauge(values));
            }
        }
    }
    let elapsed = Values::Gauge(smallvec![began.elapsed().as_secs_f64()]);
    add(Arc::clone(&registry.own().collect), vec![LabelValues::default()], elapsed);
}
