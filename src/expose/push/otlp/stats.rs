//! What is counted of pushing, in the registry that is pushed.

use super::retry::Failure;
use crate::describe::Unit;
use crate::error::Error;
use crate::record::{counter::Counter, gauge::Gauge};
use crate::registry::{Family, Registry};
use crate::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

/// More reasons than there are words and statuses in practice.
const REASONS_MAX: usize = 64;

/// The metrics, which all exporters of a registry share, the last failure in words, and what the thread does.
#[derive(Debug)]
pub(super) struct Stats {
    exports: Counter,
    failures: Family<Counter, 1>,
    dropped: Counter,
    rejected: Counter,
    last_success: Gauge,
    last_failure: Mutex<Option<String>>,
    collecting: Mutex<bool>,
}

impl Stats {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let counter = |name: &str, help: &str| registry.counter(name).help(help).own();
        Ok(Self {
            exports: counter("tach_otlp_exports", "Pushes that the receiver took.").build()?,
            failures: counter("tach_otlp_failures", "Attempts to push that failed, by what was wrong or the status.")
                .labels(["reason"])
                .limit(REASONS_MAX)
                .build()?,
            dropped: counter(
                "tach_otlp_dropped",
                "Pushes given up or left out: the receiver refused them, or newer values came.",
            )
            .build()?,
            rejected: counter("tach_otlp_rejected_points", "Points that the receiver took a push without.").build()?,
            last_success: registry
                .gauge("tach_otlp_last_success_time")
                .unit(Unit::Seconds)
                .help("When the receiver last took a push, in Unix seconds; 0 before.")
                .own()
                .build()?,
            last_failure: Mutex::new(None),
            collecting: Mutex::new(false),
        })
    }

    pub(super) fn taken(&self, rejected: u64) {
        self.exports.inc();
        self.rejected.add(rejected);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        self.last_success.set(now.map_or(0.0, |since| since.as_secs_f64()));
    }

    pub(super) fn failed(&self, failure: Failure) {
        self.failures.with([&*failure.reason]).inc();
        self.say(failure.text);
    }

    pub(super) fn dropped(&self) {
        self.dropped.inc();
    }

    /// Keeps what there is to say, until there is something else.
    pub(super) fn say(&self, text: String) {
        *self.last_failure.lock() = Some(text);
    }

    /// Runs what collects, for which nobody can set a time.
    pub(super) fn collecting<T>(&self, collect: impl FnOnce() -> T) -> T {
        *self.collecting.lock() = true;
        let collected = collect();
        *self.collecting.lock() = false;
        collected
    }

    /// Whether that is under way.
    pub(super) fn is_collecting(&self) -> bool {
        *self.collecting.lock()
    }

    pub(super) fn said(&self) -> Option<String> {
        self.last_failure.lock().clone()
    }
}
