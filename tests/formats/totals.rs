//! Numbers that no format may show.

use crate::{om_reader, pb_reader};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tach::{Registry, openmetrics, protobuf, text};

#[test]
fn totals_that_are_none_are_left_out() {
    let registry = Registry::new();
    let total = Arc::new(AtomicU64::new(0));
    let read = Arc::clone(&total);
    registry
        .float_counter("energy")
        .help("Used.")
        .observe(move || f64::from_bits(read.load(Ordering::Relaxed)))
        .unwrap();
    registry.gauge("level").observe(|| f64::NEG_INFINITY).unwrap();
    for (value, shown) in [
        (0.5, true),
        (f64::NAN, false),
        (f64::INFINITY, false),
        (-1.0, false),
        (f64::NEG_INFINITY, false),
        (0.0, true),
        (f64::MAX, true),
    ] {
        total.store(value.to_bits(), Ordering::Relaxed);
        let snapshot = registry.snapshot();
        for page in [text::render(&snapshot), openmetrics::render(&snapshot)] {
            // Neither a sample nor a line about it.
            assert_eq!(page.contains("energy"), shown, "{value}: {page}");
            assert!(page.contains("level -Inf\n"));
        }
        assert!(om_reader::read(&openmetrics::render(&snapshot)).is_ok());
        let families = pb_reader::read(&protobuf::render(&snapshot)).unwrap();
        let found = families.iter().find(|family| family.name == "energy_total");
        assert_eq!(found.map(|family| family.metrics[0].counter), shown.then_some(Some(value)));
    }
}

#[test]
fn a_sum_is_finite() {
    let registry = Registry::new();
    let histogram = registry.histogram("huge").tick(1e300).max(1e308).buckets([1e301]).build().unwrap();
    [1, 100_000_000, 100_000_000].iter().for_each(|ticks| histogram.record(*ticks));
    let snapshot = registry.snapshot();
    let page = openmetrics::render(&snapshot);
    assert!(page.contains("huge_sum 1.7976931348623157e+308\nhuge_count 3\n"), "{page}");
    assert!(om_reader::read(&page).is_ok());
    assert!(pb_reader::read(&protobuf::render(&snapshot)).is_ok());
}
