//! Which names are taken: no two metrics may have a sample name in common.

use super::{Registry, State};
use crate::describe::{Descriptor, Escaping};
use crate::error::{Error, ErrorKind};

impl Registry {
    /// Makes sure that no two metrics have a sample name in common in any format.
    pub(super) fn claim_names(&self, state: &mut State, desc: &Descriptor) -> Result<(), Error> {
        let names = desc.names_in(Escaping::telling(self.0.config.utf8));
        if desc.has_total_in_base() {
            let text = format!("{}: a counter's name gets the suffix _total once: leave it out", desc.name);
            return Err(Error::new(ErrorKind::Name, text));
        }
        for key in &names {
            let name = &key.1;
            // These are all legal, as which only dots would change them.
            if let Some(owner) = state.reserved.get(name).filter(|_| key.0 != Escaping::Dots) {
                let text = format!("metric {:?} would be exposed as {name}, which is a name of {owner}", desc.name);
                return Err(Error::new(ErrorKind::Conflict, format!("{text}: choose another name")));
            }
            if let Some(owner) = state.exposed.get(key) {
                return Err(conflict(&desc.name, owner, &format!("both would be exposed as {name}")));
            }
        }
        state.exposed.extend(names.into_iter().map(|name| (name, desc.name.clone())));
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
