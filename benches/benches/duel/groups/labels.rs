//! Finding a series by two strings, then incrementing it.

use crate::contenders as of;
use crate::groups::Group;

pub(crate) fn group() -> Group {
    let contenders = [
        of::tach::labels::labels(),
        of::prometheus::labels(),
        of::prometheus_client::labels(),
        of::fastmetrics::labels(),
        of::measured::labels(),
        of::fast_telemetry::labels(),
        of::metrics::labels(),
        of::opentelemetry::labels(),
    ];
    Group::new("labels", of::floor::plain_add_label(), contenders.into_iter().flatten().collect())
}
