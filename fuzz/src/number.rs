//! How Prometheus prints a float, told by string handling on what `{:e}` gives: an account independent of the engine's.

/// The only text that Prometheus tools print for `value`: Go's `strconv` format 'g' with the shortest precision.
///
/// With `point` as OpenMetrics prints `le`: a whole number has `.0` behind it.
#[must_use]
pub fn canonical(value: f64, point: bool) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let printed = format!("{:e}", value.abs());
    let (mantissa, exponent) = printed.split_once('e').expect("{:e} prints an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a number");
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if (-4..6).contains(&exponent) || value == 0.0 {
        // `{}` never uses an exponent, and prints the same shortest digits.
        let plain = format!("{}", value.abs());
        let tail = if point && !plain.contains('.') { ".0" } else { "" };
        return format!("{sign}{plain}{tail}");
    }
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{mantissa}e{exponent_sign}{:02}", exponent.abs())
}

/// Reads a sample's value: digits of a whole number, or the canonical text of a float.
///
/// # Errors
///
/// Any other spelling, also of a number that a scraper would read.
pub fn read(text: &str) -> Result<f64, String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let whole = !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    let value: f64 = match text {
        "NaN" => f64::NAN,
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        _ if text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.e".contains(&byte)) => {
            text.parse().map_err(|_| format!("{text:?} is no number"))?
        }
        _ => return Err(format!("{text:?} is no number")),
    };
    let wanted = canonical(value, false);
    if whole || is_spelt(text, &wanted) {
        Ok(value)
    } else {
        Err(format!("{text:?} is printed as {wanted:?} elsewhere"))
    }
}

/// Whether a text that reads as the same float as `wanted` is as good: where the float lies in the middle between two
/// shortest decimals, either may be printed.
fn is_spelt(text: &str, wanted: &str) -> bool {
    let mut differing = text.bytes().zip(wanted.bytes()).filter(|(here, there)| here != there);
    let digit = differing.next().is_none_or(|(here, _)| here.is_ascii_digit());
    text.len() == wanted.len() && digit && differing.next().is_none()
}

/// Reads the value of an `le` label.
///
/// # Errors
///
/// Any other spelling than that of OpenMetrics.
pub fn read_bound(text: &str) -> Result<f64, String> {
    let value = if text == "+Inf" { f64::INFINITY } else { text.parse().map_err(|_| format!("le={text:?}"))? };
    let wanted = canonical(value, true);
    if is_spelt(text, &wanted) && !value.is_nan() {
        Ok(value)
    } else {
        Err(format!("le={text:?} should be {wanted:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_spelt_as_go_spells_them() {
        let cases = [
            (0.0, "0", "0.0"),
            (-0.0, "-0", "-0.0"),
            (1.0, "1", "1.0"),
            (0.1, "0.1", "0.1"),
            (-2.5, "-2.5", "-2.5"),
            (100_000.0, "100000", "100000.0"),
            (1e6, "1e+06", "1e+06"),
            (17_560_473.0, "1.7560473e+07", "1.7560473e+07"),
            (0.0001, "0.0001", "0.0001"),
            (0.000_012_5, "1.25e-05", "1.25e-05"),
            (1e100, "1e+100", "1e+100"),
            (f64::INFINITY, "+Inf", "+Inf"),
        ];
        for (value, plain, bound) in cases {
            assert_eq!(canonical(value, false), plain);
            assert_eq!(canonical(value, true), bound);
            assert_eq!(read(plain), Ok(value));
            assert_eq!(read_bound(bound), Ok(value));
        }
        assert_eq!(canonical(f64::NAN, false), "NaN");
        assert!(read("NaN").unwrap().is_nan());
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in
            ["", "-", "01", "1.0", "+1", "1e6", "1e+6", "0x1p2", "nan", "inf", "Inf", "1_0", "1.50", ".5", "--1"]
        {
            assert!(read(text).is_err(), "{text:?}");
        }
        for text in ["1", "01.0", "+inf", "Inf", "NaN", "1e6", "0.50", ""] {
            assert!(read_bound(text).is_err(), "{text:?}");
        }
        // In the middle of two shortest decimals.
        assert_eq!(read("1.9018452923669792e+15"), read("1.9018452923669793e+15"));
        assert!(read("1.9018452923669791e+15").is_err());
        // Beyond what a float holds, a whole number is still printed digit by digit.
        assert_eq!(read("18446744073709551615"), Ok(18_446_744_073_709_551_615.0));
    }
}
