//! Numbers as Prometheus prints them, and which of them are shown.

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
pub(super) fn push_float(out: &mut String, value: f64) {
    push(out, value, false);
}

/// As [`push_float`], with `.0` behind a whole number: how OpenMetrics prints `le`, and what series are told apart by.
pub(super) fn push_bound(out: &mut String, value: f64) {
    push(out, value, true);
}

/// Appends a time since 1970 in seconds, to the nanosecond, which no float could.
pub(super) fn push_time(out: &mut String, since: Duration) {
    let mut buffer = itoa::Buffer::new();
    out.push_str(buffer.format(since.as_secs()));
    let nanos = since.subsec_nanos();
    if nanos > 0 {
        let digits = buffer.format(nanos);
        out.push('.');
        (digits.len()..9).for_each(|_| out.push('0'));
        out.push_str(digits.trim_end_matches('0'));
    }
}

fn push(out: &mut String, value: f64, point: bool) {
    if value.is_nan() {
        return out.push_str("NaN");
    }
    if value.is_infinite() {
        return out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    }
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    let (text, negative) = text.strip_prefix('-').map_or((text, false), |rest| (rest, true));
    if negative {
        out.push('-');
    }
    // ryu prints `1234.5`, `0.001`, `1e30` or `1.5e-7`: take the digits and the exponent out of it.
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = if fraction == "0" { "" } else { fraction };
    let exponent: i32 = exponent.parse().expect("ryu prints a number");
    let mut digits = [0_u8; 40];
    let mut len = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        digits[len] = byte;
        len += 1;
    }
    let leading = digits[..len].iter().take_while(|digit| **digit == b'0').count();
    let digits = std::str::from_utf8(&digits[leading..len]).expect("ASCII digits").trim_end_matches('0');
    if digits.is_empty() {
        return out.push_str(if point { "0.0" } else { "0" });
    }
    // value = d.ddd · 10^power
    let power = exponent + whole.len() as i32 - 1 - leading as i32;
    if !(-4..6).contains(&power) {
        push_scientific(out, digits, power);
    } else if power < 0 {
        out.push_str("0.");
        (1..-power).for_each(|_| out.push('0'));
        out.push_str(digits);
    } else {
        let split = power as usize + 1;
        if digits.len() > split {
            out.push_str(&digits[..split]);
            out.push('.');
            out.push_str(&digits[split..]);
        } else {
            out.push_str(digits);
            (digits.len()..split).for_each(|_| out.push('0'));
            if point {
                out.push_str(".0");
            }
        }
    }
}

fn push_scientific(out: &mut String, digits: &str, power: i32) {
    out.push_str(&digits[..1]);
    if digits.len() > 1 {
        out.push('.');
        out.push_str(&digits[1..]);
    }
    out.push_str(if power < 0 { "e-" } else { "e+" });
    let power = power.unsigned_abs();
    if power < 10 {
        out.push('0');
    }
    out.push_str(itoa::Buffer::new().format(power));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(value: f64) -> String {
        let mut out = String::new();
        push_float(&mut out, value);
        out
    }

    fn bound(value: f64) -> String {
        let mut out = String::new();
        push_bound(&mut out, value);
        out
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
        for (seconds, nanos, text) in [
            (0, 0, "0"),
            (1_700_000_000, 0, "1700000000"),
            (1_700_000_000, 500_000_000, "1700000000.5"),
            (1_700_000_000, 1, "1700000000.000000001"),
            (1, 120_345_670, "1.12034567"),
        ] {
            let mut out = String::new();
            push_time(&mut out, Duration::new(seconds, nanos));
            assert_eq!(out, text);
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
