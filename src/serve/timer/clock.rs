//! Where timers read the time.

use std::sync::Arc;
use std::time::Duration;

/// A moment, in nanoseconds since an arbitrary one; of one process only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(u64);

impl Stamp {
    /// A moment by a clock of one's own: nanoseconds, never falling.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the arbitrary moment.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// The nanoseconds from `earlier` to this; zero if it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A monotonic clock: the processor's time-stamp counter where it is steady, which takes some 10 ns to read, and the
/// system's elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Clock(quanta::Clock);

impl Clock {
    /// The clock of this machine. The first one of a process is calibrated, which takes up to some 200 ms.
    #[must_use]
    pub fn new() -> Self {
        Self(quanta::Clock::new())
    }

    /// A clock that stands still until it is told otherwise, for tests.
    #[must_use]
    pub fn manual() -> (Self, ManualClock) {
        let (clock, hand) = quanta::Clock::mock();
        // Not zero, which is where a saturated difference could hide a mistake.
        hand.increment(Duration::from_secs(1_000));
        (Self(clock), ManualClock(hand))
    }

    /// Reads the clock.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Stamp {
        // The scaled reading has no accessor of its own.
        Stamp(self.0.delta_as_nanos(0, self.0.raw()))
    }
}

/// Moves the clock that was made with it.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<quanta::Mock>);

impl ManualClock {
    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        self.0.increment(by);
    }
}
