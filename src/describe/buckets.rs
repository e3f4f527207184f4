//! Which buckets a histogram is exposed with.

/// Which buckets a histogram has in the formats that have both sorts: protobuf and OpenMetrics 2.0. The text formats have
/// the classic ones whatever is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HistogramBuckets {
    /// The native ones, and the classic ones of histograms that [declare some](crate::MetricBuilder::buckets). A scraper
    /// chooses: Prometheus keeps the native ones where `scrape_native_histograms` is on, and both with
    /// `always_scrape_classic_histograms`.
    #[default]
    Both,
    /// The native ones only, for smaller pages where nobody takes the others.
    NativeOnly,
    /// The classic ones only; of a histogram that declares none, the one of all values. For scrapers that would take the
    /// native ones and are not to.
    ClassicOnly,
}

impl HistogramBuckets {
    /// Whether there are native buckets.
    pub(crate) fn has_native(self) -> bool {
        self != Self::ClassicOnly
    }

    /// Whether a histogram has classic buckets, where `declared` says whether it declares any.
    pub(crate) fn has_classic(self, declared: bool) -> bool {
        match self {
            Self::Both => declared,
            Self::NativeOnly => false,
            Self::ClassicOnly => true,
        }
    }
}
