//! Who records what a token is worth: tach in several ways, and others as they are used. Two updates per token: a
//! counter, and a histogram of the gap to the token before.

pub(crate) mod metrics;
pub(crate) mod nothing;
pub(crate) mod prometheus;
pub(crate) mod queue;
pub(crate) mod tach;

use crate::engine::{self, Observer, Settings, Start, StepFacts};
use crate::trace::Request;
use std::time::Duration;

/// vLLM's bounds of inter-token latency, and one below, in seconds: 20 buckets.
pub(crate) const BOUNDS: [f64; 20] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0];

/// Some 25 ns of other work per token: far less than what a server does for each.
const BUSY: u64 = 20;

/// One run of the engine under a contender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// CPU time of the engine's threads.
    pub(crate) cpu: Duration,
    pub(crate) tokens: u64,
    /// Tokens that the contender's counter grew by; `None` where it has none.
    pub(crate) counted: Option<u64>,
    /// CPU time spent for the recordings on other threads.
    pub(crate) elsewhere: Duration,
    /// The most measurements that waited to be taken.
    pub(crate) backlog: usize,
}

/// Runs the engine under a contender.
type Engine = dyn Fn(&[Request], &Settings) -> Run;

/// A contender.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) note: &'static str,
    /// The engine's other work per token, see [`Settings`].
    pub(crate) work: u64,
    pub(crate) run: Box<Engine>,
}

impl Contender {
    fn new(name: &'static str, note: &'static str, run: impl Fn(&[Request], &Settings) -> Run + 'static) -> Self {
        Self { name, note, work: 0, run: Box::new(run) }
    }

    /// The same in an engine that does something besides.
    fn busy(self, name: &'static str) -> Self {
        Self { name, work: BUSY, ..self }
    }
}

/// Runs the engine under an observer, and asks `counted` before and after it.
fn observed<O: Observer + Send>(
    trace: &[Request],
    settings: &Settings,
    observe: impl Fn() -> O + Sync,
    counted: impl Fn() -> Option<u64>,
) -> Run {
    let before = counted();
    let outcome = engine::run(trace, settings, Start::Afterwards, observe);
    Run {
        cpu: outcome.cpu,
        tokens: outcome.tally.tokens,
        counted: counted().zip(before).map(|(after, before)| after - before),
        elsewhere: Duration::ZERO,
        backlog: 0,
    }
}

/// What records one token by itself.
trait Record: Send {
    /// A request got its next token, so many nanoseconds after the one before; its first one has no such gap.
    fn token(&mut self, gap: Option<u64>);
}

/// Tells a recorder of each token. A request's ticket is when it got its last one, which is never 0.
struct EachToken<R>(R);

impl<R: Record> Observer for EachToken<R> {
    type Ticket = u64;

    fn arrived(&mut self, _: &Request) -> u64 {
        0
    }

    #[inline]
    fn step<'t>(&mut self, step: &StepFacts, tokens: impl Iterator<Item = (&'t mut u64, u64)>) {
        tokens.for_each(|(last, _)| {
            let before = std::mem::replace(last, step.now);
            self.0.token((before != 0).then(|| step.now - before));
        });
    }
}
