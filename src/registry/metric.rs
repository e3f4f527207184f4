//! How each kind of metric is made.

#![allow(
    private_interfaces,
    reason = "`sealed::Build` is public only so that `Metric` can require it; nobody outside can name it"
)]

use super::own::Met;
use crate::describe::{Aggregate, Descriptor, Kind};
use crate::record::counter::{Counter, FloatCounter, UpDownCounter};
use crate::record::exemplar::WORDS;
use crate::record::fixed::Fixed;
use crate::record::gauge::{Gauge, GaugeCore};
use crate::record::hdr::Hdr;
use crate::record::histogram::{Histogram, Nanos};
use crate::record::scalar::Scalar;
use crate::record::space::{NoPlace, Place, Space};
use crate::segment::Segment;
use crate::segment::record::SlotsRecord;
use crate::sync::{AtomicU64, Ordering};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What a collection reads of one series.
#[derive(Clone)]
pub(crate) enum Core {
    Scalar(Arc<Scalar>),
    Gauge(Arc<GaugeCore>),
    Histogram(Arc<Hdr>),
    ObservedGauge(Arc<dyn Fn() -> f64 + Send + Sync>),
    ObservedCounter(Arc<dyn Fn() -> u64 + Send + Sync>),
    ObservedFloatCounter(Arc<dyn Fn() -> f64 + Send + Sync>),
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scalar(_) => "Scalar",
            Self::Gauge(_) => "Gauge",
            Self::Histogram(_) => "Histogram",
            Self::ObservedGauge(_) | Self::ObservedCounter(_) | Self::ObservedFloatCounter(_) => "Observed",
        })
    }
}

/// What a callback gave.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Observed {
    Gauge(f64),
    Counter(u64),
    FloatCounter(f64),
}

impl Core {
    /// Calls the callback. `None` where there is none, or where it panics, which is counted: it has no value then.
    pub(crate) fn observe(&self, met: &mut Met) -> Option<Observed> {
        let call = || match self {
            Self::ObservedGauge(read) => Some(Observed::Gauge(read())),
            Self::ObservedCounter(read) => Some(Observed::Counter(read())),
            Self::ObservedFloatCounter(read) => Some(Observed::FloatCounter(read())),
            Self::Scalar(_) | Self::Gauge(_) | Self::Histogram(_) => None,
        };
        // A callback is the user's; whatever state it leaves behind is its own.
        catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
            met.panics += 1;
            None
        })
    }

    /// Its cells, if it has some among the registry's.
    pub(super) fn place(&self) -> Option<&Place> {
        match self {
            Self::Scalar(core) => Some(core.place()),
            Self::Gauge(core) => core.cell().place(),
            Self::Histogram(core) => Some(core.place()),
            Self::ObservedGauge(_) | Self::ObservedCounter(_) | Self::ObservedFloatCounter(_) => None,
        }
    }

    /// Where its slots for exemplars are, if it has some.
    pub(super) fn slots(&self) -> Option<SlotsRecord> {
        let (place, cells) = match self {
            Self::Scalar(core) => (core.place(), 0),
            Self::Histogram(core) => (core.place(), core.grid().len() as u32),
            _ => return None,
        };
        let slots = u64::from(place.back_len() - cells) / WORDS as u64;
        (slots > 0).then(|| SlotsRecord { at: u64::from(place.back_in_extent() + cells), slots })
    }

    pub(super) fn switch(&self, enabled: bool) {
        match self {
            Self::Scalar(core) => core.slot().switch(enabled),
            Self::Gauge(core) => core.switch(enabled),
            Self::Histogram(core) => core.slot().switch(enabled),
            Self::ObservedGauge(_) | Self::ObservedCounter(_) | Self::ObservedFloatCounter(_) => {}
        }
    }
}

/// What the cells of new series come from.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) space: Arc<Space>,
    /// All threads share cells.
    pub(crate) sync: bool,
    /// The file in which the cells lie, if they do.
    pub(super) segment: Option<Arc<Segment>>,
    /// Look-ups of label sets that ended in an overflow series.
    overflowed: AtomicU64,
}

impl Site {
    pub(super) fn new(space: Space, sync: bool, segment: Option<Arc<Segment>>) -> Self {
        Self { space: Arc::new(space), sync, segment, overflowed: AtomicU64::new(0) }
    }

    /// A cell for a value that is set.
    pub(super) fn cell(&self, optional: bool) -> Result<Fixed, NoPlace> {
        if self.segment.is_some() { Fixed::placed(&self.space, optional) } else { Ok(Fixed::alone()) }
    }

    pub(super) fn count_overflow(&self) {
        // Relaxed: a lone total.
        self.overflowed.fetch_add(1, Ordering::Relaxed);
    }

    /// Look-ups of label sets that ended in an overflow series.
    pub(crate) fn overflowed(&self) -> u64 {
        // Relaxed: a figure to show.
        self.overflowed.load(Ordering::Relaxed)
    }
}

/// The kinds of metric a [`Registry`](crate::Registry) makes and a [`Family`](crate::Family) can hold. Sealed.
pub trait Metric: Clone + fmt::Debug + Send + Sync + 'static + sealed::Build {}

impl Metric for Counter {}
impl Metric for FloatCounter {}
impl Metric for UpDownCounter {}
impl Metric for Gauge {}
impl Metric for Histogram {}

pub(crate) mod sealed {
    use super::{Core, Descriptor, Kind, NoPlace, Site};

    /// How a kind of metric is made. `optional`: may be refused past the budget.
    pub trait Build: Sized {
        #[doc(hidden)]
        const KIND: Kind;

        #[doc(hidden)]
        fn build(desc: &Descriptor, site: &Site, enabled: bool, optional: bool) -> Result<(Self, Core), NoPlace>;
    }
}

/// The core of a metric that is one cell.
fn scalar(desc: &Descriptor, site: &Site, enabled: bool, optional: bool) -> Result<Arc<Scalar>, NoPlace> {
    let place = site.space.place(Scalar::shape(desc.exemplars), optional)?;
    Ok(Arc::new(Scalar::new(place, Arc::clone(&site.space), site.sync, enabled)))
}

impl sealed::Build for Counter {
    const KIND: Kind = Kind::Counter;

    fn build(desc: &Descriptor, site: &Site, enabled: bool, optional: bool) -> Result<(Self, Core), NoPlace> {
        let core = scalar(desc, site, enabled, optional)?;
        Ok((Self(Arc::clone(&core)), Core::Scalar(core)))
    }
}

impl sealed::Build for FloatCounter {
    const KIND: Kind = Kind::FloatCounter;

    fn build(desc: &Descriptor, site: &Site, enabled: bool, optional: bool) -> Result<(Self, Core), NoPlace> {
        let core = scalar(desc, site, enabled, optional)?;
        Ok((Self(Arc::clone(&core)), Core::Scalar(core)))
    }
}

impl sealed::Build for UpDownCounter {
    const KIND: Kind = Kind::UpDownCounter;

    fn build(desc: &Descriptor, site: &Site, enabled: bool, optional: bool) -> Result<(Self, Core), NoPlace> {
        let core = scalar(desc, site, enabled, optional)?;
        Ok((Self(Arc::clone(&core)), Core::Scalar(core)))
    }
}

impl sealed::Build for Gauge {
    const KIND: Kind = Kind::Gauge;

    fn build(desc: &Descriptor, site: &Site, enabled: bool, optional: bool) -> Result<(Self, Core), NoPlace> {
        let stamped = site.segment.is_some() && desc.aggregate == Aggregate::Last;
        let core = Arc::new(GaugeCore::new(site.cell(optional)?, stamped, enabled));
        Ok((Self(Arc::clone(&core)), Core::Gauge(core)))
    }
}

impl sealed::Build for Histogram {
    const KIND: Kind = Kind::Histogram;

    fn build(desc: &Descriptor, site: &Site, enabled: bool, optional: bool) -> Result<(Self, Core), NoPlace> {
        let grid = desc.grid.as_ref().expect("a histogram is described with its grid");
        let place = site.space.place(Hdr::shape(grid, desc.exemplars), optional)?;
        let core = Arc::new(Hdr::new(Arc::clone(grid), place, Arc::clone(&site.space), site.sync, enabled));
        let nanos = Nanos::new(grid.ladder().scale(), desc.unit.seconds());
        Ok((Self::new(Arc::clone(&core), nanos), Core::Histogram(core)))
    }
}
