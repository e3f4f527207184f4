//! What is told by labels: a gauge whose one series is replaced when a label changes, and a state that is one of several
//! series.

use super::catalogue::{BySleepState, Instruments, SleepState};
use super::metrics::Metrics;
use super::profile::Profiles;
use crate::registry::VALUE_MAX;
use crate::sync::Mutex;
use crate::{Error, Family, Gauge, LabelValue, Registry};

const CACHE: &str = "cache_config_info";
const LORA: &str = "lora_requests_info";
const CACHE_LABELS: [&str; 5] =
    ["block_size", "cache_dtype", "enable_prefix_caching", "gpu_memory_utilization", "num_blocks"];
const LORA_LABELS: [&str; 3] = ["max_lora", "waiting_lora_adapters", "running_lora_adapters"];
/// The names, without `maxserve.`.
pub(super) const NAMES: [&str; 2] = [CACHE, LORA];

/// The name, without `maxserve.`, of what has a label of this name.
pub(super) fn has_label(label: &str) -> Option<&'static str> {
    let all = [(CACHE, &CACHE_LABELS[..]), (LORA, &LORA_LABELS)];
    all.into_iter().find(|(_, labels)| labels.contains(&label)).map(|(name, _)| name)
}

/// How the KV cache is set up.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheConfig<'a> {
    /// Tokens that a block holds.
    pub block_size: u64,
    /// Blocks in all.
    pub num_blocks: u64,
    /// The type of its elements, `bfloat16` say.
    pub cache_dtype: &'a str,
    /// Whether prefixes are kept for later requests.
    pub enable_prefix_caching: bool,
    /// The share of the device's memory that the server may use, 0 to 1.
    pub gpu_memory_utilization: f64,
}

/// What is told: of the first two, what a profile shows.
#[derive(Debug)]
pub(super) struct Info {
    cache: Option<Replaced<5>>,
    lora: Option<Replaced<3>>,
    /// Held while the engine's state is set.
    state: Mutex<()>,
}

impl Info {
    pub(super) fn new(registry: &Registry, profiles: &Profiles) -> Result<Self, Error> {
        let help = "The KV cache's configuration, as labels; the value is 1.";
        let cache = Replaced::new(registry, profiles, CACHE, help, CACHE_LABELS)?;
        let help = "LoRA adapters that requests run and wait with, as labels; the value is the time of the last change in \
                    Unix seconds.";
        let lora = Replaced::new(registry, profiles, LORA, help, LORA_LABELS)?;
        Ok(Self { cache, lora, state: Mutex::new(()) })
    }
}

/// A family of one series.
#[derive(Debug)]
struct Replaced<const N: usize> {
    family: Family<Gauge, N>,
    /// The label values of the series.
    last: Mutex<Option<[String; N]>>,
}

impl<const N: usize> Replaced<N> {
    /// `None` where no profile shows it.
    fn new(
        registry: &Registry,
        profiles: &Profiles,
        name: &str,
        help: &str,
        labels: [&str; N],
    ) -> Result<Option<Self>, Error> {
        if !profiles.show_info(name) {
            return Ok(None);
        }
        let family = registry.gauge(format!("maxserve.{name}")).help(help).labels(labels).build()?;
        Ok(Some(Self { family, last: Mutex::new(None) }))
    }

    fn set(&self, labels: [String; N], value: f64) {
        let mut last = self.last.lock();
        // The new one first: a collection in between finds both, and takes the later by its value, rather than none.
        self.family.with(labels.each_ref().map(String::as_str)).set(value);
        if let Some(old) = last.replace(labels)
            && last.as_ref() != Some(&old)
        {
            self.family.remove(old.each_ref().map(String::as_str));
        }
    }
}

/// The names with commas between, up to the last that fits into a label's value.
fn list(names: &[&str]) -> String {
    let mut list = String::new();
    for (place, name) in names.iter().enumerate() {
        let before = if place == 0 { "" } else { "," };
        if list.len() + before.len() + name.len() > VALUE_MAX {
            break;
        }
        list.extend([before, name]);
    }
    list
}

/// Makes an engine awake, unless the registry knows a state of it from before.
pub(super) fn begin_awake(instruments: &Instruments) {
    let states = &instruments.more.engine_sleep_state;
    if (0..SleepState::VALUES.len()).filter_map(|index| states.at(index)).all(|state| state.0.read() == 0.0) {
        states.with(BySleepState { sleep_state: SleepState::Awake }).set(1.0);
    }
}

impl Metrics {
    /// The state that the engine is in: 1 for this one, 0 for the others, which
    /// [`engine_sleep_state`](Self::engine_sleep_state) sets one by one. It is awake until told otherwise. For whenever
    /// it changes: waits for other threads that tell the same.
    pub fn engine_state(&self, state: SleepState) {
        let Some(live) = self.live() else { return };
        let _turn = live.info.state.lock();
        let states = &live.more.engine_sleep_state;
        // The new one first: a collection in between finds two rather than none.
        states.with(BySleepState { sleep_state: state }).set(1.0);
        let others = (0..SleepState::VALUES.len()).filter(|index| *index != state.index());
        others.filter_map(|index| states.at(index)).for_each(|other| other.set(0.0));
    }

    /// How the KV cache is set up; replaces what was told before. For once at the start: waits for other threads that
    /// tell the same, and allocates.
    pub fn cache_config_info(&self, config: &CacheConfig<'_>) {
        let Some(info) = self.live().and_then(|live| live.info.cache.as_ref()) else { return };
        let labels = [
            config.block_size.to_string(),
            config.cache_dtype.to_owned(),
            config.enable_prefix_caching.to_string(),
            config.gpu_memory_utilization.to_string(),
            config.num_blocks.to_string(),
        ];
        info.set(labels, 1.0);
    }

    /// The LoRA adapters that requests run and wait with, the most that can run at once, and the time in Unix seconds;
    /// replaces what was told before. For whenever an adapter comes or goes: waits for other threads that tell the same,
    /// and allocates.
    ///
    /// A label's value has at most 1024 bytes: of a longer list of names it has the first ones, as many as fit with their
    /// commas.
    pub fn lora_requests_info(&self, max_lora: u64, running: &[&str], waiting: &[&str], now: f64) {
        let Some(info) = self.live().and_then(|live| live.info.lora.as_ref()) else { return };
        info.set([max_lora.to_string(), list(waiting), list(running)], now);
    }
}
