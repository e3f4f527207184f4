//! Setting a gauge.

use crate::contenders as of;
use crate::groups::Group;

pub(crate) fn group() -> Group {
    let contenders = [
        of::tach::scalar::gauge(),
        of::floor::gauge(),
        of::fast_telemetry::gauge(),
        of::prometheus::gauge(),
        of::prometheus_client::gauge(),
        of::fastmetrics::gauge(),
        of::measured::gauge(),
        of::metriken::gauge(),
        of::metrics::gauge(),
        of::opentelemetry::gauge(),
    ];
    Group::new("gauge", of::floor::plain_add(), contenders.into_iter().flatten().collect())
}
