//! Which names are allowed: those that every exposition format can carry, or, where they are escaped, nearly all.

use super::Escaping;
use crate::error::{Error, ErrorKind};

/// The longest name, in bytes. Scrapers limit names too; none seen is below this.
const NAME_MAX: usize = 200;

fn is_first(c: char, extra: &str) -> bool {
    c.is_ascii_alphabetic() || c == '_' || extra.contains(c)
}

/// Any name at all but an empty one. Control characters are nobody's names, and parsers differ on some of them.
fn check_utf8(what: &str, name: &str) -> Result<(), Error> {
    if name.is_empty() || name.contains(char::is_control) {
        let text =
            format!("{what} {name:?} is not a legal name: use any characters but control characters, one at least");
        return Err(Error::new(ErrorKind::Name, text));
    }
    check_length(what, name)
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
    check_length(what, name)
}

fn check_length(what: &str, name: &str) -> Result<(), Error> {
    if name.len() > NAME_MAX {
        let length = name.len();
        let text = format!("{what} {name:?} has {length} bytes: shorten it to at most {NAME_MAX}");
        return Err(Error::new(ErrorKind::Name, text));
    }
    Ok(())
}

/// Checks a metric's own name, which may be any text where `utf8` says so.
pub(crate) fn check_metric(name: &str, utf8: bool) -> Result<(), Error> {
    if utf8 {
        return check_utf8("metric", name);
    }
    check(
        "metric",
        name,
        ":.",
        "use letters, digits, '_' and ':', with '.' between words if you like (exposed as '_'), and no digit first",
    )
}

/// Checks a namespace, as [`check_metric`].
pub(crate) fn check_namespace(name: &str, utf8: bool) -> Result<(), Error> {
    if utf8 {
        return check_utf8("namespace", name);
    }
    check("namespace", name, ":.", "use letters, digits, '_', ':' and '.', and no digit first")
}

/// Checks a label name of a metric, where `histogram` says whether it is one, and `utf8` as for [`check_metric`].
pub(crate) fn check_label(metric: &str, label: &str, histogram: bool, utf8: bool) -> Result<(), Error> {
    let what = format!("{metric}: label");
    match utf8 {
        true => check_utf8(&what, label)?,
        false => check(&what, label, "", "use letters, digits and '_', and no digit first")?,
    }
    let reserved = if Escaping::Underscores.label(label).starts_with("__") {
        "names that begin with two underscores belong to Prometheus"
    } else if Escaping::Dots.label(label) == "__name__" {
        "scrapers that escape by dots would see __name__"
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
/// may stand in it too. As [`check_metric`] with `utf8`.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "for segments"))]
pub(crate) fn check_exposed(metric: &str, base: &str, extra: &str, utf8: bool) -> Result<(), Error> {
    // The parts are limited, and so is what is joined of them.
    let is_legal = match utf8 {
        true => !base.contains(char::is_control),
        false => base
            .chars()
            .enumerate()
            .all(|(index, c)| is_first(c, ":") || index > 0 && (c.is_ascii_digit() || extra.contains(c))),
    };
    if base.is_empty() || base.len() > 3 * NAME_MAX || !is_legal {
        return Err(Error::new(ErrorKind::Name, format!("{metric}: {base:?} cannot be exposed as a name")));
    }
    Ok(())
}
