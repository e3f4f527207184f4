//! Requests out of snapshots: which totals, and since when.

use super::super::wire::{push_message, push_text};
use super::points::{Span, push_attribute, push_metric};
use crate::collect::{FamilySnapshot, Snapshot, Values};
use crate::describe::{Kind, Resource};
use std::collections::HashMap;
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
    /// The last that was accepted, and its time as it was encoded: later than its own where the clock was set back.
    base: Option<(Snapshot, u64)>,
}

/// What was encoded last.
#[derive(Debug)]
struct Encoded {
    /// With what was switched off since.
    snapshot: Snapshot,
    time: u64,
    /// By base name, when each series of the snapshot began.
    starts: HashMap<String, Vec<u64>>,
}

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
        self.base = self.last.as_ref().map(|last| (last.snapshot.clone(), last.time));
    }

    fn push_metrics(&mut self, out: &mut Vec<u8>, snapshot: &Snapshot) {
        let began = nanos(snapshot.began());
        // The system's clock may have been set back.
        let end = nanos(snapshot.time()).max(self.last.as_ref().map_or(began, |last| last.time));
        let before = self.last.take();
        let starts: HashMap<String, Vec<u64>> = snapshot
            .families()
            .iter()
            .map(|family| (family.desc.base.clone(), starts(family, before.as_ref(), began)))
            .collect();
        let differences = match (self.temporality, &self.base) {
            (Temporality::Cumulative, _) => None,
            (_, None) => Some((snapshot.clone(), began)),
            (_, Some((base, time))) => Some((snapshot.since(base), *time)),
        };
        for (index, family) in snapshot.families().iter().enumerate() {
            let difference = differences.as_ref().filter(|_| self.is_delta(family.desc.kind));
            let (family, start): (_, &dyn Fn(usize) -> u64) = match difference {
                Some((differences, start)) => (&differences.families()[index], &|_| *start),
                None => (family, &|series| starts[&family.desc.base][series]),
            };
            let span = Span { start, end };
            push_metric(out, SCOPE_METRIC, family, &span, difference.is_some(), self.histograms);
        }
        let (snapshot, starts) = match before {
            Some(before) => {
                let snapshot = snapshot.with_absent(&before.snapshot);
                let mut kept = before.starts;
                kept.retain(|base, _| snapshot.family(base).is_some());
                kept.extend(starts);
                (snapshot, kept)
            }
            None => (snapshot.clone(), starts),
        };
        self.last = Some(Encoded { snapshot, time: end, starts });
    }

    fn is_delta(&self, kind: Kind) -> bool {
        match self.temporality {
            Temporality::Cumulative => false,
            Temporality::Delta => kind.is_counter() || kind == Kind::Histogram,
            Temporality::LowMemory => kind.is_counter() && !kind.is_observed() || kind == Kind::Histogram,
        }
    }
}

/// When each series of a family began: with the registry, or, if it came later or anew, at the last request, when it
/// was zero for certain; but a summary when its histogram did, which may have had values before it was shown by windows.
fn starts(family: &FamilySnapshot, before: Option<&Encoded>, began: u64) -> Vec<u64> {
    let Some(before) = before else { return vec![began; family.labels.sets.len()] };
    let earlier = before.snapshot.family(&family.desc.base).zip(before.starts.get(&family.desc.base));
    let start = |index: usize| -> Option<u64> {
        let (earlier, starts) = earlier?;
        let at = family.earlier(index, earlier)?;
        // A callback may give less than before, and a view add up fewer series.
        if fell(&family.values, index, &earlier.values, at) { None } else { starts.get(at).copied() }
    };
    let came = |index: usize| match family.desc.kind {
        Kind::Summary => nanos(family.labels.began[index]).min(before.time),
        _ => before.time,
    };
    (0..family.labels.sets.len()).map(|index| start(index).unwrap_or_else(|| came(index))).collect()
}

/// Whether a total is less than it was.
fn fell(now: &Values, here: usize, then: &Values, there: usize) -> bool {
    match (now, then) {
        (Values::Counter(now), Values::Counter(then)) => now[here] < then[there],
        (Values::FloatCounter(now), Values::FloatCounter(then)) => now[here] < then[there],
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
