//! Target `text`: what is rendered of an arbitrary registry reads back as what was recorded, in every format and
//! escaping of names.

use crate::compare;
use crate::exposition::{Sample, Type, parse};
use crate::formats;
use crate::model::{Model, Verdict};
use crate::names::Names;
use crate::scenario::{Amount, Description, Kind, Scenario, Step};
use crate::windows::{self, Kept};
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
    let kept = windows::keep(scenario, &registry, &model);
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
    compare::check_queries(&model, &snapshot);
    let plain = tach::text::render(&snapshot);
    for names in Names::all(scenario.settings.any_names) {
        let text = tach::text::render_with(&snapshot, names.escaping);
        // Where all names are legal, dots only change them.
        if names.escaping == Escaping::Underscores || !names.any && names.escaping != Escaping::Dots {
            assert_eq!(text, plain, "{:?} changes a page", names.escaping);
        }
        let families = parse(&text, names).unwrap_or_else(|rule| panic!("{rule}\n{text}"));
        compare::check(scenario, &model, &families, names);
        formats::check(&snapshot, None, names.escaping);
    }
    check_more(scenario, &model, kept.as_ref(), &snapshot);
    assert_eq!(tach::text::render(&snapshot), plain, "a snapshot renders the same twice");
}

/// The same page with what may be shown besides: windows, and whose metrics these are.
fn check_more(scenario: &Scenario, model: &Model, kept: Option<&Kept>, snapshot: &Snapshot) {
    if kept.is_none() && scenario.attributes.is_empty() {
        return;
    }
    let shown = kept.map_or_else(|| snapshot.clone(), |kept| kept.windows().show(snapshot));
    let (shown, target) = match &*scenario.attributes {
        [] => (shown, None),
        attributes => formats::with_target(shown, attributes),
    };
    // Attributes may have any keys.
    for names in Names::all(true) {
        let text = tach::text::render_with(&shown, names.escaping);
        let mut families = parse(&text, names).unwrap_or_else(|rule| panic!("{rule}\n{text}"));
        if let Some(labels) = &target {
            let family = families.remove(0);
            assert_eq!((family.name, family.kind), (names.metric("target_info"), Type::Gauge));
            let labels = labels.iter().map(|(name, value)| (names.label(name), value.clone())).collect();
            assert_eq!(family.samples, [Sample { name: names.metric("target_info"), labels, value: "1".to_owned() }]);
        }
        if let Some(kept) = kept {
            kept.take(scenario, model, &mut families, names);
        }
        compare::check(scenario, model, &families, names);
        formats::check(&shown, target.as_ref(), names.escaping);
    }
}

fn build_registry(scenario: &Scenario) -> Option<Registry> {
    let settings = &scenario.settings;
    let mut builder =
        Registry::builder().utf8_names(settings.any_names).recording(settings.recording).level(settings.level);
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
            any_names: false,
            namespace: None,
            const_labels: Vec::new(),
            recording: Recording::Sharded,
            level: Level::Detailed,
        };
        let amount = Amount { whole: 7, times: 2, float: 0.5 };
        let values = |d: &Description| vec!["a".to_owned(); d.labels.as_ref().map_or(0, Vec::len)];
        let steps = metrics.iter().enumerate().map(|(index, d)| Step::Record(index, values(d), amount)).collect();
        Scenario { settings, metrics, steps, windows: false, attributes: Vec::new() }
    }

    #[test]
    fn any_names_are_read_where_they_are_taken() {
        let labels = Some(vec!["größe".to_owned(), "a b".to_owned(), "x\"\\".to_owned()]);
        for kind in [Kind::Counter, Kind::FloatCounter, Kind::UpDownCounter, Kind::Gauge, Kind::Histogram] {
            let mut names = ["http.size", "a\"b\\", "1 {}", "größe,=\u{2028}🦀", "a\nb", "tach.series", "http-size"]
                .map(|name| Description { labels: labels.clone(), unit: Unit::Seconds, ..metric(kind, name) });
            names[2].buckets = vec![0.5, 1.0];
            let mut scenario = scenario(names.to_vec());
            // None of them is taken here, but for that of dots.
            play(&scenario);
            scenario.settings.any_names = true;
            scenario.settings.const_labels = vec![("k8s.pod".to_owned(), "p".to_owned())];
            play(&scenario);
            let registry = build_registry(&scenario).unwrap();
            let taken = scenario.metrics.iter().map(|metric| build(&registry, metric).is_ok());
            assert_eq!(taken.collect::<Vec<_>>(), [true, true, true, true, false, false, false]);
        }
    }

    #[test]
    fn windows_and_the_target_are_shown_besides() {
        let labels = Some(vec!["window_of".to_owned(), "a.b".to_owned()]);
        let units = [Unit::None, Unit::Seconds, Unit::Other("a_b")];
        let mut metrics: Vec<Description> = units
            .into_iter()
            .enumerate()
            .map(|(index, unit)| Description { unit, ..metric(Kind::Histogram, &format!("h{index}")) })
            .collect();
        metrics[1].labels = labels;
        metrics.push(metric(Kind::Counter, "tokens"));
        let mut scenario = scenario(metrics);
        scenario.settings.any_names = true;
        scenario.steps.push(Step::Record(1, vec!["b".to_owned(); 2], Amount { whole: 9, times: 0, float: 0.0 }));
        scenario.windows = true;
        scenario.attributes = [("a.b", "1"), ("a-b", "2"), ("zone", "x")].map(|(k, v)| (k.into(), v.into())).into();
        play(&scenario);
        let registry = build_registry(&scenario).unwrap();
        let mut model = Model::new(&scenario.settings);
        take(&registry, &mut model, &mut Vec::new(), &scenario.metrics[0]);
        assert!(windows::keep(&scenario, &registry, &model).is_some());
        // A key that no label can have is refused, and nothing shown.
        scenario.attributes[0].0 = "__a".to_owned();
        play(&scenario);
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
