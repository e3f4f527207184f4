//! Requests, and the slots in which they run.

use anyhow::{Context, Result};
use tach::serve::{Finish, RequestTimer, Stamp};

use crate::stream::Stream;

/// Nanoseconds since an arbitrary moment, for the plain account.
pub(crate) type Nanos = u64;

/// A request, from its arrival to its end.
#[derive(Debug)]
pub(crate) struct Request {
    /// Counts up from 0; sets the sampling seed.
    pub(crate) id: u64,
    /// The prompt's tokens.
    pub(crate) prompt: Vec<u32>,
    /// Tokens generated, the one that ended it included.
    pub(crate) generated: Vec<u32>,
    /// Measures it: dropped with the request, it counts as aborted.
    pub(crate) timer: RequestTimer,
    /// The same moments once more.
    pub(crate) times: Times,
}

/// The moments of a request, for the plain account. Those that have not come are zero.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) arrived: Nanos,
    pub(crate) tokenized: Nanos,
    /// When it got a slot.
    pub(crate) scheduled: Nanos,
    pub(crate) first_token: Nanos,
    /// When the newest token was ready.
    pub(crate) last_token: Nanos,
}

impl Request {
    /// It got a token, its first or another.
    pub(crate) fn got(&mut self, token: u32, now: Stamp) {
        if self.generated.is_empty() {
            self.times.first_token = now.nanos();
        }
        self.times.last_token = now.nanos();
        self.generated.push(token);
    }
}

/// What the newest of `generated` tokens means for a request.
pub(crate) fn after(token_ends: bool, generated: usize, max_tokens: usize) -> Option<Finish> {
    if token_ends {
        Some(Finish::Stop)
    } else if generated >= max_tokens {
        Some(Finish::Length)
    } else {
        None
    }
}

/// One of the streams that run at the same time.
///
/// In a step a worker computes it, and then whichever worker comes last settles the step for all slots.
pub(crate) struct Slot {
    pub(crate) stream: Box<dyn Stream>,
    pub(crate) active: Option<Request>,
    /// Takes part in the step under way.
    pub(crate) scheduled: bool,
    /// What the step computed, until it is settled.
    pub(crate) token: Option<Result<u32>>,
}

impl Slot {
    pub(crate) fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream, active: None, scheduled: false, token: None }
    }

    /// Runs the model for one token: the prompt at first, the newest token afterwards.
    pub(crate) fn compute(&mut self, seed: u64) {
        let Some(request) = &self.active else { return };
        let token = match request.generated.last() {
            None => self.stream.prefill(&request.prompt, seed.wrapping_add(request.id)),
            Some(&last) => self.stream.decode(last),
        };
        self.token = Some(token.with_context(|| format!("request {} failed", request.id)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_token_outranks_the_limit() {
        for (ends, generated, limit, reason) in [
            (false, 1, 3, None),
            (false, 1, 1, Some(Finish::Length)),
            (false, 2, 3, None),
            (true, 2, 3, Some(Finish::Stop)),
            (false, 3, 3, Some(Finish::Length)),
            (true, 3, 3, Some(Finish::Stop)),
        ] {
            assert_eq!(after(ends, generated, limit), reason, "{generated} of {limit}");
        }
    }
}
