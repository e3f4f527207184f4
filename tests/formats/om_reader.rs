//! A strict reader of OpenMetrics text: what a printer has to keep to so that every scraper agrees.
//!
//! Less is allowed than the specification allows: metadata in the order TYPE, UNIT, HELP, one space between words, no
//! timestamp but of an exemplar, one spelling of each number.

use crate::model::Labels;
use crate::pb_reader::Exemplar;
use std::collections::BTreeSet;

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) unit: String,
    pub(crate) help: String,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    /// As it is spelt.
    pub(crate) value: String,
    pub(crate) exemplar: Option<Exemplar>,
}

/// Reads a page, or says which line breaks which rule.
pub(crate) fn read(text: &str) -> Result<Vec<Family>, String> {
    let mut families: Vec<Family> = Vec::new();
    lines(text, |line| read_line(&mut families, line))?;
    check_all(&families)?;
    Ok(families)
}

/// What holds of all families together, and within each.
pub(crate) fn check_all(families: &[Family]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for family in families {
        check(family).map_err(|rule| format!("{}: {rule}", family.name))?;
        let names = std::iter::once(&family.name).chain(family.samples.iter().map(|sample| &sample.name));
        let names: BTreeSet<&String> = names.collect();
        if let Some(name) = names.into_iter().find(|name| !seen.insert(*name)) {
            return Err(format!("{name} is there in two families"));
        }
    }
    Ok(())
}

/// Has each line of a page read, but for the one that ends it.
pub(crate) fn lines(text: &str, mut read: impl FnMut(&str) -> Result<(), &'static str>) -> Result<(), String> {
    let body = text.strip_suffix("# EOF\n").ok_or("the page does not end in # EOF")?;
    if body.is_empty() {
        return Ok(());
    }
    let mut lines = body.strip_suffix('\n').ok_or("a line without an end")?.split('\n');
    lines.try_for_each(|line| read(line).map_err(|rule| format!("{rule}: {line:?}")))
}

fn read_line(families: &mut Vec<Family>, line: &str) -> Result<(), &'static str> {
    let Some(metadata) = line.strip_prefix("# ") else {
        let family = families.last_mut().ok_or("a sample without a family")?;
        family.samples.push(sample(line)?);
        return Ok(());
    };
    let (keyword, rest) = metadata.split_once(' ').ok_or("a comment")?;
    let (name, text) = name(rest, ":")?;
    let text = text.strip_prefix(' ').ok_or("metadata without a text")?;
    if keyword == "TYPE" {
        families.push(Family { name, kind: text.to_owned(), ..Family::default() });
        return Ok(());
    }
    let family = families.last_mut().filter(|family| family.name == name).ok_or("metadata of another family")?;
    let is_first = family.help.is_empty() && family.samples.is_empty();
    match keyword {
        "UNIT" if is_first && family.unit.is_empty() => text.clone_into(&mut family.unit),
        "HELP" if is_first => family.help = unescape(text)?,
        _ => return Err("metadata that is unknown, too late or there twice"),
    }
    Ok(())
}

/// The name of a sample, its labels, and what follows.
pub(crate) fn series(line: &str) -> Result<(String, Labels, &str), &'static str> {
    let mut labels = Labels::new();
    let mut first = None;
    let mut rest = line;
    // A name in quotes is the first of what stands in braces.
    if !line.starts_with('{') {
        let (name, after) = name(line, ":")?;
        first = Some(name);
        rest = after;
    }
    if let Some(mut inner) = rest.strip_prefix('{') {
        loop {
            if first.is_none() {
                let (name, after) = name(inner, ":")?;
                if !inner.starts_with('"') {
                    return Err("a name in braces that is not in quotes");
                }
                first = Some(name);
                inner = after;
            } else {
                let (label, after) = name(inner, "")?;
                let after = after.strip_prefix("=\"").ok_or("a label without a value")?;
                let end = closing_quote(after).ok_or("a value without an end")?;
                let value = unescape(&after[..end])?;
                if value.is_empty() || labels.insert(label, value).is_some() {
                    return Err("an empty label, or one that is there twice");
                }
                inner = &after[end + 1..];
            }
            if let Some(last) = inner.strip_prefix('}') {
                rest = last;
                break;
            }
            inner = inner.strip_prefix(',').ok_or("no comma between labels")?;
        }
    }
    Ok((first.ok_or("no name")?, labels, rest.strip_prefix(' ').ok_or("no space before the value")?))
}

fn sample(line: &str) -> Result<Sample, &'static str> {
    let (name, labels, rest) = series(line)?;
    let (value, exemplar) = match rest.split_once(" # ") {
        Some((value, rest)) => (value, Some(exemplar(rest)?)),
        None => (rest, None),
    };
    number(value).ok_or("no number")?;
    if exemplar.is_some() && !name.ends_with("_total") && !name.ends_with("_bucket") {
        return Err("an exemplar of what may have none");
    }
    Ok(Sample { name, labels, value: value.to_owned(), exemplar })
}

/// What follows ` # ` behind a value.
pub(crate) fn exemplar(text: &str) -> Result<Exemplar, &'static str> {
    let (mut rest, text) = text.strip_prefix('{').and_then(|rest| rest.split_once("} ")).ok_or("no set of labels")?;
    let (mut labels, mut length) = (Labels::new(), 0);
    while !rest.is_empty() {
        let (label, after) = name(rest, "")?;
        let after = after.strip_prefix("=\"").ok_or("a label without a value")?;
        let end = closing_quote(after).ok_or("a value without an end")?;
        let value = unescape(&after[..end])?;
        length += label.chars().count() + value.chars().count();
        if labels.insert(label, value).is_some() {
            return Err("a label that is there twice");
        }
        rest = after[end + 1..].strip_prefix(',').unwrap_or(&after[end + 1..]);
    }
    if length > 128 {
        return Err("an exemplar that is too long");
    }
    let (value, time) = text.split_once(' ').ok_or("an exemplar without a time")?;
    let (seconds, nanos) = time.split_once('.').unwrap_or((time, "0"));
    let nanos: u64 = format!("{nanos:0<9}").parse().map_err(|_| "a time that is none")?;
    let seconds: u64 = seconds.parse().map_err(|_| "a time that is none")?;
    let value = number(value).ok_or("an exemplar without a number")?;
    Ok(Exemplar { labels, value, time: seconds * 1_000_000_000 + nanos })
}

/// A name, which is in quotes if it must be, and what follows.
pub(crate) fn name<'a>(text: &'a str, extra: &str) -> Result<(String, &'a str), &'static str> {
    if let Some(quoted) = text.strip_prefix('"') {
        let end = closing_quote(quoted).ok_or("a name without an end")?;
        let name = unescape(&quoted[..end])?;
        return match check_name(&name, extra) {
            Ok(()) => Err("a name in quotes that needs none"),
            Err(_) if name.is_empty() => Err("an empty name"),
            Err(_) => Ok((name, &quoted[end + 1..])),
        };
    }
    let (name, rest) = text.split_at(text.find(['{', ' ', '=', ',', '}']).ok_or("a name without an end")?);
    check_name(name, extra)?;
    Ok((name.to_owned(), rest))
}

/// Where the quote is that no backslash escapes.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

pub(crate) fn unescape(text: &str) -> Result<String, &'static str> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '"' => return Err("a quote that is not escaped"),
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some(c @ ('\\' | '"')) => c,
                _ => return Err("an unknown escape"),
            },
            c => c,
        });
    }
    Ok(out)
}

/// A number as it has to be spelt.
pub(crate) fn number(text: &str) -> Option<f64> {
    match text {
        "NaN" => return Some(f64::NAN),
        "+Inf" => return Some(f64::INFINITY),
        "-Inf" => return Some(f64::NEG_INFINITY),
        _ => {}
    }
    let (digits, exponent) = text.strip_prefix('-').unwrap_or(text).split_once('e').unwrap_or((text, "+00"));
    let digits = digits.strip_prefix('-').unwrap_or(digits);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = whole == "0" || !whole.starts_with('0');
    let signed = exponent.strip_prefix(['+', '-']).is_some_and(|digits| digits.len() >= 2 && all_digits(digits));
    (all_digits(whole) && all_digits(fraction) && plain && signed).then(|| text.parse().ok())?
}

pub(crate) fn check_name(name: &str, extra: &str) -> Result<(), &'static str> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || extra.contains(c);
    let first = name.chars().next().is_some_and(|c| !c.is_ascii_digit());
    if first && name.chars().all(legal) { Ok(()) } else { Err("an illegal name") }
}

/// What holds within a family.
fn check(family: &Family) -> Result<(), &'static str> {
    if !family.unit.is_empty() && !family.name.ends_with(&format!("_{}", family.unit)) {
        return Err("the unit is no suffix of the name");
    }
    if family.samples.is_empty() {
        return Err("no samples");
    }
    let suffixes: &[&str] = match &*family.kind {
        "counter" => &["_total", "_created"],
        "gauge" => &[""],
        "info" => &["_info"],
        "histogram" => &["_bucket", "_sum", "_count", "_created"],
        "summary" => &["", "_sum", "_count", "_created"],
        _ => return Err("an unknown type"),
    };
    let mut seen = BTreeSet::new();
    for sample in &family.samples {
        let suffix = sample.name.strip_prefix(&*family.name).ok_or("a sample of another family")?;
        if !suffixes.contains(&suffix) {
            return Err("a sample that the type does not have");
        }
        if !seen.insert((suffix, &sample.labels)) {
            return Err("a sample that is there twice");
        }
        let value = number(&sample.value).unwrap_or(f64::NAN);
        if family.kind == "info" && sample.value != "1" {
            return Err("an info that is not 1");
        }
        let may_be_none = family.kind == "summary" && suffix.is_empty();
        if family.kind != "gauge" && (value < 0.0 || value.is_nan() && !may_be_none) {
            return Err("a total that is none");
        }
    }
    if ["gauge", "info"].contains(&&*family.kind) {
        return Ok(());
    }
    check_created(&family.samples)?;
    match &*family.kind {
        "histogram" => check_histograms(&family.samples),
        "summary" => check_summaries(&family.samples),
        _ => Ok(()),
    }
}

/// When a series began stands behind its total or its count.
fn check_created(samples: &[Sample]) -> Result<(), &'static str> {
    let mut before: Option<&Sample> = None;
    for sample in samples {
        if let Some(stem) = sample.name.strip_suffix("_created") {
            let last = before.filter(|last| ["_total", "_count"].iter().any(|of| last.name == format!("{stem}{of}")));
            if last.is_none_or(|last| last.labels != sample.labels) {
                return Err("a beginning that is not behind its series");
            }
        }
        before = Some(sample);
    }
    Ok(())
}

/// Each series: quantiles that ascend, then sum and count.
fn check_summaries(samples: &[Sample]) -> Result<(), &'static str> {
    let (mut before, mut sum_of): (Option<(f64, f64, Labels)>, Option<Labels>) = (None, None);
    for sample in samples.iter().filter(|sample| !sample.name.ends_with("_created")) {
        let mut labels = sample.labels.clone();
        match labels.remove("quantile") {
            Some(share) if share.contains(['.', 'e']) && sum_of.is_none() => {
                let share = number(&share).filter(|share| (0.0..=1.0).contains(share)).ok_or("a share that is none")?;
                let value = number(&sample.value).unwrap_or(f64::NAN);
                // What falls is none of a series; where there are no values there are none.
                let follows = before.as_ref().is_none_or(|(last, below, of)| {
                    *of == labels && *last < share && (value >= *below || value.is_nan() && below.is_nan())
                });
                if !follows {
                    return Err("quantiles in disorder");
                }
                before = Some((share, value, labels));
            }
            Some(_) => return Err("a quantile behind the sum, or of which the share is not spelt as a float"),
            None if sample.name.ends_with("_sum") => {
                let follows = before.take().is_none_or(|(.., of)| of == labels);
                if !follows || sum_of.replace(labels).is_some() {
                    return Err("a sum of another series, or without a count");
                }
            }
            None if sample.name.ends_with("_count") => {
                if sum_of.take() != Some(labels) || sample.value.parse::<u64>().is_err() {
                    return Err("a count without its sum, or that is not whole");
                }
            }
            None => return Err("a quantile of no share"),
        }
    }
    if before.is_none() && sum_of.is_none() { Ok(()) } else { Err("a series without its count") }
}

/// Each series: buckets that ascend and end in the count, then sum and count.
fn check_histograms(samples: &[Sample]) -> Result<(), &'static str> {
    let mut before: Option<(f64, u64, Labels)> = None;
    let mut sum_of = None;
    for sample in samples.iter().filter(|sample| !sample.name.ends_with("_created")) {
        let mut labels = sample.labels.clone();
        let le = labels.remove("le");
        let count = || sample.value.parse::<u64>().map_err(|_| "a count that is not whole");
        match le {
            Some(le) => {
                if le != "+Inf" && !le.contains(['.', 'e']) {
                    return Err("a bound that is not spelt as a float");
                }
                let (bound, count) = (number(&le).ok_or("a bound that is no number")?, count()?);
                let follows = before.as_ref().is_none_or(|(last, seen, of)| {
                    if last.is_infinite() { false } else { *of == labels && *last < bound && *seen <= count }
                });
                if !follows {
                    return Err("buckets in disorder");
                }
                let low = before.as_ref().map_or(f64::NEG_INFINITY, |(last, ..)| *last);
                let is_inside = |exemplar: &Exemplar| low < exemplar.value && exemplar.value <= bound;
                if !sample.exemplar.as_ref().is_none_or(is_inside) {
                    return Err("an exemplar of another bucket");
                }
                before = Some((bound, count, labels));
            }
            None if sample.name.ends_with("_sum") => {
                let closed = before.as_ref().is_some_and(|(last, _, of)| last.is_infinite() && *of == labels);
                if !closed || sum_of.replace(labels).is_some() {
                    return Err("a sum that does not follow the last bucket");
                }
            }
            None => {
                let (_, seen, _) = before.take().ok_or("a count before the buckets")?;
                if seen != count()? || sum_of.take() != Some(labels) {
                    return Err("the count is not that of the last bucket");
                }
            }
        }
    }
    if before.is_none() { Ok(()) } else { Err("a series without its count") }
}
