//! Name profiles: the same recordings under the names that other servers' dashboards ask for.

mod genai;
mod rows;
mod sglang;
#[cfg(test)]
mod tests;
mod vllm;

use super::catalogue::{Instrument, Origin, catalogue};
use super::info;
use crate::bucket::Scale;
use crate::collect::view::{View, ViewFamily, ViewKind};
use crate::describe::Descriptor;
use crate::{Error, Registry, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

/// What the own names of the catalogue's metrics begin with.
pub(super) const PREFIX: &str = "maxserve.";

/// Whose names the recordings are exposed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// Those of MAX serve, `maxserve_...`, with tach's own besides.
    MaxServe,
    /// Those that MAX serve had once.
    MaxServeGone,
    /// vLLM's, `vllm:...` and `http_...`.
    Vllm,
    /// SGLang's, `sglang:...`.
    Sglang,
    /// Those of OpenTelemetry's conventions for generative AI, `gen_ai_...`.
    GenAi,
}

impl Profile {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::MaxServe, Self::MaxServeGone, Self::Vllm, Self::Sglang, Self::GenAi];

    /// As settings name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxServe => "maxserve",
            Self::MaxServeGone => "maxserve-gone",
            Self::Vllm => "vllm",
            Self::Sglang => "sglang",
            Self::GenAi => "genai",
        }
    }

    /// Whether it shows what has this origin, under its own name.
    fn has(self, origin: Origin) -> bool {
        match self {
            Self::MaxServe => matches!(origin, Origin::MaxServe | Origin::Own),
            Self::MaxServeGone => origin == Origin::Gone,
            Self::Vllm | Self::Sglang | Self::GenAi => false,
        }
    }

    fn families(self, identity: &Identity) -> Vec<ViewFamily> {
        match self {
            Self::MaxServe | Self::MaxServeGone => Vec::new(),
            Self::Vllm => vllm::families(identity),
            Self::Sglang => sglang::families(identity),
            Self::GenAi => genai::families(identity),
        }
    }

    /// The first of its own names whose series have a label of this name.
    pub(super) fn has_label(self, label: &str) -> Option<&'static str> {
        let families = self.families(&Identity::default());
        let has = |family: &&ViewFamily| {
            family.labels.contains(&label) || family.const_labels.iter().any(|(constant, _)| constant == label)
        };
        families.iter().find(has).map(|family| family.name)
    }
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
    /// `None`: what is shown has its own name.
    view: Option<View>,
    /// The recordings that the view is made of, without [`PREFIX`].
    sources: BTreeSet<&'static str>,
    /// The bounds that the view has for them, in their own unit.
    bounds: BTreeMap<&'static str, Vec<f64>>,
    /// The own names of recordings that only the view needs.
    hidden: BTreeSet<String>,
    /// What the view exposes: every name that a format gives it, and whose it is.
    exposed: Vec<(String, String)>,
}

impl Profiles {
    /// These profiles, for this server. What is listed twice counts once.
    ///
    /// # Errors
    ///
    /// None with the profiles that there are.
    pub fn new(list: &[Profile], identity: &Identity) -> Result<Self, Error> {
        let mut profiles = Self {
            list: Vec::new(),
            view: None,
            sources: BTreeSet::new(),
            bounds: BTreeMap::new(),
            hidden: BTreeSet::new(),
            exposed: Vec::new(),
        };
        let mut families = Vec::new();
        for profile in list {
            if !profiles.list.contains(profile) {
                profiles.list.push(*profile);
                let own = profile.families(identity);
                let names = own.iter().flat_map(ViewFamily::exposed_names);
                profiles.exposed.extend(names.map(|name| (name, format!("the profile {}", profile.name()))));
                families.extend(own);
            }
        }
        families.iter().for_each(|family| profiles.note(family));
        let rows = catalogue().filter(|row| !profiles.has(row.origin)).map(|row| row.name);
        let infos = info::NAMES.into_iter().filter(|_| !profiles.has(Origin::Own));
        // Of those that are not made the name is free for a metric of one's own.
        let made = rows.chain(infos).filter(|name| profiles.sources.contains(name));
        profiles.hidden = made.map(|name| format!("{PREFIX}{name}")).collect();
        profiles.view = if families.is_empty() { None } else { Some(View::new(families)?) };
        Ok(profiles)
    }

    /// What a family of the view needs.
    fn note(&mut self, family: &ViewFamily) {
        for source in &family.sources {
            let name = source.metric.strip_prefix(PREFIX).unwrap_or(source.metric);
            self.sources.insert(name);
            if family.kind == ViewKind::Histogram {
                let ladder = family.ladder.iter().flatten();
                let own = ladder.map(|&bound| Scale::shift(bound, -family.power));
                self.bounds.entry(name).or_default().extend(own);
            }
        }
    }

    fn has(&self, origin: Origin) -> bool {
        self.list.iter().any(|profile| profile.has(origin))
    }

    /// Whether any of them needs an instrument.
    pub(crate) fn show(&self, row: &Instrument) -> bool {
        self.has(row.origin) || self.sources.contains(row.name)
    }

    /// Whether any of them needs what is no row of the catalogue.
    pub(crate) fn show_info(&self, name: &str) -> bool {
        self.has(Origin::Own) || self.sources.contains(name)
    }

    /// The bounds that any of them has for an instrument, beyond those of its own ladder, in its own unit.
    pub(crate) fn bounds(&self, row: &Instrument) -> Vec<f64> {
        self.bounds.get(row.name).cloned().unwrap_or_default()
    }

    /// Keeps the names that they expose from metrics of one's own, which no page could show beside them.
    pub(super) fn reserve(&self, registry: &Registry) -> Result<(), Error> {
        registry.reserve(&self.exposed)
    }

    /// A snapshot of the registry that the instruments are in, as the profiles show it: metrics of one's own and the
    /// engine's stay.
    ///
    /// Snapshots may come in any order, and from several threads: what one shows of a series is of the same one in all
    /// others, for [`Snapshot::since`] and for requests of OTLP.
    ///
    /// Costs nothing to speak of where nothing has another name; else copying the values of what has.
    #[must_use]
    pub fn apply(&self, snapshot: &Snapshot) -> Snapshot {
        match &self.view {
            None => snapshot.clone(),
            Some(view) => snapshot.viewed(|name| !self.hidden.contains(name), view.apply(snapshot)),
        }
    }

    /// What the view makes histograms of that are made of these recordings: as these are exposed, and nothing else of them.
    pub(super) fn histograms_of(&self, names: &[&str]) -> Vec<Descriptor> {
        self.view.as_ref().map_or_else(Vec::new, |view| view.histograms_of(names))
    }

    /// What of the view does not fit a snapshot in which everything ought to be.
    #[cfg(test)]
    pub(crate) fn faults(&self, snapshot: &Snapshot) -> Vec<String> {
        self.view.as_ref().map_or_else(Vec::new, |view| view.faults(snapshot))
    }
}
