//! Target `text`: what is rendered of an arbitrary registry reads back as what was recorded, as text and as
//! OpenMetrics 2.0.

use crate::exposition::{Family, Labels, Sample, Type, all_series, parse};
use crate::model::{Metric, Model, Value, Verdict, in_powers};
use crate::number::read;
use crate::scenario::{Amount, Description, Kind, Scenario, Step};
use arbitrary::{Arbitrary, Unstructured};
use tach::{
    Counter, Error, Escaping, Family as Series, FloatCounter, Gauge, Histogram, MetricBuilder, Registry, Snapshot,
    UpDownCounter,
};

/// Runs the scenario that `data` stands for.
///
/// # Panics
///
/// An expectation failed.
pub fn run(data: &[u8]) {
    if let Ok(scenario) = Scenario::arbitrary(&mut Unstructured::new(data)) {
        play(&scenario);
    }
}

/// A metric that was built, whatever its kind and number of labels.
trait Live {
    fn record(&self, values: &[String], amount: Amount);
    fn remove(&self, values: &[String]) -> bool;
}

/// A metric without labels.
struct Lone<M>(M);

impl<M: Record> Live for Lone<M> {
    fn record(&self, _: &[String], amount: Amount) {
        self.0.put(amount);
    }

    fn remove(&self, _: &[String]) -> bool {
        false
    }
}

impl<M: Record, const N: usize> Live for Series<M, N> {
    fn record(&self, values: &[String], amount: Amount) {
        self.with(array(values)).put(amount);
    }

    fn remove(&self, values: &[String]) -> bool {
        Series::remove(self, array(values))
    }
}

fn array<const N: usize>(values: &[String]) -> [&str; N] {
    std::array::from_fn(|index| values[index].as_str())
}

fn play(scenario: &Scenario) {
    let Some(registry) = build_registry(scenario) else { return };
    let mut model = Model::new(&scenario.settings);
    let mut live: Vec<Box<dyn Live>> = Vec::new();
    // Which metric of the model each description is.
    let mut found: Vec<Option<usize>> = Vec::new();
    for description in &scenario.metrics {
        let number = take(&registry, &mut model, &mut live, description);
        found.push(number);
    }
    for step in &scenario.steps {
        match step {
            Step::Record(metric, values, amount) => {
                if let Some(number) = found[*metric] {
                    live[number].record(values, *amount);
                    model.record(number, values, *amount);
                }
            }
            Step::Remove(metric, values) => {
                if let Some(number) = found[*metric].filter(|_| scenario.metrics[*metric].labels.is_some()) {
                    assert_eq!(live[number].remove(values), model.remove(number, values), "{values:?}");
                }
            }
            Step::Again(metric) => {
                let number = take(&registry, &mut model, &mut live, &scenario.metrics[*metric]);
                assert_eq!(number, found[*metric], "the same description gave another metric");
            }
            Step::Level(level) => {
                registry.set_level(*level);
                model.set_level(*level);
            }
        }
    }
    let snapshot = registry.snapshot();
    let text = tach::text::render(&snapshot);
    let families = parse(&text).unwrap_or_else(|rule| panic!("{rule}\n{text}"));
    check(scenario, &model, &snapshot, &families);
    assert_eq!(tach::text::render(&snapshot), text, "a snapshot renders the same twice");
    escape(&snapshot, &text, &families);
    crate::openmetrics_2::check(&snapshot, &families);
}

/// All names are legal here: only dots change them, and that can be undone.
fn escape(snapshot: &Snapshot, text: &str, families: &[Family]) {
    for escaping in [Escaping::Values, Escaping::AllowUtf8] {
        assert_eq!(tach::text::render_with(snapshot, escaping), text, "{escaping:?} changes a page");
    }
    let page = tach::text::render_with(snapshot, Escaping::Dots);
    let lines = page.lines().filter(|line| line.starts_with("# TYPE "));
    assert_eq!(lines.clone().count(), families.len());
    for (line, family) in lines.zip(families) {
        let name = line.split(' ').nth(2).unwrap_or_default();
        assert_eq!(name, family.name.replace('_', "__"), "{line}");
    }
}

fn build_registry(scenario: &Scenario) -> Option<Registry> {
    let settings = &scenario.settings;
    let mut builder = Registry::builder().recording(settings.recording).level(settings.level);
    if let Some(namespace) = &settings.namespace {
        builder = builder.namespace(namespace);
    }
    for (name, value) in &settings.const_labels {
        builder = builder.const_label(name, value);
    }
    let registry = builder.build();
    assert_eq!(registry.is_ok(), settings.is_legal(), "{settings:?}: {registry:?}");
    registry.ok()
}

/// Builds a metric and gives its number in the model; `None` when it was refused, as it had to be.
fn take(
    registry: &Registry,
    model: &mut Model,
    live: &mut Vec<Box<dyn Live>>,
    description: &Description,
) -> Option<usize> {
    let verdict = model.verdict(description);
    let built = build(registry, description);
    match (verdict, built) {
        (Verdict::New | Verdict::Unknown, Ok(metric)) => {
            // A description that the model cannot judge may be there already.
            let same = model.metrics.iter().position(|metric| metric.description.is_the_same(description));
            if verdict == Verdict::Unknown && same.is_some() {
                return same;
            }
            model.add(description);
            live.push(metric);
            Some(model.metrics.len() - 1)
        }
        (Verdict::Same(number), Ok(metric)) => {
            // Another handle to the same cells.
            live[number] = metric;
            Some(number)
        }
        (Verdict::Refused | Verdict::Unknown, Err(error)) => {
            assert!(!error.to_string().is_empty());
            None
        }
        (verdict, built) => panic!("{description:?} should be {verdict:?}: {:?}", built.map(|_| "taken")),
    }
}

/// The handles' common side.
trait Record: tach::Metric {
    fn put(&self, amount: Amount);
}

impl Record for Counter {
    fn put(&self, amount: Amount) {
        self.add(amount.whole);
    }
}

impl Record for FloatCounter {
    fn put(&self, amount: Amount) {
        self.add(amount.float);
    }
}

impl Record for UpDownCounter {
    fn put(&self, amount: Amount) {
        self.add(amount.whole.cast_signed());
    }
}

impl Record for Gauge {
    fn put(&self, amount: Amount) {
        self.set(amount.float);
    }
}

impl Record for Histogram {
    fn put(&self, amount: Amount) {
        self.record_n(amount.whole, u64::from(amount.times));
    }
}

fn build(registry: &Registry, description: &Description) -> Result<Box<dyn Live>, Error> {
    let name = description.name.as_str();
    match description.kind {
        Kind::Counter => finish(registry.counter(name), description),
        Kind::FloatCounter => finish(registry.float_counter(name), description),
        Kind::UpDownCounter => finish(registry.updown_counter(name), description),
        Kind::Gauge => finish(registry.gauge(name), description),
        Kind::Histogram => {
            let mut builder =
                registry.histogram(name).digits(description.digits).buckets(description.buckets.iter().copied());
            if let Some(tick) = description.tick {
                builder = builder.tick(tick);
            }
            if let Some(max) = description.max {
                builder = builder.max(max);
            }
            finish(builder, description)
        }
    }
}

fn finish<M: Record>(builder: MetricBuilder<M>, description: &Description) -> Result<Box<dyn Live>, Error> {
    let builder = builder.help(&*description.help).unit(description.unit).level(description.level);
    let limit = description.limit;
    let labels: Option<Vec<&str>> = description.labels.as_ref().map(|l| l.iter().map(String::as_str).collect());
    match labels.as_deref() {
        None => Ok(Box::new(Lone(builder.build()?))),
        Some([]) => Ok(Box::new(builder.labels([]).limit(limit).build()?)),
        Some(&[a]) => Ok(Box::new(builder.labels([a]).limit(limit).build()?)),
        Some(&[a, b]) => Ok(Box::new(builder.labels([a, b]).limit(limit).build()?)),
        Some(&[a, b, c]) => Ok(Box::new(builder.labels([a, b, c]).limit(limit).build()?)),
        Some(_) => unreachable!("a scenario has up to three labels"),
    }
}

/// Compares the text and the snapshot with the model.
fn check(scenario: &Scenario, model: &Model, snapshot: &Snapshot, families: &[Family]) {
    let mut expected: Vec<&Metric> =
        model.metrics.iter().filter(|metric| metric.on && !metric.series.is_empty()).collect();
    expected.sort_by(|a, b| a.base.cmp(&b.base));
    let (own, users): (Vec<&Family>, Vec<&Family>) =
        families.iter().partition(|family| family.name.starts_with("tach_"));
    let names = |families: &[&Family]| families.iter().map(|family| family.base().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&users), expected.iter().map(|metric| metric.base.clone()).collect::<Vec<_>>());
    for (metric, family) in expected.iter().zip(&users) {
        check_family(scenario, metric, family);
    }
    for metric in &model.metrics {
        check_queries(metric, snapshot);
    }
    let value = |name: &str| {
        let family = own.iter().find(|family| family.name == name).unwrap_or_else(|| panic!("no {name}"));
        number(&family.samples[0])
    };
    assert_eq!(value("tach_overflow_series_total"), model.overflowed as f64);
    let series: usize = expected.iter().map(|metric| metric.series.len()).sum();
    assert_eq!(value("tach_series"), series as f64);
}

fn check_family(scenario: &Scenario, metric: &Metric, family: &Family) {
    let description = &metric.description;
    let kind = match description.kind {
        Kind::Counter | Kind::FloatCounter => Type::Counter,
        Kind::UpDownCounter | Kind::Gauge => Type::Gauge,
        Kind::Histogram => Type::Histogram,
    };
    assert_eq!(family.kind, kind);
    assert_eq!(family.help.as_deref().unwrap_or(""), description.help);
    let labels = |values: &[String]| -> Labels {
        let own = description.labels.iter().flatten().zip(values);
        let constant = scenario.settings.const_labels.iter().map(|(name, value)| (name, value));
        let all = constant.chain(own).filter(|(_, value)| !value.is_empty());
        all.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    if kind == Type::Histogram {
        let all = all_series(family).expect("parsed before");
        assert_eq!(all.len(), metric.series.len());
        for (series, (values, value)) in all.iter().zip(&metric.series) {
            assert_eq!(series.labels, labels(values));
            let Value::Histogram(recorded) = value else { unreachable!("a histogram's values") };
            let counted = Counted::of(description, recorded);
            assert_eq!(series.count, counted.count);
            assert_eq!(series.buckets.iter().map(|bucket| bucket.0).collect::<Vec<_>>(), description.bounds());
            if let Some(exact) = counted.exact {
                assert_eq!(series.buckets.iter().map(|bucket| bucket.1).collect::<Vec<_>>(), exact.buckets);
                assert_eq!(read(&series.sum), Ok(exact.sum));
            }
        }
        return;
    }
    assert_eq!(family.samples.len(), metric.series.len());
    for (sample, (values, value)) in family.samples.iter().zip(&metric.series) {
        assert_eq!(sample.labels, labels(values));
        match value {
            Value::Counter(total) => assert_eq!(sample.value, total.to_string()),
            Value::UpDown(total) => assert_eq!(sample.value, total.to_string()),
            Value::Float(value) | Value::Gauge(value) => assert_eq!(bits(number(sample)), bits(*value)),
            Value::Histogram(_) => unreachable!("handled above"),
        }
    }
}

/// A float's bits, with one NaN for all.
fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

fn number(sample: &Sample) -> f64 {
    read(&sample.value).expect("parsed before")
}

/// What a histogram should show.
struct Counted {
    count: u64,
    exact: Option<Exact>,
}

/// Known where a tick is a power of ten.
struct Exact {
    buckets: Vec<u64>,
    sum: f64,
    clamped: u64,
}

impl Counted {
    fn of(description: &Description, recorded: &[(u64, u64)]) -> Self {
        let count = recorded.iter().map(|(_, times)| times).sum();
        let exact = description.tick_power().map(|power| {
            let limit = description.limit(power);
            let is_above = |ticks: u64| u128::from(ticks) > limit;
            let clamp = |ticks: u64| if is_above(ticks) { description.clamped(power) as u64 } else { ticks };
            let below = |bound: f64| {
                let bound = in_powers(bound, power);
                recorded.iter().filter(|(ticks, _)| u128::from(clamp(*ticks)) <= bound).map(|(_, times)| times).sum()
            };
            // One thread's sum of ticks wraps.
            let add = |sum: u64, (ticks, times): &(u64, u64)| sum.wrapping_add(clamp(*ticks).wrapping_mul(*times));
            let ticks = recorded.iter().fold(0, add) as f64;
            let scale = 10_f64.powi(power.abs());
            Exact {
                buckets: description.bounds().iter().map(|&bound| below(bound)).collect(),
                sum: if power < 0 { ticks / scale } else { ticks * scale },
                clamped: recorded.iter().filter(|(ticks, _)| is_above(*ticks)).map(|(_, times)| times).sum(),
            }
        });
        Self { count, exact }
    }
}

fn check_queries(metric: &Metric, snapshot: &Snapshot) {
    let description = &metric.description;
    let names = description.labels.as_deref().unwrap_or(&[]);
    for (values, value) in &metric.series {
        let labels: Vec<(&str, &str)> =
            names.iter().zip(values).rev().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let name = description.name.as_str();
        match value {
            Value::Counter(total) => assert_eq!(snapshot.counter(name, &labels), metric.on.then_some(*total)),
            Value::Float(total) => assert_eq!(snapshot.float_counter(name, &labels), metric.on.then_some(*total)),
            Value::UpDown(total) => assert_eq!(snapshot.gauge(name, &labels), metric.on.then_some(*total as f64)),
            Value::Gauge(value) => {
                assert_eq!(snapshot.gauge(name, &labels).map(bits), metric.on.then_some(bits(*value)));
            }
            Value::Histogram(recorded) => {
                let histogram = snapshot.histogram(name, &labels);
                assert_eq!(histogram.is_some(), metric.on);
                let Some(histogram) = histogram else { continue };
                let counted = Counted::of(description, recorded);
                assert_eq!((histogram.count(), histogram.is_exact()), (counted.count, true));
                if let Some(exact) = counted.exact {
                    assert_eq!((histogram.sum(), histogram.clamped()), (exact.sum, exact.clamped));
                    for (bound, count) in description.bounds().iter().zip(exact.buckets) {
                        assert_eq!(histogram.bucket_count_le(*bound), count, "le {bound}");
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Settings;
    use tach::{Level, Recording, Unit};

    fn metric(kind: Kind, name: &str) -> Description {
        Description {
            kind,
            name: name.to_owned(),
            help: String::new(),
            unit: Unit::None,
            level: Level::Basic,
            labels: None,
            limit: 2,
            digits: 2,
            tick: None,
            max: None,
            buckets: Vec::new(),
        }
    }

    fn scenario(metrics: Vec<Description>) -> Scenario {
        let settings = Settings {
            namespace: None,
            const_labels: Vec::new(),
            recording: Recording::Sharded,
            level: Level::Detailed,
        };
        let amount = Amount { whole: 7, times: 2, float: 0.5 };
        let values = |d: &Description| vec!["a".to_owned(); d.labels.as_ref().map_or(0, Vec::len)];
        let steps = metrics.iter().enumerate().map(|(index, d)| Step::Record(index, values(d), amount)).collect();
        Scenario { settings, metrics, steps }
    }

    /// What the fuzzer once found.
    #[test]
    fn past_finds() {
        // A constant label that is called as a label of the engine's own metrics.
        for name in ["state", "metric"] {
            let mut scenario = scenario(vec![metric(Kind::Histogram, "a")]);
            scenario.settings.const_labels = vec![(name.to_owned(), "x".to_owned())];
            play(&scenario);
        }
        // `_total` twice, or alone.
        for name in ["a_total_total", "_total", "a.total.total"] {
            play(&scenario(vec![metric(Kind::Counter, name)]));
        }
        let unit = Description { unit: Unit::Other("total"), ..metric(Kind::Counter, "a") };
        play(&scenario(vec![unit]));
        // One name with two units.
        let seconds = Description { unit: Unit::Seconds, ..metric(Kind::Gauge, "a") };
        play(&scenario(vec![metric(Kind::Gauge, "a"), seconds]));
        // A family without labels is not its own overflow.
        play(&scenario(vec![Description { labels: Some(Vec::new()), ..metric(Kind::Counter, "a") }]));
        // Minus zero is a bound like zero.
        play(&scenario(vec![Description { buckets: vec![-0.0, 1.0], ..metric(Kind::Histogram, "a") }]));
        // A name of the engine's own metrics behind a namespace.
        let mut scenario = scenario(vec![metric(Kind::Gauge, "tach_series")]);
        scenario.settings.namespace = Some("a".to_owned());
        play(&scenario);
    }
}
