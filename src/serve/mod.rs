//! The vocabulary of inference servers: what to measure, when, and under which name.
//!
//! ```
//! use tach::serve::{BatchType, Finish, METRICS, RequestTimer, Settings, StepStats, StepTimer, Turn, start};
//!
//! let settings = Settings::from_env()?;
//! # let settings = { let mut settings = settings; settings.port = 0; settings };
//! let serving = start(&settings)?; // collector, exporter, METRICS
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
mod late;
mod metrics;
mod process;
mod profile;
mod push;
mod settings;
mod shown;
mod start;
mod timer;

pub use catalogue::{
    BatchType, CacheTier, ChatEncoder, Component, Finish, Grammar, Instrument, Kind, KvFetchStage, Ladder, LoadPhase,
    MediaKind, MediaRejection, MediaSource, Objective, Origin, Refusal, ResponseError, ResponseFormat, SleepOperation,
    SleepState, StoreOutcome, ToolCallError, ToolChoice, Turn, WeightOperation, catalogue,
};
pub use info::CacheConfig;
pub use late::{Measurement, MetricClient};
pub use metrics::{METRICS, Metrics};
pub use profile::{Identity, Profile, Profiles};
pub use settings::{Settings, Variable};
pub use start::{Serving, start};
pub use timer::{Clock, ManualClock, Objectives, RequestTimer, Stamp, Step, StepStats, StepTimer};
