//! A family: series that differ in their label values.

use super::entry::Entry;
use super::metric::{Metric, Site};
use super::table::Table;
use crate::record::space::NoPlace;
use std::fmt;
use std::sync::Arc;

/// A set of series with the same name and `N` label names, each with its own label values.
///
/// Looking a label set up costs some 20 ns and takes no lock; hold on to the handle where you can, or see
/// [`TypedFamily`](crate::TypedFamily) for labels of a few values each. A handle, as [`Counter`](crate::Counter) is.
/// Made by [`MetricBuilder::labels`](crate::MetricBuilder::labels).
pub struct Family<M, const N: usize>(Arc<Table<M, [Box<str>; N]>>);

impl<M, const N: usize> Clone for Family<M, N> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M, const N: usize> fmt::Debug for Family<M, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").field("len", &self.0.len()).finish_non_exhaustive()
    }
}

impl<M: Metric, const N: usize> Family<M, N> {
    /// The family of `entry`.
    pub(super) fn new(entry: &Arc<Entry>, site: &Arc<Site>) -> Result<Self, NoPlace> {
        Ok(Self(Arc::new(Table::new(entry, site)?)))
    }

    /// The series with these label values, in the order of the label names; made now if it is new.
    ///
    /// Past the family's limit, past the registry's memory budget, with a value of more than 1024 bytes, or in a
    /// destructor of a thread-local after the map's own is gone, it is the series whose label values all are
    /// `tach_overflow`.
    #[inline]
    #[must_use]
    pub fn with(&self, values: [&str; N]) -> M {
        self.0.with(values)
    }

    /// Removes a series from the exposition; false when there is none with these values.
    ///
    /// A handle to it that is held elsewhere goes on working and harms no other series, but what it records is seen no
    /// more. The same values looked up again are a new series, from zero.
    pub fn remove(&self, values: [&str; N]) -> bool {
        self.0.remove(&values)
    }
}
