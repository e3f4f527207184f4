//! Name profiles: the same recordings under the names that other servers' dashboards ask for.

use super::catalogue::{Instrument, Origin};
use crate::Snapshot;

/// Whose names the recordings are exposed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// Those of MAX serve, `maxserve_...`, with tach's own besides.
    MaxServe,
    /// Those that MAX serve had once.
    MaxServeGone,
    /// vLLM's, `vllm:...`.
    Vllm,
    /// SGLang's, `sglang:...`.
    Sglang,
    /// Those of OpenTelemetry's conventions for generative AI, `gen_ai_...`.
    GenAi,
}

/// What the labels of profiles say of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The model's name.
    pub model: String,
    /// Which of the server's engines this is.
    pub engine: String,
}

impl Default for Identity {
    fn default() -> Self {
        Self { model: "unknown".to_owned(), engine: "0".to_owned() }
    }
}

/// Profiles, alone or together.
#[derive(Debug)]
pub struct Profiles {
    list: Vec<Profile>,
}

impl Profiles {
    /// These profiles, for this server.
    #[must_use]
    pub fn new(list: &[Profile], _identity: &Identity) -> Self {
        Self { list: list.to_vec() }
    }

    /// Whether any of them shows an instrument.
    pub(crate) fn show(&self, row: &Instrument) -> bool {
        match row.origin {
            Origin::MaxServe | Origin::Own => self.list.contains(&Profile::MaxServe),
            Origin::Needed => self.list.contains(&Profile::Sglang),
            Origin::Gone => self.list.contains(&Profile::MaxServeGone),
        }
    }

    /// The bounds that any of them has for an instrument, beyond those of its own ladder, in its own unit.
    pub(crate) fn bounds(&self, _row: &Instrument) -> Vec<f64> {
        Vec::new()
    }

    /// A snapshot of the registry that the instruments are in, as the profiles show it.
    #[must_use]
    pub fn apply(&self, snapshot: &Snapshot) -> Snapshot {
        snapshot.clone()
    }
}
