//! Values, times and tables as people read them.

use std::time::{Duration, SystemTime};
use tach::reader::Life;
use tach::{Series, Unit};

/// A value of this unit in some five characters: `12.5 ms`, `1.2 GiB`, `45 %`, `3.1M`.
pub(crate) fn value(value: f64, unit: Unit) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    match unit {
        Unit::Seconds => time(value),
        Unit::Milliseconds => time(value / 1e3),
        Unit::Bytes => scaled(value, 1024.0, &[" B", " KiB", " MiB", " GiB", " TiB"]),
        Unit::Ratio => format!("{} %", short(value * 100.0)),
        _ => count(value),
    }
}

/// In one word.
pub(crate) fn life(life: Life) -> &'static str {
    match life {
        Life::Running => "running",
        Life::Stuck => "stuck",
        Life::Closed => "closed",
        Life::Died => "died",
        _ => "unknown",
    }
}

/// A number that may be large: `999`, `1.23k`, `45.6M`.
pub(crate) fn count(value: f64) -> String {
    scaled(value, 1e3, &["", "k", "M", "G", "T"])
}

fn time(seconds: f64) -> String {
    let size = seconds.abs();
    let (factor, unit) = match size {
        0.0 => (1.0, "s"),
        size if size < 1e-6 => (1e9, "ns"),
        size if size < 1e-3 => (1e6, "µs"),
        size if size < 1.0 => (1e3, "ms"),
        _ => (1.0, "s"),
    };
    format!("{} {unit}", short(seconds * factor))
}

fn scaled(value: f64, step: f64, units: &[&str]) -> String {
    let (mut value, mut units) = (value, units);
    while value.abs() >= step && units.len() > 1 {
        (value, units) = (value / step, &units[1..]);
    }
    format!("{}{}", short(value), units[0])
}

/// Three digits, or all of those before the point.
fn short(value: f64) -> String {
    let decimals = match value.abs() {
        size if size == 0.0 || size >= 100.0 || size.fract() == 0.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

/// A number as it is, but for digits that a histogram does not have: six of them.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() || value == 0.0 || value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value}");
    }
    let magnitude = value.abs().log10().floor() as i32;
    if !(-6..15).contains(&magnitude) {
        return format!("{value:.5e}");
    }
    let decimals = usize::try_from(5 - magnitude).unwrap_or(0);
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// An id in hexadecimal digits, as tracing tools have it.
pub(crate) fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A moment by UTC, to the millisecond.
pub(crate) fn moment(time: SystemTime) -> String {
    // The formatter refuses what is beyond the year 9999, which a file may say.
    let last = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    humantime::format_rfc3339_millis(time.clamp(SystemTime::UNIX_EPOCH, last)).to_string()
}

/// How long ago: `0.4 s ago`, `12min 3s ago`.
pub(crate) fn ago(time: SystemTime, now: SystemTime) -> String {
    match now.duration_since(time) {
        Ok(age) if age < Duration::from_secs(10) => format!("{:.1} s ago", age.as_secs_f64()),
        Ok(age) => format!("{} ago", humantime::format_duration(Duration::from_secs(age.as_secs()))),
        Err(_) => "in the future".to_owned(),
    }
}

/// Text from a file that anybody may have written: what moves a terminal's cursor, or changes it, is shown as escapes.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// Labels in braces as the text format has them; nothing where there are none.
pub(crate) fn labels<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<String> = labels
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| printable(&format!("{name}={value:?}")))
        .collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

/// A series as the text format calls it.
pub(crate) fn series(series: &Series<'_>) -> String {
    let all = series.constant_labels().chain(series.labels());
    format!("{}{}", printable(&series.exposed_name()), labels(all))
}

/// Rows whose columns stand below each other: the first and the last `left` ones to the left, the others to the right.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>], left: impl Fn(usize) -> bool) -> String {
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let rows: Vec<&Vec<String>> = std::iter::once(&head).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            line += &if left(column) { format!("{gap}{cell:<width$}") } else { format!("{gap}{cell:>width$}") };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_short_and_in_a_unit_that_fits() {
        let cases = [
            (0.0125, Unit::Seconds, "12.5 ms"),
            (180.0, Unit::Milliseconds, "180 ms"),
            (0.0, Unit::Seconds, "0 s"),
            (2.5e-6, Unit::Seconds, "2.50 µs"),
            (7_200.0, Unit::Seconds, "7200 s"),
            (1536.0, Unit::Bytes, "1.50 KiB"),
            (0.453, Unit::Ratio, "45.3 %"),
            (999.0, Unit::None, "999"),
            (1_234.0, Unit::Other("tokens"), "1.23k"),
            (f64::NAN, Unit::Seconds, "-"),
        ];
        for (number, unit, expected) in cases {
            assert_eq!(value(number, unit), expected);
        }
    }

    #[test]
    fn numbers_keep_six_digits() {
        let cases =
            [(5.0, "5"), (0.0125, "0.0125"), (12.345_678_9, "12.3457"), (1e-9, "1.00000e-9"), (0.1 + 0.2, "0.3")];
        for (value, expected) in cases {
            assert_eq!(number(value), expected);
        }
        assert_eq!(number(f64::NAN), "NaN");
        assert_eq!(number(123_456_789.5), "123456790");
    }

    #[test]
    fn what_would_move_the_cursor_is_escaped() {
        assert_eq!(printable("a\x1b[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(labels([("path", "a\"b\x07"), ("none", "")]), "{path=\"a\\\"b\\u{7}\"}");
    }

    #[test]
    fn any_moment_of_a_file_has_a_text() {
        let year_9999 = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
        assert_eq!(moment(year_9999), "9999-12-31T23:59:59.000Z");
        assert_eq!(ago(year_9999, SystemTime::UNIX_EPOCH), "in the future");
    }

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [vec!["a".to_owned(), "10".to_owned()], vec!["bcd".to_owned(), "7".to_owned()]];
        assert_eq!(table(&["X", "N"], &rows, |column| column == 0), "X     N\na    10\nbcd   7\n");
    }
}
