//! What a scrape shows of the registry, and a push tells: under the names of the profiles, with rolling windows where
//! they are wanted.

use super::profile::{PREFIX, Profiles};
use super::settings::Settings;
use crate::{Error, Registry, Snapshot, Windows};

/// The recordings that have windows, where a profile shows them: the latencies that servers are judged by.
const WINDOWED: [&str; 6] =
    ["time_to_first_token", "itl", "itl_per_token", "time_per_output_token", "request_queue_time", "request_latency"];

#[derive(Debug)]
pub(super) struct Shown {
    profiles: Profiles,
    windows: Option<Windowed>,
}

#[derive(Debug)]
struct Windowed {
    windows: Windows,
    /// For the differences, so that what a view keeps of the last snapshot stays that of the others.
    profiles: Profiles,
}

impl Shown {
    /// Without windows.
    pub(super) fn new(profiles: Profiles) -> Self {
        Self { profiles, windows: None }
    }

    /// With the windows that the settings want, of a registry in which the instruments are.
    pub(super) fn with_windows(self, settings: &Settings, registry: &Registry) -> Result<Self, Error> {
        let names: Vec<_> = WINDOWED.iter().map(|name| format!("{PREFIX}{name}")).collect();
        let names: Vec<_> =
            names.iter().map(String::as_str).filter(|name| registry.described_histogram(name).is_some()).collect();
        // A profile of what is gone has none of them.
        if settings.windows.is_empty() || names.is_empty() {
            return Ok(self);
        }
        let within = |error: Error| error.within("serve: TACH_WINDOWS");
        let mut windows = Windows::start(registry, &names, &settings.windows).map_err(within)?;
        if settings.window_summaries {
            windows = windows.summaries().map_err(within)?;
        }
        let profiles = Profiles::new(&settings.profiles, &settings.identity)?;
        let shown = profiles.histograms_of(&names);
        windows.claim(shown.iter()).map_err(within)?;
        Ok(Self { windows: Some(Windowed { windows, profiles }), ..self })
    }

    pub(super) fn windows(&self) -> Option<&Windows> {
        self.windows.as_ref().map(|windowed| &windowed.windows)
    }

    /// A snapshot of the registry as it is shown.
    pub(super) fn apply(&self, snapshot: &Snapshot) -> Snapshot {
        let shown = self.profiles.apply(snapshot);
        match &self.windows {
            None => shown,
            Some(Windowed { windows, profiles }) => {
                windows.show_as(snapshot, &shown, |difference| profiles.apply(difference))
            }
        }
    }
}
