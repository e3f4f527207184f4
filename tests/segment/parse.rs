//! Reads a segment by what docs/SEGMENT.md says, and by nothing of the engine's.

use std::path::Path;

/// A metric of the directory.
#[derive(Debug)]
pub(crate) struct Metric {
    number: usize,
    pub(crate) shown: bool,
    pub(crate) kind: u64,
    pub(crate) aggregate: u64,
    pub(crate) base: String,
    pub(crate) labels: Vec<String>,
    pub(crate) const_labels: Vec<String>,
    /// Digits and the limit in ticks, of a histogram.
    pub(crate) grid: Option<(u64, u64)>,
}

/// A series of the directory, with its cells added up over the copies.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) state: u64,
    pub(crate) values: Vec<String>,
    pub(crate) at: (u64, u64),
    /// Sixteen cells from the front on: of a histogram the header.
    pub(crate) front: Vec<u64>,
    /// The cells at the front, one for each copy.
    pub(crate) copies: Vec<u64>,
    back: Vec<Vec<u64>>,
}

impl Series {
    /// All buckets up to the extent's end, where those of its first histogram are.
    pub(crate) fn buckets(&self) -> Vec<u64> {
        (0..self.back[0].len()).map(|index| self.back.iter().map(|copy| copy[index] & !(1 << 63)).sum()).collect()
    }

    pub(crate) fn float(&self) -> f64 {
        self.copies.iter().map(|bits| f64::from_bits(*bits)).sum()
    }
}

#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) words: Vec<u64>,
    /// State and words from the second on.
    records: Vec<(u64, u64, Vec<u64>)>,
}

fn text(words: &mut &[u64]) -> String {
    let len = words[0] as usize;
    let (taken, rest) = words[1..].split_at(len.div_ceil(8));
    *words = rest;
    let bytes: Vec<u8> = taken.iter().flat_map(|word| word.to_ne_bytes()).take(len).collect();
    String::from_utf8(bytes).unwrap()
}

fn texts(words: &mut &[u64]) -> Vec<String> {
    let n = words[0];
    *words = &words[1..];
    (0..n).map(|_| text(words)).collect()
}

impl Segment {
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let words: Vec<_> = bytes.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap())).collect();
        assert_eq!(words[0], u64::from_le_bytes(*b"tach seg"));
        assert_eq!((words[1], words[2]), (1 << 32 | 1, 4096));
        let checked = words[1..29].iter().flat_map(|word| word.to_le_bytes());
        let check = checked
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        assert_eq!(words[29], check);
        assert_eq!(words[68], bytes.len() as u64, "what is reserved is the file");
        let (mut records, mut block) = (Vec::new(), 4096 / 8);
        let mut at = block + 2;
        while (records.len() as u64) < words[67] {
            if at >= block + words[block + 1] as usize / 8 || words[at] >> 32 == 0 {
                block = words[block] as usize / 8;
                assert_ne!(block, 0, "the chain ends too soon");
                at = block + 2;
                continue;
            }
            let len = words[at] as u32 as usize;
            records.push((words[at] >> 32, words[at + 1], words[at + 2..at + len].to_vec()));
            at += len;
        }
        Self { words, records }
    }

    pub(crate) fn name(&self) -> String {
        text(&mut &self.words[12..29])
    }

    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let metrics = self.records.iter().enumerate().filter(|(_, (kind, ..))| *kind == 1);
        let parse = |(number, (_, state, words)): (usize, &(u64, u64, Vec<u64>))| {
            let mut rest = &words[3..];
            let [_, base, ..] = [(); 5].map(|()| text(&mut rest));
            let (labels, const_labels) = (texts(&mut rest), texts(&mut rest));
            let grid = (!rest.is_empty()).then(|| (rest[0], rest[1]));
            Metric { number, shown: *state == 1, kind: words[0], aggregate: words[1], base, labels, const_labels, grid }
        };
        metrics.map(parse).collect()
    }

    pub(crate) fn metric(&self, base: &str) -> Metric {
        self.metrics().into_iter().find(|metric| metric.base == base).unwrap_or_else(|| panic!("no {base}"))
    }

    /// The series of a metric, removed ones too.
    pub(crate) fn all(&self, base: &str) -> Vec<Series> {
        let number = self.metric(base).number as u64;
        let of = self.records.iter().filter(|(kind, _, words)| *kind == 2 && words[0] == number);
        of.map(|(_, state, words)| self.cells(*state, words)).collect()
    }

    /// The live series with these label values.
    pub(crate) fn series(&self, base: &str, values: &[&str]) -> Series {
        let found = self.all(base).into_iter().find(|series| series.state == 1 && series.values == values);
        found.unwrap_or_else(|| panic!("no {base}{values:?}"))
    }

    fn cells(&self, state: u64, words: &[u64]) -> Series {
        let (extent, front, back) = (words[1], words[2] as usize, words[3] as usize);
        let copies = self.records.iter().filter(|(kind, _, copy)| *kind == 4 && copy[0] == extent);
        let mut shards: Vec<_> = copies.map(|(_, _, copy)| (copy[1], copy[2] as usize / 8)).collect();
        shards.sort_unstable();
        assert_eq!(shards[0].0, 0, "the shared copy is there");
        let len = self.records[extent as usize].2[0] as usize;
        let sum = |cell: usize| shards.iter().map(|(_, at)| self.words[at + cell]).fold(0, u64::wrapping_add);
        Series {
            state,
            values: texts(&mut &words[5..]),
            at: (extent, front as u64),
            front: (front..len.min(front + 16)).map(sum).collect(),
            copies: shards.iter().map(|(_, at)| self.words[at + front]).collect(),
            back: shards.iter().map(|(_, at)| self.words[at + back..at + len].to_vec()).collect(),
        }
    }
}
