//! What a collection is to add from elsewhere, for as long as the registry is there: kept here, and known to the
//! collection only.

use super::Registry;
use crate::sync::Mutex;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// In the order in which they came.
#[derive(Default)]
pub(crate) struct Attached(Mutex<Vec<Arc<dyn Any + Send + Sync>>>);

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").finish_non_exhaustive()
    }
}

impl Attached {
    pub(crate) fn push(&self, source: Arc<dyn Any + Send + Sync>) {
        self.0.lock().push(source);
    }

    /// Those that are a `T`.
    pub(crate) fn all<T: Send + Sync + 'static>(&self) -> Vec<Arc<T>> {
        self.0.lock().iter().filter_map(|source| Arc::clone(source).downcast().ok()).collect()
    }
}

impl Registry {
    /// What collections add from elsewhere.
    pub(crate) fn attached(&self) -> &Attached {
        &self.0.attached
    }
}
