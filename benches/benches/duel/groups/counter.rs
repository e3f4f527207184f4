//! Counter increments, alone and with two threads on one counter.

use crate::contender::Contender;
use crate::contenders as of;
use crate::groups::Group;

pub(crate) fn group() -> Group {
    Group::new("counter", of::floor::plain_add(), contenders())
}

pub(crate) fn two_threads() -> Group {
    group().two_lanes("counter, two threads")
}

fn contenders() -> Vec<Contender> {
    [
        of::tach::scalar::counter(),
        vec![of::tach::labels::constant(), of::tach::labels::closed("tach counter by typed labels (dense), in turn")],
        of::floor::counter(),
        of::fast_telemetry::counter(),
        of::prometheus::counter(),
        of::prometheus_client::counter(),
        of::fastmetrics::counter(),
        of::measured::counter(),
        of::metriken::counter(),
        of::metrics::counter(),
        of::opentelemetry::counter(),
        of::channel::counter(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
