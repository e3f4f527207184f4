//! OpenMetrics 2.0 of any registry, for the targets `openmetrics` and `text`.

use super::shown::{check_all, check_native, families, is_it, same};
use crate::om2_reader::{self, Value as Found};
use std::collections::BTreeSet;
use tach::{Escaping, Snapshot, Value};

/// Holds the page against the snapshot.
///
/// # Panics
///
/// They differ, or the page breaks a rule.
pub(super) fn check(snapshot: &Snapshot, observed: &BTreeSet<String>, escaping: Escaping) {
    let page = tach::openmetrics_2::render_with(snapshot, escaping);
    let read = om2_reader::read(&page).unwrap_or_else(|rule| panic!("{rule}\n{page}"));
    let expected = families(snapshot);
    assert_eq!(read.len(), expected.len(), "{page}");
    for (found, family) in read.iter().zip(&expected) {
        let metadata = (&found.name, &*found.kind, &*found.unit, &*found.help);
        assert_eq!(metadata, (&family.written(escaping), family.kind, family.unit, family.help));
        assert_eq!(found.series.len(), family.series.len());
        for (found, series) in found.series.iter().zip(&family.series) {
            assert_eq!(found.labels, series.labels(escaping));
            assert_eq!(found.start.is_some(), family.has_start(observed).unwrap_or(found.start.is_some()));
            let number = match (series.value, &found.value) {
                (Value::Histogram(histogram), Found::Histogram(found_)) => {
                    assert_eq!((found_.count, found_.sum), (histogram.count(), histogram.sum()));
                    assert!(histogram.buckets().eq(found_.classic.iter().copied()), "{found_:?}");
                    let native = found_.native.iter().map(|(index, count)| (*index, *count));
                    check_native(histogram, Some(found_.schema), found_.zeros, native);
                    check_all(histogram, &found.exemplars);
                    continue;
                }
                (Value::Counter(total), _) => total as f64,
                (Value::UpDownCounter(value), _) => value as f64,
                (Value::FloatCounter(value) | Value::Gauge(value), _) => value,
                (value, found) => panic!("{value:?} is {found:?}"),
            };
            assert!(matches!(found.value, Found::Number(value) if same(value, number)), "{found:?} is {number}");
            let exemplar = series.exemplar.as_slice();
            assert_eq!(found.exemplars.len(), exemplar.len());
            assert!(found.exemplars.iter().zip(exemplar).all(|(found, exemplar)| is_it(found, exemplar)));
        }
    }
}
