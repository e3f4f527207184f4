//! Summaries of windows at hand-made times.

use super::tests::Hand;
use crate::{Registry, SummarySnapshot, Unit, Value};

#[test]
fn the_totals_of_a_summary_stay_when_its_window_is_empty() {
    let registry = Registry::new();
    let itl = registry.histogram("itl").unit(Unit::Seconds).tick(1.0).build().unwrap();
    itl.record_n(7, 3);
    let mut hand = Hand::new(&registry, &["itl"]);
    hand.windows.summaries = true;
    let mut last = (3, 21.0);
    for (seconds, recorded, (in_ten, in_sixty)) in
        [(20, 0, (0, 0)), (1, 4, (4, 4)), (30, 0, (0, 4)), (1, 2, (2, 6)), (100, 0, (0, 0)), (300, 0, (0, 0))]
    {
        hand.ticks(seconds);
        itl.record_n(5, recorded);
        let shown = hand.windows.show(&hand.snapshot());
        last = (last.0 + recorded, last.1 + 5.0 * recorded as f64);
        let mut windows = Vec::new();
        for series in shown.series().filter(|series| series.name() == "itl_window") {
            let Value::Summary(summary) = series.value() else { panic!("{series:?}") };
            assert_eq!((summary.count(), summary.sum()), last);
            let (_, window) = series.labels().next().unwrap();
            windows.push(window);
            assert_eq!(shown.summary("itl_window", &[("window", window)]).map(SummarySnapshot::count), Some(last.0));
            let count = shown.gauge("itl_window_values", &[("window", window)]).unwrap();
            match window {
                "10s" => assert_eq!(count, f64::from(in_ten)),
                "1m" => assert_eq!(count, f64::from(in_sixty)),
                _ => {}
            }
            let quantile = if count == 0.0 { f64::NAN } else { 5.0 };
            let same = |(_, value): (f64, f64)| value.to_bits() == quantile.to_bits() || value.is_nan() && count == 0.0;
            assert!(summary.quantiles().len() == 3 && summary.quantiles().all(same), "{window}: {summary:?}");
        }
        assert_eq!(windows, ["10s", "1m", "5m"]);
        let absent = [("itl_window", "2m"), ("itl", "10s"), ("itl_window_values", "10s"), ("nothing", "10s")];
        assert!(absent.iter().all(|(name, window)| shown.summary(name, &[("window", window)]).is_none()));
        assert!(
            shown.summary("itl_window", &[]).is_none() && shown.gauge("itl_window", &[("window", "10s")]).is_none()
        );
    }
}
