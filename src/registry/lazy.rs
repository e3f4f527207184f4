//! Metrics for statics: the global registry's, made at their first use.

use crate::error::Error;
use crate::record::counter::{self, Counter};
use crate::record::scalar::Mirror;
use crate::registry::{Registry, global};
use once_cell::sync::OnceCell;

/// A [`Counter`] of the [`global`] registry for a `static`, built at its first use.
///
/// Cheaper than a `LazyLock<Counter>`: what recording has to know lies in the static itself.
///
/// ```
/// static TOKENS: tach::LazyCounter = tach::LazyCounter::new(|registry| registry.counter("tokens").build());
/// TOKENS.inc();
/// assert_eq!(tach::global().snapshot().counter("tokens", &[]), Some(1));
/// ```
#[derive(Debug)]
pub struct LazyCounter {
    mirror: Mirror,
    counter: OnceCell<Result<Counter, Error>>,
    build: fn(&Registry) -> Result<Counter, Error>,
}

impl LazyCounter {
    /// A counter that `build` makes at its first use.
    #[must_use]
    pub const fn new(build: fn(&Registry) -> Result<Counter, Error>) -> Self {
        Self { mirror: Mirror::new(), counter: OnceCell::new(), build }
    }

    /// Adds one, as [`Counter::inc`] does. Where the counter cannot be built, does nothing: [`LazyCounter::get`] says
    /// why.
    #[inline]
    pub fn inc(&'static self) {
        self.add(1);
    }

    /// Adds `n`, as [`Counter::add`] does.
    #[inline]
    pub fn add(&'static self, n: u64) {
        if !counter::add_by(&self.mirror, n) {
            self.add_cold(n);
        }
    }

    #[cold]
    #[inline(never)]
    fn add_cold(&'static self, n: u64) {
        if let Ok(counter) = self.get() {
            counter.add(n);
        }
    }

    /// The counter, built now if it is not yet: from then on it is exposed, at zero. Worth a call where a program
    /// starts.
    ///
    /// # Errors
    ///
    /// As for [`MetricBuilder::build`](crate::MetricBuilder::build); each time the same.
    pub fn get(&'static self) -> Result<&'static Counter, &'static Error> {
        let made = self.counter.get_or_init(|| {
            let counter = (self.build)(global())?;
            counter.0.slot().mirror(&self.mirror);
            Ok(counter)
        });
        made.as_ref()
    }
}
