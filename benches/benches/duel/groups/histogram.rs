//! Recording into a histogram: a table of latencies, one value over and over, and two threads on one histogram.

use crate::contender::Contender;
use crate::contenders as of;
use crate::groups::Group;
use crate::values::Values;

pub(crate) fn group() -> Group {
    Group::new("histogram", of::floor::plain_add_value(), contenders())
}

pub(crate) fn one_value() -> Group {
    Group { key: "histogram, one value", values: Values::constant(), ..group() }
}

pub(crate) fn two_threads() -> Group {
    group().two_lanes("histogram, two threads")
}

fn contenders() -> Vec<Contender> {
    [
        of::tach::histogram::histogram(),
        of::floor::histogram(),
        of::histogram::histogram(),
        of::metriken::histogram(),
        of::hdrhistogram::histogram(),
        of::fast_telemetry::histogram(),
        of::fastmetrics::histogram(),
        of::prometheus::histogram(),
        of::prometheus_client::histogram(),
        of::measured::histogram(),
        of::metrics::histogram(),
        of::opentelemetry::histogram(),
        of::channel::histogram(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
