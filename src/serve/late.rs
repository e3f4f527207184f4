//! Measurements whose names are known at run time only: for bindings to other languages.

use super::catalogue::{ByRefusal, Instrument, Refusal, catalogue};
use super::metrics::{Live, Metrics};
use foldhash::fast::RandomState;
use once_cell::sync::Lazy;
use std::collections::HashMap;
use std::fmt;

/// One value for one series of the [catalogue](super::catalogue()).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measurement<'a> {
    /// The instrument's name, with or without `maxserve.` before it.
    pub name: &'a str,
    /// In the instrument's exposed unit; of times, which are exposed in milliseconds, fractions too. Counters take
    /// whole numbers from zero up, which are added, up-down counters whole numbers, gauges any, distributions numbers
    /// from zero up, and whole ones where they are of things counted. Whole numbers go up to 2^53.
    pub value: f64,
    /// The labels and their values, in any order. A label may be left out where the catalogue lists the empty text
    /// among its values.
    pub attributes: &'a [(&'a str, &'a str)],
}

/// Records [`Measurement`]s. Cheap to copy.
///
/// Slower than the methods of [`Metrics`] by some 10 ns, for the look-up of the name and of the attributes. Nothing waits,
/// and nothing is allocated but for a new label set. While the [`Metrics`] record nowhere nothing is checked either.
///
/// ```
/// use tach::serve::{METRICS, Measurement, MetricClient};
///
/// let client = MetricClient::new(&METRICS);
/// let attributes = [("path", "/v1/completions"), ("code", "200")];
/// client.send(&Measurement { name: "maxserve.request_count", value: 1.0, attributes: &attributes })?;
/// # Ok::<(), tach::serve::Refusal>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct MetricClient {
    metrics: &'static Metrics,
}

/// The largest number up to which floats hold every whole one.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

static BY_NAME: Lazy<HashMap<&'static str, &'static Instrument, RandomState>> =
    Lazy::new(|| catalogue().map(|row| (row.name, row)).collect());

impl MetricClient {
    /// A client of `metrics`: of [`METRICS`](super::METRICS), as a rule.
    #[must_use]
    pub fn new(metrics: &'static Metrics) -> Self {
        Self { metrics }
    }

    /// Records a measurement.
    ///
    /// # Errors
    ///
    /// Why it was refused, which `measurements_refused` counts too, so that it may be ignored.
    #[inline]
    pub fn send(&self, measurement: &Measurement<'_>) -> Result<(), Refusal> {
        match self.metrics.live() {
            Some(live) => record(live, measurement),
            None => Ok(()),
        }
    }

    /// Records all of them but those that it must refuse, and gives these: by their places, with the reasons.
    pub fn send_all(&self, measurements: &[Measurement<'_>]) -> Vec<(usize, Refusal)> {
        let send = |(place, measurement)| self.send(measurement).err().map(|reason| (place, reason));
        measurements.iter().enumerate().filter_map(send).collect()
    }
}

fn record(live: &Live, measurement: &Measurement<'_>) -> Result<(), Refusal> {
    let name = measurement.name.strip_prefix("maxserve.").unwrap_or(measurement.name);
    let recorded = match BY_NAME.get(name) {
        Some(row) => (row.late)(&live.instruments, measurement),
        None => Err(Refusal::UnknownName),
    };
    recorded.inspect_err(|reason| live.more.measurements_refused.with(ByRefusal { reason: *reason }).inc())
}

/// `value` as a number that can be added up.
pub(super) fn finite(value: f64) -> Result<f64, Refusal> {
    if value.is_finite() { Ok(value) } else { Err(Refusal::NotFinite) }
}

/// `value` as a number from zero up.
pub(super) fn amount(value: f64) -> Result<f64, Refusal> {
    if finite(value)? >= 0.0 { Ok(value) } else { Err(Refusal::WrongValue) }
}

/// `value` as a whole number.
pub(super) fn whole(value: f64) -> Result<i64, Refusal> {
    let whole = finite(value)? as i64;
    if whole as f64 == value && value.abs() <= WHOLE_MAX { Ok(whole) } else { Err(Refusal::WrongValue) }
}

/// `value` as a whole number from zero up.
pub(super) fn count(value: f64) -> Result<u64, Refusal> {
    u64::try_from(whole(value)?).map_err(|_| Refusal::WrongValue)
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownName => "no instrument has this name: docs/METRICS.md lists them",
            Self::WrongValue => {
                "not a value of this instrument: give a whole number up to 2^53 for what is counted, and nothing negative \
                 but to an up-down counter or a gauge"
            }
            Self::NotFinite => "not a number, or infinite: leave out what was not measured",
            Self::WrongAttributes => {
                "not the labels of this instrument, or not one of a label's values: docs/METRICS.md lists them"
            }
        })
    }
}

impl std::error::Error for Refusal {}
