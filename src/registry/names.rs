//! Which names are taken: no two metrics may have a sample name in common.

use super::{Registry, State};
use crate::describe::{Descriptor, Escaping};
use crate::error::{Error, ErrorKind};
use std::collections::BTreeMap;
use std::fmt;

/// Who has a name, by the own name of a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Metric(String),
    Windows(String),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metric(name) => write!(f, "the registered metric {name:?}"),
            Self::Windows(name) => write!(f, "the windows of {name:?}"),
        }
    }
}

impl Registry {
    /// Makes sure that no two metrics have a sample name in common in any format.
    pub(super) fn claim_names(&self, state: &mut State, desc: &Descriptor) -> Result<(), Error> {
        let names = desc.names_in(Escaping::telling(self.0.config.utf8));
        if let Some(windows) = state.windows.get(&desc.name) {
            let text = format!("metric {:?} is called as one of {windows}: choose another name", desc.name);
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        if desc.has_total_in_base() {
            let text = format!("{}: a counter's name gets the suffix _total once: leave it out", desc.name);
            return Err(Error::new(ErrorKind::Name, text));
        }
        for key in &names {
            let name = &key.1;
            let taken = |owner: &dyn fmt::Display| {
                let text = format!("metric {:?} would be exposed as {name}, which is a name of {owner}", desc.name);
                Err(Error::new(ErrorKind::Conflict, format!("{text}: choose another name")))
            };
            // These are all legal, as which only dots would change them.
            if let Some(owner) = state.reserved.get(name).filter(|_| key.0 != Escaping::Dots) {
                return taken(owner);
            }
            match state.exposed.get(key) {
                Some(Owner::Metric(owner)) => {
                    return Err(conflict(&desc.name, owner, &format!("both would be exposed as {name}")));
                }
                Some(owner) => return taken(owner),
                None => {}
            }
        }
        state.exposed.extend(names.into_iter().map(|name| (name, Owner::Metric(desc.name.clone()))));
        Ok(())
    }

    /// Keeps the names of what windows are exposed as, each description with the own name of whose windows these are,
    /// from everybody else. May be repeated.
    ///
    /// # Errors
    ///
    /// A metric, one of `foreign` or somebody else has one of the names. None is kept then.
    pub(crate) fn claim_windows(&self, made: &[(&str, Descriptor)], foreign: &[&Descriptor]) -> Result<(), Error> {
        let mut all = foreign.iter().copied().chain(made.iter().map(|(_, desc)| desc));
        let utf8 = self.0.config.utf8 || all.any(|desc| desc.utf8);
        let names_of = |desc: &Descriptor| desc.names_in(Escaping::telling(utf8));
        let others = foreign.iter().flat_map(|desc| names_of(desc).into_iter().map(|key| (key, &*desc.name)));
        let others: BTreeMap<_, &str> = others.collect();
        let mut state = self.0.state.lock();
        let (mut names, mut own) = (BTreeMap::new(), BTreeMap::new());
        for (of, desc) in made {
            let windows = Owner::Windows((*of).to_owned());
            let taken = |name: &str, owner: &dyn fmt::Display| {
                let text = format!(
                    "windows: those of {of:?} would be exposed as {name}, which is a name of {owner}: rename one of the \
                     two, or leave {of:?} out"
                );
                Err(Error::new(ErrorKind::Conflict, text))
            };
            if state.names.contains_key(&desc.name) {
                return taken(&desc.name, &Owner::Metric(desc.name.clone()));
            }
            for key in names_of(desc) {
                if let Some(owner) = state.reserved.get(&key.1).filter(|_| key.0 != Escaping::Dots) {
                    return taken(&key.1, owner);
                }
                let owner = state.exposed.get(&key).or_else(|| names.get(&key)).filter(|owner| **owner != windows);
                if let Some(owner) = owner {
                    return taken(&key.1, owner);
                }
                if let Some(owner) = others.get(&key) {
                    return taken(&key.1, &format!("{owner:?}, which another process records"));
                }
                names.insert(key, windows.clone());
            }
            own.insert(desc.name.clone(), windows);
        }
        state.exposed.extend(names);
        state.windows.extend(own);
        Ok(())
    }

    /// Keeps names, each with who has it, from the metrics that are registered from now on. May be repeated.
    ///
    /// # Errors
    ///
    /// A metric, or somebody else, has one of the names. None is reserved then.
    #[cfg(feature = "http")]
    pub(crate) fn reserve(&self, names: &[(String, String)]) -> Result<(), Error> {
        let mut state = self.0.state.lock();
        for (name, owner) in names {
            let there = state.exposed.get(&(Escaping::Underscores, name.clone())).map(Owner::to_string);
            let other = || state.reserved.get(name).filter(|there| *there != owner).cloned();
            if let Some(there) = there.or_else(other) {
                let text = format!("{owner} exposes {name}, and so does {there}: name that differently");
                return Err(Error::new(ErrorKind::Conflict, text));
            }
        }
        state.reserved.extend(names.iter().cloned());
        Ok(())
    }
}

/// The error of two descriptions under one name.
pub(super) fn conflict(here: &str, there: &str, difference: &str) -> Error {
    let text = format!(
        "metric {here:?} conflicts with the registered metric {there:?}: {difference}. Describe both the same to get one \
         metric, or choose another name"
    );
    Error::new(ErrorKind::Conflict, text)
}
