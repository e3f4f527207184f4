//! From the texts of a late-bound measurement to the series of a row. What differs between rows is the type of the
//! handle, so these are generic and `instruments!` calls one of them for each row.

use super::{Kind, Refusal};
use crate::describe::LabelSet;
use crate::registry::{Family, Metric, TypedFamily};
use crate::serve::late::{Measurement, amount, count, finite, whole};
use crate::{Counter, Gauge, Histogram, UpDownCounter};

/// A metric that takes a number of whose kind nothing is known before.
pub(crate) trait Take {
    fn take(&self, kind: Kind, value: f64) -> Result<(), Refusal>;
}

impl Take for Counter {
    #[inline]
    fn take(&self, _: Kind, value: f64) -> Result<(), Refusal> {
        count(value).map(|n| self.add(n))
    }
}

impl Take for UpDownCounter {
    #[inline]
    fn take(&self, _: Kind, value: f64) -> Result<(), Refusal> {
        whole(value).map(|n| self.add(n))
    }
}

impl Take for Gauge {
    #[inline]
    fn take(&self, _: Kind, value: f64) -> Result<(), Refusal> {
        finite(value).map(|value| self.set(value))
    }
}

impl Take for Histogram {
    #[inline]
    fn take(&self, kind: Kind, value: f64) -> Result<(), Refusal> {
        match kind {
            // Its ticks are the things counted.
            Kind::Size => count(value).map(|n| self.record(n)),
            _ => amount(value).map(|value| self.record_value(value)),
        }
    }
}

/// To a metric without labels.
#[inline]
pub(crate) fn plain<M: Take>(metric: &M, kind: Kind, measurement: &Measurement<'_>) -> Result<(), Refusal> {
    if !measurement.attributes.is_empty() {
        return Err(Refusal::WrongAttributes);
    }
    metric.take(kind, measurement.value)
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
    series.ok_or(Refusal::WrongAttributes)?.take(kind, measurement.value)
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
    family.with(texts).take(kind, measurement.value)
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
