//! A strict reader of OpenMetrics 2.0 text, by the grammar of its release candidate.
//!
//! Less is allowed than that allows, as in [`om_reader`](crate::om_reader), whose names and texts these are.

use crate::model::Labels;
use crate::om_reader::{exemplar, lines, name, number, series, unescape};
use crate::pb_reader::Exemplar;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) unit: String,
    pub(crate) help: String,
    pub(crate) series: Vec<Series>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    pub(crate) value: Value,
    /// When it began, as it is spelt.
    pub(crate) start: Option<String>,
    pub(crate) exemplars: Vec<Exemplar>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    Histogram(Histogram),
    /// Count, sum, and by share the quantiles.
    Summary(u64, f64, Vec<(f64, f64)>),
}

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Histogram {
    pub(crate) count: u64,
    pub(crate) sum: f64,
    /// None where there are no native buckets.
    pub(crate) schema: Option<i64>,
    pub(crate) zeros: u64,
    /// By index, the empty ones too.
    pub(crate) native: BTreeMap<i64, u64>,
    /// By the least number that is above none in them; the last one is the count, and is not here.
    pub(crate) classic: Vec<(f64, u64)>,
}

const MISSING: &str = "a field is missing, or out of order";

/// Reads a page, or says which line breaks which rule.
pub(crate) fn read(text: &str) -> Result<Vec<Family>, String> {
    let mut families: Vec<Family> = Vec::new();
    lines(text, |line| read_line(&mut families, line))?;
    let mut names = BTreeSet::new();
    for family in &families {
        if !names.insert(&family.name) || family.series.is_empty() {
            return Err(format!("{}: a family that is there twice, or empty", family.name));
        }
    }
    Ok(families)
}

fn read_line(families: &mut Vec<Family>, line: &str) -> Result<(), &'static str> {
    let Some(metadata) = line.strip_prefix("# ") else {
        return sample(families.last_mut().ok_or("a sample without a family")?, line);
    };
    let (keyword, rest) = metadata.split_once(' ').ok_or("a comment")?;
    let (name, text) = name(rest, ":")?;
    let text = text.strip_prefix(' ').ok_or("metadata without a text")?;
    if keyword == "TYPE" {
        if !["counter", "gauge", "histogram", "info", "summary"].contains(&text) {
            return Err("an unknown type");
        }
        if text == "info" && !name.ends_with("_info") {
            return Err("an info whose name does not end in _info");
        }
        families.push(Family { name, kind: text.to_owned(), ..Family::default() });
        return Ok(());
    }
    let family = families.last_mut().filter(|family| family.name == name).ok_or("metadata of another family")?;
    let is_first = family.help.is_empty() && family.series.is_empty();
    let is_unit = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':');
    match keyword {
        "UNIT" if is_first && family.unit.is_empty() && is_unit => text.clone_into(&mut family.unit),
        "HELP" if is_first => family.help = unescape(text)?,
        _ => return Err("metadata that is unknown, too late or there twice"),
    }
    Ok(())
}

fn sample(family: &mut Family, line: &str) -> Result<(), &'static str> {
    let (name, labels, rest) = series(line)?;
    if name != family.name {
        return Err("a sample of another name than its family's");
    }
    let mut parts = rest.split(" # ");
    let rest = parts.next().unwrap_or_default();
    let exemplars = parts.map(exemplar).collect::<Result<Vec<_>, _>>()?;
    if !exemplars.is_empty() && ["gauge", "info"].contains(&&*family.kind)
        || exemplars.len() > 1 && family.kind == "counter"
    {
        return Err("exemplars of what may have none, or not so many");
    }
    let (value, start) = match rest.split_once(" st@") {
        Some((value, start)) => (value, Some(start.to_owned())),
        None => (rest, None),
    };
    if start.as_deref().is_some_and(|start| start.contains('e') || number(start).is_none_or(|start| start < 0.0)) {
        return Err("a start that is no time");
    }
    let is_summary = family.kind == "summary";
    if !exemplars.is_empty() && is_summary {
        return Err("exemplars of a summary, of which there are none here");
    }
    let value = if is_summary || family.kind == "histogram" {
        if ["le", "quantile"].iter().any(|reserved| labels.contains_key(*reserved)) {
            return Err("a label of buckets");
        }
        if is_summary { summary(value)? } else { Value::Histogram(histogram(value)?) }
    } else {
        let value = number(value).ok_or("no number")?;
        if family.kind == "counter" && (value.is_nan() || value < 0.0) {
            return Err("a total that is none");
        }
        Value::Number(value)
    };
    if ["gauge", "info"].contains(&&*family.kind) && start.is_some() {
        return Err("a gauge that began");
    }
    if family.series.iter().any(|series| series.labels == labels) {
        return Err("a series that is there twice");
    }
    family.series.push(Series { labels, value, start, exemplars });
    Ok(())
}

/// Reads fields one after another.
struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    /// What this field has up to the next comma, if it is the next one.
    fn number(&mut self, begin: &str) -> Option<&'a str> {
        let rest = self.0.strip_prefix(begin)?;
        let (value, rest) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
        self.0 = rest;
        Some(value)
    }

    /// The elements of a list that is not empty, if it is the next field; none otherwise.
    fn list(&mut self, begin: &str) -> Option<impl Iterator<Item = &'a str> + use<'a>> {
        let rest = self.0.strip_prefix(begin)?.strip_prefix('[')?;
        let (list, rest) = rest.split_once(']')?;
        self.0 = rest;
        Some(list.split(','))
    }
}

fn whole<T: std::str::FromStr + ToString>(text: &str) -> Result<T, &'static str> {
    let number = text.parse::<T>().map_err(|_| "a number that is not whole")?;
    // One spelling: no sign in front, no zeros.
    if number.to_string() == text { Ok(number) } else { Err("a whole number in another spelling") }
}

fn summary(text: &str) -> Result<Value, &'static str> {
    let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).ok_or("no composite value")?;
    let mut fields = Fields(text);
    let count = whole(fields.number("count:").ok_or("no count")?)?;
    let sum = fields.number(",sum:").and_then(number).filter(|sum| *sum >= 0.0).ok_or("no sum")?;
    let mut quantiles: Vec<(f64, f64)> = Vec::new();
    for pair in fields.list(",quantile:").ok_or("no quantiles")?.filter(|pair| !pair.is_empty()) {
        let (share, value) = pair.split_once(':').ok_or("a quantile that is none")?;
        if !share.contains(['.', 'e']) {
            return Err("a share that is not spelt as a float");
        }
        let (share, value) = (number(share).ok_or("no share")?, number(value).ok_or("no quantile")?);
        if !(0.0..=1.0).contains(&share) || quantiles.last().is_some_and(|(last, _)| *last >= share) || value < 0.0 {
            return Err("quantiles in disorder, or below zero");
        }
        quantiles.push((share, value));
    }
    if fields.0.is_empty() { Ok(Value::Summary(count, sum, quantiles)) } else { Err("a field that is unknown") }
}

fn histogram(text: &str) -> Result<Histogram, &'static str> {
    let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).ok_or("no composite value")?;
    let mut fields = Fields(text);
    let mut found = Histogram { count: whole(fields.number("count:").ok_or(MISSING)?)?, ..Histogram::default() };
    found.sum = number(fields.number(",sum:").ok_or(MISSING)?).ok_or("a sum that is no number")?;
    if !found.sum.is_finite() {
        return Err("a sum that there cannot be");
    }
    found.schema = fields.number(",schema:").map(whole).transpose()?;
    if found.schema.is_some() {
        native(&mut fields, &mut found)?;
    }
    classic(&mut fields, &mut found)?;
    if fields.0.is_empty() { Ok(found) } else { Err("a field that is unknown, or out of order") }
}

/// The native buckets, behind their schema.
fn native(fields: &mut Fields<'_>, found: &mut Histogram) -> Result<(), &'static str> {
    let threshold = number(fields.number(",zero_threshold:").ok_or(MISSING)?).ok_or("a threshold that is no number")?;
    found.zeros = whole(fields.number(",zero_count:").ok_or(MISSING)?)?;
    if found.schema.is_none_or(|schema| !(-4..=8).contains(&schema)) || threshold != 2_f64.powi(-128) {
        return Err("a schema or a threshold that there cannot be");
    }
    if let Some(spans) = fields.list(",positive_spans:") {
        let mut counts = fields.list(",positive_buckets:").ok_or("spans without buckets")?;
        let mut next = 0;
        for (nth, span) in spans.enumerate() {
            let (offset, length) = span.split_once(':').ok_or("a span that is none")?;
            let (offset, length) = (whole::<i64>(offset)?, whole::<i64>(length)?);
            // A gap of one is shorter as an empty bucket.
            if length < 1 || nth > 0 && offset < 2 {
                return Err("a span that is empty, goes back, or need not be one");
            }
            for index in next + offset..next + offset + length {
                found.native.insert(index, whole(counts.next().ok_or("fewer buckets than spans say")?)?);
            }
            next += offset + length;
        }
        let is_even = |(index, count): (&i64, &u64)| {
            let empty = |index: i64| found.native.get(&index).is_none_or(|count| *count == 0);
            *count > 0 || !empty(index - 1) && !empty(index + 1)
        };
        if counts.next().is_some() || !found.native.iter().all(is_even) {
            return Err("more buckets than spans say, or empty ones for nothing");
        }
    }
    if found.native.values().sum::<u64>() + found.zeros != found.count {
        return Err("the native buckets are not the count");
    }
    Ok(())
}

/// The classic buckets, where there are any: some where there are no native ones.
fn classic(fields: &mut Fields<'_>, found: &mut Histogram) -> Result<(), &'static str> {
    let Some(buckets) = fields.list(",bucket:") else {
        return if found.schema.is_some() { Ok(()) } else { Err("no buckets") };
    };
    let mut infinite = false;
    for bucket in buckets {
        let (le, count) = bucket.split_once(':').ok_or("a bucket that is none")?;
        let (bound, count) = (number(le).ok_or("a bound that is no number")?, whole(count)?);
        let follows = found.classic.last().is_none_or(|last| last.0 < bound && last.1 <= count);
        if infinite || !follows || bound.is_finite() && !le.contains(['.', 'e']) {
            return Err("buckets in disorder, or a bound that is not spelt as a float");
        }
        infinite = bound.is_infinite();
        found.classic.push((bound, count));
    }
    if !infinite || found.classic.pop().is_none_or(|(_, count)| count != found.count) {
        return Err("the last bucket is not the count");
    }
    if found.classic.is_empty() && found.schema.is_some() { Err("a bucket for nothing") } else { Ok(()) }
}
