//! OpenMetrics 2.0 of any registry, for the targets `openmetrics` and `text`.

use super::shown::{Page, answer, check_all, check_native, check_summary, is_it, same};
use crate::om2_reader::{self, Value as Found};
use tach::{Escaping, HistogramBuckets, Value};

/// Holds the text against the page.
///
/// # Panics
///
/// They differ, or the page breaks a rule.
pub(super) fn check(page: &Page<'_>, escaping: Escaping) {
    let text = answer(page, "application/openmetrics-text;version=2.0.0", escaping);
    let text = String::from_utf8(text).expect("UTF-8");
    if page.buckets == HistogramBuckets::Both {
        assert_eq!(tach::openmetrics_2::render_with(page.snapshot, escaping), text);
    }
    let read = om2_reader::read(&text).unwrap_or_else(|rule| panic!("{rule}\n{text}"));
    let expected = page.families();
    assert_eq!(read.len(), expected.len(), "{text}");
    for (found, family) in read.iter().zip(&expected) {
        let metadata = (&found.name, &*found.kind, &*found.unit, &*found.help);
        assert_eq!(metadata, (&family.written(escaping), family.kind, family.unit, family.help));
        assert_eq!(found.series.len(), family.series.len());
        for (found, series) in found.series.iter().zip(&family.series) {
            assert_eq!(found.labels, series.labels(escaping));
            assert_eq!(found.start.is_some(), family.has_start(page.observed).unwrap_or(found.start.is_some()));
            let number = match (series.value, &found.value) {
                (Value::Histogram(histogram), Found::Histogram(found_)) => {
                    assert_eq!((found_.count, found_.sum), (histogram.count(), histogram.sum()));
                    assert_eq!(found_.classic, page.classic(histogram).unwrap_or_default());
                    assert_eq!(found_.schema.is_some(), page.has_native());
                    if page.has_native() {
                        let native = found_.native.iter().map(|(index, count)| (*index, *count));
                        check_native(histogram, found_.schema, found_.zeros, native);
                    }
                    check_all(histogram, &found.exemplars);
                    continue;
                }
                (Value::Summary(summary), Found::Summary(count, sum, quantiles)) => {
                    check_summary(summary, *count, *sum, quantiles);
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
