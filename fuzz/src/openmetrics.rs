//! OpenMetrics 1.0 of what the target `text` has rendered as text and held against the model: the same samples below other
//! metadata, and for each series of the model when it began.

use crate::exposition::{Family, Type, sample};
use crate::names::{Names, escaped};
use tach::Snapshot;
use tach::openmetrics::{Options, render_with};

/// Compares the page of `snapshot` with what its text reads as.
///
/// # Panics
///
/// They differ, or the page breaks a rule.
pub fn check(snapshot: &Snapshot, families: &[Family], names: Names) {
    for created in [false, true] {
        let page = render_with(snapshot, Options::new().escaping(names.escaping).created(created));
        if let Err(rule) = compare(&page, families, names, created) {
            panic!("{rule}\n{page}");
        }
    }
}

fn compare(page: &str, families: &[Family], names: Names, created: bool) -> Result<(), String> {
    let body = page.strip_suffix("# EOF\n").ok_or("no end")?;
    let mut lines = body.split_terminator('\n').peekable();
    for family in families {
        let (base, shown) = (family.base(), names.quoted(family.base()));
        let kind = match family.kind {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Histogram => "histogram",
        };
        if lines.next() != Some(&*format!("# TYPE {shown} {kind}")) {
            return Err(format!("no type of {base}"));
        }
        if let Some(unit) = lines.next_if(|line| line.starts_with("# UNIT ")) {
            let unit = unit.strip_prefix(&format!("# UNIT {shown} ")).ok_or("a unit of another family")?;
            if unit.is_empty() || !base.ends_with(&format!("_{unit}")) {
                return Err(format!("{base} in {unit}"));
            }
        }
        let help = family.help.as_deref().unwrap_or("");
        if !help.is_empty() && lines.next() != Some(&*format!("# HELP {shown} {}", escaped(help))) {
            return Err(format!("no help of {base}"));
        }
        let begin = format!("{base}_created");
        for expected in &family.samples {
            let found = sample(lines.next().ok_or("no sample")?, names)?;
            if found != *expected {
                return Err(format!("{found:?} and not {expected:?}"));
            }
            let is_last = match family.kind {
                Type::Counter => true,
                Type::Gauge => false,
                Type::Histogram => found.name.ends_with("_count"),
            };
            if !created || !is_last {
                continue;
            }
            // A time has more digits than a float.
            let line = lines.peek().and_then(|line| line.rsplit_once(' '));
            let began = line.and_then(|(series, time)| Some((sample(&format!("{series} 0"), names).ok()?, time)));
            match began.filter(|(began, _)| began.name == begin) {
                Some((began, time))
                    if began.labels == found.labels && time.parse().is_ok_and(|time: f64| time > 1e9) =>
                {
                    lines.next();
                }
                // What a callback counts has no beginning.
                None if base.starts_with("tach_") => {}
                began => return Err(format!("{found:?} began {began:?}")),
            }
        }
    }
    lines.next().map_or(Ok(()), |line| Err(format!("too much: {line}")))
}
