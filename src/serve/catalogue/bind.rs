//! From the texts of a late-bound measurement to the series of a row. What differs between rows is the type of the
//! handle, so these are generic and `instruments!` calls one of them for each row.

use super::{Kind, Refusal};
use crate::describe::LabelSet;
use crate::registry::{Family, Metric, TypedFamily};
use crate::serve::late::{Measurement, amount, count, finite, whole};
use crate::{Counter, Gauge, Histogram, UpDownCounter};

/// A metric that takes a number of whose kind nothing is known before.
pub(crate) trait Take {
    /// What it takes, once that is checked.
    type Checked;

    fn check(kind: Kind, value: f64) -> Result<Self::Checked, Refusal>;

    fn take(&self, checked: Self::Checked);
}

impl Take for Counter {
    type Checked = u64;

    #[inline]
    fn check(_: Kind, value: f64) -> Result<u64, Refusal> {
        count(value)
    }

    #[inline]
    fn take(&self, n: u64) {
        self.add(n);
    }
}

impl Take for UpDownCounter {
    type Checked = i64;

    #[inline]
    fn check(_: Kind, value: f64) -> Result<i64, Refusal> {
        whole(value)
    }

    #[inline]
    fn take(&self, n: i64) {
        self.add(n);
    }
}

impl Take for Gauge {
    type Checked = f64;

    #[inline]
    fn check(_: Kind, value: f64) -> Result<f64, Refusal> {
        finite(value)
    }

    #[inline]
    fn take(&self, value: f64) {
        self.set(value);
    }
}

/// A value of a distribution.
pub(crate) enum Amount {
    /// Of things counted, which are its ticks.
    Things(u64),
    /// In the exposed unit.
    Units(f64),
}

impl Take for Histogram {
    type Checked = Amount;

    #[inline]
    fn check(kind: Kind, value: f64) -> Result<Amount, Refusal> {
        match kind {
            Kind::Size => count(value).map(Amount::Things),
            _ => amount(value).map(Amount::Units),
        }
    }

    #[inline]
    fn take(&self, amount: Amount) {
        match amount {
            Amount::Things(n) => self.record(n),
            Amount::Units(value) => self.record_value(value),
        }
    }
}

/// To a metric without labels.
#[inline]
pub(crate) fn plain<M: Take>(metric: &M, kind: Kind, measurement: &Measurement<'_>) -> Result<(), Refusal> {
    if !measurement.attributes.is_empty() {
        return Err(Refusal::WrongAttributes);
    }
    metric.take(M::check(kind, measurement.value)?);
    Ok(())
}

/// To the series of a closed label set, by the places of the values. What is left out is the empty text.
#[inline]
pub(crate) fn closed<M: Metric + Take, L: LabelSet>(
    family: &TypedFamily<M, L>,
    kind: Kind,
    measurement: &Measurement<'_>,
) -> Result<(), Refusal> {
    let attributes = measurement.attributes;
    let (mut index, mut found) = (0, 0);
    for (place, label) in L::LABELS.iter().enumerate() {
        let given = value(attributes, place, label.name);
        found += usize::from(given.is_some());
        let values = label.values;
        let digit = values.iter().position(|value| *value == given.unwrap_or_default());
        index = index * values.len() + digit.ok_or(Refusal::WrongAttributes)?;
    }
    // More are unknown, or there twice.
    let series = if found == attributes.len() { family.at(index) } else { None };
    series.ok_or(Refusal::WrongAttributes)?.take(M::check(kind, measurement.value)?);
    Ok(())
}

/// To the series with these texts, which the types of the labels accept.
#[inline]
pub(crate) fn open<M: Metric + Take, const N: usize>(
    family: &Family<M, N>,
    labels: [(&str, Accepts); N],
    kind: Kind,
    measurement: &Measurement<'_>,
) -> Result<(), Refusal> {
    let attributes = measurement.attributes;
    let mut texts = [""; N];
    for (place, (name, accepts)) in labels.into_iter().enumerate() {
        let given = value(attributes, place, name).filter(|text| accepts(text));
        texts[place] = given.ok_or(Refusal::WrongAttributes)?;
    }
    if attributes.len() != N {
        return Err(Refusal::WrongAttributes);
    }
    // Before the look-up, which makes the series if it is new.
    let checked = M::check(kind, measurement.value)?;
    family.with(texts).take(checked);
    Ok(())
}

/// The value of a label: at its own place, or elsewhere.
#[inline]
fn value<'a>(attributes: &[(&str, &'a str)], place: usize, label: &str) -> Option<&'a str> {
    let here = attributes.get(place).filter(|(name, _)| *name == label);
    here.or_else(|| attributes.iter().find(|(name, _)| *name == label)).map(|(_, value)| *value)
}

/// Whether a label's value is written as its type is.
type Accepts = fn(&str) -> bool;

/// The type of an open label's value.
pub(crate) trait Accept {
    /// Whether a value is written like this.
    fn accepts(text: &str) -> bool;
}

impl Accept for &str {
    fn accepts(_: &str) -> bool {
        true
    }
}

impl Accept for u16 {
    /// In one way only, or one number would have two series.
    fn accepts(text: &str) -> bool {
        let is_canonical = text == "0" || !text.starts_with(['0', '+']);
        is_canonical && text.parse::<Self>().is_ok()
    }
}
