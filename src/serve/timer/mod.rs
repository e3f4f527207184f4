//! Timers that turn what happens to requests and batches into the measurements that the definitions ask for.

mod clock;
mod objectives;
mod request;
mod step;

pub use clock::{Clock, ManualClock, Stamp};
pub use objectives::Objectives;
pub use request::RequestTimer;
pub use step::{Step, StepStats, StepTimer};
