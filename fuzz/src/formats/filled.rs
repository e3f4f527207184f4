//! An arbitrary registry for the formats: any names, labels and values, and whatever a histogram may be declared with.
//! Whether a description is taken is no question here; see [`crate::model`].

use super::asked::{self, Asked};
use super::names::name;
use super::shown::Page;
use crate::scenario::{float, label_value, list, text};
use arbitrary::{Arbitrary, Result, Unstructured};
use std::collections::BTreeSet;
use tach::{
    Counter, FloatCounter, Gauge, Histogram, HistogramBuckets, Metric, MetricBuilder, Recording, Registry, Snapshot,
    SpanContext, Unit, UpDownCounter,
};

const METRICS_MAX: usize = 6;
const STEPS_MAX: usize = 16;
/// What an input is lengthened by, in words.
const WORDS: usize = 512;
const TICKS: [f64; 10] = [1.0, 1e-9, 1e-3, 0.01667, 0.3, 2.5, 1e9, 1e-40, 1e300, 1e-300];

/// A registry that was recorded to.
pub(crate) struct Filled {
    pub(crate) namespace: Option<String>,
    /// The own names of metrics that a callback gives.
    pub(crate) observed: BTreeSet<String>,
    /// After some recordings, and after some more; the last two with windows, where there are some.
    pub(crate) snapshots: [Snapshot; 4],
    /// The own names of metrics of which a series was removed between the last two.
    pub(crate) removed: BTreeSet<String>,
    /// What the last page is asked for.
    asked: Asked,
}

impl Filled {
    /// A page of the second snapshot, and one out of the last with all that may be asked for.
    pub(crate) fn pages(&self) -> [Page<'_>; 2] {
        let Self { observed, asked, .. } = self;
        let plain = Page { snapshot: &self.snapshots[1], observed, target: None, buckets: HistogramBuckets::Both };
        let target = asked.target.as_ref();
        [plain, Page { snapshot: &asked.snapshot, observed, target, buckets: asked.buckets }]
    }
}

/// An input that goes on for a while with bytes that follow from it: where it has run out there would be zeros, which are
/// one metric called `a` to which nothing is recorded.
pub(crate) fn lengthened(data: &[u8]) -> Vec<u8> {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let mut state = data.iter().fold(0xcbf2_9ce4_8422_2325, mix);
    let more = std::iter::repeat_with(|| {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ bits >> 31).to_le_bytes()
    });
    data.iter().copied().chain(more.take(WORDS).flatten()).collect()
}

/// Records something to a metric, or removes a series of it, and says whether it did.
type Record = Box<dyn Fn(&mut Unstructured) -> Result<bool>>;

/// Records to some of the metrics. The own names of those of which a series was removed.
fn record(metrics: &[(String, Record)], u: &mut Unstructured) -> Result<BTreeSet<String>> {
    let mut removed = BTreeSet::new();
    if let Some(last) = metrics.len().checked_sub(1) {
        for _ in 0..u.int_in_range(0..=STEPS_MAX)? {
            let (name, record) = &metrics[u.int_in_range(0..=last)?];
            if record(u)? {
                removed.insert(name.clone());
            }
        }
    }
    Ok(removed)
}

impl<'a> Arbitrary<'a> for Filled {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut builder = Registry::builder().utf8_names(u.ratio(7, 8)?);
        builder = builder.recording(*u.choose(&[Recording::Sharded, Recording::Sync])?);
        let mut namespace = if u.ratio(2, 3)? { None } else { Some(name(u)?) };
        if let Some(namespace) = &namespace {
            builder = builder.namespace(namespace);
        }
        for _ in 0..u.int_in_range(0..=2)? {
            builder = builder.const_label(name(u)?, label_value(u)?);
        }
        let registry = builder.build().unwrap_or_else(|_| {
            namespace = None;
            Registry::builder().utf8_names(true).build().expect("no names that could be wrong")
        });
        let (mut metrics, mut observed) = (Vec::new(), BTreeSet::new());
        for _ in 0..u.int_in_range(1..=METRICS_MAX)? {
            metric(&registry, &mut metrics, &mut observed, u)?;
        }
        record(&metrics, u)?;
        let first = registry.snapshot();
        record(&metrics, u)?;
        let second = registry.snapshot();
        let windows = asked::windows(&registry, u)?;
        let snapshot = || windows.as_ref().map_or_else(|| registry.snapshot(), |w| w.show(&registry.snapshot()));
        record(&metrics, u)?;
        let third = snapshot();
        let removed = record(&metrics, u)?;
        let snapshots = [first, second, third, snapshot()];
        let asked = Asked::of(&snapshots, u)?;
        Ok(Self { namespace, observed, snapshots, removed, asked })
    }
}

/// Builds a metric, if it is taken.
fn metric(
    registry: &Registry,
    metrics: &mut Vec<(String, Record)>,
    observed: &mut BTreeSet<String>,
    u: &mut Unstructured,
) -> Result<()> {
    let name = name(u)?;
    let own = name.clone();
    let built = match u.int_in_range(0..=9)? {
        0 => finish(exemplars(registry.counter(name).unit(unit(u)?), MetricBuilder::<Counter>::exemplars, u)?, u)?,
        1 => finish(
            exemplars(registry.float_counter(name).unit(unit(u)?), MetricBuilder::<FloatCounter>::exemplars, u)?,
            u,
        )?,
        2 => finish(registry.updown_counter(name).unit(unit(u)?), u)?,
        3 => finish(registry.gauge(name).unit(unit(u)?), u)?,
        kind @ 4..=6 => {
            let (help, value, whole) = (text(u)?, float(u)?, u.arbitrary()?);
            let built = match kind {
                4 => registry.gauge(&name).unit(unit(u)?).help(help).observe(move || value),
                5 => registry.counter(&name).unit(unit(u)?).help(help).observe(move || whole),
                _ => registry.float_counter(&name).unit(unit(u)?).help(help).observe(move || value),
            };
            if built.is_ok() {
                observed.insert(name);
            }
            None
        }
        _ => finish(histogram(registry.histogram(name), u)?, u)?,
    };
    metrics.extend(built.map(|record| (own, record)));
    Ok(())
}

/// The builder as it is, or with exemplars.
fn exemplars<B>(builder: B, with: fn(B) -> B, u: &mut Unstructured) -> Result<B> {
    Ok(if u.ratio(1, 2)? { with(builder) } else { builder })
}

fn histogram(mut builder: MetricBuilder<Histogram>, u: &mut Unstructured) -> Result<MetricBuilder<Histogram>> {
    builder = exemplars(builder, MetricBuilder::<Histogram>::exemplars, u)?;
    builder = if u.ratio(1, 2)? {
        builder.native_schema(u.int_in_range(0..=8)?)
    } else {
        builder.digits(u.int_in_range(1..=3)?)
    };
    let unit = unit(u)?;
    let tick = if u.ratio(1, 2)? { Some(*u.choose(&TICKS)?) } else { None };
    if let Some(tick) = tick {
        builder = builder.tick(tick);
    }
    let tick = tick.unwrap_or(if unit == Unit::Seconds { 1e-9 } else { 1.0 });
    // Nearly all within what ticks can count.
    let bound = |u: &mut Unstructured| Ok(if u.ratio(1, 64)? { float(u)? } else { whole(u)? as f64 * tick });
    let mut bounds = list(u, 6, bound)?;
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    if u.ratio(1, 4)? {
        builder = builder.max(bound(u)?.max(bounds.last().copied().unwrap_or(tick)));
    }
    Ok(builder.buckets(bounds).exact_at(list(u, 2, bound)?).unit(unit))
}

/// Units that a name can have at its end; what others do is for [`crate::model`] to say.
fn unit(u: &mut Unstructured) -> Result<Unit> {
    let units = [Unit::None, Unit::Seconds, Unit::Bytes, Unit::Ratio, Unit::Other("tokens"), Unit::Other("_total")];
    Ok(*u.choose(&units)?)
}

/// The metric of a builder that has all but what every kind has; `None` where it is refused.
fn finish<M: Recorded>(builder: MetricBuilder<M>, u: &mut Unstructured) -> Result<Option<Record>> {
    let builder = builder.help(text(u)?);
    let labels = list(u, 2, name)?;
    Ok(match &*labels {
        [] => builder.build().ok().map(|metric| -> Record { Box::new(move |u| metric.put(u).map(|()| false)) }),
        [label] => builder.labels([label]).limit(3).build().ok().map(|family| -> Record {
            Box::new(move |u| {
                let value = label_value(u)?;
                if u.ratio(1, 8)? {
                    return Ok(family.remove([&value]));
                }
                family.with([&value]).put(u).map(|()| false)
            })
        }),
        [first, second, ..] => builder.labels([first, second]).limit(3).build().ok().map(|family| -> Record {
            Box::new(move |u| family.with([&label_value(u)?, &label_value(u)?]).put(u).map(|()| false))
        }),
    })
}

/// A metric that something can be recorded to.
trait Recorded: Metric + 'static {
    fn put(&self, u: &mut Unstructured) -> Result<()>;
}

fn whole(u: &mut Unstructured) -> Result<u64> {
    Ok(u.arbitrary::<u64>()? >> u.int_in_range(0..=63)?)
}

fn span(u: &mut Unstructured) -> Result<Option<SpanContext>> {
    Ok(if u.ratio(1, 2)? { SpanContext::new(u.arbitrary()?, u.arbitrary()?) } else { None })
}

impl Recorded for Counter {
    fn put(&self, u: &mut Unstructured) -> Result<()> {
        let amount = whole(u)?;
        match span(u)? {
            Some(span) => self.add_with_exemplar(amount, &span),
            None => self.add(amount),
        }
        Ok(())
    }
}

impl Recorded for FloatCounter {
    fn put(&self, u: &mut Unstructured) -> Result<()> {
        let amount = float(u)?;
        match span(u)? {
            Some(span) => self.add_with_exemplar(amount, &span),
            None => self.add(amount),
        }
        Ok(())
    }
}

impl Recorded for UpDownCounter {
    fn put(&self, u: &mut Unstructured) -> Result<()> {
        self.add(whole(u)?.cast_signed());
        Ok(())
    }
}

impl Recorded for Gauge {
    fn put(&self, u: &mut Unstructured) -> Result<()> {
        self.set(float(u)?);
        Ok(())
    }
}

impl Recorded for Histogram {
    fn put(&self, u: &mut Unstructured) -> Result<()> {
        let value = whole(u)?;
        match span(u)? {
            Some(span) => self.record_with_exemplar(value, &span),
            None => self.record_n(value, (u.arbitrary::<u32>()? >> u.int_in_range(0..=31)?).into()),
        }
        Ok(())
    }
}
