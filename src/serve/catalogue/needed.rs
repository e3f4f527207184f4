//! What only other servers' names need: made where a profile of theirs is chosen, as it costs something per token.

use super::rows::{handle, instruments, late, method, metric, series, start};

instruments! {
    /// What only other servers' names need.
    Needed in needed, Needed;

    itl_per_token: Time "itl_per_token" MILLIS LAT Basic,
        "Inter-token latency, by token: each gap between output events divided by the tokens of the later one, once for \
         each of these.";
}
