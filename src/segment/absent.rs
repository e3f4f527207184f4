//! Where there are no segments: on systems other than Linux, and in models. None is ever made.

use super::Settings;
use crate::sync::Arc;
use std::path::Path;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub(crate) number: u64,
}

pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// Nothing here minds a fork.
pub(crate) fn calm() {}

/// None is minded.
pub(crate) fn forks() -> u32 {
    0
}

/// Nothing to mind.
pub(crate) fn mind_forks(_: fn(), _: fn()) -> bool {
    true
}

/// The system's clock.
#[cfg(not(tach_loom))]
pub(crate) fn now_coarse() -> u64 {
    super::now()
}

#[derive(Debug)]
pub(crate) enum Segment {}

#[allow(dead_code, reason = "models use little of it")]
impl Segment {
    pub(crate) fn create(_: &Settings) -> Result<Arc<Self>, String> {
        Err("there are no segments on this system".to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        match *self {}
    }

    pub(crate) fn is_open(&self) -> bool {
        match *self {}
    }

    pub(crate) fn is_detached(&self) -> bool {
        match *self {}
    }

    pub(crate) fn reserve(&self, _: u64) -> Option<u64> {
        match *self {}
    }

    pub(crate) fn give_back(&self, _: u64, _: u64) {
        match *self {}
    }

    pub(crate) fn extent(&self, _: u64) -> Option<u64> {
        match *self {}
    }

    pub(crate) fn copy(&self, _: u64, _: u64, _: u64) -> bool {
        match *self {}
    }

    #[cfg(not(tach_loom))]
    pub(crate) fn publish(&self, _: &super::record::Record, _: u64) -> Option<At> {
        match *self {}
    }

    pub(crate) fn set_state(&self, _: At, _: u64) {
        match *self {}
    }

    pub(crate) fn count_fallback(&self) {
        match *self {}
    }

    pub(crate) fn fallbacks(&self) -> u64 {
        match *self {}
    }

    pub(crate) fn beat(&self) {
        match *self {}
    }

    pub(crate) fn beats(&self) -> u64 {
        match *self {}
    }

    pub(crate) fn close(&self) {
        match *self {}
    }
}
