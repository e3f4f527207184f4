//! `tach::serve` as a server uses it: from settings to what a scrape shows.

#[path = "../exporter/client.rs"]
#[allow(dead_code, reason = "it is that of the exporter's tests")]
mod client;
#[cfg(feature = "otlp")]
mod consumers;
mod e2e;
mod late;
mod page;
#[cfg(feature = "otlp")]
mod push;
#[cfg(feature = "otlp")]
#[path = "../otlp/receiver.rs"]
#[allow(dead_code, reason = "it is that of the tests of pushing")]
mod receiver;
mod recording;
mod settings;
mod start;
mod told;
mod weaknesses;
mod windows;

#[cfg(feature = "otlp")]
#[path = "../formats/otlp_reader.rs"]
#[allow(dead_code, reason = "not every field matters here")]
mod otlp_reader;
#[cfg(feature = "otlp")]
#[path = "../formats/pb_reader.rs"]
#[allow(dead_code, reason = "only what the other reader needs of it")]
mod pb_reader;

/// What the readers give labels as.
#[cfg(feature = "otlp")]
mod model {
    pub(crate) type Labels = std::collections::BTreeMap<String, String>;
}

use std::sync::{Mutex, MutexGuard, PoisonError};
use tach::serve::{Serving, Settings};

/// METRICS is the process's: tests that start it take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Settings with any free port.
fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.port = 0;
    settings
}

fn start() -> Serving {
    tach::serve::start(&settings()).unwrap()
}
