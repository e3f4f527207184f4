//! The vocabulary of inference servers: what to measure, when, and under which name.
//!
//! ```
//! use tach::serve::{BatchType, Finish, METRICS, RequestTimer, Settings, StepStats, StepTimer, Turn, start};
//!
//! # unsafe { std::env::set_var("TACH_METRICS_PORT", "0") };
//! let serving = start(&Settings::from_env()?)?; // collector, exporter, METRICS
//! METRICS.pipeline_load("smollm2");
//! let mut request = RequestTimer::arrived(&METRICS);
//! request.input(512, Turn::First);
//! request.scheduled();
//! let mut steps = StepTimer::new(&METRICS);
//! let mut step = steps.step(); // after the model's forward pass: reads the clock, once
//! step.token(&mut request);
//! step.end(&StepStats::new(BatchType::Decode, 1));
//! request.finished(Finish::Stop);
//! # Ok::<(), tach::Error>(())
//! ```

mod catalogue;
mod info;
mod metrics;
#[cfg_attr(not(test), allow(dead_code, reason = "for `start`"))]
mod process;
mod profile;
mod timer;

pub use catalogue::{
    BatchType, CacheTier, ChatEncoder, Component, Finish, Grammar, Instrument, Kind, Ladder, MediaKind, MediaRejection,
    MediaSource, Objective, Origin, Refusal, ResponseError, ResponseFormat, SleepState, ToolCallError, ToolChoice,
    Turn, catalogue,
};
pub use info::CacheConfig;
pub use metrics::{METRICS, Metrics};
pub use profile::{Identity, Profile, Profiles};
pub use timer::{Clock, ManualClock, Objectives, RequestTimer, Stamp, Step, StepStats, StepTimer};
