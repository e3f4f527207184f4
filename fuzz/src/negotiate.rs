//! Target `negotiate`: whatever a client says it accepts, it gets one of the formats that there are, and one that it
//! named where it named any, or that a `*` stands for.

use tach::http::{Offer, negotiate};

/// What clients that name nothing get.
const TEXT: &str = tach::text::CONTENT_TYPE;
/// What any other answer begins with, and what the client must have named for it.
const OTHERS: [(&str, &str); 4] = [
    ("text/plain; version=1.0.0; charset=utf-8; escaping=", "text/plain"),
    ("application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=", "application/openmetrics-text"),
    (
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=",
        "application/vnd.google.protobuf",
    ),
    ("application/openmetrics-text; version=2.0.0; charset=utf-8; escaping=", "application/openmetrics-text"),
];
const ESCAPINGS: [&str; 4] = ["underscores", "dots", "values", "allow-utf-8"];

fn answer(accept: &str) -> String {
    negotiate(accept, Offer::new().openmetrics_2(true)).content_type()
}

/// Negotiates with a client that sends `data` as its `Accept`.
///
/// # Panics
///
/// An expectation failed.
pub fn run(data: &[u8]) {
    let accept = String::from_utf8_lossy(data);
    let found = answer(&accept);
    let lower = accept.to_ascii_lowercase();
    if found != TEXT {
        let (escaping, named) = OTHERS
            .iter()
            .find_map(|(begin, named)| Some((found.strip_prefix(begin)?, named)))
            .unwrap_or_else(|| panic!("{accept:?} gets {found}"));
        // By a `*` whoever does not want text gets something else.
        let is_other = lower.contains("*/*") && lower.contains("text/");
        assert!(lower.contains(named) || is_other, "{accept:?} gets {found}");
        assert!(ESCAPINGS.contains(&escaping), "{accept:?} gets {found}");
        assert!(escaping == "underscores" || accept.contains(escaping), "{accept:?} gets {found}");
    }
    // Who is not offered version 2 is answered as by those who do not know of it, and who is has to have named it.
    let found_2 = found.contains("version=2.0.0");
    assert!(!found_2 || accept.contains("2.0.0"), "{accept:?} gets {found}");
    let old = negotiate(&accept, Offer::new()).content_type();
    assert!(if found_2 { !old.contains("version=2.0.0") } else { old == found }, "{accept:?} gets {found} and {old}");
    // It is what one of the clauses gets by itself.
    let alone = accept.split(',').any(|clause| answer(clause) == found);
    assert!(alone || found == TEXT || accept.contains("*/*"), "{accept:?} gets {found}, none of its clauses does");
    // What is wanted most, and first, wins; what is not wanted at all, or not understood, changes nothing.
    for (first, begin) in [("application/openmetrics-text", OTHERS[1].0), ("text/plain;version=0.0.4;q=1.0", TEXT)] {
        let found = answer(&format!("{first},{accept}"));
        assert!(found.starts_with(begin), "{first:?} before {accept:?} gets {found}");
    }
    for more in ["application/openmetrics-text;q=0", "text/plain;q=0.0", "text/html", "*/*;q=one", ""] {
        // What is not wanted is not what a `*` stands for.
        if accept.contains('*') && more.contains("q=0") {
            continue;
        }
        assert_eq!(answer(&format!("{accept},{more}")), found, "{accept:?} and {more:?}");
    }
}
