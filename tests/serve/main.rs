//! `tach::serve` as a server uses it: from settings to what a scrape shows.

#[path = "../exporter/client.rs"]
#[allow(dead_code, reason = "it is that of the exporter's tests")]
mod client;
mod e2e;
mod late;
mod page;
mod recording;
mod settings;
mod start;
mod told;
mod weaknesses;

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
