//! A family whose label sets are a type: found by index where the type has few values.

use super::entry::Entry;
use super::metric::{Metric, Site};
use super::table::{OVERFLOW, Table, VALUE_MAX};
use crate::describe::{Domain, Label, LabelSet, LabelValues, Open};
use crate::error::{Error, ErrorKind};
use crate::record::space::NoPlace;
use std::fmt;
use std::sync::Arc;

/// A set of series with the same name, one for each value of the [`LabelSet`] `L`.
///
/// Where `L` is closed (all of its fields are enums or `bool`), every series is there from the beginning, exposed at
/// zero, and found by index: `family.with(labels).inc()` costs little more than [`Counter::inc`](crate::Counter::inc)
/// on a handle that is held. Otherwise a series is made at its first use and found in a map, as those of a
/// [`Family`](crate::Family) are.
///
/// A handle, as [`Counter`](crate::Counter) is. Made by
/// [`MetricBuilder::label_set`](crate::MetricBuilder::label_set). A type with a lifetime stands here with `'static`, as
/// in `TypedFamily<Counter, Labels<'static>>`, whatever the label sets live for that it is asked for.
pub struct TypedFamily<M: Metric, L: LabelSet> {
    /// The series of a closed set, in the order of their numbers; of an open one none. Here and not behind the table's
    /// pointer, as each look-up reads it.
    closed: L::Array<M>,
    /// The series of an open set, and those for what finds no room.
    table: Arc<Table<M, L::Row<Box<str>>>>,
}

impl<M: Metric, L: LabelSet> Clone for TypedFamily<M, L> {
    fn clone(&self) -> Self {
        Self { closed: self.closed.clone(), table: Arc::clone(&self.table) }
    }
}

impl<M: Metric, L: LabelSet> fmt::Debug for TypedFamily<M, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.series().len() + self.table.len();
        f.debug_struct("TypedFamily").field("len", &len).finish_non_exhaustive()
    }
}

impl<M: Metric, L: LabelSet> TypedFamily<M, L> {
    /// The family of `entry`, with all series of a closed set.
    pub(super) fn new(entry: &Arc<Entry>, site: &Arc<Site>) -> Result<Self, NoPlace> {
        let table = Arc::new(Table::new(entry, site)?);
        let combinations = fixed::<L>();
        let mut closed = Vec::with_capacity(combinations);
        let mut roster = entry.roster.lock();
        for index in 0..combinations {
            // Not optional: like metrics without labels, these are few and declared before anything is recorded.
            let (metric, core) = M::build(&entry.desc, site, roster.records(), false)?;
            closed.push(metric);
            roster.insert(combination(L::LABELS, index), core);
        }
        drop(roster);
        let closed = Arc::<[M]>::from(closed).try_into();
        Ok(Self { closed: closed.unwrap_or_else(|_| unreachable!("`check_set` has tried it")), table })
    }

    #[inline(always)]
    fn series(&self) -> &[M] {
        self.closed.as_ref()
    }

    /// The series with these labels; made now if the set is open and the series new.
    ///
    /// For a closed set this is `&M`, found by an index; for an open one `M`, found as by
    /// [`Family::with`](crate::Family::with), which says too when it is the overflow series. Either way a recording can
    /// follow, and `with(..).clone()` is a handle to keep.
    #[inline(always)]
    #[must_use]
    pub fn with(&self, labels: L::At<'_>) -> <L::Domain as Domain>::Series<'_, M> {
        // Beyond the series only where an implementation by hand gives a number that is none.
        let closed = || self.series().get(labels.index()).unwrap_or_else(|| self.table.overflow());
        L::Domain::choose(closed, || labels.texts(|texts| self.table.with(texts)))
    }

    /// The series of a closed set with this number, as [`LabelSet::index`] gives it; `None` where there is none.
    #[cfg(feature = "serve")]
    pub(crate) fn at(&self, index: usize) -> Option<&M> {
        self.series().get(index)
    }
}

impl<M: Metric, L: LabelSet<Domain = Open>> TypedFamily<M, L> {
    /// Removes a series from the exposition, as [`Family::remove`](crate::Family::remove) does; false when there is none
    /// with these labels. The series of a closed set stay.
    pub fn remove(&self, labels: L::At<'_>) -> bool {
        labels.texts(|texts| self.table.remove(texts.as_ref()))
    }
}

/// How many series there are from the beginning: those of a closed set.
fn fixed<L: LabelSet>() -> usize {
    if L::Domain::IS_CLOSED { Label::combinations(L::LABELS) } else { 0 }
}

/// The label values of a closed set's combination `index`: its digits, the last label's the least significant.
fn combination(labels: &[Label], mut index: usize) -> LabelValues {
    let mut values = Vec::with_capacity(labels.len());
    for label in labels.iter().rev() {
        values.push(label.values[index % label.values.len()].into());
        index /= label.values.len();
    }
    values.reverse();
    values.into()
}

/// Checks what the derive has checked, for a label set implemented by hand; and that a closed one is not too large.
pub(super) fn check_set<L: LabelSet>(metric: &str, limit: usize) -> Result<(), Error> {
    let wrong = |text: String| Err(Error::new(ErrorKind::Name, format!("{metric}: {text}")));
    for Label { name, values } in L::LABELS.iter().filter(|_| L::Domain::IS_CLOSED) {
        if values.is_empty() {
            return wrong(format!("label {name:?} of a closed set has no values: add one, or make the set open"));
        }
        for (index, value) in values.iter().enumerate() {
            if *value == OVERFLOW {
                return wrong(format!("label {name:?} has the value {OVERFLOW:?}, which is reserved: choose another"));
            }
            if value.len() > VALUE_MAX {
                let length = value.len();
                return wrong(format!("a value of label {name:?} has {length} bytes: shorten it to {VALUE_MAX}"));
            }
            if values[..index].contains(value) {
                return wrong(format!("label {name:?} has the value {value:?} twice: remove one of them"));
            }
        }
    }
    let combinations = fixed::<L>();
    if combinations <= limit {
        // Nothing is allocated for elements of no size.
        return match L::Array::try_from(Arc::from(vec![(); combinations])) {
            Ok(_) => Ok(()),
            Err(_) => wrong(format!("its label set's Array has another length than its {combinations} series")),
        };
    }
    let parts: Vec<_> = L::LABELS.iter().map(|label| format!("{} {}", label.values.len(), label.name)).collect();
    let text = format!(
        "{metric}: {combinations} series ({}), where the limit is {limit}: drop a label or some of its values, make one a \
         string, so that a series is made at its first use, or raise the limit by limit({combinations})",
        parts.join(" × ")
    );
    Err(Error::new(ErrorKind::Setting, text))
}
