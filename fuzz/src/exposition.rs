//! A strict parser of Prometheus text 0.0.4, with the rules that a scraper takes for granted.
//!
//! A scraper is lenient: it takes spaces, comments, timestamps, numbers in any spelling. This is what a *printer* must
//! keep to, so that every reader agrees: one space between words, no comment but HELP and TYPE, one spelling of each
//! number, no timestamp, families in one piece, cumulative buckets that end in the count.

use crate::names::Names;
use crate::number;
use crate::summary::summaries;
use std::collections::{BTreeMap, BTreeSet};
use tach::Escaping;

/// What a family's TYPE says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Only grows.
    Counter,
    /// Any value.
    Gauge,
    /// Buckets, sum and count.
    Histogram,
    /// Quantiles, sum and count.
    Summary,
}

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// One line with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The name before the braces.
    pub name: String,
    /// The labels, unescaped.
    pub labels: Labels,
    /// The value as it is spelt; [`number::read`] has been able to read it.
    pub value: String,
}

/// A metric with its samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// The name in HELP and TYPE.
    pub name: String,
    /// The type.
    pub kind: Type,
    /// The help, unescaped.
    pub help: Option<String>,
    /// The samples, in order; at least one.
    pub samples: Vec<Sample>,
}

/// Reads a whole exposition, whose names are written as `names` says.
///
/// # Errors
///
/// The line and the rule that it breaks.
pub fn parse(text: &str, names: Names) -> Result<Vec<Family>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let lines = text.strip_suffix('\n').ok_or("the last line does not end")?;
    let mut reader = Reader { names, families: Vec::new(), help: None };
    for (index, line) in lines.split('\n').enumerate() {
        reader.line(line).map_err(|rule| format!("line {}: {rule}: {line:?}", index + 1))?;
    }
    let Reader { families, help: None, .. } = reader else { return Err("HELP without TYPE at the end".to_owned()) };
    check_names(&families)?;
    let mut seen = BTreeSet::new();
    for family in &families {
        check_family(family, names).map_err(|rule| format!("family {}: {rule}", family.name))?;
        for sample in &family.samples {
            if !seen.insert((&sample.name, &sample.labels)) {
                return Err(format!("{sample:?} is there twice"));
            }
        }
    }
    Ok(families)
}

#[derive(Debug)]
struct Reader {
    names: Names,
    families: Vec<Family>,
    /// A HELP whose TYPE is still to come.
    help: Option<(String, String)>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = self.names.read_metric(rest)?;
            let help = help.strip_prefix(' ').ok_or("HELP without a text")?;
            return match self.help.replace((name, unescape(help, false)?)) {
                None => Ok(()),
                Some(_) => Err("HELP follows HELP".to_owned()),
            };
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            return self.start(rest);
        }
        if line.is_empty() || line.starts_with('#') {
            return Err("neither a sample nor HELP nor TYPE".to_owned());
        }
        if self.help.is_some() {
            return Err("HELP is not followed by TYPE".to_owned());
        }
        let sample = sample(line, self.names)?;
        let family = self.families.last_mut().ok_or("a sample before the first TYPE")?;
        if !family.has(&sample.name) {
            return Err(format!("a sample within the family {}", family.name));
        }
        family.samples.push(sample);
        Ok(())
    }

    fn start(&mut self, rest: &str) -> Result<(), String> {
        let (name, kind) = self.names.read_metric(rest)?;
        let kind = match kind {
            " counter" => Type::Counter,
            " gauge" => Type::Gauge,
            " histogram" => Type::Histogram,
            " summary" => Type::Summary,
            _ => return Err("an unknown type".to_owned()),
        };
        let help = match self.help.take() {
            Some((of, _)) if of != name => return Err(format!("HELP is of {of}")),
            help => help.map(|(_, text)| text),
        };
        if self.families.iter().any(|family| family.name == name) {
            return Err("a second TYPE for this name".to_owned());
        }
        self.families.push(Family { name, kind, help, samples: Vec::new() });
        Ok(())
    }
}

impl Family {
    /// Whether samples of this name belong to the family.
    fn has(&self, sample: &str) -> bool {
        match (self.kind, sample.strip_prefix(&self.name)) {
            (Type::Histogram, Some(suffix)) => ["_bucket", "_sum", "_count"].contains(&suffix),
            (Type::Summary, Some(suffix)) => ["", "_sum", "_count"].contains(&suffix),
            (_, suffix) => suffix == Some(""),
        }
    }

    /// The name without `_total`.
    #[must_use]
    pub fn base(&self) -> &str {
        match self.kind {
            Type::Counter => self.name.strip_suffix("_total").unwrap_or(&self.name),
            _ => &self.name,
        }
    }
}

/// Undoes `\\`, `\n` and, where `quote` is set, `\"`; no other escape exists.
pub(crate) fn unescape(text: &str, quote: bool) -> Result<String, String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match chars.next() {
            Some('\\') => '\\',
            Some('n') => '\n',
            Some('"') if quote => '"',
            other => return Err(format!("the escape {other:?} is none")),
        });
    }
    Ok(out)
}

/// Reads the line of a sample, `name{label="value",…} number` or `{"name",label="value",…} number`, or says which rule it
/// breaks.
///
/// # Errors
///
/// It breaks one.
pub fn sample(line: &str, names: Names) -> Result<Sample, String> {
    let is_quoted = line.starts_with("{\"");
    if line.starts_with('"') {
        return Err("a name in quotes that is not in braces".to_owned());
    }
    let (name, mut rest) = names.read_metric(if is_quoted { &line[1..] } else { line })?;
    let mut labels = Labels::new();
    let mut before = if is_quoted { ',' } else { '{' };
    while let Some(inner) = rest.strip_prefix(before) {
        let (label, after) = names.read_label(inner)?;
        let after = after.strip_prefix("=\"").ok_or("a label without a value")?;
        let end = closing_quote(after).ok_or("a label value without an end")?;
        let value = unescape(&after[..end], true)?;
        if value.is_empty() {
            return Err(format!("the label {label} is empty, which is the same as absent"));
        }
        if let Some(twice) = labels.insert(label, value) {
            return Err(format!("a label is there twice, once as {twice}"));
        }
        (rest, before) = (&after[end + 1..], ',');
    }
    if is_quoted || !labels.is_empty() {
        rest = rest.strip_prefix('}').ok_or("neither ',' nor '}' behind a label")?;
    }
    let value = rest.strip_prefix(' ').ok_or("no space before the value")?;
    number::read(value)?;
    Ok(Sample { name, labels, value: value.to_owned() })
}

/// Where the first quote stands that no backslash escapes.
pub(crate) fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        end
    })
}

/// No family may have a name that another one's samples have, in this format or in OpenMetrics.
fn check_names(families: &[Family]) -> Result<(), String> {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for family in families {
        let suffixes: &[&str] = match family.kind {
            Type::Counter => &["", "_total", "_created"],
            Type::Gauge => &[""],
            Type::Histogram => &["", "_bucket", "_sum", "_count", "_created"],
            Type::Summary => &["", "_sum", "_count", "_created"],
        };
        for suffix in suffixes {
            if let Some(owner) = owners.insert(format!("{}{suffix}", family.base()), &family.name) {
                return Err(format!("{} and {owner} have the name {}{suffix} in common", family.name, family.base()));
            }
        }
    }
    Ok(())
}

fn check_family(family: &Family, names: Names) -> Result<(), String> {
    if family.samples.is_empty() {
        return Err("no samples".to_owned());
    }
    match family.kind {
        Type::Counter => {
            // Of `a.total` underscores make a name like that of a total.
            let has_total =
                family.base().ends_with("_total") && !(names.any && names.escaping == Escaping::Underscores);
            if family.base() == family.name || has_total || family.base().is_empty() {
                return Err("a counter is called x_total, with one _total".to_owned());
            }
            for sample in &family.samples {
                let value = number::read(&sample.value)?;
                if value.is_nan() || value.is_sign_negative() {
                    return Err(format!("the counter is {}", sample.value));
                }
            }
        }
        Type::Gauge => {}
        Type::Summary => drop(summaries(family)?),
        Type::Histogram => {
            let mut seen = BTreeSet::new();
            let mut rest = &*family.samples;
            while !rest.is_empty() {
                let (series, len) = series(&family.name, rest)?;
                if !seen.insert(series.labels) {
                    return Err("a series in two pieces".to_owned());
                }
                rest = &rest[len..];
            }
        }
    }
    Ok(())
}

/// One series of a histogram.
#[derive(Clone, Debug)]
pub struct Series {
    /// The labels, without `le`.
    pub labels: Labels,
    /// Each bound with its cumulative count, without `+Inf`.
    pub buckets: Vec<(f64, u64)>,
    /// The sum as it is spelt.
    pub sum: String,
    /// The count.
    pub count: u64,
}

/// The series of a histogram; to be asked of a family that [`parse`] returned.
///
/// # Errors
///
/// None for such a family.
pub fn all_series(family: &Family) -> Result<Vec<Series>, String> {
    let mut rest = &*family.samples;
    let mut all = Vec::new();
    while !rest.is_empty() {
        let (series, len) = series(&family.name, rest)?;
        all.push(series);
        rest = &rest[len..];
    }
    Ok(all)
}

/// The series of the histogram `name` at the start of `samples`, and of how many samples it is made.
fn series(name: &str, samples: &[Sample]) -> Result<(Series, usize), String> {
    let whole = |sample: &Sample| {
        sample.value.parse::<u64>().map_err(|_| format!("{} is {}, no whole number", sample.name, sample.value))
    };
    let suffix = |sample: &Sample| sample.name[name.len()..].to_owned();
    let mut buckets: Vec<(f64, u64)> = Vec::new();
    let mut labels = None;
    for sample in samples.iter().take_while(|sample| suffix(sample) == "_bucket") {
        let mut others = sample.labels.clone();
        let bound = others.remove("le").ok_or("a bucket without le")?;
        let (bound, count) = (number::read_bound(&bound)?, whole(sample)?);
        if *labels.get_or_insert_with(|| others.clone()) != others {
            return Err("buckets of two series without a sum and a count between them".to_owned());
        }
        if let Some(&(lower, below)) = buckets.last()
            && (lower >= bound || below > count)
        {
            return Err(format!("le={bound} with {count} follows le={lower} with {below}"));
        }
        buckets.push((bound, count));
    }
    let (Some(labels), Some((last, all))) = (labels, buckets.pop()) else { return Err("no buckets".to_owned()) };
    if last != f64::INFINITY {
        return Err(format!("the last bucket is {last}"));
    }
    let len = buckets.len() + 3;
    let [sum, count] = samples.get(len - 2..len).ok_or("no sum or no count")? else { unreachable!("two of them") };
    if suffix(sum) != "_sum" || suffix(count) != "_count" || sum.labels != labels || count.labels != labels {
        return Err("buckets are not followed by the sum and the count of their series".to_owned());
    }
    if labels.contains_key("le") || labels.contains_key("quantile") || whole(count)? != all {
        return Err("the count is not that of the last bucket".to_owned());
    }
    Ok((Series { labels, buckets, sum: sum.value.clone(), count: all }, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = concat!(
        "# HELP a_total Says \\\\ and \\n and \".\n",
        "# TYPE a_total counter\n",
        "a_total{x=\"1\",y=\"q\\\"b\\\\n\\nt\t#}{\"} 18446744073709551615\n",
        "a_total 0\n",
        "# TYPE b gauge\n",
        "b NaN\n",
        "# TYPE c_seconds histogram\n",
        "c_seconds_bucket{x=\"1\",le=\"0.025\"} 1\n",
        "c_seconds_bucket{x=\"1\",le=\"1.0\"} 1\n",
        "c_seconds_bucket{x=\"1\",le=\"+Inf\"} 3\n",
        "c_seconds_sum{x=\"1\"} 7.5\n",
        "c_seconds_count{x=\"1\"} 3\n",
        "c_seconds_bucket{le=\"+Inf\"} 0\n",
        "c_seconds_sum 0\n",
        "c_seconds_count 0\n",
    );

    #[test]
    fn what_is_right_is_read() {
        let families = parse(GOOD, Names::PLAIN).unwrap();
        let [a, b, c] = &families[..] else { panic!("{families:?}") };
        assert_eq!((a.base(), a.help.as_deref()), ("a", Some("Says \\ and \n and \".")));
        assert_eq!(a.samples[0].labels["y"], "q\"b\\n\nt\t#}{");
        assert_eq!((b.samples[0].value.as_str(), &b.help), ("NaN", &None));
        let series = all_series(c).unwrap();
        assert_eq!((series[0].buckets.as_slice(), series[0].count), (&[(0.025, 1), (1.0, 1)][..], 3));
        assert_eq!((series[1].labels.len(), series[1].buckets.len()), (0, 0));
        assert_eq!(parse("", Names::PLAIN), Ok(Vec::new()));
    }

    #[test]
    fn each_rule_refuses_what_breaks_it() {
        let broken = |from: &str, to: &str| {
            assert!(GOOD.contains(from), "{from:?}");
            let text = GOOD.replacen(from, to, 1);
            assert!(parse(&text, Names::PLAIN).is_err(), "{from:?} -> {to:?}");
        };
        broken("_count 0\n", "_count 0");
        broken("# TYPE b gauge\n", "");
        broken("# TYPE b gauge\n", "# TYPE b gauge\n# TYPE b gauge\n");
        broken("# TYPE b gauge\n", "# TYPE b gauge\n\n");
        broken("# TYPE b gauge\n", "# comment\n# TYPE b gauge\n");
        broken("# TYPE b gauge\n", "# HELP b h\n# HELP b h\n# TYPE b gauge\n");
        broken("# TYPE b gauge\n", "# HELP c h\n# TYPE b gauge\n");
        broken("# TYPE b gauge\n", "# TYPE b summary\n");
        broken("# TYPE b gauge\n", "# TYPE b info\n");
        broken("# TYPE b gauge\nb NaN\n", "# TYPE b gauge\n");
        broken("# TYPE b gauge\nb ", "# TYPE a_bucket gauge\nb ");
        broken("b NaN", "b NaN 1000");
        broken("b NaN", "b  NaN");
        broken("b NaN", "b{} NaN");
        broken("b NaN", "b nan");
        broken("b NaN", "b NaN # {} 1");
        broken("b NaN\n", "b NaN\nb NaN\n");
        broken("gauge\nb NaN", "counter\nb NaN");
        broken("# TYPE b gauge\nb NaN", "# TYPE b_total counter\nb_total NaN");
        broken("# TYPE b gauge\nb NaN", "# TYPE b_total counter\nb_total -1");
        broken("# TYPE b gauge\nb NaN", "# TYPE b_total_total counter\nb_total_total 1");
        broken("# TYPE b gauge\nb NaN", "# TYPE a_created gauge\na_created 1");
        broken("# TYPE b gauge\nb NaN", "# TYPE c_seconds_count gauge\nc_seconds_count 1");
        broken("a_total 0\n", "a_total 0\nc_seconds_sum 1\n");
        broken("{x=\"1\",y", "{x=\"1\", y");
        broken("{x=\"1\",y", "{y=\"1\",y");
        broken("{x=\"1\",y", "{x=\"\",y");
        broken("{x=\"1\",y", "{__x=\"1\",y");
        broken("{x=\"1\",y", "{x:=\"1\",y");
        broken("{x=\"1\",y", "{1=\"1\",y");
        broken("#}{\"}", "#}{\",}");
        broken("q\\\"b", "q\\tb");
        broken("and \\n", "and \\\"");
        broken("le=\"0.025\"", "le=\"0.0250\"");
        broken("le=\"1.0\"", "le=\"1\"");
        broken("le=\"1.0\"} 1", "le=\"1.0\"} 0");
        broken("le=\"1.0\"} 1", "le=\"1.0\"} 1.5");
        broken("le=\"1.0\"", "le=\"0.01\"");
        broken("x=\"1\",le=\"1.0\"", "x=\"2\",le=\"1.0\"");
        broken("le=\"+Inf\"} 3", "le=\"+Inf\"} 4");
        broken("c_seconds_bucket{x=\"1\",le=\"+Inf\"} 3\n", "");
        broken("c_seconds_sum{x=\"1\"} 7.5\n", "");
        broken("c_seconds_sum 0\nc_seconds_count 0\n", "c_seconds_sum 0\n");
        broken("c_seconds_bucket{le=\"+Inf\"} 0\n", "");
    }
}
