//! What a format has to show of a snapshot, told by the walk over its series that everybody may take.

use crate::exposition::Labels;
use crate::names::escape;
use crate::pb_reader;
use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};
use tach::http::{Offer, negotiate};
use tach::{Escaping, Exemplar, HistogramBuckets, HistogramSnapshot, Snapshot, SummarySnapshot, Value};

/// What the least value is above that is not counted as zero.
const ZERO_THRESHOLD: f64 = 2.938_735_877_055_719e-39;
/// How far the logarithms here may be off.
const NEARLY: f64 = 1e-9;

/// What a page is made of.
pub(crate) struct Page<'a> {
    pub(crate) snapshot: &'a Snapshot,
    /// The own names of metrics that a callback gives.
    pub(crate) observed: &'a BTreeSet<String>,
    /// The labels of `target_info`, where the snapshot shows it.
    pub(crate) target: Option<&'a Labels>,
    /// Which buckets there are, where a format has both sorts.
    pub(crate) buckets: HistogramBuckets,
}

impl Page<'_> {
    /// The families in their order.
    pub(crate) fn families(&self) -> Vec<Family<'_>> {
        let mut families = families(self.snapshot);
        if let Some(labels) = self.target {
            families.retain(|family| !family.is_named_target());
            let series = Series { labels: labels.clone(), value: Value::Gauge(1.0), exemplar: None };
            let (name, exposed, help) = ("target", "target_info".to_owned(), "What the metrics here are of.");
            families.insert(0, Family { name, exposed, kind: "info", help, unit: "", series: vec![series] });
        }
        families
    }

    /// Whether histograms have native buckets.
    pub(crate) fn has_native(&self) -> bool {
        self.buckets != HistogramBuckets::ClassicOnly
    }

    /// The classic buckets of a histogram but for the one of all values; `None` where it has not even that.
    pub(crate) fn classic(&self, histogram: &HistogramSnapshot) -> Option<Vec<(f64, u64)>> {
        let declared: Vec<(f64, u64)> = histogram.buckets().collect();
        match self.buckets {
            HistogramBuckets::Both => Some(declared).filter(|declared| !declared.is_empty()),
            HistogramBuckets::NativeOnly => None,
            HistogramBuckets::ClassicOnly => Some(declared),
        }
    }
}

/// A family that has something to show.
pub(crate) struct Family<'a> {
    /// Its own.
    pub(crate) name: &'a str,
    /// With namespace, unit and `_total`, not escaped.
    pub(crate) exposed: String,
    pub(crate) kind: &'static str,
    pub(crate) help: &'a str,
    pub(crate) unit: &'static str,
    pub(crate) series: Vec<Series<'a>>,
}

pub(crate) struct Series<'a> {
    /// By names that are not escaped.
    pub(crate) labels: Labels,
    pub(crate) value: Value<'a>,
    /// Of a counter.
    pub(crate) exemplar: Option<Exemplar>,
}

/// The families in their order. A total that is negative, infinite or no number is none.
pub(crate) fn families(snapshot: &Snapshot) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    for series in snapshot.series() {
        let value = series.value();
        if matches!(value, Value::FloatCounter(total) if !(0.0..=f64::MAX).contains(&total)) {
            continue;
        }
        let own: Vec<_> = series.labels().collect();
        let all = series.constant_labels().chain(own.iter().copied()).filter(|(_, value)| !value.is_empty());
        let labels = all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let exemplar = snapshot.exemplar(series.name(), &own);
        let exposed = series.exposed_name();
        if families.last().is_none_or(|family| family.exposed != exposed) {
            let kind = match value {
                Value::Counter(_) | Value::FloatCounter(_) => "counter",
                Value::Histogram(_) => "histogram",
                Value::Summary(_) => "summary",
                _ => "gauge",
            };
            let (name, help, unit) = (series.name(), series.help(), series.unit().suffix());
            families.push(Family { name, exposed, kind, help, unit, series: Vec::new() });
        }
        families.last_mut().expect("pushed before").series.push(Series { labels, value, exemplar });
    }
    families
}

impl Family<'_> {
    /// What its samples are called, but for the suffixes of histograms.
    pub(crate) fn written(&self, escaping: Escaping) -> String {
        escape(&self.exposed, escaping, ":")
    }

    /// The unit, where `name` ends in it.
    pub(crate) fn unit_of(&self, name: &str) -> &'static str {
        if name.ends_with(&format!("_{}", self.unit)) { self.unit } else { "" }
    }

    /// Whether its series say when they began, where a format has that; `None` of the engine's own, some of which do.
    pub(crate) fn has_start(&self, observed: &BTreeSet<String>) -> Option<bool> {
        let is_own = self.exposed.starts_with("tach_");
        (!is_own).then(|| !["gauge", "info"].contains(&self.kind) && !observed.contains(self.name))
    }

    /// Whether it gives way to what tells whose all others are.
    fn is_named_target(&self) -> bool {
        let base = if self.kind == "counter" { self.exposed.strip_suffix("_total") } else { None };
        let base = escape(base.unwrap_or(&self.exposed), Escaping::Underscores, ":");
        base == "target" || base == "target_info"
    }
}

impl Series<'_> {
    pub(crate) fn labels(&self, escaping: Escaping) -> Labels {
        self.labels.iter().map(|(name, value)| (escape(name, escaping, ""), value.clone())).collect()
    }
}

/// Whether two floats are the same one, NaN being one.
pub(crate) fn same(left: f64, right: f64) -> bool {
    left.to_bits() == right.to_bits() || left.is_nan() && right.is_nan()
}

pub(crate) fn nanos(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).expect("after 1970").as_nanos()).expect("before 2500")
}

/// Whether an exemplar that was read is this one. In a bucket its value may differ by a rounding, to lie in it.
pub(crate) fn is_it(found: &pb_reader::Exemplar, exemplar: &Exemplar) -> bool {
    let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let ids = [("trace_id", hex(&exemplar.trace_id)), ("span_id", hex(&exemplar.span_id))];
    let labels = ids.map(|(name, id)| (name.to_owned(), id)).into();
    // Or be infinite, where a tick is that large.
    let is_near = found.value == exemplar.value || (found.value - exemplar.value).abs() <= exemplar.value * 4e-16;
    found.labels == labels && found.time == nanos(exemplar.timestamp) && is_near
}

/// Holds a summary that was read against this one.
///
/// # Panics
///
/// They differ.
pub(crate) fn check_summary(summary: &SummarySnapshot, count: u64, sum: f64, quantiles: &[(f64, f64)]) {
    assert_eq!((count, sum), (summary.count(), summary.sum()));
    assert_eq!(quantiles.len(), summary.quantiles().len());
    let is_same = |((share, value), found): ((f64, f64), &(f64, f64))| share == found.0 && same(value, found.1);
    assert!(summary.quantiles().zip(quantiles).all(is_same), "{quantiles:?} is {summary:?}");
}

/// What an exporter that was told of these buckets answers to `accept`, which names a format, in an escaping.
pub(crate) fn answer(page: &Page<'_>, accept: &str, escaping: Escaping) -> Vec<u8> {
    let escaping = match escaping {
        Escaping::Underscores => "underscores",
        Escaping::Dots => "dots",
        Escaping::Values => "values",
        Escaping::AllowUtf8 => "allow-utf-8",
    };
    let accept = format!("{accept};escaping={escaping}");
    let format = negotiate(&accept, Offer::new().openmetrics_2(true).histogram_buckets(page.buckets));
    assert!(format.content_type().ends_with(&format!("escaping={escaping}")), "{accept}");
    format.render(page.snapshot)
}

/// Holds the exemplars behind buckets, each with its bound, against those of the histogram: each is one of them and in
/// its bucket, and no bucket that has some is without.
///
/// # Panics
///
/// They differ.
pub(crate) fn check_buckets(histogram: &HistogramSnapshot, found: &[(f64, Option<&pb_reader::Exemplar>)]) {
    let mut low = f64::NEG_INFINITY;
    for (bound, found) in found {
        let inside = |value: f64, margin: f64| low * (1.0 + margin) < value && value <= bound * (1.0 - margin);
        match found {
            Some(found) => {
                assert!(histogram.exemplars().any(|exemplar| is_it(found, &exemplar)), "{found:?} is of nothing");
                assert!(inside(found.value, 0.0), "{found:?} in the bucket above {low} up to {bound}");
            }
            None => {
                let missing = histogram.exemplars().find(|exemplar| inside(exemplar.value, 4e-16));
                assert!(missing.is_none(), "{missing:?} is not in the bucket up to {bound}");
            }
        }
        low = *bound;
    }
}

/// Holds a list of exemplars against those of the histogram: all are there, once.
///
/// # Panics
///
/// They differ.
pub(crate) fn check_all(histogram: &HistogramSnapshot, found: &[pb_reader::Exemplar]) {
    assert_eq!(found.len(), histogram.exemplars().count());
    for exemplar in histogram.exemplars() {
        assert!(found.iter().any(|found| is_it(found, &exemplar)), "{exemplar:?} is not in {found:?}");
    }
}

/// Holds native buckets, ascending, against the cells of the histogram: each cell is whole in the bucket of its largest
/// value.
///
/// # Panics
///
/// They differ.
pub(crate) fn check_native(
    histogram: &HistogramSnapshot,
    schema: Option<i64>,
    zeros: u64,
    buckets: impl IntoIterator<Item = (i64, u64)>,
) {
    let width = 2_f64.powi(-i32::try_from(schema.expect("a schema")).expect("a small one"));
    let mut cells = histogram.recorded().map(|(_, high, count)| (high.min(f64::MAX), count));
    let mut take = |mut count: u64, is_in: &dyn Fn(f64) -> bool| {
        while count > 0 {
            let (high, here) = cells.next().expect("as many values as in the buckets");
            assert!(is_in(high), "values up to {high} are in another bucket, at schema {schema:?}");
            count = count.checked_sub(here).expect("a cell that is in one bucket");
        }
    };
    take(zeros, &|high| high <= ZERO_THRESHOLD * (1.0 + NEARLY));
    for (index, count) in buckets {
        let end = index as f64 * width;
        take(count, &|high| {
            let power = high.log2();
            high > ZERO_THRESHOLD && end - width < power + NEARLY && power <= end + NEARLY
        });
    }
    assert_eq!(cells.next(), None, "values that are in no bucket");
}
