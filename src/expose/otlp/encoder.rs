//! Requests out of snapshots: which totals, and since when.

use super::super::wire::{push_message, push_text};
use super::points::{Span, push_attribute, push_metric};
use crate::collect::{FamilySnapshot, Snapshot, Values};
use crate::describe::{Kind, Resource};
use crate::expose::number::is_total;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Since when totals count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Temporality {
    /// Since a series began: what gets lost on the way is in the next push.
    #[default]
    Cumulative,
    /// Since the last push that the receiver took: for receivers that keep nothing. Up-down counters stay cumulative.
    Delta,
    /// As `Delta`, but cumulative for counters that a callback gives.
    LowMemory,
}

/// What histograms become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Histograms {
    /// Exponential buckets over the whole range, of scale 3, 4 or 5 for 1, 2 or 3 digits: a value is counted below at
    /// most 1.159, 1.053 or 1.023 times itself. With a [native schema](crate::MetricBuilder::native_schema) that is the
    /// scale, and every value is in its own bucket.
    #[default]
    Exponential,
    /// The declared buckets, which are exact; without any, count, sum, minimum and maximum.
    Explicit,
}

// The numbers of the fields in use, by message.
const REQUEST_RESOURCE: u32 = 1;
const RESOURCE: u32 = 1;
const RESOURCE_ATTRIBUTE: u32 = 1;
const RESOURCE_SCOPE: u32 = 2;
const SCOPE: u32 = 1;
const SCOPE_METRIC: u32 = 2;
const SCOPE_NAME: u32 = 1;
const SCOPE_VERSION: u32 = 2;

/// Makes requests out of one registry's snapshots, in their order, as protobuf: `ExportMetricsServiceRequest`.
///
/// It remembers when each series began: a total that starts anew, as its series was removed and made again, gets a new
/// start, by which a receiver knows.
///
/// ```
/// use tach::otlp::{Encoder, Resource};
///
/// let registry = tach::Registry::new();
/// registry.counter("tokens").build()?.add(5);
/// let mut encoder = Encoder::new(Resource::new().service("llm"));
/// let request = encoder.encode(&registry.snapshot());
/// // POST it with `content-type: application/x-protobuf`; and when the receiver has taken it:
/// encoder.accepted();
/// # Ok::<(), tach::Error>(())
/// ```
#[derive(Debug)]
pub struct Encoder {
    resource: Resource,
    temporality: Temporality,
    histograms: Histograms,
    last: Option<Encoded>,
    /// Where deltas begin.
    base: Option<Base>,
}

/// What was encoded last.
#[derive(Debug)]
struct Encoded {
    /// With what was not there since, and the totals before where there were none.
    snapshot: Snapshot,
    time: u64,
    /// By base name, when each series of the snapshot began.
    starts: Times,
    /// Where deltas begin when this is accepted, if there are any.
    base: Option<Base>,
}

/// The last request that was accepted.
#[derive(Clone, Debug)]
struct Base {
    /// As [`Encoded::snapshot`], but of those that were accepted.
    snapshot: Snapshot,
    /// Its time as it was encoded: later than its own where the clock was set back.
    time: u64,
    /// By base name, the request that had each series last.
    times: Times,
}

type Times = HashMap<String, Vec<u64>>;

impl Encoder {
    /// One for cumulative totals and exponential histograms.
    #[must_use]
    pub fn new(resource: Resource) -> Self {
        let (temporality, histograms) = (Temporality::default(), Histograms::default());
        Self { resource, temporality, histograms, last: None, base: None }
    }

    /// Since when totals count.
    #[must_use]
    pub fn temporality(self, temporality: Temporality) -> Self {
        Self { temporality, ..self }
    }

    /// What histograms become.
    #[must_use]
    pub fn histograms(self, histograms: Histograms) -> Self {
        Self { histograms, ..self }
    }

    /// Whether there are deltas, which must not be taken twice.
    pub(crate) fn has_deltas(&self) -> bool {
        self.temporality != Temporality::Cumulative
    }

    /// Encodes a snapshot, which must be later than those before.
    #[must_use]
    pub fn encode(&mut self, snapshot: &Snapshot) -> Vec<u8> {
        let mut out = Vec::new();
        push_message(&mut out, REQUEST_RESOURCE, |out| {
            push_message(out, RESOURCE, |out| {
                self.resource.pairs().for_each(|(key, value)| push_attribute(out, RESOURCE_ATTRIBUTE, key, value));
            });
            push_message(out, RESOURCE_SCOPE, |out| {
                push_message(out, SCOPE, |out| {
                    push_text(out, SCOPE_NAME, &["tach"]);
                    push_text(out, SCOPE_VERSION, &[env!("CARGO_PKG_VERSION")]);
                });
                self.push_metrics(out, snapshot);
            });
        });
        out
    }

    /// Says that the receiver has taken the last request, or means never to: deltas begin there from now on. Until it
    /// is called, they go on beginning where they did.
    ///
    /// Where a request with deltas may have been taken, but its answer was lost, send that one again as it was, and encode
    /// the next when it is answered: what both had would count twice.
    pub fn accepted(&mut self) {
        self.base = self.last.as_ref().and_then(|last| last.base.clone());
    }

    fn push_metrics(&mut self, out: &mut Vec<u8>, snapshot: &Snapshot) {
        let began = nanos(snapshot.began());
        // The system's clock may have been set back.
        let end = nanos(snapshot.time()).max(self.last.as_ref().map_or(began, |last| last.time));
        let before = self.last.take();
        let of_all = |of: &dyn Fn(&FamilySnapshot) -> Vec<u64>| -> Times {
            snapshot.families().iter().map(|family| (family.desc.base.clone(), of(family))).collect()
        };
        let earlier = before.as_ref().map(|before| (&before.snapshot, &before.starts));
        let time = before.as_ref().map_or(began, |before| before.time);
        let totals_since = of_all(&|family| starts(family, earlier, time, true));
        let base = self.base.as_ref().map(|base| (&base.snapshot, &base.times));
        let time = self.base.as_ref().map_or(began, |base| base.time);
        // Whose differences there are, and since when.
        let deltas = self.has_deltas().then(|| {
            let differences = base.map_or_else(|| snapshot.clone(), |(base, _)| snapshot.since(base));
            (differences, of_all(&|family| starts(family, base, time, false)))
        });
        for (index, family) in snapshot.families().iter().enumerate() {
            let deltas = deltas.as_ref().filter(|_| self.is_delta(family.desc.kind));
            let (shown, since) = deltas.map_or((family, &totals_since), |(all, since)| (&all.families()[index], since));
            let since = &since[&family.desc.base];
            let span = Span { start: &|series| since[series], end };
            push_metric(out, SCOPE_METRIC, shown, &span, deltas.is_some(), self.histograms);
        }
        let base = deltas.map(|(_, since)| {
            let now = of_all(&|family| vec![end; family.labels.sets.len()]);
            let (snapshot, times) = keep(snapshot, now, &since, base);
            Base { snapshot, time: end, times }
        });
        let (snapshot, starts) = keep(snapshot, totals_since.clone(), &totals_since, earlier);
        self.last = Some(Encoded { snapshot, time: end, starts, base });
    }

    fn is_delta(&self, kind: Kind) -> bool {
        match self.temporality {
            Temporality::Cumulative => false,
            Temporality::Delta => kind.is_counter() || kind == Kind::Histogram,
            Temporality::LowMemory => kind.is_counter() && !kind.is_observed() || kind == Kind::Histogram,
        }
    }
}

/// An earlier snapshot, with a time for each of its series.
type Earlier<'a> = Option<(&'a Snapshot, &'a Times)>;

/// What was known before of the series `index` of `family`: where that is in the earlier one of the family, and its time.
fn known<'a>(family: &FamilySnapshot, index: usize, earlier: Earlier<'a>) -> Option<(&'a FamilySnapshot, usize, u64)> {
    let (snapshot, times) = earlier?;
    let before = snapshot.family(&family.desc.base)?;
    let at = family.earlier(index, before, snapshot.time())?;
    Some((before, at, *times.get(&family.desc.base)?.get(at)?))
}

/// When each series of a family began: when it did in the earlier request; or, if it came later or anew, at the `time` of
/// that, when it was zero for certain. In the first request with the registry, or before, where another process has made
/// it; and so a summary with its histogram, which may have had values before it was shown by windows. With `resets` a
/// total that fell began anew.
fn starts(family: &FamilySnapshot, earlier: Earlier<'_>, time: u64, resets: bool) -> Vec<u64> {
    let start = |index: usize| match known(family, index, earlier) {
        // A callback may give less than before, and a process remove its part.
        Some((before, at, _)) if resets && fell(&family.values, index, &before.values, at) => time,
        Some((_, _, start)) => start,
        None if earlier.is_none() || family.desc.kind == Kind::Summary => nanos(family.labels.began[index]).min(time),
        None => time,
    };
    (0..family.labels.sets.len()).map(start).collect()
}

/// What is to be known of a snapshot's series later, with a time for each: of what is not there, as it is switched off or
/// its callback panicked, and of what is no total, what was known before. One that never was a total is zero at its start.
fn keep(snapshot: &Snapshot, mut times: Times, starts: &Times, earlier: Earlier<'_>) -> (Snapshot, Times) {
    let mut kept = snapshot.with_floats(|family, index, value| {
        if is_total(value) {
            return value;
        }
        let base = &family.desc.base;
        let (time, total) = match known(family, index, earlier) {
            Some((FamilySnapshot { values: Values::FloatCounter(totals), .. }, at, time)) => (time, totals[at]),
            _ => (starts[base][index], 0.0),
        };
        times.entry(base.clone()).and_modify(|times| times[index] = time);
        total
    });
    let Some((before, _)) = earlier else { return (kept, times) };
    kept = kept.with_absent(before);
    for family in kept.families() {
        let base = &family.desc.base;
        let now = snapshot.family(base);
        if now.is_some_and(|now| Arc::ptr_eq(&now.labels, &family.labels)) {
            continue;
        }
        let time = |index: usize| match now
            .and_then(|now| Some(times.get(base)?[family.earlier(index, now, snapshot.time())?]))
        {
            Some(time) => time,
            None => known(family, index, earlier).map_or(0, |(.., time)| time),
        };
        let all = (0..family.labels.sets.len()).map(time).collect();
        times.insert(base.clone(), all);
    }
    (kept, times)
}

/// Whether a total is less than it was. What is none says nothing of that.
fn fell(now: &Values, here: usize, then: &Values, there: usize) -> bool {
    match (now, then) {
        (Values::Counter(now), Values::Counter(then)) => now[here] < then[there],
        (Values::FloatCounter(now), Values::FloatCounter(then)) => is_total(now[here]) && now[here] < then[there],
        (Values::Histogram(now), Values::Histogram(then)) => now[here].count() < then[there].count(),
        (Values::Summary(now), Values::Summary(then)) => now[here].count() < then[there].count(),
        _ => false,
    }
}

/// A time as OTLP has it; 0 before 1970.
fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Registry, Windows};
    use std::time::Duration;

    #[test]
    fn a_summary_that_comes_later_began_with_its_histogram() {
        let registry = Registry::new();
        registry.histogram("itl").build().unwrap().record(7);
        let mut encoder = Encoder::new(Resource::new());
        let _ = encoder.encode(&registry.snapshot());
        let before = encoder.last.as_ref().unwrap().time;
        let windows = Windows::start(&registry, &["itl"], &[Duration::from_secs(10)]).unwrap().summaries().unwrap();
        let shown = windows.show(&registry.snapshot());
        let _ = encoder.encode(&shown);
        let starts = &encoder.last.as_ref().unwrap().starts;
        let made = nanos(shown.family("itl").unwrap().labels.began[0]);
        assert!(made < before);
        assert_eq!((&*starts["itl_window"], &*starts["itl_window_values"]), (&[made][..], &[before][..]));
    }
}
