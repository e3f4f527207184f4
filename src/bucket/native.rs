//! The exponential buckets of Prometheus' native histograms, and which cells of a grid each of them gets.
//!
//! With schema `n` bucket `i` holds values above `g^(i-1)` and up to `g^i`, where `g = 2^(2^-n)`. Where a histogram was
//! declared with a schema, its cells are these buckets in the unit it was declared with, and nothing is off.
//!
//! Where it was declared with digits, or a view shows it in another unit, ends are elsewhere. A cell goes whole to
//! the bucket of its largest value, so counts stay whole numbers, add up to the histogram's, and never fall. A cell
//! that reaches beyond a bucket's upper end takes its smaller values one bucket too high, never further: a cell is
//! narrower than a bucket. From a value to the upper end of the bucket in which it is counted it is therefore
//! `(1 + 2^-p) · g` times at most, with `p` precision bits of the layout (see [`super::Layout`]):
//!
//! ```text
//! digits   p   schema   g         a value is counted below at most
//!   1      4     3      1.0905    1.159 times itself
//!   2      7     4      1.0443    1.053
//!   3     10     5      1.0219    1.023
//! ```
//!
//! A view in another unit has the declared schema, at most 5, and a value is counted below at most the growth of both
//! times itself.
//!
//! The schema follows from the declaration alone: whoever declares a metric alike in two processes can add the two up, and
//! it never changes from one exposition to the next.

use super::{Exponential, Grid, Layout, Resolution, Scale};

/// Values up to this are in the zero bucket: the one that Prometheus' own libraries have.
pub(crate) const ZERO_THRESHOLD: f64 = 2.938_735_877_055_719e-39;

/// The finest schema in use where the cells are not a schema's own.
const FINEST: u32 = 5;

/// `2^(k/32 - 1)`, each the float that is nearest.
const BOUNDS: [f64; 1 << FINEST] = [
    0.5,
    0.5109485743270583,
    0.5221368912137069,
    0.5335702003384118,
    0.5452538663326288,
    0.5571933712979462,
    0.5693943173783458,
    0.5818624293887887,
    0.5946035575013605,
    0.6076236799902345,
    0.620928906036742,
    0.6345254785958666,
    0.6484197773255048,
    0.6626183215798707,
    0.6771277734684463,
    0.691954940981916,
    std::f64::consts::FRAC_1_SQRT_2,
    0.7225904034885233,
    0.7384130729697497,
    0.7545822137967114,
    0.7711054127039704,
    0.7879904225539432,
    0.8052451659746271,
    0.8228777390769825,
    0.8408964152537145,
    0.859309649061239,
    0.8781260801866497,
    0.8973545375015536,
    0.9170040432046712,
    0.93708381705515,
    0.9576032806985737,
    0.9785720620877001,
];

/// A schema: how many buckets, as a power of two, a doubling of the value has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Schema(u32);

impl Schema {
    /// For cells that are not a schema's own.
    fn for_cells(resolution: Resolution) -> Self {
        match resolution {
            Resolution::Digits(digits) => Self(u32::from(digits) + 2),
            Resolution::Schema(schema) => Self(u32::from(schema).min(FINEST)),
        }
    }

    /// The bucket of a positive, normal and finite value.
    fn index(self, value: f64) -> i32 {
        // value = fraction · 2^exponent, the fraction from 0.5 up to 1.
        let bits = value.to_bits();
        let exponent = (bits >> 52) as i32 - 1022;
        let fraction = f64::from_bits(bits & ((1 << 52) - 1) | 1022 << 52);
        let step = 1 << (FINEST - self.0);
        let below = BOUNDS.iter().step_by(step).filter(|bound| **bound < fraction).count();
        below as i32 + ((exponent - 1) << self.0)
    }

    /// The largest value of a bucket; infinite where that is no float.
    fn upper(self, index: i32) -> f64 {
        let (octave, part) = (index >> self.0, index & ((1 << self.0) - 1));
        let bound = BOUNDS[(part as usize) << (FINEST - self.0)];
        // In two steps, as the power alone may be out of range.
        bound * 2.0 * 2.0_f64.powi(octave)
    }
}

/// Which places of a grid are in which bucket.
#[derive(Debug)]
pub(crate) struct Native {
    schema: Schema,
    /// The first so many places hold only what counts as zero.
    zeros: u32,
    /// The first bucket that has a place.
    first: i32,
    /// By place, how many buckets after the first it is in; of a place that counts as zero 0.
    after_first: Box<[u16]>,
}

impl Native {
    pub(crate) fn new(grid: &Grid, scale: Scale) -> Self {
        match grid.layout() {
            Layout::Exponential(cells) if scale == grid.ladder().scale() => Self::own(grid, cells),
            _ => Self::of_others(grid, scale),
        }
    }

    /// For cells that are a schema's own buckets.
    fn own(grid: &Grid, cells: &Exponential) -> Self {
        let schema = Schema(cells.schema());
        let len = grid.layout().len();
        // The zero bucket ends where a bucket of every schema does, at 2^-128; the last one has what is no float too.
        let (zero, last) = (-128 << schema.0, 1024 << schema.0);
        let is_zero = |cell: &usize| *cell == 0 || cells.bucket(*cell) <= zero;
        let zeros = (0..len).take_while(is_zero).count();
        let ends = zeros..len;
        let last_place = |cell: usize| grid.rank_of_cell(cell + 1) as u32 - 1;
        let mut last_places: Vec<u32> =
            ends.clone().take_while(|cell| cells.bucket(*cell) <= last).map(last_place).collect();
        if let Some(place) = last_places.last_mut() {
            *place = last_place(len - 1);
        }
        let first = if ends.is_empty() { 0 } else { cells.bucket(zeros) };
        Self::with(schema, grid.rank_of_cell(zeros), first, &last_places)
    }

    /// For other cells: by their largest values.
    fn of_others(grid: &Grid, scale: Scale) -> Self {
        let schema = Schema::for_cells(grid.resolution());
        let highest = |place: usize| scale.exposed(u128::from(grid.values(place).1)).min(f64::MAX);
        // The number of places whose values do not exceed `limit`; at least `from`.
        let up_to = |limit: f64, from: usize| {
            let (mut low, mut high) = (from, grid.len());
            while low < high {
                let middle = usize::midpoint(low, high);
                if highest(middle) <= limit { low = middle + 1 } else { high = middle }
            }
            low
        };
        let zeros = up_to(ZERO_THRESHOLD, 0);
        if zeros == grid.len() {
            return Self::with(schema, zeros, 0, &[]);
        }
        let first = schema.index(highest(zeros));
        let mut below = zeros;
        let ends = (first..=schema.index(highest(grid.len() - 1))).map(|index| {
            below = up_to(schema.upper(index), below);
            // A histogram has fewer than 2^17 cells.
            below as u32 - 1
        });
        Self::with(schema, zeros, first, &ends.collect::<Vec<_>>())
    }

    /// `last_places`: of each bucket from `first` on, the last place of all up to it.
    fn with(schema: Schema, zeros: usize, first: i32, last_places: &[u32]) -> Self {
        let mut after_first = vec![0; zeros];
        for (bucket, last) in last_places.iter().enumerate() {
            let bucket = u16::try_from(bucket).expect("64 octaves have 2^14 buckets at most");
            after_first.resize(*last as usize + 1, bucket);
        }
        Self { schema, zeros: zeros as u32, first, after_first: after_first.into() }
    }

    pub(crate) fn schema(&self) -> u32 {
        self.schema.0
    }

    /// How many of these cells, a place and a count each in ascending order, count as zero: the first so many.
    pub(crate) fn zeros(&self, cells: &[(u32, u64)]) -> usize {
        cells.partition_point(|(place, _)| *place < self.zeros)
    }

    /// The buckets of cells that do not count as zero: index and count, ascending, none empty.
    pub(crate) fn buckets<'a>(&'a self, mut cells: &'a [(u32, u64)]) -> impl Iterator<Item = (i32, u64)> + 'a {
        let after_first = |place: u32| self.after_first[place as usize];
        std::iter::from_fn(move || {
            let (&(place, mut count), mut others) = cells.split_first()?;
            let bucket = after_first(place);
            while let Some((&(place, more), rest)) = others.split_first()
                && after_first(place) == bucket
            {
                (count, others) = (count.wrapping_add(more), rest);
            }
            cells = others;
            Some((self.first + i32::from(bucket), count))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::{Bound, MAX_TICKS};

    #[test]
    fn the_table_is_that_of_the_powers() {
        for (k, bound) in BOUNDS.iter().enumerate() {
            // To the last place but one; and the products are those of exponents that add up.
            let power = (k as f64 / 32.0 - 1.0).exp2();
            assert!((bound / power - 1.0).abs() < 3e-16, "{k}: {bound} {power}");
            let square = BOUNDS[(2 * k) % 32] * if k < 16 { 0.5 } else { 1.0 };
            assert!((bound * bound / square - 1.0).abs() < 5e-16, "{k}");
        }
    }

    #[test]
    fn buckets_include_their_upper_end_and_not_their_lower() {
        for schema in [3, 4, 5].map(Schema) {
            assert_eq!((schema.index(1.0), schema.upper(0)), (0, 1.0));
            assert_eq!(schema.index(1.0 + f64::EPSILON), 1);
            for octave in [-127, -30, -1, 0, 1, 10, 62, 1023] {
                let power = 2.0_f64.powi(octave);
                assert_eq!(schema.index(power), octave << schema.0);
                assert_eq!(schema.upper(octave << schema.0), power);
            }
            for index in -2000..2000 {
                let upper = schema.upper(index);
                assert_eq!(schema.index(upper), index);
                assert_eq!(schema.index(upper.next_up()), index + 1);
                assert!(upper < schema.upper(index + 1));
            }
            assert_eq!(schema.index(f64::MAX), 1024 << schema.0);
            assert_eq!(schema.upper(1024 << schema.0), f64::INFINITY);
        }
    }

    fn grid(digits: u8, tick: f64, bounds: &[u64]) -> (Grid, Scale) {
        let bounds = bounds.iter().map(|&ticks| Bound { value: ticks as f64, ticks }).collect();
        let scale = Scale::new(tick);
        (Grid::new(Resolution::Digits(digits), MAX_TICKS - 1, scale, bounds, Box::default()), scale)
    }

    #[test]
    fn every_place_is_in_the_bucket_of_its_largest_value() {
        for (digits, tick) in [(1, 1e-9), (1, 1.0), (2, 1e-9), (2, 1e-6), (2, 0.3), (2, 1e300), (2, 1e-40), (3, 1e-9)] {
            let (grid, scale) = grid(digits, tick, &[3, 1000, 1001, 70_001]);
            let native = Native::new(&grid, scale);
            let cells: Vec<(u32, u64)> = (0..grid.len() as u32).map(|place| (place, 1)).collect();
            let zeros = native.zeros(&cells);
            let mut expected = std::collections::BTreeMap::new();
            for place in 0..grid.len() {
                let highest = scale.exposed(grid.values(place).1.into()).min(f64::MAX);
                if highest <= ZERO_THRESHOLD {
                    assert!(place < zeros);
                } else {
                    *expected.entry(native.schema.index(highest)).or_insert(0) += 1;
                }
            }
            assert!(native.buckets(&cells[zeros..]).eq(expected), "{digits} {tick}");
            assert!(zeros >= 1);
        }
    }

    #[test]
    fn cells_of_a_schema_are_its_buckets() {
        for (schema, tick) in [(0, 1.0), (3, 1e-9), (4, 1e-9), (5, 2.5), (8, 1e-3), (4, 1e300), (4, 1e-40)] {
            let bounds = [3, 1000, 1001, 70_001].map(|ticks| Bound { value: ticks as f64, ticks });
            let scale = Scale::new(tick);
            let grid = Grid::new(Resolution::Schema(schema), MAX_TICKS, scale, bounds.into(), Box::default());
            let native = grid.ladder().native(&grid);
            let Layout::Exponential(own) = grid.layout() else { panic!("it was declared so") };
            assert_eq!(native.schema(), u32::from(schema));
            let cells: Vec<(u32, u64)> = (0..grid.len() as u32).map(|place| (place, 1)).collect();
            let zeros = native.zeros(&cells);
            let mut expected = std::collections::BTreeMap::new();
            for place in 0..grid.len() {
                let cell = own.index(grid.values(place).1.min(MAX_TICKS));
                // Where it is no zero and a float, a split cell or not.
                let is_zero = cell == 0 || own.bucket(cell) <= -128 << schema;
                assert_eq!(is_zero, place < zeros, "{schema} {tick} {place}");
                if !is_zero {
                    *expected.entry(own.bucket(cell).min(1024 << schema)).or_insert(0) += 1;
                }
            }
            // A cell in which no value lies has the place of the one before here.
            let found: std::collections::BTreeMap<i32, u64> = native.buckets(&cells[zeros..]).collect();
            assert!(expected.keys().all(|bucket| found.contains_key(bucket)), "{schema} {tick}");
            assert_eq!(found.values().sum::<u64>() + zeros as u64, grid.len() as u64);
            for place in zeros..grid.len() {
                let (cell, _) = native.buckets(&cells[place..=place]).next().unwrap();
                let (lowest, highest) = grid.values(place);
                if lowest <= highest {
                    assert_eq!(cell, own.bucket(own.index(highest.min(MAX_TICKS))).min(1024 << schema));
                }
            }
        }
    }

    #[test]
    fn in_another_unit_a_value_is_counted_close_to_its_bucket() {
        let scale = Scale::new(1e-9);
        let grid = Grid::new(Resolution::Schema(4), 1 << 40, scale, Box::default(), Box::default());
        // In milliseconds: three powers of ten are no whole number of buckets.
        let scale = scale.shifted(3);
        let native = Native::new(&grid, scale);
        assert_eq!(native.schema(), 4);
        for value in (1..1 << 40).step_by(7_654_321) {
            let (counted, _) = native.buckets(&[(grid.rank_of(value) as u32, 1)]).next().unwrap();
            let exact = native.schema.index(scale.exposed(value.into()));
            assert!(counted == exact || counted == exact + 1, "{value}: {counted} {exact}");
        }
    }

    #[test]
    fn without_cells_there_are_no_buckets() {
        let (grid, scale) = grid(2, 1e-9, &[]);
        let native = Native::new(&grid, scale);
        assert_eq!((native.zeros(&[]), native.buckets(&[]).count()), (0, 0));
        assert_eq!(native.zeros(&[(0, 7)]), 1);
        // Ticks below the threshold are zero, all of them.
        let (grid, scale) = self::grid(1, 1e-300, &[]);
        let native = Native::new(&grid, scale);
        let last = grid.len() as u32 - 1;
        assert_eq!((native.zeros(&[(last, 1)]), native.after_first.len()), (1, grid.len()));
    }

    proptest::proptest! {
        #[test]
        fn a_value_is_counted_in_its_bucket_or_the_next(value in 1..MAX_TICKS - 1, cut in 0..62_u32, digits in 1..=3_u8) {
            let (grid, scale) = grid(digits, 1e-9, &[]);
            let native = Native::new(&grid, scale);
            let value = (value >> cut).max(1);
            let cells = [(grid.rank_of(value) as u32, 1)];
            let (counted, _) = native.buckets(&cells).next().unwrap();
            let exact = scale.exposed(value.into());
            let own = native.schema.index(exact);
            proptest::prop_assert!(counted == own || counted == own + 1, "{counted} {own}");
            let bound = [1.159, 1.053, 1.023][usize::from(digits) - 1];
            proptest::prop_assert!(native.schema.upper(counted) <= bound * exact);
        }
    }
}
