//! Units as OTLP has them: in the Unified Code for Units of Measure.

use crate::describe::Unit;
use std::borrow::Cow;

/// Words of Prometheus' conventions that the code has a symbol for.
const SYMBOLS: [(&str, &str); 28] = [
    ("days", "d"),
    ("hours", "h"),
    ("minutes", "min"),
    ("seconds", "s"),
    ("milliseconds", "ms"),
    ("microseconds", "us"),
    ("nanoseconds", "ns"),
    ("bytes", "By"),
    ("kibibytes", "KiBy"),
    ("mebibytes", "MiBy"),
    ("gibibytes", "GiBy"),
    ("GiB", "GiBy"),
    ("kilobytes", "kBy"),
    ("megabytes", "MBy"),
    ("gigabytes", "GBy"),
    ("bits", "bit"),
    ("meters", "m"),
    ("grams", "g"),
    ("kilograms", "kg"),
    ("joules", "J"),
    ("watts", "W"),
    ("volts", "V"),
    ("amperes", "A"),
    ("celsius", "Cel"),
    ("kelvin", "K"),
    ("hertz", "Hz"),
    ("percent", "%"),
    ("ratio", "1"),
];

/// What follows `_per_`.
const RATES: [(&str, &str); 4] = [("_per_second", "s"), ("_per_minute", "min"), ("_per_hour", "h"), ("_per_day", "d")];

/// The unit's code: a symbol where there is one, and else what is counted, in braces and in the singular.
pub(super) fn code(unit: Unit) -> Cow<'static, str> {
    let word = unit.suffix();
    if word.is_empty() {
        return Cow::Borrowed("");
    }
    for (suffix, symbol) in RATES {
        if let Some(counted) = word.strip_suffix(suffix).filter(|counted| !counted.is_empty()) {
            return Cow::Owned(format!("{}/{symbol}", single(counted)));
        }
    }
    single(word)
}

fn single(word: &'static str) -> Cow<'static, str> {
    if let Some((_, symbol)) = SYMBOLS.iter().find(|(known, _)| *known == word) {
        return Cow::Borrowed(symbol);
    }
    let is_plural_of_es = ["ches", "shes", "sses", "xes"].iter().any(|end| word.ends_with(end));
    let singular = match word.strip_suffix('s') {
        Some(without) if is_plural_of_es => &without[..without.len() - 1],
        Some(without) if !without.ends_with(['s', 'u', 'i']) => without,
        _ => word,
    };
    Cow::Owned(format!("{{{singular}}}"))
}

#[cfg(test)]
mod tests {
    use super::code;
    use crate::describe::Unit;

    #[test]
    fn units_have_a_symbol_or_say_in_braces_what_is_counted() {
        for (unit, expected) in [
            (Unit::None, ""),
            (Unit::Seconds, "s"),
            (Unit::Milliseconds, "ms"),
            (Unit::Bytes, "By"),
            (Unit::Ratio, "1"),
            (Unit::Joules, "J"),
            (Unit::Other("celsius"), "Cel"),
            (Unit::Other("percent"), "%"),
            (Unit::Other("tokens"), "{token}"),
            (Unit::Other("reqs"), "{req}"),
            (Unit::Other("patches"), "{patch}"),
            (Unit::Other("attaches"), "{attach}"),
            (Unit::Other("images"), "{image}"),
            (Unit::Other("cache"), "{cache}"),
            (Unit::Other("status"), "{status}"),
            (Unit::Other("tokens_per_second"), "{token}/s"),
            (Unit::Other("GiB_per_second"), "GiBy/s"),
            (Unit::Other("_per_second"), "{_per_second}"),
        ] {
            assert_eq!(code(unit), expected);
        }
    }
}
