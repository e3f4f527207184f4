//! The cores of the engine behind handles like the public ones, for `loom-tests/` alone.
//!
//! What is below the handles is the code of every build. Only what a thread-local gives there is passed in here, as a
//! [`Thread`]: loom has no thread-locals that are destroyed as the system's are.

#![allow(missing_debug_implementations, clippy::new_without_default, reason = "only models use it")]

use super::exchange;
use super::read::read;
use crate::bucket::{Grid, Resolution, Scale};
use crate::record::cold::{Route, route_by};
use crate::record::exemplar::{Noted, read_all};
use crate::record::hdr::Hdr;
use crate::record::region::Base;
use crate::record::scalar::{Scalar, Slot};
use crate::record::shard::{Hold, Shards};
use crate::record::space::Space;
use crate::sync::Arc;
use std::sync::Arc as Shared;

/// A process: its shards.
#[derive(Clone)]
pub struct Process(Arc<Shards>);

/// A thread of the process. Cloning it takes another hold, as a local handle does.
#[derive(Clone)]
pub struct Thread(Option<Hold>);

/// A registry, as far as cells go.
#[derive(Clone)]
pub struct Registry {
    process: Process,
    space: Arc<Space>,
}

/// A counter's handle.
#[derive(Clone)]
pub struct Counter {
    process: Process,
    core: Arc<Scalar>,
}

/// A float counter's handle.
#[derive(Clone)]
pub struct FloatCounter(Counter);

/// A histogram's handle.
#[derive(Clone)]
pub struct Histogram {
    process: Process,
    core: Arc<Hdr>,
}

/// What reading one copy of a histogram gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// How many values there are.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
    /// The smallest.
    pub low: u64,
    /// The largest.
    pub high: u64,
    /// Whether the sum is that of the counted values.
    pub exact: bool,
    /// Each value with how often it occurs: a bucket of these histograms holds one value.
    pub values: Vec<(u64, u64)>,
}

impl Process {
    /// A process without threads.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shards::new().expect("a model has memory")))
    }

    /// A thread, which takes a shard now: as at its first recording.
    #[must_use]
    pub fn thread(&self) -> Thread {
        Thread(Shards::adopt(&self.0))
    }

    /// How many shards there are, and how many of them are idle.
    #[must_use]
    pub fn census(&self) -> (usize, usize) {
        self.0.census()
    }

    /// A registry with room for whatever a model records, whose cells so many shards may write.
    #[must_use]
    pub fn registry(&self, shards_max: u32) -> Registry {
        Registry {
            process: self.clone(),
            space: Arc::new(Space::new(1 << 20, shards_max, Some(Arc::clone(&self.0)), None)),
        }
    }
}

impl Thread {
    /// The thread's region, if it may write `offset` there: what `record::local::reach` says in other builds.
    fn reach(&self, offset: u32) -> Option<Base> {
        let hold = self.0.as_ref()?;
        (offset < hold.limit()).then(|| hold.base())
    }

    fn route(&self, slot: &Slot, space: &Space) -> Route {
        let says = slot.get();
        match self.reach(says as u32) {
            Some(base) => Route::Own(base, says),
            None => route_by(slot, space, || self.0.clone()),
        }
    }
}

impl Registry {
    /// A counter.
    #[must_use]
    pub fn counter(&self) -> Counter {
        let place = self.space.place(Scalar::shape(false), false).expect("a model has memory");
        let core = Arc::new(Scalar::new(place, Arc::clone(&self.space), false, true));
        Counter { process: self.process.clone(), core }
    }

    /// A counter with exemplars.
    #[must_use]
    pub fn noted_counter(&self) -> Counter {
        let place = self.space.place(Scalar::shape(true), false).expect("a model has memory");
        let core = Arc::new(Scalar::new(place, Arc::clone(&self.space), false, true));
        Counter { process: self.process.clone(), core }
    }

    /// A float counter.
    #[must_use]
    pub fn float_counter(&self) -> FloatCounter {
        FloatCounter(self.counter())
    }

    /// A histogram for values up to `max`, at most 31, each of which has a bucket.
    #[must_use]
    pub fn histogram(&self, max: u64) -> Histogram {
        assert!(max < 32);
        let grid = Shared::new(Grid::new(Resolution::Digits(1), max, Scale::new(1.0), Box::default(), Box::default()));
        let place = self.space.place(Hdr::shape(&grid, false), false).expect("a model has memory");
        let core = Arc::new(Hdr::new(grid, place, Arc::clone(&self.space), false, true));
        Histogram { process: self.process.clone(), core }
    }

    /// The total of a counter as a collection finds it: in the fronts of all extents, read now.
    #[must_use]
    pub fn total(&self, counter: &Counter) -> Option<u64> {
        let offset = counter.core.place().front;
        self.space.fronts(&self.process.0.regions()).iter().find_map(|front| front.total(offset))
    }
}

impl Counter {
    /// As the public handle adds, on `thread`. Whether it found the counter on.
    pub fn add(&self, thread: &Thread, n: u64) -> bool {
        match thread.route(self.core.slot(), self.core.space()) {
            Route::Nowhere => return false,
            Route::Own(base, offset) => self.core.add_at(base, offset, n),
            Route::Shared => self.core.share(n),
        }
        true
    }

    /// As the public handle leaves an exemplar and adds, on `thread` at a time in nanoseconds: in a span whose ids follow
    /// from the amount.
    pub fn add_noted(&self, thread: &Thread, n: u64, nanos: u64) {
        let noted = &Noted { value: n, nanos, trace: [n, n], span: n };
        match thread.route(self.core.slot(), self.core.space()) {
            Route::Nowhere => {}
            Route::Own(base, offset) => {
                self.core.note_at(base, noted);
                self.core.add_at(base, offset, n);
            }
            Route::Shared => {
                self.core.note_shared(noted);
                self.core.share(n);
            }
        }
    }

    /// The exemplar of each copy, the shared one first: the amount and the time of one that is whole. Panics where its
    /// ids are another's.
    #[must_use]
    pub fn noted(&self) -> Vec<Option<(u64, u64)>> {
        let regions = self.process.0.regions();
        let read = |base| {
            let noted = read_all(self.core.noted(base)).next()?;
            let n = noted.value;
            assert_eq!((noted.trace, noted.span), ([n, n], n), "an exemplar is of one recording");
            Some((n, noted.nanos))
        };
        self.core.place().extent.copies(&regions).map(read).collect()
    }

    /// Switches the counter on or off.
    pub fn switch(&self, enabled: bool) {
        self.core.slot().switch(enabled);
    }

    /// The total of all copies.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.core.read(&self.process.0.regions()).sum()
    }
}

impl FloatCounter {
    /// As the public handle adds, on `thread`.
    pub fn add(&self, thread: &Thread, n: f64) {
        let core = &self.0.core;
        match thread.route(core.slot(), core.space()) {
            Route::Nowhere => {}
            Route::Own(base, offset) => core.add_float_at(base, offset, n),
            Route::Shared => core.share_float(n),
        }
    }

    /// The total of all copies.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.0.core.read(&self.0.process.0.regions()).map(f64::from_bits).sum()
    }
}

impl Histogram {
    /// As the public handle records, on `thread`.
    pub fn record(&self, thread: &Thread, value: u64) {
        match thread.route(self.core.slot(), self.core.space()) {
            Route::Nowhere => {}
            Route::Own(base, offset) => self.core.record_at(base, offset, value, 1),
            Route::Shared => self.core.share(value, 1),
        }
    }

    /// Reads every copy, the shared one first.
    #[must_use]
    pub fn read(&self) -> Vec<Reading> {
        let regions = self.process.0.regions();
        self.core.place().extent.copies(&regions).map(|base| self.read_copy(base)).collect()
    }

    fn read_copy(&self, base: Base) -> Reading {
        let mut cells = Vec::new();
        let part = read(self.core.copy(base), &mut cells);
        let value = |&(place, held): &(u32, u64)| (self.core.grid().values(place as usize).0, held);
        let values = if part.count > 0 { cells.iter().map(value).collect() } else { Vec::new() };
        Reading { count: part.count, sum: part.sum, low: part.low, high: part.high, exact: part.exact, values }
    }
}

/// Where requesters and the collector meet.
pub struct Exchange<T>(exchange::Exchange<T>);

/// Requests taken together.
pub struct Batch<T>(exchange::Batch<T>);

impl<T: Clone> Exchange<T> {
    /// One without requests.
    #[must_use]
    pub fn new() -> Self {
        Self(exchange::Exchange::new())
    }

    /// Asks for a collection that begins after this call.
    pub fn ask(&self, answer: impl FnOnce(T) + Send + 'static) {
        self.0.ask(Box::new(answer));
    }

    /// Has the collector collect although nobody asks.
    pub fn tick(&self) {
        self.0.tick();
    }

    /// Ends it.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Waits for requests and takes them; `None` when stopped.
    pub fn next(&self) -> Option<Batch<T>> {
        self.0.next().map(Batch)
    }

    /// Answers the requests of a batch.
    pub fn publish(&self, batch: Batch<T>, result: T) {
        self.0.publish(batch.0, result);
    }

    /// What the last collection gave.
    pub fn latest(&self) -> Option<T> {
        self.0.latest()
    }
}
