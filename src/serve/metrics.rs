//! The object that servers record to.

use super::catalogue::{Instruments, Maker};
use super::info::{self, Info};
use super::profile::Profiles;
use super::timer::{Clock, Objectives};
use crate::registry::RegistryId;
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
/// [`Duration`](std::time::Duration)s whatever the exposed unit is; values that are fractions are in the exposed unit.
/// Distributions do not record NaN and negative values; a gauge shows what it was set to, these too.
///
/// A [`RequestTimer`](super::RequestTimer) and a [`StepTimer`](super::StepTimer) record what they follow by themselves.
/// What they record must not be recorded by these methods too, or it counts twice, and gauges move by two minds:
///
/// - `RequestTimer`: `input_tokens`, `input_tokens_per_request`, `input_time`, `output_tokens`,
///   `output_tokens_per_request`, `output_time`, `ttft`, `itl`, `itl_per_token`, `time_per_output_token`,
///   `reqs_running`, `reqs_awaiting_admission`, `reqs_waiting`, `reqs_deferred`, `reqs_scheduled`, `preemption`,
///   `request_queue_time`, `request_prefill_time`, `request_decode_time`, `request_inference_time`, `request_latency`,
///   `requests_finished`, `requests_good`, `requests_missed`, `max_num_generation_tokens`.
/// - `StepTimer`: `output_tokens`, `itl`, `itl_per_token`, `batch_size`, `batch_execution_time`,
///   `batch_creation_time`, `batch_input_tokens`, `batch_context_tokens`, `batch_terminated_reqs`,
///   `batch_pending_reqs`, `batch_prompt_throughput`, `batch_generation_throughput`, `generation_throughput`,
///   `iteration_tokens`, `reqs_queued`; with `kv_blocks`: `cache_num_used_blocks`, `cache_num_total_blocks`,
///   `cache_used_kv_pct`, `kv_usage`.
#[derive(Debug)]
pub struct Metrics {
    // Loaded with Acquire and stored with Release (by the library): who sees the instruments sees them complete.
    live: AtomicCell<Option<Leaked>>,
}

/// Equal where it is the same one.
#[derive(Clone, Copy, Debug)]
struct Leaked(&'static Live);

impl PartialEq for Leaked {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Leaked {}

/// What a server's recordings go to.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) instruments: Instruments,
    pub(super) info: Info,
    pub(crate) clock: Clock,
    pub(crate) objectives: Objectives,
    registry: RegistryId,
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
        info::begin_awake(&instruments);
        Ok(Box::new(Self { instruments, info, clock, objectives, registry: registry.id() }))
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
    /// so that a handle to them is one pointer: some 1.2 MiB each time this is called with a new registry, whatever
    /// becomes of the registry. The process's addresses for metrics are used up after some 150 of these, and earlier where
    /// addresses are limited (`ulimit -v`). So it is for once in a process, or once for each of some tests.
    ///
    /// Attaching again to the same registry, with the same profiles, finds the instruments that are there, with their
    /// totals. The engine stays in the state that [`engine_state`](Self::engine_state) was last told, and what was told of
    /// the cache and of adapters stays beside what is told from then on.
    ///
    /// The names that the profiles expose are taken from then on: the registry refuses metrics of one's own that would
    /// have one.
    ///
    /// # Errors
    ///
    /// A metric of the registry has a name that an instrument or a profile exposes, or it is attached already with other
    /// profiles; the registry has a constant label that an instrument has too; there is no room for the cells. These
    /// metrics then record where they did before, and the instruments made until then stay in the registry: attach to a
    /// new one.
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
        self.live.store(Some(Leaked(Box::leak(live))));
    }

    /// Records nowhere from now on. Timers that run already go on as they began.
    pub fn detach(&self) {
        self.live.store(None);
    }

    /// As [`Metrics::detach`], where `registry` is the one that is recorded to.
    pub(super) fn detach_from(&self, registry: &Registry) {
        while let Some(leaked) = self.live.load().filter(|leaked| leaked.0.registry.is(registry)) {
            if self.live.compare_exchange(Some(leaked), None).is_ok() {
                return;
            }
        }
    }

    /// Whether there is a registry to record to.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.live.load().is_some()
    }

    #[inline]
    pub(crate) fn live(&self) -> Option<&'static Live> {
        self.live.load().map(|leaked| leaked.0)
    }

    /// As [`Metrics::live`], for what is recorded from `level` on: nothing where the program was built without that.
    #[inline]
    pub(crate) fn live_at(&self, level: Level) -> Option<&'static Live> {
        if level as u8 > STATIC_MAX_LEVEL as u8 { None } else { self.live() }
    }
}
