//! Of a family some of whose totals are none the others are shown, and only they, in every format.

use super::{openmetrics, openmetrics_2, protobuf, text};
use crate::collect::{Snapshot, Values};
use crate::{Escaping, Registry};

const TOTALS: [(&str, f64); 7] = [
    ("1_left_out", f64::NAN),
    ("2_shown", 0.5),
    ("3_left_out", -1.0),
    ("4_left_out", f64::INFINITY),
    ("5_shown", 0.0),
    ("6_shown", f64::MAX),
    ("7_left_out", f64::NEG_INFINITY),
];

/// A family of float counters with these totals, which no recording could give them.
fn snapshot() -> Snapshot {
    let registry = Registry::new();
    let energy = registry.float_counter("energy").labels(["of"]).build().unwrap();
    TOTALS.iter().for_each(|(name, _)| energy.with([name]).add(1.0));
    let snapshot = registry.snapshot();
    let mut family = snapshot.family("energy").unwrap().clone();
    family.values = Values::FloatCounter(TOTALS.iter().map(|(_, total)| *total).collect());
    snapshot.viewed(|_| false, vec![family])
}

#[test]
fn of_several_totals_those_that_are_none_are_left_out() {
    let snapshot = snapshot();
    let lines = ["of=\"2_shown\"} 0.5", "of=\"5_shown\"} 0", "of=\"6_shown\"} 1.7976931348623157e+308"];
    let pages = [
        text::render(&snapshot),
        text::render_with(&snapshot, Escaping::AllowUtf8),
        openmetrics::render(&snapshot),
        openmetrics::render_with(&snapshot, openmetrics::Options::new().created(true)),
        openmetrics_2::render(&snapshot),
    ];
    for page in &pages {
        let samples: Vec<&str> = page.lines().filter(|line| line.starts_with("energy_total{")).collect();
        assert_eq!(samples.len(), lines.len(), "{page}");
        assert!(samples.iter().zip(lines).all(|(sample, line)| sample.contains(line)), "{page}");
        assert!(!page.contains("left_out"), "{page}");
    }
    // Nor when they began.
    assert_eq!(pages[3].matches("energy_created{").count(), lines.len());
    let is_in = |bytes: &[u8], name: &str| bytes.windows(name.len()).any(|part| part == name.as_bytes());
    for bytes in [
        protobuf::render(&snapshot),
        #[cfg(feature = "otlp")]
        super::otlp::Encoder::new(super::otlp::Resource::new()).encode(&snapshot),
    ] {
        for (name, _) in TOTALS {
            assert_eq!(is_in(&bytes, name), name.ends_with("shown"), "{name}");
        }
    }
}
