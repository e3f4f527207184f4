//! Describing a metric step by step.

use super::Registry;
use super::family::Family;
use super::metric::{Core, Metric};
use super::typed::{TypedFamily, check_set};
use crate::bucket::{Bound, Grid, MAX_TICKS, Resolution, SCHEMA_MAX, Scale};
use crate::describe::{Aggregate, Descriptor, Escaping, Kind, LabelSet, LabelValues, Level, Unit};
use crate::describe::{check_label, check_metric, is_legal_label, is_legal_metric, same_label};
use crate::error::{Error, ErrorKind};
use crate::record::histogram::Histogram;
use crate::{Counter, FloatCounter, Gauge};
use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// The most series of a family, unless told otherwise.
const LIMIT: usize = 2_000;
/// Significant digits of a histogram, unless told otherwise.
const DIGITS: u8 = 2;

/// No labels: [`MetricBuilder::build`] makes the metric itself.
#[derive(Debug)]
pub struct Unlabelled;

/// `N` label names: [`MetricBuilder::build`] makes a [`Family`].
#[derive(Debug)]
pub struct Labelled<const N: usize>([String; N]);

/// The labels of a [`LabelSet`]: [`MetricBuilder::build`] makes a [`TypedFamily`].
pub struct Typed<L>(PhantomData<fn(L)>);

impl<L> fmt::Debug for Typed<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Typed<{}>", type_name::<L>())
    }
}

/// What is declared of a histogram.
#[derive(Debug, Default)]
struct Cells {
    tick: Option<f64>,
    digits: Option<u8>,
    schema: Option<u8>,
    max: Option<f64>,
    buckets: Vec<f64>,
    exact: Vec<f64>,
}

/// Describes a metric; made by [`Registry::counter`] and its siblings.
///
/// Building the same description twice gives the same metric; another description under the same name is an error.
#[derive(Debug)]
#[must_use = "a metric exists once it is built"]
pub struct MetricBuilder<M, L = Unlabelled> {
    registry: Registry,
    name: String,
    help: String,
    unit: Unit,
    level: Level,
    aggregate: Aggregate,
    limit: usize,
    cells: Cells,
    pub(super) exemplars: bool,
    labels: L,
    /// Whether the metric is the engine's own.
    own: bool,
    metric: PhantomData<M>,
}

impl<M: Metric> MetricBuilder<M> {
    pub(super) fn new(registry: &Registry, name: String) -> Self {
        Self {
            registry: registry.clone(),
            name,
            help: String::new(),
            unit: Unit::None,
            level: Level::Basic,
            aggregate: Aggregate::default(),
            limit: LIMIT,
            cells: Cells::default(),
            exemplars: false,
            labels: Unlabelled,
            own: false,
            metric: PhantomData,
        }
    }

    /// Label names: the metric becomes a family with a series for each set of values.
    pub fn labels<const N: usize>(self, names: [&str; N]) -> MetricBuilder<M, Labelled<N>> {
        self.labelled(Labelled(names.map(str::to_owned)))
    }

    /// A type whose fields are the labels: the metric becomes a family with a series for each of its values. See
    /// [`LabelSet`] for how to make one.
    ///
    /// Under one name there is one family: [`MetricBuilder::labels`], or another type, conflicts with it, even if the
    /// label names are the same.
    pub fn label_set<L: LabelSet + 'static>(self) -> MetricBuilder<M, Typed<L>> {
        self.labelled(Typed(PhantomData))
    }

    /// For a metric of the engine's own: always there, and without the registry's namespace.
    #[cfg_attr(not(feature = "otlp"), allow(dead_code, reason = "for pushing"))]
    pub(crate) fn own(self) -> Self {
        Self { own: true, level: Level::None, ..self }
    }

    fn labelled<L>(self, labels: L) -> MetricBuilder<M, L> {
        MetricBuilder {
            registry: self.registry,
            name: self.name,
            help: self.help,
            unit: self.unit,
            level: self.level,
            aggregate: self.aggregate,
            limit: self.limit,
            cells: self.cells,
            exemplars: self.exemplars,
            labels,
            own: self.own,
            metric: PhantomData,
        }
    }

    /// Makes the metric, which is exposed from now on, at zero.
    ///
    /// # Errors
    ///
    /// A name that no exposition format allows or that another metric's samples have; a different description under
    /// this name; buckets that are not ascending, they or exact bounds above the maximum; no memory.
    pub fn build(self) -> Result<M, Error> {
        let desc = self.describe(Box::default())?;
        self.registry.register(desc, |entry, site| {
            let mut roster = entry.roster.lock();
            let (handle, core) = M::build(&entry.desc, site, roster.records(), false)?;
            roster.insert(LabelValues::default(), core);
            Ok(handle)
        })
    }
}

impl<M: Metric, const N: usize> MetricBuilder<M, Labelled<N>> {
    /// The most series; label sets beyond it share one whose label values all are `tach_overflow`. 2000 unless told.
    pub fn limit(mut self, series: usize) -> Self {
        self.limit = series;
        self
    }

    /// Makes the family, without series at first.
    ///
    /// # Errors
    ///
    /// As for a metric without labels, and a label name that is reserved, illegal or given twice.
    pub fn build(self) -> Result<Family<M, N>, Error> {
        let desc = self.describe(self.labels.0.to_vec().into_boxed_slice())?;
        self.registry.register(desc, Family::new)
    }
}

impl<M: Metric, L: LabelSet + 'static> MetricBuilder<M, Typed<L>> {
    /// The most series, 2000 unless told. Label sets of an open type beyond it share one whose label values all are
    /// `tach_overflow`; a closed type of more is an error.
    pub fn limit(mut self, series: usize) -> Self {
        self.limit = series;
        self
    }

    /// Makes the family: with all series, at zero, if the label set is closed, and otherwise without any at first.
    ///
    /// # Errors
    ///
    /// As for a metric without labels, and a label name that is reserved, illegal or given twice; a closed label set with
    /// more combinations than the limit.
    pub fn build(self) -> Result<TypedFamily<M, L>, Error> {
        let labels = L::LABELS.iter().map(|label| label.name.to_owned()).collect();
        let desc = Descriptor { label_set: Some(type_name::<L>()), ..self.describe(labels)? };
        check_set::<L>(&self.name, self.limit)?;
        self.registry.register(desc, TypedFamily::new)
    }
}

impl<M: Metric, L> MetricBuilder<M, L> {
    /// What the metric tells, for people: the HELP of the exposition.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// The unit it is exposed in.
    pub fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// From which level of the registry on it is recorded. [`Level::Basic`] unless told.
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    fn describe(&self, labels: Box<[String]>) -> Result<Descriptor, Error> {
        let name = &self.name;
        let config = self.registry.config();
        let utf8 = config.utf8 && !self.own;
        check_metric(name, utf8)?;
        check_suffix(name, self.unit)?;
        for (index, label) in labels.iter().enumerate() {
            check_label(name, label, M::KIND == Kind::Histogram, utf8)?;
            if labels[..index].iter().any(|earlier| same_label(earlier, label)) {
                let text =
                    format!("{name}: label {label:?} is given twice, or is another one's when escaped: remove one");
                return Err(Error::new(ErrorKind::Name, text));
            }
            if config.const_labels.iter().any(|(constant, _)| same_label(constant, label)) {
                let text = format!("{name}: label {label:?} is a constant label of the registry: choose another name");
                return Err(Error::new(ErrorKind::Conflict, text));
            }
        }
        let namespace = config.namespace.as_deref().filter(|_| !self.own);
        let base = Descriptor::base_as_written(namespace, name, M::KIND, self.unit, utf8);
        let mut names = config.const_labels.iter().map(|(name, _)| name).chain(&labels);
        let desc = Descriptor {
            name: name.clone(),
            utf8: config.utf8 && !(is_legal_metric(&base) && names.all(|name| is_legal_label(name))),
            base,
            dotted: Descriptor::dotted(namespace, name, M::KIND),
            help: self.help.clone(),
            kind: M::KIND,
            unit: self.unit,
            level: self.level,
            aggregate: self.aggregate,
            labels,
            label_set: None,
            const_labels: Arc::clone(&config.const_labels),
            limit: self.limit,
            grid: if M::KIND == Kind::Histogram { Some(Arc::new(self.grid()?)) } else { None },
            exemplars: self.exemplars,
        };
        let names = desc.exposed_names(Escaping::Underscores);
        let is_own = |name: &str| name.starts_with("tach_");
        if !self.own && (names.iter().any(|name| is_own(name)) || is_own(&Escaping::Underscores.metric(name))) {
            let text = format!("{name}: names that begin with tach_ are those of the engine's own metrics");
            return Err(Error::new(ErrorKind::Conflict, format!("{text}: choose another")));
        }
        Ok(desc)
    }

    fn grid(&self) -> Result<Grid, Error> {
        let Cells { tick, digits, schema, max, buckets, exact } = &self.cells;
        let wrong = |text: String| Error::new(ErrorKind::Buckets, format!("{}: {text}", self.name));
        let tick = tick.unwrap_or(self.unit.tick());
        if !tick.is_finite() || tick <= 0.0 {
            return Err(wrong(format!(
                "a tick of {tick} measures nothing: give a positive number of the unit, as 1e-9"
            )));
        }
        let resolution = match (*digits, *schema) {
            (Some(_), Some(_)) => {
                return Err(wrong("digits and a native schema are two sorts of cells: give one of them".to_owned()));
            }
            (None, Some(schema)) if schema <= SCHEMA_MAX => Resolution::Schema(schema),
            (None, Some(schema)) => {
                return Err(wrong(format!("the native schema {schema} is not to be had: choose 0 to {SCHEMA_MAX}")));
            }
            (digits, None) => match digits.unwrap_or(DIGITS) {
                digits @ 1..=3 => Resolution::Digits(digits),
                digits => {
                    return Err(wrong(format!("{digits} significant digits are not to be had: choose 1, 2 or 3")));
                }
            },
        };
        let scale = Scale::new(tick);
        let bound = |what: &str, value: f64| {
            if !value.is_finite() || value < 0.0 {
                return Err(wrong(format!("{value} cannot be {what}: use numbers from zero up")));
            }
            // A bound of less than a tick holds the zeros only.
            match scale.ticks(value) {
                // Adding zero makes minus zero zero, which is how it is printed then.
                Some(ticks) if ticks < MAX_TICKS => Ok(Bound { value: value + 0.0, ticks }),
                _ => Err(wrong(format!("{what} of {value} is beyond 2^62 ticks of {tick}: choose a larger tick"))),
            }
        };
        // A last bound of +Inf is there anyway.
        let buckets = buckets.strip_suffix(&[f64::INFINITY]).unwrap_or(buckets);
        let bounds = buckets.iter().map(|&value| bound("a bucket bound", value)).collect::<Result<Vec<_>, _>>()?;
        if let Some([before, value]) = buckets.windows(2).find(|pair| pair[1] <= pair[0]) {
            return Err(wrong(format!(
                "bucket bound {value} follows {before}: list them in ascending order, each once"
            )));
        }
        let exact = exact.iter().filter(|&&value| value != f64::INFINITY);
        let mut exact = exact.map(|&value| bound("an exact bound", value)).collect::<Result<Vec<_>, _>>()?;
        exact.sort_by(|a, b| a.value.total_cmp(&b.value));
        exact.dedup();
        exact.retain(|bound| !bounds.contains(bound));
        let last = bounds.last().into_iter().chain(exact.last()).map(|bound| bound.value).max_by(f64::total_cmp);
        let max_ticks = match *max {
            Some(max) if max.is_finite() && max > 0.0 => {
                if let Some(last) = last.filter(|last| *last > max) {
                    return Err(wrong(format!("the bound {last} is above the maximum {max}: raise the maximum")));
                }
                scale.ticks(max).filter(|ticks| (1..=MAX_TICKS).contains(ticks)).ok_or_else(|| {
                    wrong(format!("a maximum of {max} is not 1 to 2^62 ticks of {tick}: change one of them"))
                })?
            }
            Some(max) => return Err(wrong(format!("{max} cannot be a maximum: give a positive number of the unit"))),
            None => scale.ticks(self.unit.max()).unwrap_or(MAX_TICKS).clamp(1, MAX_TICKS),
        };
        Ok(Grid::new(resolution, max_ticks, scale, bounds.into(), exact.into()))
    }
}

/// A unit's suffix becomes part of the name.
fn check_suffix(name: &str, unit: Unit) -> Result<(), Error> {
    let suffix = unit.suffix();
    if suffix.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    let text = format!("{name}: unit {suffix:?} cannot be part of a name: use letters, digits and '_'");
    Err(Error::new(ErrorKind::Name, text))
}

impl<L> MetricBuilder<Histogram, L> {
    /// What one recorded tick is in the exposed unit. For [`Unit::Seconds`] 1e-9 unless told.
    pub fn tick(mut self, tick: f64) -> Self {
        self.cells.tick = Some(tick);
        self
    }

    /// Upper-inclusive bucket bounds (`le`) in the exposed unit, ascending. Each is exact, decimals included.
    ///
    /// Without any, the exposition has the bucket `+Inf` only; quantiles do not depend on these.
    pub fn buckets(mut self, bounds: impl IntoIterator<Item = f64>) -> Self {
        self.cells.buckets = bounds.into_iter().collect();
        self
    }

    /// Further values, in the exposed unit, at which counts are exact although they are no buckets: a limit that is
    /// agreed with users, the buckets of another ladder. In any order; what is given twice, or is a bucket too, counts
    /// once, and a further call adds to them.
    ///
    /// The exposition stays as it is; [`bucket_count_le`](crate::HistogramSnapshot::bucket_count_le) is exact there.
    /// Each costs a cell, and makes recording slower for values close to it (in the same cell), as buckets do.
    pub fn exact_at(mut self, bounds: impl IntoIterator<Item = f64>) -> Self {
        self.cells.exact.extend(bounds);
        self
    }

    /// Significant decimal digits of the values, 1 to 3; 2 unless told. A quantile is off by at most 10^-digits of its
    /// value. Not together with [`MetricBuilder::native_schema`].
    ///
    /// One more digit takes eight times the memory.
    pub fn digits(mut self, digits: u8) -> Self {
        self.cells.digits = Some(digits);
        self
    }

    /// Takes a schema of Prometheus' native histograms, 0 to 8, in place of digits: then the cells are that schema's own
    /// buckets in the exposed unit, and native histograms and OTLP's exponential ones, with this as their scale, count
    /// every value where it belongs. With digits, some are counted in the next bucket.
    ///
    /// A schema has `2^schema` buckets to a doubling of the value: from 0 on, a quantile is off by at most 100, 42, 19,
    /// 9.1, 4.5, 2.2, 1.1, 0.55 or 0.28 % of its value. Each schema more takes twice the memory, and 4 an eighth of what
    /// two digits take. [`MetricBuilder::buckets`] and [`MetricBuilder::exact_at`] are exact besides.
    ///
    /// Recording costs about twice what it does with two digits; building, up to some milliseconds for the finest.
    pub fn native_schema(mut self, schema: u8) -> Self {
        self.cells.schema = Some(schema);
        self
    }

    /// The highest trackable value, in the exposed unit; larger ones are clamped to it and counted. For
    /// [`Unit::Seconds`] 3600 unless told, and raised to the last bucket or exact bound. At most 2^62 ticks.
    pub fn max(mut self, max: f64) -> Self {
        self.cells.max = Some(max);
        self
    }
}

impl<L> MetricBuilder<Gauge, L> {
    /// How the values of several processes become one, where a collector reads them from their segments:
    /// [`Aggregate::PerProcess`] unless told. Of no effect within one process.
    pub fn aggregate(mut self, aggregate: Aggregate) -> Self {
        self.aggregate = aggregate;
        self
    }
}

impl MetricBuilder<Gauge> {
    /// Makes a gauge whose value `read` gives at every collection, on the collecting thread.
    ///
    /// # Errors
    ///
    /// As for [`MetricBuilder::build`]; and a gauge under this name that is there already.
    pub fn observe(self, read: impl Fn() -> f64 + Send + Sync + 'static) -> Result<(), Error> {
        let desc = Descriptor { kind: Kind::ObservedGauge, ..self.describe(Box::default())? };
        self.registry.observe(desc, Core::ObservedGauge(Arc::new(read)))
    }
}

impl MetricBuilder<Counter> {
    /// Makes a counter whose total `read` gives at every collection, on the collecting thread. It must never fall.
    ///
    /// # Errors
    ///
    /// As for [`MetricBuilder::build`]; and a counter under this name that is there already.
    pub fn observe(self, read: impl Fn() -> u64 + Send + Sync + 'static) -> Result<(), Error> {
        let desc = Descriptor { kind: Kind::ObservedCounter, ..self.describe(Box::default())? };
        self.registry.observe(desc, Core::ObservedCounter(Arc::new(read)))
    }
}

impl MetricBuilder<FloatCounter> {
    /// As an observed [`Counter`], for a total that is not whole: seconds, say. While `read` gives what is no total, which
    /// is NaN, infinity or a negative number, no format exposes the counter.
    ///
    /// # Errors
    ///
    /// As for [`MetricBuilder::build`]; and a counter under this name that is there already.
    pub fn observe(self, read: impl Fn() -> f64 + Send + Sync + 'static) -> Result<(), Error> {
        let desc = Descriptor { kind: Kind::ObservedFloatCounter, ..self.describe(Box::default())? };
        self.registry.observe(desc, Core::ObservedFloatCounter(Arc::new(read)))
    }
}
