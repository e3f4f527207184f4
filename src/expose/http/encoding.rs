//! Whether a client takes gzip: the value of `Accept-Encoding` (RFC 9110, section 12.5.3).

/// Whether gzip is offered, and not less liked than no coding at all. `lines` are the header's values.
///
/// A clause that cannot be read offers nothing: to send what was not asked for is the worse mistake.
pub(super) fn gzip_accepted<'a>(lines: impl Iterator<Item = &'a str>) -> bool {
    let (mut gzip, mut identity, mut any) = (None, None, None);
    for clause in lines.flat_map(|line| line.split(',')) {
        let mut parts = clause.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let Some(weight) = weight(parts) else { continue };
        let slot = if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
            &mut gzip
        } else if coding.eq_ignore_ascii_case("identity") {
            &mut identity
        } else if coding == "*" {
            &mut any
        } else {
            continue;
        };
        // Named twice, the more reluctant one counts.
        *slot = Some(slot.map_or(weight, |earlier: u16| earlier.min(weight)));
    }
    let gzip = gzip.or(any).unwrap_or(0);
    gzip > 0 && gzip >= identity.unwrap_or(0)
}

/// The `q` among a clause's parameters, in thousandths; 1000 when there is none, `None` when it cannot be read.
pub(super) fn weight<'a>(mut parameters: impl Iterator<Item = &'a str>) -> Option<u16> {
    let q = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim_end().eq_ignore_ascii_case("q").then(|| value.trim_start())
    });
    let Some(q) = q else { return Some(1000) };
    let (whole, fraction) = q.split_once('.').unwrap_or((q, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = fraction.bytes().chain(*b"000").take(3).fold(0, |sum, byte| sum * 10 + u16::from(byte - b'0'));
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::gzip_accepted;

    #[test]
    fn gzip_is_taken_only_when_offered() {
        let yes = [
            "gzip",
            "GZip",
            "x-gzip",
            "deflate, gzip;q=1.0, *;q=0.5",
            "gzip;q=0.001",
            "gzip ; Q = 0.5",
            "*",
            "identity;q=0, *",
            "gzip, identity",
            "br,,gzip",
            "gzip;q=1.000",
            "identity;q=0.5, gzip;q=0.5",
        ];
        let no = [
            "",
            "identity",
            "gzip;q=0",
            "gzip;q=0.000",
            "gzip;q=0, *",
            "*;q=0",
            "deflate, br",
            "gzipped",
            "gzip;q=",
            "gzip;q=2",
            "gzip;q=-1",
            "gzip;q=0.5555",
            "gzip;q=1.5",
            "gzip;q=NaN",
            "gzip, gzip;q=0",
            "identity;q=0.9, gzip;q=0.1",
            ";q=1",
            "gzip=1",
        ];
        for value in yes {
            assert!(gzip_accepted([value].into_iter()), "{value}");
        }
        for value in no {
            assert!(!gzip_accepted([value].into_iter()), "{value}");
        }
        assert!(gzip_accepted(["br", "gzip"].into_iter()));
        assert!(!gzip_accepted([].into_iter()));
    }
}
