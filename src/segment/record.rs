//! The records of a segment's directory: what there is to read, and where.
//!
//! A record is published whole and never changed, but for its second word, the state. It is known by its number, the
//! first one published being 0. Whoever reads copies it first and parses the copy.

pub(crate) use super::words::Malformed;
use super::words::{Rest, Words};
use crate::bucket::{Bound, Grid, MAX_TICKS, Resolution, SCHEMA_MAX, Scale};

/// The kind of a record, in the upper half of its first word; in the lower its length in words, with this one.
pub(crate) mod kind {
    /// No more records in this block: go on with the next.
    pub(crate) const END: u32 = 0;
    pub(crate) const METRIC: u32 = 1;
    pub(crate) const SERIES: u32 = 2;
    pub(crate) const EXTENT: u32 = 3;
    pub(crate) const COPY: u32 = 4;
    pub(crate) const FOLDED: u32 = 5;
}

/// The state of a metric or a series, which is the second word of every record. Of other records it is `LIVE`.
pub(crate) mod state {
    pub(crate) const LIVE: u64 = 1;
    /// Of a metric: switched off. Its totals stay, and it is not to be exposed.
    pub(crate) const HIDDEN: u64 = 2;
    /// Of a series: removed. Its cells may be another's soon.
    pub(crate) const REMOVED: u64 = 3;
}

/// Words before what a kind has of its own.
pub(crate) const PREFIX: usize = 2;
/// The longest record: a megabyte.
pub(crate) const WORDS_MAX: usize = 1 << 17;

/// A record as it is parsed, without its state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Record {
    Metric(Box<MetricRecord>),
    Series(SeriesRecord),
    Extent(ExtentRecord),
    Copy(CopyRecord),
    /// The totals of the segment with this id are contained in this segment.
    Folded([u64; 2]),
    /// Of a later version.
    Unknown,
}

/// A metric's description.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MetricRecord {
    /// As `kind_code`.
    pub(crate) kind: u64,
    /// As `Aggregate` in the public interface, for gauges.
    pub(crate) aggregate: u64,
    /// From which level on it is recorded: 0 none, 1 basic, 2 detailed.
    pub(crate) level: u64,
    /// Whether names may be any text.
    pub(crate) utf8: bool,
    pub(crate) name: String,
    /// What exposition formats build on.
    pub(crate) base: String,
    /// What OTLP calls it.
    pub(crate) dotted: String,
    pub(crate) help: String,
    /// The suffix of the unit, empty for none.
    pub(crate) unit: String,
    pub(crate) labels: Vec<String>,
    /// Names and values in turn.
    pub(crate) const_labels: Vec<String>,
    /// For a histogram.
    pub(crate) grid: Option<GridRecord>,
}

/// What a histogram's cells are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GridRecord {
    /// Significant digits, 1 to 3; or [`SCHEMA`] plus a native schema.
    pub(crate) resolution: u64,
    /// The largest value that is not clamped, in ticks.
    pub(crate) limit: u64,
    /// One tick in the exposed unit.
    pub(crate) tick: f64,
    /// The exposed bounds, in the exposed unit, ascending.
    pub(crate) bounds: Vec<f64>,
    /// Further bounds at which cells are split, ascending.
    pub(crate) exact: Vec<f64>,
}

/// One series.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SeriesRecord {
    /// The number of the metric's record.
    pub(crate) metric: u64,
    /// The number of the extent's record.
    pub(crate) extent: u64,
    /// The first cell, or a histogram's header, in cells from the extent's start.
    pub(crate) front: u64,
    /// A histogram's first bucket.
    pub(crate) back: u64,
    /// When it was made, in Unix nanoseconds.
    pub(crate) began: u64,
    /// The label values, in the order of the metric's labels.
    pub(crate) values: Vec<String>,
    /// From version 1.1 on, where it has some: slots for exemplars.
    pub(crate) exemplars: Option<SlotsRecord>,
}

/// Slots for exemplars, one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct SlotsRecord {
    /// The first one's first cell, in cells from the extent's start.
    pub(crate) at: u64,
    pub(crate) slots: u64,
}

/// A run of cells, of which there are copies.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ExtentRecord {
    pub(crate) cells: u64,
}

/// Where one copy of an extent lies in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct CopyRecord {
    /// The number of the extent's record.
    pub(crate) extent: u64,
    /// 0: the one that all threads share; from 1 on: a shard's, which one thread at a time writes.
    pub(crate) shard: u64,
    /// In bytes from the start of the file.
    pub(crate) at: u64,
}

/// Added to the level where names may be any text.
const UTF8: u64 = 256;
/// What stands for schema 0 in the place of a number of digits.
pub(crate) const SCHEMA: u64 = 256;

impl GridRecord {
    /// The record of a grid.
    pub(crate) fn of(grid: &Grid) -> Self {
        let values = |bounds: &[Bound]| bounds.iter().map(|bound| bound.value).collect();
        Self {
            resolution: match grid.resolution() {
                Resolution::Digits(digits) => digits.into(),
                Resolution::Schema(schema) => SCHEMA + u64::from(schema),
            },
            limit: grid.limit(),
            tick: grid.ladder().scale().tick(),
            bounds: values(grid.ladder().bounds()),
            exact: values(grid.exact()),
        }
    }

    fn parse(rest: &mut Rest<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            resolution: rest.word()?,
            limit: rest.word()?,
            tick: f64::from_bits(rest.word()?),
            bounds: rest.floats()?,
            exact: rest.floats()?,
        })
    }

    /// The grid of a record, which need not be one that [`GridRecord::of`] made.
    pub(crate) fn grid(&self) -> Result<Grid, Malformed> {
        let resolution = match self.resolution {
            digits @ 1..=3 => Resolution::Digits(digits as u8),
            schema if (SCHEMA..=SCHEMA + u64::from(SCHEMA_MAX)).contains(&schema) => {
                Resolution::Schema((schema - SCHEMA) as u8)
            }
            _ => return Err(Malformed("a histogram has 1 to 3 digits or a schema from 0 to 8")),
        };
        if !(1..=MAX_TICKS).contains(&self.limit) {
            return Err(Malformed("a histogram's maximum is 1 to 2^62 ticks"));
        }
        if !(self.tick.is_normal() && self.tick > 0.0) {
            return Err(Malformed("a histogram's tick is a positive number"));
        }
        let scale = Scale::new(self.tick);
        let bounds = |values: &[f64]| {
            if values.windows(2).any(|pair| pair[0] >= pair[1]) {
                return None;
            }
            let bound = |&value: &f64| {
                let ticks = (value.is_finite() && value >= 0.0).then(|| scale.ticks(value)).flatten()?;
                // Adding zero makes minus zero zero.
                (ticks < MAX_TICKS).then_some(Bound { value: value + 0.0, ticks })
            };
            values.iter().map(bound).collect::<Option<Box<[_]>>>()
        };
        let wrong = Malformed("a histogram's bounds are ascending numbers from zero up to 2^62 ticks");
        Ok(Grid::new(
            resolution,
            self.limit,
            scale,
            bounds(&self.bounds).ok_or(wrong)?,
            bounds(&self.exact).ok_or(wrong)?,
        ))
    }
}

impl Record {
    /// The whole record, in words. Fails where it would be longer than a reader takes.
    pub(crate) fn to_words(&self, state: u64) -> Result<Vec<u64>, Malformed> {
        let mut out = Words(vec![0, state]);
        let kind = match self {
            Self::Metric(metric) => {
                let level = metric.level | if metric.utf8 { UTF8 } else { 0 };
                out.0.extend([metric.kind, metric.aggregate, level]);
                for text in [&metric.name, &metric.base, &metric.dotted, &metric.help, &metric.unit] {
                    out.text(text);
                }
                out.texts(&metric.labels);
                out.texts(&metric.const_labels);
                if let Some(grid) = &metric.grid {
                    out.0.extend([grid.resolution, grid.limit, grid.tick.to_bits()]);
                    out.floats(&grid.bounds);
                    out.floats(&grid.exact);
                }
                kind::METRIC
            }
            Self::Series(series) => {
                out.0.extend([series.metric, series.extent, series.front, series.back, series.began]);
                out.texts(&series.values);
                out.0.extend(series.exemplars.iter().flat_map(|exemplars| [exemplars.at, exemplars.slots]));
                kind::SERIES
            }
            Self::Extent(extent) => {
                out.0.push(extent.cells);
                kind::EXTENT
            }
            Self::Copy(copy) => {
                out.0.extend([copy.extent, copy.shard, copy.at]);
                kind::COPY
            }
            Self::Folded(id) => {
                out.0.extend(id);
                kind::FOLDED
            }
            Self::Unknown => return Err(Malformed("a record of an unknown kind cannot be written")),
        };
        if out.0.len() > WORDS_MAX {
            return Err(Malformed("a record of more than a megabyte"));
        }
        out.0[0] = u64::from(kind) << 32 | out.0.len() as u64;
        Ok(out.0)
    }

    /// The kind and the length, in words, that a record's first word tells. `None` for a length that no record has.
    pub(crate) fn head(word: u64) -> Option<(u32, usize)> {
        let len = (word & u64::from(u32::MAX)) as usize;
        let kind = (word >> 32) as u32;
        (kind == kind::END || (PREFIX..=WORDS_MAX).contains(&len)).then_some((kind, len))
    }

    /// Parses a whole record.
    pub(crate) fn parse(words: &[u64]) -> Result<Self, Malformed> {
        let short = Malformed("a record that ends too soon");
        let (kind, len) = words.first().and_then(|word| Self::head(*word)).ok_or(short)?;
        if words.len() != len || len < PREFIX {
            return Err(short);
        }
        let mut rest = Rest(&words[PREFIX..]);
        Ok(match kind {
            kind::METRIC => {
                let (kind, aggregate, level) = (rest.word()?, rest.word()?, rest.word()?);
                let [name, base, dotted, help, unit] =
                    [rest.text()?, rest.text()?, rest.text()?, rest.text()?, rest.text()?];
                let (labels, const_labels) = (rest.texts()?, rest.texts()?);
                let grid = if rest.0.is_empty() { None } else { Some(GridRecord::parse(&mut rest)?) };
                Self::Metric(Box::new(MetricRecord {
                    kind,
                    aggregate,
                    level: level & !UTF8,
                    utf8: level & UTF8 != 0,
                    name,
                    base,
                    dotted,
                    help,
                    unit,
                    labels,
                    const_labels,
                    grid,
                }))
            }
            kind::SERIES => Self::Series(SeriesRecord {
                metric: rest.word()?,
                extent: rest.word()?,
                front: rest.word()?,
                back: rest.word()?,
                began: rest.word()?,
                values: rest.texts()?,
                exemplars: match rest.0 {
                    [] => None,
                    _ => Some(SlotsRecord { at: rest.word()?, slots: rest.word()? }),
                },
            }),
            kind::EXTENT => Self::Extent(ExtentRecord { cells: rest.word()? }),
            kind::COPY => Self::Copy(CopyRecord { extent: rest.word()?, shard: rest.word()?, at: rest.word()? }),
            kind::FOLDED => Self::Folded([rest.word()?, rest.word()?]),
            _ => Self::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric() -> MetricRecord {
        let text = |text: &str| text.to_owned();
        MetricRecord {
            kind: 5,
            aggregate: 1,
            level: 2,
            utf8: true,
            name: text("itl"),
            base: text("maxserve_itl_seconds"),
            dotted: text("maxserve.itl"),
            help: text("Zeit zwischen zwei Tokens, \"ü\"\n"),
            unit: text("seconds"),
            labels: vec![text("model"), text("")],
            const_labels: vec![text("zone"), text("a")],
            grid: Some(GridRecord {
                resolution: 2,
                limit: 3_600_000_000_000,
                tick: 1e-9,
                bounds: vec![0.01, 0.025],
                exact: vec![0.3],
            }),
        }
    }

    #[test]
    fn a_record_reads_back() {
        let values = vec!["12345678".to_owned(), "123456789".to_owned(), String::new()];
        let exemplars = Some(SlotsRecord { at: 6, slots: 7 });
        let series = SeriesRecord { metric: 1, extent: 2, front: 3, back: 4, began: 5, values, exemplars };
        let records = [
            Record::Metric(Box::new(metric())),
            Record::Metric(Box::new(MetricRecord { grid: None, ..metric() })),
            Record::Series(series.clone()),
            Record::Series(SeriesRecord { exemplars: None, ..series }),
            Record::Extent(ExtentRecord { cells: 2048 }),
            Record::Copy(CopyRecord { extent: 1, shard: 2, at: 4096 }),
            Record::Folded([7, 8]),
        ];
        for record in records {
            let words = record.to_words(state::LIVE).unwrap();
            assert_eq!(words[1], state::LIVE);
            assert_eq!(Record::parse(&words), Ok(record));
            // Cut anywhere it is an error, and none that costs memory.
            for len in 0..words.len() {
                assert!(Record::parse(&words[..len]).is_err());
            }
        }
    }

    #[test]
    fn lengths_that_lie_are_errors() {
        let words = Record::Metric(Box::new(metric())).to_words(state::LIVE).unwrap();
        for place in PREFIX + 3..words.len() {
            let mut wrong = words.clone();
            wrong[place] = u64::MAX;
            // Whatever it makes of it, it neither panics nor allocates what the number says.
            let _ = Record::parse(&wrong).map(|record| match record {
                Record::Metric(metric) => metric.grid.map(|grid| grid.grid().map(|grid| grid.len())),
                _ => None,
            });
        }
    }

    #[test]
    fn what_a_later_version_adds_is_skipped() {
        assert_eq!(Record::parse(&[99 << 32 | 3, state::LIVE, 12]), Ok(Record::Unknown));
        assert_eq!(Record::head(1), Some((kind::END, 1)));
        assert_eq!(Record::head(u64::from(kind::COPY) << 32 | 1), None);
    }

    #[test]
    fn a_grid_reads_back_cell_for_cell() {
        let record = metric().grid.unwrap();
        let native = GridRecord { resolution: SCHEMA + 4, ..record.clone() };
        assert_eq!(GridRecord::of(&native.grid().unwrap()), native);
        let grid = record.grid().unwrap();
        assert_eq!(GridRecord::of(&grid), record);
        assert_eq!((grid.limit(), grid.ladder().bounds()[1].ticks), (3_600_000_000_000, 25_000_000));
        assert_eq!(grid.exact()[0].ticks, 300_000_000);
        for wrong in [
            GridRecord { resolution: 4, ..record.clone() },
            GridRecord { resolution: SCHEMA + 9, ..record.clone() },
            GridRecord { limit: 0, ..record.clone() },
            GridRecord { tick: f64::NAN, ..record.clone() },
            GridRecord { bounds: vec![0.2, 0.1], ..record.clone() },
            GridRecord { exact: vec![f64::INFINITY], ..record.clone() },
        ] {
            assert!(wrong.grid().is_err());
        }
    }
}
