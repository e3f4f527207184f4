//! An arbitrary registry: settings, metrics with names good and bad, and what is recorded to them.

use arbitrary::{Arbitrary, Result, Unstructured};
use tach::{Level, Recording, Unit};

/// What a text input stands for.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Of the registry.
    pub settings: Settings,
    /// Each is built in turn; some are refused.
    pub metrics: Vec<Description>,
    /// What happens afterwards, in turn.
    pub steps: Vec<Step>,
    /// Whether windows are kept from before the first step on, and shown as summaries.
    pub windows: bool,
    /// The attributes of `target_info`, which is shown where there are some.
    pub attributes: Vec<(String, String)>,
}

/// The settings of a registry.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether names may have any characters.
    pub any_names: bool,
    /// Before every name.
    pub namespace: Option<String>,
    /// On every series.
    pub const_labels: Vec<(String, String)>,
    /// How recordings reach their cells.
    pub recording: Recording,
    /// How much is measured at first.
    pub level: Level,
}

/// The kinds of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `u64`, only grows.
    Counter,
    /// `f64`, only grows.
    FloatCounter,
    /// `i64`.
    UpDownCounter,
    /// `f64`, set.
    Gauge,
    /// Ticks.
    Histogram,
}

/// A metric as a user describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Its kind.
    pub kind: Kind,
    /// Its own name.
    pub name: String,
    /// Its help.
    pub help: String,
    /// Its unit.
    pub unit: Unit,
    /// From which level on it is recorded.
    pub level: Level,
    /// The label names of a family; `None` for a metric of its own.
    pub labels: Option<Vec<String>>,
    /// The most series of a family.
    pub limit: usize,
    /// Significant digits of a histogram.
    pub digits: u8,
    /// A histogram's tick, unless its unit says.
    pub tick: Option<f64>,
    /// A histogram's maximum.
    pub max: Option<f64>,
    /// A histogram's bounds.
    pub buckets: Vec<f64>,
}

/// Something that happens to a registry.
#[derive(Clone, Debug)]
pub enum Step {
    /// A recording to the metric of this number.
    Record(usize, Vec<String>, Amount),
    /// A series is removed.
    Remove(usize, Vec<String>),
    /// The metric of this number is built once more, as it was.
    Again(usize),
    /// Another level.
    Level(Level),
}

/// What is recorded; each kind takes what it needs.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// For whole numbers.
    pub whole: u64,
    /// How many times, for a histogram.
    pub times: u32,
    /// For fractions.
    pub float: f64,
}

const METRICS_MAX: usize = 6;
const STEPS_MAX: usize = 24;
/// The most labels of a family.
pub const LABELS_MAX: usize = 3;

/// Names that are legal, or nearly, and that get into each other's way.
const NAMES: [&str; 32] = [
    "a",
    "b",
    "a_b",
    "a.b",
    "a_total",
    "a_total_total",
    "a_bucket",
    "a_sum",
    "a_count",
    "a_created",
    "a_seconds",
    "a_seconds_total",
    "a_bytes",
    "_total",
    "_",
    "__a",
    ":a",
    "a:b",
    "total",
    "tach_series",
    "tach",
    "le",
    "quantile",
    "metric",
    "state",
    "",
    ".a",
    "a.",
    "a..b",
    "1a",
    "ä",
    "a\n# TYPE b gauge",
];
/// Names that are legal where any are, or nearly, and that escaping makes alike.
const ANY_NAMES: [&str; 32] = [
    "a.b",
    "a-b",
    "a b",
    "a\"b",
    "a\\b",
    "a,b={}",
    "größe",
    "🦀",
    "e\u{301}",
    "a\u{2028}b",
    "1a",
    ".",
    "-",
    "_.",
    "a..b",
    "a.total",
    "a.b_total",
    "a.b_sum",
    "a.b-count",
    "a.b_bucket",
    "U__a_2e_b",
    "a_dot_b",
    "a__b",
    "tach.series",
    "ta.ch",
    "-_a",
    "_name_",
    "-name-",
    "le.",
    "quantile",
    "metric.",
    "a\nb",
];
const WORDS: [&str; 8] = ["tokens", "total", "bucket", "a", "", "_", "per second", "\n"];
const TICKS: [f64; 14] = [1.0, 1e-9, 1e-6, 1e-3, 10.0, 0.5, 0.1, 0.3, 2.0, 0.0, -1.0, f64::NAN, f64::INFINITY, 5e-324];
const FLOATS: [f64; 14] = [
    0.0,
    -0.0,
    1.0,
    0.025,
    0.1,
    100.0,
    1e6,
    999_999.5,
    1e21,
    f64::MAX,
    f64::MIN_POSITIVE,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];

pub(crate) fn text(u: &mut Unstructured) -> Result<String> {
    // Data that has run out gives zeros: short texts and plain names, then.
    if !u.ratio(15, 16)? {
        // About the longest that a label value may be.
        return Ok("ä".repeat(u.int_in_range(511..=513)?));
    }
    let len = u.int_in_range(0..=12)?;
    (0..len)
        .map(|_| {
            // Any character, and those more often that an exposition could stumble over.
            if u.ratio(2, 3)? {
                u.choose(&['n', ',', '"', '\\', '\n', '\r', '\0', '}', '{', ' ']).copied()
            } else {
                u.arbitrary()
            }
        })
        .collect()
}

fn name(u: &mut Unstructured) -> Result<String> {
    Ok(match u.int_in_range(0..=9)? {
        6 | 7 => (*u.choose(&ANY_NAMES)?).to_owned(),
        8 => text(u)?,
        9 => "n".repeat(u.int_in_range(199..=201)?),
        _ => (*u.choose(&NAMES)?).to_owned(),
    })
}

pub(crate) fn float(u: &mut Unstructured) -> Result<f64> {
    Ok(match u.int_in_range(0..=3)? {
        0 => f64::from(u.arbitrary::<u16>()?) / 1000.0,
        1 => f64::from(u.arbitrary::<u32>()?),
        2 => *u.choose(&FLOATS)?,
        _ => u.arbitrary()?,
    })
}

fn level(u: &mut Unstructured) -> Result<Level> {
    Ok(*u.choose(&[Level::Basic, Level::Detailed, Level::None])?)
}

fn unit(u: &mut Unstructured) -> Result<Unit> {
    let word = *u.choose(&WORDS)?;
    let units =
        [Unit::None, Unit::Seconds, Unit::Milliseconds, Unit::Bytes, Unit::Ratio, Unit::Joules, Unit::Other(word)];
    Ok(*u.choose(&units)?)
}

pub(crate) fn list<T>(
    u: &mut Unstructured,
    max: usize,
    mut one: impl FnMut(&mut Unstructured) -> Result<T>,
) -> Result<Vec<T>> {
    let len = u.int_in_range(0..=max)?;
    (0..len).map(|_| one(u)).collect()
}

pub(crate) fn label_value(u: &mut Unstructured) -> Result<String> {
    Ok(match u.int_in_range(0..=5)? {
        0 | 1 => (*u.choose(&["a", "b"])?).to_owned(),
        2 => String::new(),
        3 => "tach_overflow".to_owned(),
        _ => text(u)?,
    })
}

fn amount(u: &mut Unstructured) -> Result<Amount> {
    let whole = u.arbitrary::<u64>()? >> u.int_in_range(0..=63)?;
    Ok(Amount { whole, times: u.arbitrary::<u32>()? >> u.int_in_range(0..=31)?, float: float(u)? })
}

impl<'a> Arbitrary<'a> for Settings {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self {
            any_names: u.arbitrary()?,
            namespace: if u.ratio(2, 3)? { None } else { Some(name(u)?) },
            const_labels: if u.ratio(2, 3)? { Vec::new() } else { list(u, 2, |u| Ok((name(u)?, text(u)?)))? },
            recording: *u.choose(&[Recording::Sharded, Recording::Sync, Recording::Noop])?,
            level: level(u)?,
        })
    }
}

impl<'a> Arbitrary<'a> for Description {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let kinds = [Kind::Counter, Kind::FloatCounter, Kind::UpDownCounter, Kind::Gauge, Kind::Histogram];
        let kind = *u.choose(&kinds)?;
        let mut description = Self {
            kind,
            name: name(u)?,
            help: text(u)?,
            unit: unit(u)?,
            level: level(u)?,
            labels: if u.ratio(1, 2)? { None } else { Some(list(u, LABELS_MAX, name)?) },
            limit: u.int_in_range(0..=3)?,
            digits: 2,
            tick: None,
            max: None,
            buckets: Vec::new(),
        };
        if description.labels.as_ref().is_some_and(Vec::is_empty) {
            description.limit = 1;
        }
        if kind == Kind::Histogram {
            description.digits = *u.choose(&[2, 1, 3, 0, 4])?;
            description.tick = if u.ratio(1, 2)? { None } else { Some(*u.choose(&TICKS)?) };
            description.max = if u.ratio(2, 3)? { None } else { Some(float(u)?) };
            description.buckets = list(u, 6, float)?;
            // In order more often than not, as otherwise all but the shortest lists are refused.
            if u.ratio(3, 4)? {
                description.buckets.sort_by(f64::total_cmp);
            }
            if !u.ratio(7, 8)? {
                description.max = description.buckets.last().copied();
            }
        }
        Ok(description)
    }
}

impl<'a> Arbitrary<'a> for Scenario {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let settings = u.arbitrary()?;
        let mut metrics: Vec<Description> = vec![u.arbitrary()?];
        metrics.extend(list(u, METRICS_MAX - 1, |u| u.arbitrary())?);
        let last = metrics.len() - 1;
        let step = |u: &mut Unstructured| {
            let metric = u.int_in_range(0..=last)?;
            let labels = metrics[metric].labels.as_ref().map_or(0, Vec::len);
            let mut values = || (0..labels).map(|_| label_value(u)).collect::<Result<Vec<_>>>();
            let values = values()?;
            Ok(match u.int_in_range(0..=9)? {
                7 => Step::Remove(metric, values),
                8 => Step::Again(metric),
                9 => Step::Level(level(u)?),
                _ => Step::Record(metric, values, amount(u)?),
            })
        };
        let steps = list(u, STEPS_MAX, step)?;
        let windows = u.arbitrary()?;
        let attributes = list(u, 3, |u| Ok((name(u)?, label_value(u)?)))?;
        Ok(Self { settings, metrics, steps, windows, attributes })
    }
}
