//! The series of one metric, and what the expositions prepare for them once.

use super::{Escaping, HistogramBuckets};
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

/// The label values of one series, in the order of the label names.
pub(crate) type LabelValues = Arc<[Box<str>]>;

/// The series of one metric, and what their lines begin with, which is made once for as long as there are just these.
#[derive(Debug)]
pub(crate) struct LabelSets {
    /// In ascending order.
    pub(crate) sets: Box<[LabelValues]>,
    /// When each series was made.
    pub(crate) began: Box<[SystemTime]>,
    /// When this list was made: of two of one metric the later one has the later series.
    pub(crate) listed: Instant,
    /// Series of a view that are not among these, as what they are made of is switched off.
    pub(crate) off: Box<[LabelValues]>,
    /// For the text formats.
    pub(crate) lines: Prepared<Form, Pieces>,
    /// For protobuf: the labels of each.
    pub(crate) encoded: Prepared<Escaping, Pieces>,
    /// Likewise: when each began, by the number of the field.
    pub(crate) starts: Prepared<u32, Pieces>,
}

impl LabelSets {
    pub(crate) fn new(series: impl IntoIterator<Item = (LabelValues, SystemTime)>) -> Self {
        let (sets, began): (Vec<_>, Vec<_>) = series.into_iter().unzip();
        let (lines, encoded, starts) = Default::default();
        let listed = Instant::now();
        Self { sets: sets.into(), began: began.into(), listed, off: Box::default(), lines, encoded, starts }
    }

    /// Series that were all made at one time.
    pub(crate) fn since(began: SystemTime, sets: impl IntoIterator<Item = LabelValues>) -> Self {
        Self::new(sets.into_iter().map(|set| (set, began)))
    }
}

/// What stands before the number on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// That of each of a series' samples.
    Samples(Escaping),
    /// Of the sample that tells when a series began.
    Created(Escaping),
    /// What a family's histograms have between their numbers where a series is one sample.
    Composite(Escaping, HistogramBuckets),
}

/// What is prepared in each of a few ways, at the first use of that way, without a lock.
#[derive(Debug)]
pub(crate) struct Prepared<K, T>(OnceLock<Box<Node<K, T>>>);

#[derive(Debug)]
struct Node<K, T> {
    key: K,
    made: T,
    next: Prepared<K, T>,
}

impl<K, T> Default for Prepared<K, T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<K: PartialEq + Copy, T> Prepared<K, T> {
    /// What was made for `key`, or is now.
    pub(crate) fn get(&self, key: K, make: impl Fn() -> T) -> &T {
        let mut at = self;
        loop {
            let node = at.0.get_or_init(|| Box::new(Node { key, made: make(), next: Self::default() }));
            if node.key == key {
                return &node.made;
            }
            at = &node.next;
        }
    }
}

/// Texts or bytes, in one piece, since an exposition goes through all of it.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    all: Vec<u8>,
    ends: Vec<usize>,
}

impl Pieces {
    /// Appends a piece: what `write` appends.
    pub(crate) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.all);
        self.ends.push(self.all.len());
    }

    /// How long all pieces are together.
    pub(crate) fn total(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn get(&self, index: usize) -> &[u8] {
        let Part { all, start, ends } = self.part(index..index + 1);
        &all[start..ends[0]]
    }

    /// The pieces, in order.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.part(0..self.ends.len()).iter()
    }

    /// Some of the pieces.
    pub(crate) fn part(&self, range: Range<usize>) -> Part<'_> {
        let start = range.start.checked_sub(1).map_or(0, |before| self.ends[before]);
        Part { all: &self.all, start, ends: &self.ends[range] }
    }
}

/// Pieces that follow one another: where the first starts and where each ends, in what may go on behind them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) all: &'a [u8],
    pub(crate) start: usize,
    pub(crate) ends: &'a [usize],
}

impl<'a> Part<'a> {
    /// How long they are together.
    pub(crate) fn total(self) -> usize {
        self.ends.last().map_or(0, |end| end - self.start)
    }

    pub(crate) fn iter(self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        let Self { all, mut start, ends } = self;
        ends.iter().map(move |&end| &all[std::mem::replace(&mut start, end)..end])
    }
}

#[cfg(test)]
mod tests {
    use super::{Pieces, Prepared};
    use std::cell::Cell;

    #[test]
    fn each_way_is_prepared_once() {
        let (prepared, made) = (Prepared::default(), Cell::new(0));
        let get = |key: u8| {
            *prepared.get(key, || {
                made.set(made.get() + 1);
                key * 10
            })
        };
        assert_eq!([1, 2, 1, 3, 2, 3].map(get), [10, 20, 10, 30, 20, 30]);
        assert_eq!(made.get(), 3);
    }

    #[test]
    fn pieces_come_back_as_they_were() {
        let mut pieces = Pieces::default();
        [&b"ab"[..], b"", b"cd"].into_iter().for_each(|piece| pieces.push(|all| all.extend_from_slice(piece)));
        assert_eq!((pieces.iter().collect::<Vec<_>>(), pieces.total()), (vec![&b"ab"[..], b"", b"cd"], 4));
    }
}
