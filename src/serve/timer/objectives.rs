//! What a request must keep to be good.

use super::super::catalogue::{ByObjective, Instruments, Objective};
use std::time::Duration;

/// Service level objectives: a request that ends well and keeps all of them is good, and goodput is the rate of such
/// requests.
///
/// Without any nothing is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Objectives {
    /// The longest time to the first token. A request without tokens keeps it.
    pub ttft: Option<Duration>,
    /// The longest mean time per output token after the first. A request of one token keeps it.
    pub tpot: Option<Duration>,
    /// The longest time from arrival to the last token; of a request without tokens, to its end.
    pub e2e: Option<Duration>,
}

impl Objectives {
    /// Judges a request that ended well; all times in nanoseconds. Without a token there is no time to the first.
    pub(super) fn judge(&self, instruments: &Instruments, ttft: Option<u64>, tpot: u64, e2e: u64) {
        let all = [
            (Objective::Ttft, self.ttft, ttft.unwrap_or(0)),
            (Objective::Tpot, self.tpot, tpot),
            (Objective::E2e, self.e2e, e2e),
        ];
        if all.iter().all(|(_, limit, _)| limit.is_none()) {
            return;
        }
        let mut good = true;
        for (objective, limit, took) in all {
            if limit.is_some_and(|limit| u128::from(took) > limit.as_nanos()) {
                good = false;
                instruments.more.requests_missed.with(ByObjective { objective }).inc();
            }
        }
        if good {
            instruments.more.requests_good.inc();
        }
    }
}
