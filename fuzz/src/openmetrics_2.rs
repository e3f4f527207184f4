//! OpenMetrics 2.0 of what the target `text` has rendered as text and held against the model: the same families, series
//! and values, one line to a series.

use crate::exposition::{Family, Labels, Type, all_series, sample};
use crate::names::{Names, escaped};
use crate::number::{read, read_bound};
use tach::{Escaping, Snapshot};

/// Compares the page of `snapshot` with what its text reads as.
///
/// # Panics
///
/// They differ, or the page breaks a rule.
pub fn check(snapshot: &Snapshot, families: &[Family], names: Names) {
    let page = tach::openmetrics_2::render_with(snapshot, names.escaping);
    if let Err(rule) = compare(&page, families, names) {
        panic!("{rule}\n{page}");
    }
}

fn compare(page: &str, families: &[Family], names: Names) -> Result<(), String> {
    let body = page.strip_suffix("# EOF\n").ok_or("no end")?;
    let mut lines = body.split_terminator('\n').peekable();
    for family in families {
        let (name, shown) = (&family.name, names.quoted(&family.name));
        let kind = match family.kind {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Histogram => "histogram",
        };
        if lines.next() != Some(&*format!("# TYPE {shown} {kind}")) {
            return Err(format!("no type of {name}"));
        }
        if let Some(unit) = lines.next_if(|line| line.starts_with("# UNIT ")) {
            let unit = unit.strip_prefix(&format!("# UNIT {shown} ")).ok_or("a unit of another family")?;
            // Which those change that can be undone.
            let is_kept = matches!(names.escaping, Escaping::Underscores | Escaping::AllowUtf8);
            if unit.is_empty() || is_kept && !family.base().ends_with(&format!("_{unit}")) {
                return Err(format!("{name} in {unit}"));
            }
        }
        let help = family.help.as_deref().unwrap_or("");
        if !help.is_empty() && lines.next() != Some(&*format!("# HELP {shown} {}", escaped(help))) {
            return Err(format!("no help of {name}"));
        }
        if family.kind == Type::Histogram {
            for series in all_series(family)? {
                let (labels, value, start) = split(lines.next().ok_or("no series")?, name, names)?;
                let found = histogram(value)?;
                let same = (found.count, found.sum, &found.buckets) == (series.count, &series.sum, &series.buckets);
                if labels != series.labels || !start || !same {
                    return Err(format!("{series:?} is {value} of {labels:?}"));
                }
            }
        } else {
            for sample in &family.samples {
                let (labels, value, start) = split(lines.next().ok_or("no sample")?, name, names)?;
                // What a callback counts has no beginning.
                let starts = start == (family.kind == Type::Counter) || name.starts_with("tach_");
                if labels != sample.labels || value != sample.value || !starts {
                    return Err(format!("{sample:?} is {value} of {labels:?}"));
                }
            }
        }
    }
    lines.next().map_or(Ok(()), |line| Err(format!("too much: {line}")))
}

/// Labels and value of a line, and whether it tells when it began.
fn split<'a>(line: &'a str, name: &str, names: Names) -> Result<(Labels, &'a str, bool), String> {
    // A value has neither a space nor, before its end, a quote.
    let (rest, start) = match line.rsplit_once(" st@") {
        Some((rest, start)) if !start.contains('"') => {
            let is_time =
                start.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && start.parse::<f64>().is_ok();
            if !is_time {
                return Err(format!("no time: {start}"));
            }
            (rest, true)
        }
        _ => (line, false),
    };
    let (series, value) = rest.rsplit_once(' ').ok_or("no value")?;
    let sample = sample(&format!("{series} 0"), names)?;
    if sample.name != name { Err(format!("{} in {name}", sample.name)) } else { Ok((sample.labels, value, start)) }
}

struct Histogram<'a> {
    count: u64,
    sum: &'a str,
    buckets: Vec<(f64, u64)>,
}

fn whole(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("no whole number: {text}"))
}

fn histogram(value: &str) -> Result<Histogram<'_>, String> {
    let inner = value.strip_prefix('{').and_then(|value| value.strip_suffix('}')).ok_or("no composite value")?;
    let mut rest = inner;
    let mut take = |begin: &str, end: char| {
        let value = rest.strip_prefix(begin)?;
        let at = value.find(end).unwrap_or(value.len());
        rest = &value[at..];
        Some(&value[..at])
    };
    let count = whole(take("count:", ',').ok_or("no count")?)?;
    let sum = take(",sum:", ',').ok_or("no sum")?;
    let schema = whole(take(",schema:", ',').ok_or("no schema")?)?;
    let threshold = take(",zero_threshold:", ',').ok_or("no threshold")?;
    let mut native = whole(take(",zero_count:", ',').ok_or("no zeros")?)?;
    if schema > 8 || read(threshold)? != 2_f64.powi(-128) {
        return Err("no schema or threshold that there is".to_owned());
    }
    if let Some(spans) = take(",positive_spans:[", ']') {
        let counts = take("],positive_buckets:[", ']').ok_or("no buckets")?;
        let mut length = 0;
        for (nth, span) in spans.split(',').enumerate() {
            let (offset, of) = span.split_once(':').ok_or("no span")?;
            let offset: i64 = offset.parse().map_err(|_| "no offset")?;
            length += whole(of)?;
            if of == "0" || nth > 0 && offset < 2 {
                return Err(format!("a span that need not be: {span}"));
            }
        }
        for count in counts.split(',') {
            native = native.wrapping_add(whole(count)?);
        }
        if counts.split(',').count() as u64 != length {
            return Err("other buckets than the spans say".to_owned());
        }
        take("]", ',').filter(|rest| rest.is_empty()).ok_or("more behind the buckets")?;
    }
    if native != count {
        return Err("the native buckets are not the count".to_owned());
    }
    let mut buckets = Vec::new();
    if let Some(list) = take(",bucket:[", ']') {
        for bucket in list.split(',') {
            let (bound, count) = bucket.split_once(':').ok_or("no bucket")?;
            buckets.push((read_bound(bound)?, whole(count)?));
        }
        if buckets.pop() != Some((f64::INFINITY, count)) || take("]", ',') != Some("") {
            return Err("the last bucket is not the count".to_owned());
        }
    }
    if rest.is_empty() { Ok(Histogram { count, sum, buckets }) } else { Err(format!("too much: {rest}")) }
}
