//! Numbers as Prometheus prints them, and which of them are shown.

use super::buffer::{push_integer, push_str};
use crate::collect::{FamilySnapshot, Values};
use std::time::Duration;

/// Whether a counter may have this value. A total that is negative, infinite or no number would spoil whatever it is added
/// to, so no format shows it.
pub(super) fn is_total(value: f64) -> bool {
    value >= 0.0 && value.is_finite()
}

/// Whether a family has a series to show.
pub(super) fn has_series(family: &FamilySnapshot) -> bool {
    match &family.values {
        Values::FloatCounter(values) => values.iter().any(|value| is_total(*value)),
        _ => !family.labels.sets.is_empty(),
    }
}

/// Appends `value` as Go's `strconv` prints it with format 'g' and the shortest precision, which is what every
/// Prometheus tool prints: the fewest digits that read back as the same float, with an exponent below 1e-4 and from 1e6
/// on.
pub(super) fn push_float(out: &mut Vec<u8>, value: f64) {
    push(out, value, false);
}

/// As [`push_float`], with `.0` behind a whole number: how OpenMetrics prints `le`, and what series are told apart by.
pub(super) fn push_bound(out: &mut Vec<u8>, value: f64) {
    push(out, value, true);
}

/// Appends a time since 1970 in seconds, to the nanosecond, which no float could.
pub(super) fn push_time(out: &mut Vec<u8>, since: Duration) {
    push_integer(out, since.as_secs());
    let nanos = since.subsec_nanos();
    if nanos > 0 {
        let point = out.len();
        // The nine digits behind a one, of which the point takes the place.
        push_integer(out, 1_000_000_000 + u64::from(nanos));
        out[point] = b'.';
        trim_zeros(out);
    }
}

fn trim_zeros(out: &mut Vec<u8>) {
    while out.last() == Some(&b'0') {
        out.pop();
    }
}

fn push(out: &mut Vec<u8>, value: f64, point: bool) {
    if value.is_nan() {
        return push_str(out, "NaN");
    }
    if value.is_infinite() {
        return push_str(out, if value > 0.0 { "+Inf" } else { "-Inf" });
    }
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value);
    // Here zmij prints as Go does, but for whole numbers: `1234.5`, `0.001`, `1234.0`.
    if value == 0.0 || (1e-4..1e6).contains(&value.abs()) {
        push_str(out, if point { text } else { text.strip_suffix(".0").unwrap_or(text) });
    } else {
        push_scientific(out, text);
    }
}

/// Appends what zmij prints of a number that is beyond the ends: `1234500.0`, `0.000012`, `1e30` or `-1.5e-7`.
fn push_scientific(out: &mut Vec<u8>, text: &str) {
    let text = text.strip_prefix('-').inspect(|_| out.push(b'-')).unwrap_or(text);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i32 = exponent.parse().expect("zmij prints a number");
    // value = d.ddd · 10^power, of which the first d is not zero.
    let digits = || whole.bytes().chain(fraction.bytes());
    let leading = digits().take_while(|digit| *digit == b'0').count();
    let power = exponent + whole.len() as i32 - 1 - leading as i32;
    let mut digits = digits().skip(leading);
    out.extend(digits.next());
    out.push(b'.');
    out.extend(digits);
    trim_zeros(out);
    if out.last() == Some(&b'.') {
        out.pop();
    }
    push_str(out, if power < 0 { "e-" } else { "e+" });
    if power.abs() < 10 {
        out.push(b'0');
    }
    push_integer(out, power.unsigned_abs().into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expose::buffer::append_to;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut text = String::new();
        append_to(&mut text, write);
        text
    }

    fn float(value: f64) -> String {
        text(|out| push_float(out, value))
    }

    fn bound(value: f64) -> String {
        text(|out| push_bound(out, value))
    }

    #[test]
    fn floats_are_printed_as_go_prints_them() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (100_000.0, "100000"),
            (999_999.5, "999999.5"),
            (1e6, "1e+06"),
            (17_560_473.0, "1.7560473e+07"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (0.000_012_5, "1.25e-05"),
            (0.025, "0.025"),
            (1e100, "1e+100"),
            (1e300, "1e+300"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (123_456.789, "123456.789"),
            (120.0, "120"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (value, text) in cases {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn bounds_have_a_point() {
        let cases = [(1.0, "1.0"), (0.005, "0.005"), (2560.0, "2560.0"), (1e6, "1e+06"), (0.0, "0.0"), (10.0, "10.0")];
        for (value, text) in cases {
            assert_eq!(bound(value), text);
        }
    }

    #[test]
    fn times_are_exact() {
        for (seconds, nanos, shown) in [
            (0, 0, "0"),
            (1_700_000_000, 0, "1700000000"),
            (1_700_000_000, 500_000_000, "1700000000.5"),
            (1_700_000_000, 1, "1700000000.000000001"),
            (1, 120_345_670, "1.12034567"),
        ] {
            assert_eq!(text(|out| push_time(out, Duration::new(seconds, nanos))), shown);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_float_reads_back(bits in proptest::num::u64::ANY) {
            let value = f64::from_bits(bits);
            if value.is_finite() {
                proptest::prop_assert_eq!(float(value).parse::<f64>().unwrap().to_bits(), bits);
                proptest::prop_assert_eq!(bound(value).parse::<f64>().unwrap().to_bits(), bits);
            }
        }
    }
}
