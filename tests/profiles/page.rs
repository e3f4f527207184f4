//! A page of text format 0.0.4, taken apart.

use std::collections::{BTreeMap, BTreeSet};

pub(crate) type Labels = Vec<(String, String)>;

#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) help: String,
    /// Name, labels, value of each sample.
    pub(crate) samples: Vec<(String, Labels, f64)>,
}

#[derive(Debug)]
pub(crate) struct Page(pub(crate) BTreeMap<String, Family>);

impl Page {
    /// Panics at what the format does not allow.
    pub(crate) fn parse(text: &str) -> Self {
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        let mut help: Option<(&str, &str)> = None;
        let mut current = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                help = rest.split_once(' ');
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                let help = help.take().filter(|(of, _)| *of == name).map_or("", |(_, help)| help);
                let family = Family { kind: kind.to_owned(), help: help.to_owned(), samples: Vec::new() };
                assert!(families.insert(name.to_owned(), family).is_none(), "{name} is there twice");
                name.clone_into(&mut current);
            } else {
                let (name, labels, value) = sample(line);
                let family = families.get_mut(&current).unwrap();
                let suffix = name.strip_prefix(&current).unwrap_or_else(|| panic!("{line:?} below {current}"));
                let is_fine = match family.kind.as_str() {
                    "histogram" => ["_bucket", "_sum", "_count"].contains(&suffix),
                    _ => suffix.is_empty(),
                };
                assert!(is_fine, "{line:?} in a {}", family.kind);
                family.samples.push((name, labels, value));
            }
        }
        Self(families)
    }

    /// Names of families, without the engine's own.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.0.keys().map(String::as_str).filter(|name| !name.starts_with("tach_")).collect()
    }

    /// Values of the samples of this name that have all of these labels.
    pub(crate) fn values(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        let has =
            |there: &Labels| labels.iter().all(|(label, value)| there.iter().any(|(l, v)| l == label && v == value));
        let samples = self.0.values().flat_map(|family| &family.samples);
        samples.filter(|(of, there, _)| of == name && has(there)).map(|(_, _, value)| *value).collect()
    }

    /// Their sum; panics where there are none.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let values = self.values(name, labels);
        assert!(!values.is_empty(), "no {name} with {labels:?}");
        values.iter().sum()
    }
}

impl Family {
    /// The label sets of its series, without `le`.
    pub(crate) fn series(&self) -> BTreeSet<Labels> {
        let without = |labels: &Labels| labels.iter().filter(|(name, _)| name != "le").cloned().collect();
        self.samples.iter().map(|(_, labels, _)| without(labels)).collect()
    }

    /// The bounds of its buckets, as printed, without `+Inf`; those of all series must be the same.
    pub(crate) fn bounds(&self) -> Vec<String> {
        let mut by_series: BTreeMap<Labels, Vec<String>> = BTreeMap::new();
        for (_, labels, _) in self.samples.iter().filter(|(name, _, _)| name.ends_with("_bucket")) {
            let (le, rest) = labels.split_last().unwrap();
            assert_eq!(le.0, "le", "the last label of a bucket");
            by_series.entry(rest.to_vec()).or_default().push(le.1.clone());
        }
        let mut all = by_series.into_values();
        let mut bounds = all.next().unwrap_or_default();
        assert!(all.all(|other| other == bounds));
        assert!(bounds.is_empty() || bounds.pop().unwrap() == "+Inf");
        bounds
    }
}

fn sample(line: &str) -> (String, Labels, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let value = match value {
        "+Inf" => f64::INFINITY,
        value => value.parse().unwrap_or_else(|_| panic!("{line}")),
    };
    let Some((name, rest)) = series.split_once('{') else { return (series.to_owned(), Vec::new(), value) };
    // The values here have no quotes, commas or braces in them.
    let pair = |pair: &str| {
        let (label, value) = pair.split_once('=').unwrap();
        (label.to_owned(), value.trim_matches('"').to_owned())
    };
    (name.to_owned(), rest.strip_suffix('}').unwrap().split("\",").map(pair).collect(), value)
}
