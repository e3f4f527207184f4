//! The object that servers record to.

use super::catalogue::{BySleepState, Instruments, Maker, SleepState};
use super::info::Info;
use super::profile::Profiles;
use super::timer::{Clock, Objectives};
use crate::{Error, Level, Registry, STATIC_MAX_LEVEL};
use crossbeam_utils::atomic::AtomicCell;

/// The metrics of the process's server.
///
/// ```
/// use std::time::Duration;
/// use tach::serve::{BatchType, METRICS};
///
/// // Nothing happens before `serve::start`, and nothing has to be checked.
/// METRICS.ttft(Duration::from_millis(180));
/// METRICS.batch_size(32, BatchType::Decode);
/// METRICS.request_count(200, "/v1/chat/completions");
/// ```
pub static METRICS: Metrics = Metrics::new();

/// A method for each instrument of the [catalogue](super::catalogue()): the value, then the labels.
///
/// Without a registry every method does nothing, at the cost of a load and a predicted branch; with one, it costs what
/// recording to a held handle costs, and a load. Labels of closed sets are enums and are looked up by index. Labels of
/// open ones (a path, a model) are looked up in a map, and past 500 values go to the series `tach_overflow`. Times are
/// [`Duration`](std::time::Duration)s whatever the exposed unit is; values that are fractions are in the exposed unit,
/// and NaN and negative ones are not recorded.
#[derive(Debug)]
pub struct Metrics {
    // Loaded with Acquire and stored with Release (by the library): who sees the instruments sees them complete.
    live: AtomicCell<Option<&'static Live>>,
}

/// What a server's recordings go to.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) instruments: Instruments,
    pub(super) info: Info,
    pub(crate) clock: Clock,
    pub(crate) objectives: Objectives,
}

impl Live {
    /// Makes the instruments.
    pub(crate) fn new(
        registry: &Registry,
        profiles: &Profiles,
        objectives: Objectives,
        clock: Clock,
    ) -> Result<Box<Self>, Error> {
        profiles.reserve(registry)?;
        let instruments = Instruments::new(&Maker::new(registry, profiles)?)?;
        let info = Info::new(registry, profiles)?;
        // Who makes instruments is awake.
        instruments.more.engine_sleep_state.with(BySleepState { sleep_state: SleepState::Awake }).set(1.0);
        Ok(Box::new(Self { instruments, info, clock, objectives }))
    }
}

impl std::ops::Deref for Live {
    type Target = Instruments;

    fn deref(&self) -> &Instruments {
        &self.instruments
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// An object that records nowhere yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { live: AtomicCell::new(None) }
    }

    /// Records to `registry` from now on: makes the instruments that `profiles` show.
    ///
    /// [`start`](super::start) does this for [`METRICS`]. The instruments are kept for as long as the process lives,
    /// so that a handle to them is one pointer: some 100 KiB each time this is called.
    ///
    /// # Errors
    ///
    /// A metric of the registry has a name that an instrument exposes.
    pub fn attach(
        &self,
        registry: &Registry,
        profiles: &Profiles,
        objectives: Objectives,
        clock: Clock,
    ) -> Result<(), Error> {
        self.publish(Live::new(registry, profiles, objectives, clock)?);
        Ok(())
    }

    /// Records to these instruments from now on.
    pub(crate) fn publish(&self, live: Box<Live>) {
        self.live.store(Some(Box::leak(live)));
    }

    /// Records nowhere from now on. Timers that run already go on as they began.
    pub fn detach(&self) {
        self.live.store(None);
    }

    /// Whether there is a registry to record to.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.live.load().is_some()
    }

    #[inline]
    pub(crate) fn live(&self) -> Option<&'static Live> {
        self.live.load()
    }

    /// As [`Metrics::live`], for what is recorded from `level` on: nothing where the program was built without that.
    #[inline]
    pub(crate) fn live_at(&self, level: Level) -> Option<&'static Live> {
        if level as u8 > STATIC_MAX_LEVEL as u8 { None } else { self.live.load() }
    }
}
