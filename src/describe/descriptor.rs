//! The description of one metric.

use super::{Aggregate, Escaping, Level, Unit, is_legal_label, same_label};
use crate::bucket::{Bound, Grid};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// What sort of metric it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    FloatCounter,
    UpDownCounter,
    Gauge,
    Histogram,
    ObservedGauge,
    ObservedCounter,
    ObservedFloatCounter,
    /// Labels, of which the value says nothing: it is 1. No registry has any; [`Descriptor::target`] makes one.
    Info,
    /// Of windows, and in no registry.
    Summary,
}

impl Kind {
    /// Whether a callback gives its value.
    pub(crate) fn is_observed(self) -> bool {
        matches!(self, Self::ObservedGauge | Self::ObservedCounter | Self::ObservedFloatCounter)
    }

    /// Whether it is exposed as a counter.
    pub(crate) fn is_counter(self) -> bool {
        matches!(self, Self::Counter | Self::FloatCounter | Self::ObservedCounter | Self::ObservedFloatCounter)
    }

    /// What it is exposed as.
    pub(crate) fn exposed(self) -> &'static str {
        match self {
            Self::Histogram => "histogram",
            Self::Info => "info",
            Self::Summary => "summary",
            kind if kind.is_counter() => "counter",
            _ => "gauge",
        }
    }

    /// The same in formats that have fewer types.
    pub(crate) fn exposed_to_all(self) -> &'static str {
        if self == Self::Info { "gauge" } else { self.exposed() }
    }

    /// What a scalar sample's name has behind the base.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Info => "_info",
            kind if kind.is_counter() => "_total",
            _ => "",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::FloatCounter => "float counter",
            Self::UpDownCounter => "up-down counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::ObservedGauge => "observed gauge",
            Self::ObservedCounter => "observed counter",
            Self::ObservedFloatCounter => "observed float counter",
            Self::Info => "info",
            Self::Summary => "summary",
        })
    }
}

/// One metric: a family of series that differ in their label values only.
#[derive(Debug)]
pub(crate) struct Descriptor {
    /// The metric's own name.
    pub(crate) name: String,
    /// What exposition formats build on: namespace, name and unit, without `_total`.
    pub(crate) base: String,
    /// Whether that or the name of a label may need to be escaped.
    pub(crate) utf8: bool,
    /// What OTLP calls it: namespace and name as they were written, without `_total`.
    #[cfg_attr(not(feature = "otlp"), allow(dead_code, reason = "for OTLP"))]
    pub(crate) dotted: String,
    pub(crate) help: String,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    pub(crate) level: Level,
    /// For a gauge: how those of several processes become one.
    pub(crate) aggregate: Aggregate,
    pub(crate) labels: Box<[String]>,
    /// The type whose values are the label sets, if there is one.
    pub(crate) label_set: Option<&'static str>,
    /// Labels with the same value on every series of the registry.
    pub(crate) const_labels: Arc<[(String, String)]>,
    /// The most series, besides the one for overflow.
    pub(crate) limit: usize,
    /// For a histogram.
    pub(crate) grid: Option<Arc<Grid>>,
    /// Whether recordings may leave exemplars.
    pub(crate) exemplars: bool,
}

/// What the names of samples end in.
const SUFFIXES: [&str; 6] = ["_total", "_created", "_bucket", "_sum", "_count", "_info"];

/// The names that `target_info` has in the formats.
pub(crate) const TARGET_NAMES: [&str; 2] = ["target", "target_info"];

impl Descriptor {
    /// What tells whose metrics all others are: `target_info`, with these labels, which the resource's attributes make.
    pub(crate) fn target(labels: Box<[String]>) -> Self {
        Self {
            name: "target".to_owned(),
            base: "target".to_owned(),
            utf8: !labels.iter().all(|label| is_legal_label(label)),
            dotted: "target".to_owned(),
            help: "What the metrics here are of.".to_owned(),
            kind: Kind::Info,
            unit: Unit::None,
            level: Level::None,
            aggregate: Aggregate::default(),
            labels,
            label_set: None,
            const_labels: Arc::from([]),
            limit: usize::MAX,
            grid: None,
            exemplars: false,
        }
    }

    /// The constant labels of what the engine makes of itself or of another metric: those give way that are called as one
    /// of `labels`, as twice in a line would fail the whole scrape.
    pub(crate) fn giving_way(const_labels: &[(String, String)], labels: &[&str]) -> Arc<[(String, String)]> {
        const_labels.iter().filter(|(name, _)| !labels.iter().any(|own| same_label(own, name))).cloned().collect()
    }

    /// Whether a metric would be there by a name of `target_info`. A view's may be, or another process's: those that are
    /// registered are refused.
    pub(crate) fn is_named_target(&self) -> bool {
        // Escaped otherwise than by underscores, no name is one of these that is not already.
        TARGET_NAMES.contains(&&*Escaping::Underscores.metric(&self.base))
    }

    /// Whether a metric would be there by a name as the exporter's own have. A segment's may be, which is anybody's.
    pub(crate) fn is_named_exporter(&self) -> bool {
        self.base.starts_with("tach") && Escaping::Underscores.metric(&self.base).starts_with("tach_exporter_")
    }

    /// The base name for a metric of this kind and unit.
    pub(crate) fn base(namespace: Option<&str>, name: &str, kind: Kind, unit: Unit) -> String {
        Self::base_as_written(namespace, name, kind, unit, false)
    }

    /// As [`base`](Self::base); with `utf8` dots stay.
    pub(crate) fn base_as_written(namespace: Option<&str>, name: &str, kind: Kind, unit: Unit, utf8: bool) -> String {
        let joined = match namespace {
            Some(namespace) => format!("{namespace}_{name}"),
            None => name.to_owned(),
        };
        let mut base = if utf8 { joined } else { joined.replace('.', "_") };
        if kind.is_counter()
            && let Some(stripped) = base.strip_suffix("_total")
        {
            base = stripped.to_owned();
        }
        let suffix = unit.suffix();
        if !suffix.is_empty() && !base.ends_with(&format!("_{suffix}")) {
            base = format!("{base}_{suffix}");
        }
        base
    }

    /// Whether a counter's base name ends as its samples' do, or says nothing: formats take the suffix away and put it back.
    pub(crate) fn has_total_in_base(&self) -> bool {
        self.kind.is_counter() && (self.base.ends_with("_total") || self.base.trim_matches('_').is_empty())
    }

    /// The name for OTLP of a metric of this kind.
    pub(crate) fn dotted(namespace: Option<&str>, name: &str, kind: Kind) -> String {
        let name = if kind.is_counter() { name.strip_suffix("_total").unwrap_or(name) } else { name };
        namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}.{name}"))
    }

    /// The unit, where `stem`, the family's name, ends in it, as formats that tell the unit demand.
    pub(crate) fn exposed_unit(&self, stem: &str) -> Option<&'static str> {
        let unit = self.unit.suffix();
        let rest = stem.strip_suffix(unit)?;
        (!unit.is_empty() && rest.ends_with('_')).then_some(unit)
    }

    /// `escaping`, or another one that gives the same names.
    pub(crate) fn escaping(&self, escaping: Escaping) -> Escaping {
        if self.utf8 || escaping == Escaping::Dots { escaping } else { Escaping::Underscores }
    }

    /// What the names of samples have before their suffixes.
    pub(crate) fn stem(&self, escaping: Escaping) -> Cow<'_, str> {
        match self.escaping(escaping) {
            Escaping::AllowUtf8 => Cow::Borrowed(&self.base),
            Escaping::Underscores if !self.utf8 => Cow::Borrowed(&self.base),
            // The suffix is part of the name of the family, in the formats that escape that: it is what can be undone.
            escaping if !self.kind.suffix().is_empty() => {
                let whole = format!("{}{}", self.base, self.kind.suffix());
                let mut escaped = escaping.metric(&whole).into_owned();
                escaped.truncate(escaped.len() - self.kind.suffix().len());
                Cow::Owned(escaped)
            }
            // Scrapers add the suffixes of histograms themselves to what protobuf gives.
            escaping => escaping.metric(&self.base),
        }
    }

    /// Every sample or family name that some exposition format gives this metric in this escaping.
    pub(crate) fn exposed_names(&self, escaping: Escaping) -> Vec<String> {
        let stem = self.stem(escaping);
        self.suffixes().iter().map(|suffix| format!("{stem}{suffix}")).collect()
    }

    fn suffixes(&self) -> &'static [&'static str] {
        match self.kind {
            kind if kind.is_counter() => &["", "_total", "_created"],
            Kind::Histogram => &["", "_bucket", "_sum", "_count", "_created"],
            Kind::Info => &["", "_info"],
            Kind::Summary => &["", "_sum", "_count", "_created"],
            _ => &[""],
        }
    }

    /// The stems of all metrics that may have an exposed name in common with this one, and of some that have none: no
    /// suffix ends in another, so one of the two stems is a name of the other metric.
    pub(crate) fn near(&self, escaping: Escaping) -> Vec<String> {
        let mut names = self.exposed_names(escaping);
        let stem = self.stem(escaping);
        names.extend(SUFFIXES.iter().filter_map(|suffix| stem.strip_suffix(suffix)).map(str::to_owned));
        names
    }

    /// As [`exposed_names`](Self::exposed_names), in each of these escapings.
    pub(crate) fn names_in(&self, escapings: &[Escaping]) -> Vec<(Escaping, String)> {
        let names = |&escaping| self.exposed_names(escaping).into_iter().map(move |name| (escaping, name));
        escapings.iter().flat_map(names).collect()
    }

    /// In what `other` differs, for an error; `None` when it describes the same metric.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        let values = |bounds: &[Bound]| bounds.iter().map(|bound| bound.value).collect();
        let bounds = |d: &Self| d.grid.as_ref().map_or(Vec::new(), |g| values(g.ladder().bounds()));
        let exact = |d: &Self| d.grid.as_ref().map_or(Vec::new(), |g| values(g.exact()));
        let detail = |d: &Self| {
            d.grid.as_ref().map_or(String::new(), |g| {
                format!("tick {}, {}, at most {} ticks", g.ladder().scale().tick(), g.resolution(), g.limit())
            })
        };
        let label_set = |d: &Self| d.label_set.unwrap_or("none").to_owned();
        let pairs: [(&str, String, String); 12] = [
            ("kind", self.kind.to_string(), other.kind.to_string()),
            ("help", format!("{:?}", self.help), format!("{:?}", other.help)),
            ("unit", format!("{:?}", self.unit), format!("{:?}", other.unit)),
            ("level", format!("{:?}", self.level), format!("{:?}", other.level)),
            ("aggregate", format!("{:?}", self.aggregate), format!("{:?}", other.aggregate)),
            ("labels", format!("{:?}", self.labels), format!("{:?}", other.labels)),
            ("label set type", label_set(self), label_set(other)),
            ("limit", self.limit.to_string(), other.limit.to_string()),
            ("buckets", format!("{:?}", bounds(self)), format!("{:?}", bounds(other))),
            ("exact bounds", format!("{:?}", exact(self)), format!("{:?}", exact(other))),
            ("resolution", detail(self), detail(other)),
            ("exemplars", self.exemplars.to_string(), other.exemplars.to_string()),
        ];
        let differing = pairs.iter().find(|(_, here, there)| here != there);
        differing.map(|(what, here, there)| format!("{what} is {here} there and {there} here"))
    }
}
