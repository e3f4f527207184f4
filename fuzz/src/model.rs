//! What a registry ought to hold: which descriptions it takes, under which names it exposes them, and the values.
//!
//! Told from the documentation alone, in plain vectors and without regard to speed.

pub use crate::exposition::Labels;
use crate::names::{Names, escape, is_legal};
use crate::scenario::{Amount, Description, Kind, Settings};
use std::collections::BTreeMap;
use tach::{Escaping, Level, Recording, Unit};

/// The label value of the series that takes what finds no room.
pub const OVERFLOW: &str = "tach_overflow";
/// A histogram's ticks are below this.
const TICKS_END: u128 = 1 << 62;

/// What ought to become of a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A new metric.
    New,
    /// The metric of this number, which is described the same.
    Same(usize),
    /// An error.
    Refused,
    /// Not foretold here.
    Unknown,
}

/// The values of one series.
#[derive(Clone, Debug)]
pub enum Value {
    /// Of a counter.
    Counter(u64),
    /// Of a float counter.
    Float(f64),
    /// Of an up-down counter.
    UpDown(i64),
    /// Of a gauge.
    Gauge(f64),
    /// Values in ticks and how often each was recorded.
    Histogram(Vec<(u64, u64)>),
}

/// A metric that was taken.
#[derive(Clone, Debug)]
pub struct Metric {
    /// As it was described.
    pub description: Description,
    /// What samples are called as it was written, before `_total`, `_sum` and so on.
    pub base: String,
    /// By label values.
    pub series: BTreeMap<Vec<String>, Value>,
    /// Whether it is recorded and exposed.
    pub on: bool,
}

/// A registry.
#[derive(Clone, Debug)]
pub struct Model {
    settings: Settings,
    level: Level,
    /// In the order in which they were taken.
    pub metrics: Vec<Metric>,
    /// Look-ups that ended in an overflow series.
    pub overflowed: u64,
}

/// Whether a registry takes this as the name of something, of any characters where `any` says so.
fn is_name(name: &str, any: bool, extra: &str) -> bool {
    let is_free = any && !name.is_empty() && !name.contains(char::is_control);
    name.len() <= 200 && (is_free || is_legal(name, extra))
}

/// Whether a metric or a namespace may be called this: dots stand between words.
fn is_metric_name(name: &str, any: bool) -> bool {
    let words = name.replace('.', "_");
    if any { is_name(name, any, "") } else { is_name(&words, any, ":") && name.split('.').all(|word| !word.is_empty()) }
}

pub(crate) fn is_label_name(name: &str, any: bool, histogram: bool) -> bool {
    is_name(name, any, "")
        && !escape(name, Escaping::Underscores, "").starts_with("__")
        && escape(name, Escaping::Dots, "") != "__name__"
        && !(histogram && ["le", "quantile"].contains(&name))
}

/// Whether some scraper would see one label where there are two.
pub(crate) fn is_same_label(left: &str, right: &str) -> bool {
    Names::all(true).iter().any(|names| names.label(left) == names.label(right))
}

/// `value`, which is not negative, in units of `10^power`, rounded down, by moving the point of what `{}` prints.
#[must_use]
pub fn in_powers(value: f64, power: i32) -> u128 {
    let printed = format!("{}", value.abs());
    let (whole, fraction) = printed.split_once('.').unwrap_or((&printed, ""));
    let mut digits = format!("{whole}{fraction}");
    let point = whole.len() as i32 - power;
    if point <= 0 {
        return 0;
    }
    let point = point as usize;
    while digits.len() < point {
        digits.push('0');
    }
    // What has more digits than this is beyond every limit.
    digits[..point].parse().unwrap_or(u128::MAX)
}

impl Description {
    /// The power of ten that is the tick, if it is one.
    #[must_use]
    pub fn tick_power(&self) -> Option<i32> {
        match self.tick {
            Some(tick) => (-9..=1).find(|power| tick == format!("1e{power}").parse::<f64>().unwrap_or(0.0)),
            None => Some(match self.unit {
                Unit::Seconds => -9,
                Unit::Milliseconds | Unit::Ratio | Unit::Joules => -6,
                _ => 0,
            }),
        }
    }

    /// The declared bounds; a last one of +Inf is there anyway.
    #[must_use]
    pub fn bounds(&self) -> &[f64] {
        self.buckets.strip_suffix(&[f64::INFINITY]).unwrap_or(&self.buckets)
    }

    /// The largest value in ticks that is not clamped, where the tick is a power of ten.
    #[must_use]
    pub fn limit(&self, power: i32) -> u128 {
        let default = match self.unit {
            Unit::Seconds => 3_600.0,
            Unit::Milliseconds => 3_600_000.0,
            Unit::Bytes => (1_u64 << 42) as f64,
            Unit::Ratio => 1_000.0,
            Unit::Joules => 1e6,
            _ => (1_u64 << 32) as f64,
        };
        let max = in_powers(self.max.unwrap_or(default), power).clamp(1, TICKS_END - 1);
        max.max(self.last_ticks(power).unwrap_or(0))
    }

    /// What a larger value is recorded as: the limit, or one more to stay above every bound.
    #[must_use]
    pub fn clamped(&self, power: i32) -> u128 {
        self.limit(power).max(self.last_ticks(power).map_or(0, |last| last + 1))
    }

    fn last_ticks(&self, power: i32) -> Option<u128> {
        self.bounds().last().map(|&last| in_powers(last, power))
    }

    /// Whether `other` describes the same metric. Histograms whose ticks are no powers of ten may differ all the same.
    #[must_use]
    pub fn is_the_same(&self, other: &Self) -> bool {
        let scale = |d: &Self| match d.tick_power() {
            Some(power) => (power, d.limit(power), None),
            None => (0, 0, d.tick),
        };
        let plain = |d: &Self| (d.kind, d.name.clone(), d.help.clone(), d.unit, d.level, d.labels.clone());
        plain(self) == plain(other)
            && (self.labels.is_none() || self.limit == other.limit)
            && (self.kind != Kind::Histogram
                || self.digits == other.digits && self.bounds() == other.bounds() && scale(self) == scale(other))
    }

    fn is_legal(&self, any: bool) -> bool {
        let histogram = self.kind == Kind::Histogram;
        let labels = self.labels.as_deref().unwrap_or(&[]);
        is_metric_name(&self.name, any)
            && self.unit.suffix().chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && labels.iter().all(|label| is_label_name(label, any, histogram))
            && (1..labels.len()).all(|index| !labels[..index].iter().any(|other| is_same_label(other, &labels[index])))
            && (!histogram || self.has_legal_buckets())
    }

    fn has_legal_buckets(&self) -> bool {
        let bounds = self.bounds();
        let within = |value: f64| self.tick_power().is_none_or(|power| in_powers(value, power) < TICKS_END);
        (1..=3).contains(&self.digits)
            && self.tick.is_none_or(|tick| tick.is_finite() && tick > 0.0)
            && bounds.iter().all(|bound| bound.is_finite() && *bound >= 0.0)
            && bounds.windows(2).all(|pair| pair[0] < pair[1])
            && bounds.iter().all(|&bound| within(bound))
            && self.max.is_none_or(|max| {
                max.is_finite()
                    && max > 0.0
                    && bounds.last().is_none_or(|last| *last <= max)
                    && within(max)
                    && self.tick_power().is_none_or(|power| in_powers(max, power) > 0)
            })
    }

    /// Whether what is legal of this depends on arithmetic that the model does not do.
    fn is_beyond(&self) -> bool {
        self.kind == Kind::Histogram && self.tick_power().is_none()
    }

    fn base(&self, settings: &Settings) -> String {
        let mut base = settings.namespace.as_ref().map_or(String::new(), |namespace| format!("{namespace}_"));
        base.push_str(&self.name);
        if !settings.any_names {
            base = base.replace('.', "_");
        }
        if self.is_counter() && base.ends_with("_total") {
            base.truncate(base.len() - "_total".len());
        }
        let suffix = self.unit.suffix();
        if !suffix.is_empty() && !base.ends_with(&format!("_{suffix}")) {
            base = format!("{base}_{suffix}");
        }
        base
    }

    fn is_counter(&self) -> bool {
        matches!(self.kind, Kind::Counter | Kind::FloatCounter)
    }

    /// What the text format calls the family.
    #[must_use]
    pub fn shown(&self, base: &str, names: Names) -> String {
        if self.is_counter() { names.metric(&format!("{base}_total")) } else { names.metric(base) }
    }

    /// Every name that a sample or a family of this may have, in any format.
    fn exposed(&self, base: &str, names: Names) -> Vec<String> {
        let shown = self.shown(base, names);
        let base = if self.is_counter() { shown.strip_suffix("_total").unwrap_or(&shown) } else { &shown };
        let suffixes: &[&str] = match self.kind {
            Kind::Counter | Kind::FloatCounter => &["", "_total", "_created"],
            Kind::Histogram => &["", "_bucket", "_sum", "_count", "_created"],
            Kind::UpDownCounter | Kind::Gauge => &[""],
        };
        suffixes.iter().map(|suffix| format!("{base}{suffix}")).collect()
    }
}

impl Settings {
    /// Whether a registry can be made with these.
    #[must_use]
    pub fn is_legal(&self) -> bool {
        let labels = &self.const_labels;
        self.namespace.as_deref().is_none_or(|namespace| is_metric_name(namespace, self.any_names))
            && labels.iter().all(|(name, _)| is_label_name(name, self.any_names, true))
            && (1..labels.len())
                .all(|index| !labels[..index].iter().any(|other| is_same_label(&other.0, &labels[index].0)))
    }
}

impl Model {
    /// An empty registry.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self { settings: settings.clone(), level: settings.level, metrics: Vec::new(), overflowed: 0 }
    }

    /// What is to become of `description`.
    #[must_use]
    pub fn verdict(&self, description: &Description) -> Verdict {
        let base = description.base(&self.settings);
        let labels = description.labels.as_deref().unwrap_or(&[]);
        let constant = |label: &String| self.settings.const_labels.iter().any(|(name, _)| is_same_label(name, label));
        if !description.is_legal(self.settings.any_names) || labels.iter().any(constant) {
            return Verdict::Refused;
        }
        // By the own name a snapshot is asked, and the engine's metrics have no namespace.
        let own_name = escape(&description.name, Escaping::Underscores, ":");
        let names = description.exposed(&base, Names::PLAIN);
        let own = names.iter().chain([&own_name]).any(|name| name.starts_with("tach_"));
        // For `x_total_total` and a bare `_total` OpenMetrics has no family.
        let wordless = base.ends_with("_total") || base.chars().all(|c| c == '_');
        // Where all names are legal, what differs by one escaping does so by all.
        let escapings = if self.settings.any_names { 3 } else { 1 };
        let meets = |metric: &Metric| {
            Names::all(true).into_iter().take(escapings).any(|names| {
                let taken = metric.description.exposed(&metric.base, names);
                description.exposed(&base, names).iter().any(|name| taken.contains(name))
            })
        };
        if own || description.is_counter() && wordless {
            return Verdict::Refused;
        }
        let mut verdict = Verdict::New;
        for (index, metric) in self.metrics.iter().enumerate() {
            if metric.description.is_the_same(description) {
                verdict = Verdict::Same(index);
            } else if metric.description.name == description.name || meets(metric) {
                return Verdict::Refused;
            }
        }
        if description.is_beyond() { Verdict::Unknown } else { verdict }
    }

    /// Takes a new metric.
    pub fn add(&mut self, description: &Description) {
        let base = description.base(&self.settings);
        let mut series = BTreeMap::new();
        if description.labels.is_none() {
            series.insert(Vec::new(), description.kind.zero());
        }
        let on = self.is_on(description);
        self.metrics.push(Metric { description: description.clone(), base, series, on });
    }

    fn is_on(&self, description: &Description) -> bool {
        self.settings.recording != Recording::Noop && description.level <= self.level
    }

    /// Another level.
    pub fn set_level(&mut self, level: Level) {
        self.level = level;
        let on: Vec<bool> = self.metrics.iter().map(|metric| self.is_on(&metric.description)).collect();
        self.metrics.iter_mut().zip(on).for_each(|(metric, on)| metric.on = on);
    }

    /// A recording to the metric of this number.
    pub fn record(&mut self, metric: usize, values: &[String], amount: Amount) {
        let metric = &mut self.metrics[metric];
        let mut values = values.to_vec();
        let kind = metric.description.kind;
        if metric.description.labels.is_some() && !metric.series.contains_key(&values) {
            let used = metric.series.len() - usize::from(metric.has_overflow());
            let is_long = values.iter().any(|value| value.len() > 1024);
            if is_long || used >= metric.description.limit {
                values = vec![OVERFLOW.to_owned(); values.len()];
            }
        }
        if metric.is_overflow(&values) {
            self.overflowed += 1;
        }
        let value = metric.series.entry(values).or_insert_with(|| kind.zero());
        // What has gone up comes down though nobody looks.
        let always = kind == Kind::UpDownCounter && self.settings.recording != Recording::Noop;
        if metric.on || always {
            value.record(amount);
        }
    }

    /// Removes a series; whether there was one.
    pub fn remove(&mut self, metric: usize, values: &[String]) -> bool {
        let metric = &mut self.metrics[metric];
        !metric.is_overflow(values) && metric.series.remove(values).is_some()
    }
}

impl Metric {
    fn is_overflow(&self, values: &[String]) -> bool {
        !values.is_empty() && values.iter().all(|value| value == OVERFLOW)
    }

    fn has_overflow(&self) -> bool {
        self.series.keys().any(|values| self.is_overflow(values))
    }
}

impl Kind {
    fn zero(self) -> Value {
        match self {
            Self::Counter => Value::Counter(0),
            Self::FloatCounter => Value::Float(0.0),
            Self::UpDownCounter => Value::UpDown(0),
            Self::Gauge => Value::Gauge(0.0),
            Self::Histogram => Value::Histogram(Vec::new()),
        }
    }
}

impl Value {
    fn record(&mut self, amount: Amount) {
        match self {
            Self::Counter(total) => *total = total.wrapping_add(amount.whole),
            Self::Float(total) if amount.float >= 0.0 && amount.float.is_finite() => {
                // Beyond the largest float the total is that one.
                *total = (*total + amount.float).min(f64::MAX);
            }
            Self::Float(_) => {}
            Self::UpDown(total) => *total = total.wrapping_add(amount.whole.cast_signed()),
            Self::Gauge(value) => *value = amount.float,
            Self::Histogram(values) if amount.times > 0 => values.push((amount.whole, u64::from(amount.times))),
            Self::Histogram(_) => {}
        }
    }
}
