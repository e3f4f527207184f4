//! Which names are allowed: those that every exposition format can carry.

use crate::error::{Error, ErrorKind};

/// The longest name, in bytes. Scrapers limit names too; none seen is below this.
const NAME_MAX: usize = 200;

fn is_first(c: char, extra: &str) -> bool {
    c.is_ascii_alphabetic() || c == '_' || extra.contains(c)
}

fn check(what: &str, name: &str, extra: &str, remedy: &str) -> Result<(), Error> {
    let mut chars = name.chars();
    let legal = chars.next().is_some_and(|c| is_first(c, extra) && c != '.')
        && chars.all(|c| is_first(c, extra) || c.is_ascii_digit())
        && !name.ends_with('.')
        && !name.contains("..");
    if !legal {
        return Err(Error::new(ErrorKind::Name, format!("{what} {name:?} is not a legal name: {remedy}")));
    }
    if name.len() > NAME_MAX {
        let length = name.len();
        let text = format!("{what} {name:?} has {length} bytes: shorten it to at most {NAME_MAX}");
        return Err(Error::new(ErrorKind::Name, text));
    }
    Ok(())
}

/// Checks a metric's own name.
pub(crate) fn check_metric(name: &str) -> Result<(), Error> {
    check(
        "metric",
        name,
        ":.",
        "use letters, digits, '_' and ':', with '.' between words if you like (exposed as '_'), and no digit first",
    )
}

/// Checks a namespace.
pub(crate) fn check_namespace(name: &str) -> Result<(), Error> {
    check("namespace", name, ":.", "use letters, digits, '_', ':' and '.', and no digit first")
}

/// Checks a label name of a metric, where `histogram` says whether it is one.
pub(crate) fn check_label(metric: &str, label: &str, histogram: bool) -> Result<(), Error> {
    check(&format!("{metric}: label"), label, "", "use letters, digits and '_', and no digit first")?;
    let reserved = if label.starts_with("__") {
        "names that begin with two underscores belong to Prometheus"
    } else if label == "le" && histogram {
        "a histogram's buckets use it"
    } else if label == "quantile" && histogram {
        "quantiles of a histogram use it"
    } else {
        return Ok(());
    };
    let text = format!("{metric}: label {label:?} is reserved ({reserved}): choose another name");
    Err(Error::new(ErrorKind::Name, text))
}

/// Checks what formats build on, as it is told from outside: a namespace, a metric's own name and a unit, joined; `extra`
/// may stand in it too.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "for segments"))]
pub(crate) fn check_exposed(metric: &str, base: &str, extra: &str) -> Result<(), Error> {
    // The parts are limited, and so is what is joined of them.
    let is_legal = base
        .chars()
        .enumerate()
        .all(|(index, c)| is_first(c, ":") || index > 0 && (c.is_ascii_digit() || extra.contains(c)));
    if base.is_empty() || base.len() > 3 * NAME_MAX || !is_legal {
        return Err(Error::new(ErrorKind::Name, format!("{metric}: {base:?} cannot be exposed as a name")));
    }
    Ok(())
}
