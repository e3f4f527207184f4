//! Which metrics keep exemplars.

use super::builder::MetricBuilder;
use crate::{Counter, FloatCounter, Histogram};

impl<L> MetricBuilder<Counter, L> {
    /// Keeps the span of a recent addition for each series, where
    /// [`add_with_exemplar`](crate::Counter::add_with_exemplar) tells one: the one of the largest amount in the last
    /// second in which there was any. Costs 48 bytes for each series and thread; additions that tell none cost what they
    /// do without.
    pub fn exemplars(mut self) -> Self {
        self.exemplars = true;
        self
    }
}

impl<L> MetricBuilder<FloatCounter, L> {
    /// As for a [`Counter`], by [`add_with_exemplar`](crate::FloatCounter::add_with_exemplar).
    pub fn exemplars(mut self) -> Self {
        self.exemplars = true;
        self
    }
}

impl<L> MetricBuilder<Histogram, L> {
    /// Keeps the span of a recent value for each bucket of each series, where
    /// [`record_with_exemplar`](crate::Histogram::record_with_exemplar) tells one: the largest value of the last second
    /// in which there was any. As each bucket has its own, what is rare because it is large is not lost among what is
    /// not. Of more than 64 buckets neighbours share one; without any, values of the same power of two do, or of the same
    /// two.
    ///
    /// They are in OpenMetrics, protobuf and OTLP, and in [`HistogramSnapshot::exemplars`], never in the text format
    /// 0.0.4, which has no place for them. Each costs 48 bytes for each series and thread; values without a span cost
    /// what they do without.
    ///
    /// ```
    /// use tach::{Registry, SpanContext};
    ///
    /// let registry = Registry::new();
    /// let latency = registry.histogram("latency").buckets([1.0, 10.0]).tick(1.0).exemplars().build()?;
    /// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// match SpanContext::from_traceparent(header) {
    ///     Some(span) => latency.record_with_exemplar(7, &span),
    ///     None => latency.record(7),
    /// }
    /// let snapshot = registry.snapshot();
    /// let exemplar = snapshot.histogram("latency", &[]).unwrap().exemplars().next().unwrap();
    /// assert_eq!((exemplar.value, exemplar.span_id[7]), (7.0, 0xb7));
    /// # Ok::<(), tach::Error>(())
    /// ```
    ///
    /// [`HistogramSnapshot::exemplars`]: crate::HistogramSnapshot::exemplars
    pub fn exemplars(mut self) -> Self {
        self.exemplars = true;
        self
    }
}
