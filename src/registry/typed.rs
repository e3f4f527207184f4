//! A family whose label sets are a type: found by index where the type has few values.

use super::entry::Entry;
use super::metric::{Metric, Site};
use super::table::{OVERFLOW, Table, VALUE_MAX};
use crate::describe::{Label, LabelSet, LabelValues};
use crate::error::{Error, ErrorKind};
use crate::record::space::NoPlace;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
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
pub struct TypedFamily<M, L> {
    /// The series of a closed set, in the order of their numbers; of an open one none. Here and not behind the table's
    /// pointer, as each look-up reads it.
    closed: Arc<[M]>,
    /// The series of an open set, and those for what finds no room.
    table: Arc<Table<M, LabelValues>>,
    labels: PhantomData<fn(L)>,
}

impl<M, L> Clone for TypedFamily<M, L> {
    fn clone(&self) -> Self {
        Self { closed: Arc::clone(&self.closed), table: Arc::clone(&self.table), labels: PhantomData }
    }
}

impl<M, L> fmt::Debug for TypedFamily<M, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.closed.len() + self.table.len();
        f.debug_struct("TypedFamily").field("len", &len).finish_non_exhaustive()
    }
}

impl<M: Metric, L: LabelSet> TypedFamily<M, L> {
    const IS_CLOSED: bool = Label::combinations(L::LABELS).is_some();

    /// The family of `entry`, with all series of a closed set.
    pub(super) fn new(entry: &Arc<Entry>, site: &Arc<Site>) -> Result<Self, NoPlace> {
        let table = Arc::new(Table::new(entry, site)?);
        let combinations = Label::combinations(L::LABELS).unwrap_or(0);
        let mut closed = Vec::with_capacity(combinations);
        let mut roster = entry.roster.lock();
        for index in 0..combinations {
            // Not optional: like metrics without labels, these are few and declared before anything is recorded.
            let (metric, core) = M::build(&entry.desc, site, roster.enabled, false)?;
            closed.push(metric);
            roster.insert(combination(L::LABELS, index), core);
        }
        Ok(Self { closed: closed.into(), table, labels: PhantomData })
    }

    /// The series with these labels; made now if the set is open and the series new.
    ///
    /// `with(..).clone()` is a handle to keep. For a closed set this is an index and no more; for an open one it costs
    /// what [`Family::with`](crate::Family::with) does, which says too when the result is the overflow series.
    #[inline(always)]
    #[must_use]
    pub fn with(&self, labels: L::At<'_>) -> SeriesRef<'_, M> {
        if Self::IS_CLOSED {
            // None only for a label set implemented by hand whose number is none.
            return SeriesRef(Hold::Borrowed(match self.closed.get(labels.index()) {
                Some(metric) => metric,
                None => self.table.overflow(),
            }));
        }
        SeriesRef(Hold::Owned(labels.texts(|texts| self.table.with(texts))))
    }

    /// The series of a closed set with this number, as [`LabelSet::index`] gives it; `None` where there is none.
    #[cfg(feature = "serve")]
    pub(crate) fn at(&self, index: usize) -> Option<&M> {
        self.closed.get(index)
    }

    /// Removes a series from the exposition, as [`Family::remove`](crate::Family::remove) does; false when there is none
    /// with these labels. Those of a closed set stay: always false.
    pub fn remove(&self, labels: L::At<'_>) -> bool {
        !Self::IS_CLOSED && labels.texts(|texts| self.table.remove(texts))
    }
}

/// The label values of a closed set's combination `index`: its digits, the last label's the least significant.
fn combination(labels: &[Label], mut index: usize) -> LabelValues {
    let mut values = Vec::with_capacity(labels.len());
    for label in labels.iter().rev() {
        let choices = label.values.unwrap_or(&[]);
        values.push(choices[index % choices.len()].into());
        index /= choices.len();
    }
    values.reverse();
    values.into()
}

/// Checks what the derive has checked, for a label set implemented by hand; and that a closed one is not too large.
pub(super) fn check_set(metric: &str, labels: &[Label], limit: usize) -> Result<(), Error> {
    let wrong = |text: String| Err(Error::new(ErrorKind::Name, format!("{metric}: {text}")));
    for Label { name, values } in labels {
        let Some(values) = values else { continue };
        if values.is_empty() {
            return wrong(format!("label {name:?} has no values: add one, or remove the label"));
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
    let Some(combinations) = Label::combinations(labels).filter(|combinations| *combinations > limit) else {
        return Ok(());
    };
    let parts: Vec<_> =
        labels.iter().map(|label| format!("{} {}", label.values.unwrap_or(&[]).len(), label.name)).collect();
    let text = format!(
        "{metric}: {combinations} series ({}), where the limit is {limit}: drop a label or some of its values, make one a \
         string, so that a series is made at its first use, or raise the limit by limit({combinations})",
        parts.join(" × ")
    );
    Err(Error::new(ErrorKind::Setting, text))
}

/// A series of a [`TypedFamily`]: a metric to record to, or to clone for keeping.
///
/// Borrowed from the family where its label set is closed, and a handle of its own where it is open.
#[derive(Debug)]
pub struct SeriesRef<'f, M>(Hold<'f, M>);

#[derive(Debug)]
enum Hold<'f, M> {
    Borrowed(&'f M),
    Owned(M),
}

impl<M> Deref for SeriesRef<'_, M> {
    type Target = M;

    #[inline(always)]
    fn deref(&self) -> &M {
        match &self.0 {
            Hold::Borrowed(metric) => metric,
            Hold::Owned(metric) => metric,
        }
    }
}
