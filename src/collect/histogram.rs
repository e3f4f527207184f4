//! A histogram as a snapshot holds it: plain data to ask questions of.

use super::exemplar::{Exemplar, thin};
use super::read::Part;
use crate::bucket::{Grid, Ladder, Resolution};
use crate::record::exemplar::{Noted, pick};
use std::sync::Arc;

/// One histogram series at the moment of a [`Snapshot`](crate::Snapshot). All values are in the exposed unit.
#[derive(Clone, Debug)]
pub struct HistogramSnapshot {
    grid: Arc<Grid>,
    /// How a view exposes the cells; `None`: as they were declared.
    view: Option<Arc<Ladder>>,
    count: u64,
    /// In ticks.
    sum: u128,
    low: u64,
    high: u64,
    clamped: u64,
    exact: bool,
    /// The buckets that are not empty: their place in the order of values, and their count.
    cells: Arc<[(u32, u64)]>,
    /// In the order of their values.
    noted: Arc<[Noted]>,
}

impl HistogramSnapshot {
    pub(crate) fn empty(grid: Arc<Grid>) -> Self {
        let (cells, noted) = (Arc::default(), Arc::default());
        Self { grid, view: None, count: 0, sum: 0, low: u64::MAX, high: 0, clamped: 0, exact: true, cells, noted }
    }

    /// Adds what one shard holds: `part`, and `cells`, which is left for the next one to use.
    pub(crate) fn merge(&mut self, part: Part, cells: &[(u32, u64)], sums: &mut Sums) {
        self.count = self.count.wrapping_add(part.count);
        self.sum += u128::from(part.sum);
        self.low = self.low.min(part.low);
        self.high = self.high.max(part.high);
        self.clamped = self.clamped.wrapping_add(part.clamped);
        self.exact &= part.exact;
        if self.cells.is_empty() {
            // Most histograms are recorded by one thread.
            self.cells = cells.into();
        } else {
            if sums.is_empty() {
                sums.add(&self.cells);
            }
            sums.add(cells);
        }
    }

    /// To be called after the last shard, or the last [`HistogramSnapshot::absorb`].
    pub(crate) fn finish(&mut self, sums: &mut Sums) {
        if !sums.is_empty() {
            self.cells = sums.take().into();
        }
        if !sums.noted.is_empty() {
            self.noted = thin(&mut sums.noted, self.ladder().slots()).into();
        }
    }

    /// The same values in the cells of `grid`, of ticks of the same size, exposed as `view` says. Costs nothing where
    /// these are its cells already.
    pub(super) fn viewed(&self, grid: &Arc<Grid>, view: &Arc<Ladder>) -> Self {
        let mut viewed = self.clone();
        if !Arc::ptr_eq(&self.grid, grid) && !self.grid.is_within(grid) {
            // By a cell's largest value: so a bound at which both grids split has the same values below it in both.
            let place = |place: u32| grid.rank_of(self.grid.values(place as usize).1) as u32;
            let mut cells: Vec<(u32, u64)> = Vec::with_capacity(self.cells.len());
            for (place, count) in self.cells.iter().map(|&(from, count)| (place(from), count)) {
                match cells.last_mut().filter(|last| last.0 == place) {
                    Some(last) => last.1 = last.1.wrapping_add(count),
                    None => cells.push((place, count)),
                }
            }
            viewed.cells = cells.into();
        }
        viewed.grid = Arc::clone(grid);
        viewed.view = Some(Arc::clone(view));
        viewed
    }

    /// Adds the values of `other`, whose cells are the same and which is viewed alike.
    pub(crate) fn absorb(&mut self, other: &Self, sums: &mut Sums) {
        self.count = self.count.wrapping_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
        self.clamped = self.clamped.wrapping_add(other.clamped);
        self.exact &= other.exact;
        if sums.is_empty() {
            sums.add(&self.cells);
        }
        sums.add(&other.cells);
        if sums.noted.is_empty() {
            sums.noted.extend(&*self.noted);
        }
        sums.noted.extend(&*other.noted);
    }

    pub(crate) fn grid(&self) -> &Arc<Grid> {
        &self.grid
    }

    pub(super) fn ladder(&self) -> &Ladder {
        self.view.as_deref().unwrap_or_else(|| self.grid.ladder())
    }

    /// How many values were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of the values. Finite: where it is beyond the largest float, that one.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.ladder().scale().exposed(self.sum).min(f64::MAX)
    }

    /// The mean of the values; NaN when there are none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum() / self.count as f64
    }

    /// The smallest value; NaN when there are none. Exact, but where it was being recorded during the collection it may
    /// be in here before it is counted, if it falls in the bucket of the smallest that is. In a difference of
    /// snapshots, the lower end of its bucket.
    #[must_use]
    pub fn min(&self) -> f64 {
        if self.count == 0 { f64::NAN } else { self.exposed(self.low) }
    }

    /// The largest value; NaN when there are none. Exact as [`HistogramSnapshot::min`] is. In a difference of
    /// snapshots, the upper end of its bucket.
    #[must_use]
    pub fn max(&self) -> f64 {
        if self.count == 0 { f64::NAN } else { self.exposed(self.high) }
    }

    /// How many values were above the histogram's maximum and recorded as the maximum.
    #[must_use]
    pub fn clamped(&self) -> u64 {
        self.clamped
    }

    /// Whether the sum is exactly that of the counted values.
    ///
    /// The count is that of the buckets always. A thread that records without pause can outrun every attempt to read
    /// its sum with them; then the sum may lack values that were recorded during the read, and this is false.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// The value that a share `q` of all values does not exceed, `q` from 0 to 1; NaN when there are none.
    ///
    /// It is the largest value of the bucket in which the value of rank `⌈q · count⌉` lies, and so at most 10^-digits
    /// of itself too large, or `2^(2^-schema) - 1` with a native schema; never beyond the smallest and the largest value
    /// recorded. (The definition is HdrHistogram's.)
    #[must_use]
    pub fn quantile(&self, q: f64) -> f64 {
        if self.count == 0 || q.is_nan() {
            return f64::NAN;
        }
        let rank = ((q.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).clamp(1, self.count);
        let mut seen = 0;
        for &(place, count) in &*self.cells {
            seen += count;
            if seen >= rank {
                let highest = self.grid.values(place as usize).1;
                return self.exposed(highest.clamp(self.low, self.high));
            }
        }
        self.max()
    }

    /// How many values do not exceed `bound`. Exact where `bound` was declared as a bucket or by
    /// [`exact_at`](crate::MetricBuilder::exact_at); elsewhere the count up to the last bucket that lies below it
    /// wholly.
    #[must_use]
    pub fn bucket_count_le(&self, bound: f64) -> u64 {
        if bound.is_nan() || bound < 0.0 {
            return 0;
        }
        if bound.is_infinite() {
            return self.count;
        }
        let ticks = self.ladder().scale().ticks(bound).unwrap_or(u64::MAX);
        let Some(last) = self.grid.rank_up_to(ticks) else { return 0 };
        self.cells.iter().take_while(|(place, _)| *place as usize <= last).map(|(_, count)| count).sum()
    }

    /// The declared bounds with how many values do not exceed each, ascending; without `+Inf`, which is
    /// [`Self::count`].
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let mut cells = &*self.cells;
        let mut seen = 0;
        self.ladder().bounds().iter().zip(self.ladder().last_places()).map(move |(bound, &last)| {
            while let [(place, count), rest @ ..] = cells
                && *place <= last
            {
                seen += count;
                cells = rest;
            }
            (bound.value, seen)
        })
    }

    /// The buckets that hold values, ascending: the smallest and the largest value that falls into each, and how many
    /// did. As fine as they were recorded, whatever bounds were declared.
    pub fn recorded(&self) -> impl Iterator<Item = (f64, f64, u64)> + '_ {
        self.cells.iter().map(|&(place, count)| {
            let (low, high) = self.grid.values(place as usize);
            (self.exposed(low), self.exposed(high), count)
        })
    }

    /// Values of late with the spans they were recorded in, ascending: one for each declared bucket that has any. None
    /// where the histogram was declared without [`exemplars`](crate::MetricBuilder::exemplars). In a difference of
    /// snapshots, those of the interval.
    pub fn exemplars(&self) -> impl Iterator<Item = Exemplar> + '_ {
        self.noted.iter().map(|noted| self.exemplar(noted))
    }

    fn exemplar(&self, noted: &Noted) -> Exemplar {
        Exemplar::new(noted, self.exposed(noted.value))
    }

    /// Of each exposed bucket, with that of `+Inf`, the exemplar that lies in it and not in the one before.
    pub(crate) fn bucket_exemplars(&self) -> impl Iterator<Item = Option<Exemplar>> + '_ {
        let mut rest = &*self.noted;
        let ends =
            self.ladder().bounds().iter().map(|bound| (bound.ticks, bound.value)).chain([(u64::MAX, f64::INFINITY)]);
        let mut below = f64::NEG_INFINITY;
        ends.map(move |(end, bound)| {
            let (here, above) = rest.split_at(rest.partition_point(|noted| noted.value <= end));
            rest = above;
            let lowest = std::mem::replace(&mut below, bound).next_up();
            // The product of ticks may be rounded up, over the bound, or, beyond 2^53, down to the one before.
            pick(here.iter()).map(|noted| Exemplar::new(&noted, self.exposed(noted.value).max(lowest).min(bound)))
        })
    }

    /// The same cells as exponential buckets.
    pub(crate) fn native(&self) -> NativeBuckets<impl Iterator<Item = (i32, u64)> + '_> {
        let native = self.ladder().native(&self.grid);
        let (zeros, others) = self.cells.split_at(native.zeros(&self.cells));
        let zeros = zeros.iter().map(|(_, count)| count).sum();
        NativeBuckets { schema: native.schema(), zeros, buckets: native.buckets(others) }
    }

    /// The same as a histogram of the `hdrhistogram` crate, in ticks, with the same number of digits: cell for cell.
    ///
    /// With a [native schema](crate::MetricBuilder::native_schema) the cells are others: each value is there as the
    /// largest of its bucket, as [`HistogramSnapshot::quantile`] has it, and the digits are the fewest whose cells are
    /// no wider than the buckets: 1 up to schema 3, 2 up to 6, and then 3.
    ///
    /// # Panics
    ///
    /// Never: the crate supports every layout a histogram can have here.
    #[must_use]
    pub fn to_hdr(&self) -> hdrhistogram::Histogram<u64> {
        let high = self.grid.layout().max().max(2);
        let digits = match self.grid.resolution() {
            Resolution::Digits(digits) => digits,
            Resolution::Schema(0..=3) => 1,
            Resolution::Schema(4..=6) => 2,
            Resolution::Schema(_) => 3,
        };
        let mut hdr = hdrhistogram::Histogram::new_with_bounds(1, high, digits)
            .expect("1 to 3 digits and a maximum from 2 to 2^62 are within the crate's range");
        for &(place, count) in &*self.cells {
            let (lowest, highest) = self.grid.values(place as usize);
            let value = match self.grid.resolution() {
                Resolution::Digits(_) => lowest,
                Resolution::Schema(_) => highest.clamp(self.low, self.high),
            };
            hdr.record_n(value, count).expect("no value exceeds the maximum");
        }
        hdr
    }

    /// What was recorded since `earlier`, which must be of the same series; its exemplars are from `from` on.
    pub(super) fn since(&self, earlier: &Self, from: u64) -> Self {
        if !Arc::ptr_eq(&self.grid, &earlier.grid) || earlier.count > self.count {
            return self.clone();
        }
        let mut cells = combine(&self.cells, &earlier.cells, u64::saturating_sub);
        cells.retain(|(_, count)| *count > 0);
        let ends = cells.first().zip(cells.last());
        let (low, high) = ends.map_or((u64::MAX, 0), |(first, last)| {
            (self.grid.values(first.0 as usize).0.max(self.low), self.grid.values(last.0 as usize).1.min(self.high))
        });
        Self {
            grid: Arc::clone(&self.grid),
            view: self.view.clone(),
            count: cells.iter().map(|(_, count)| count).sum(),
            sum: self.sum.saturating_sub(earlier.sum),
            low,
            high,
            clamped: self.clamped.saturating_sub(earlier.clamped),
            exact: self.exact && earlier.exact,
            cells: cells.into(),
            noted: self
                .noted
                .iter()
                .filter(|noted| noted.nanos >= from && !earlier.noted.contains(noted))
                .copied()
                .collect(),
        }
    }

    /// The sum, the smallest and the largest value, in ticks.
    pub(crate) fn ticks(&self) -> (u128, u64, u64) {
        (self.sum, self.low, self.high)
    }

    /// The buckets that are not empty: their place in the order of values, and their count.
    pub(crate) fn cells(&self) -> &[(u32, u64)] {
        &self.cells
    }

    fn exposed(&self, ticks: u64) -> f64 {
        self.ladder().scale().exposed(u128::from(ticks))
    }
}

/// A histogram's exponential buckets.
#[derive(Debug)]
pub(crate) struct NativeBuckets<I> {
    /// How many there are to the doubling of a value, as a power of two.
    pub(crate) schema: u32,
    /// The count of what is zero.
    pub(crate) zeros: u64,
    /// Those that are not empty: index and count, ascending.
    pub(crate) buckets: I,
}

/// Counts by place in the order of values, while shards are added up.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    counts: Vec<u64>,
    /// The places that may hold something: from `first` up to, not including, `end`.
    first: usize,
    end: usize,
    /// The exemplars, in any order.
    pub(crate) noted: Vec<Noted>,
}

impl Sums {
    fn is_empty(&self) -> bool {
        self.first >= self.end
    }

    fn add(&mut self, cells: &[(u32, u64)]) {
        let (Some(first), Some(last)) = (cells.first(), cells.last()) else { return };
        let (first, end) = (first.0 as usize, last.0 as usize + 1);
        (self.first, self.end) =
            if self.is_empty() { (first, end) } else { (self.first.min(first), self.end.max(end)) };
        if self.counts.len() < end {
            self.counts.resize(end, 0);
        }
        for &(place, count) in cells {
            let sum = &mut self.counts[place as usize];
            *sum = sum.wrapping_add(count);
        }
    }

    /// The counts that are not zero; begins anew.
    fn take(&mut self) -> Vec<(u32, u64)> {
        let counts = &mut self.counts[self.first..self.end];
        // A histogram has fewer than 2^17 cells.
        let cells = (self.first as u32..).zip(counts.iter().copied()).filter(|(_, count)| *count != 0).collect();
        counts.fill(0);
        (self.first, self.end) = (0, 0);
        cells
    }
}

/// Two ascending lists of (place, count) as one; `both` makes one count of two, an absent one being zero.
fn combine(here: &[(u32, u64)], there: &[(u32, u64)], both: impl Fn(u64, u64) -> u64) -> Vec<(u32, u64)> {
    let mut result = Vec::with_capacity(here.len().max(there.len()) + there.len() / 4);
    let (mut here, mut there) = (here.iter().peekable(), there.iter().peekable());
    loop {
        let place = match (here.peek(), there.peek()) {
            (Some(a), Some(b)) => a.0.min(b.0),
            (Some(a), None) => a.0,
            (None, Some(b)) => b.0,
            (None, None) => return result,
        };
        let a = here.next_if(|cell| cell.0 == place).map_or(0, |cell| cell.1);
        let b = there.next_if(|cell| cell.0 == place).map_or(0, |cell| cell.1);
        result.push((place, both(a, b)));
    }
}
