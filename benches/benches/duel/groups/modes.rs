//! What each recording mode costs, and a metric that is switched off.

use crate::contenders as of;
use crate::groups::Group;

pub(crate) fn counters() -> Group {
    Group::new("modes, counter", of::floor::plain_add(), of::tach::modes::counters())
}

pub(crate) fn gauges() -> Group {
    Group::new("modes, gauge", of::floor::plain_add(), of::tach::modes::gauges())
}

pub(crate) fn histograms() -> Group {
    Group::new("modes, histogram", of::floor::plain_add(), of::tach::modes::histograms())
}

pub(crate) fn exemplars() -> Group {
    Group::new("exemplars", of::floor::plain_add(), of::tach::modes::exemplars())
}
