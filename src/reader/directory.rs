//! The directory of a segment, block by block and record by record. Each record is looked at once: it never changes.

use super::contents::Contents;
use super::faults::Faults;
use super::map::Map;
use crate::segment::layout::{block, header};
use crate::segment::publish;
use crate::segment::record::{Record, kind};
use std::collections::BTreeMap;

/// What has been read of a directory.
#[derive(Debug)]
pub(super) struct Directory {
    /// How many records were looked at.
    records: u64,
    /// The first block, until it is begun.
    first: u64,
    /// The block under way: its first word, and the word behind it. Zero before the first.
    block: u64,
    end: u64,
    /// Where the next record begins.
    next: u64,
    /// What follows cannot be found.
    is_broken: bool,
    claims: Claims,
    /// Records of unknown kinds, and what is wrong with the others, for good.
    pub(super) faults: Faults,
}

/// Which words of the file belong to what, so that nothing is read twice.
#[derive(Debug, Default)]
pub(super) struct Claims(BTreeMap<u64, u64>);

impl Claims {
    /// Takes the words from `start` up to, not including, `end`; false where some of them belong to something else.
    pub(super) fn claim(&mut self, start: u64, end: u64) -> bool {
        let before = self.0.range(..end).next_back();
        let is_free = start < end && before.is_none_or(|(_, before_end)| *before_end <= start);
        if is_free {
            self.0.insert(start, end);
        }
        is_free
    }
}

impl Directory {
    /// One that begins at the word `first`.
    pub(super) fn new(first: u64) -> Self {
        let mut claims = Claims::default();
        claims.claim(0, first);
        let faults = Faults::default();
        Self { records: 0, first, block: 0, end: 0, next: 0, is_broken: false, claims, faults }
    }

    /// How many records are published now. The file must be mapped to its end after this.
    pub(super) fn published(map: &Map) -> u64 {
        let records = map.word(header::RECORDS as u64);
        // Edge SEGMENT-RECORD.
        publish::after_number();
        records
    }

    /// Gives `contents` the records up to the number of `published`. Whether there were any.
    pub(super) fn advance(&mut self, map: &Map, published: u64, contents: &mut Contents) -> bool {
        let before = self.records;
        while self.records < published && !self.is_broken {
            match self.record(map) {
                Ok((at, words)) => {
                    self.records += 1;
                    let taken = Record::parse(&words)
                        .map_err(|wrong| wrong.to_string())
                        .and_then(|record| contents.take(at, record, map, &mut self.claims));
                    if let Err(wrong) = taken {
                        contents.skip();
                        self.faults.add(format_args!("record {}: {wrong}", self.records - 1));
                    }
                }
                Err(wrong) => {
                    self.is_broken = true;
                    let missing = published - self.records;
                    self.faults.add(format_args!("{missing} records cannot be found: {wrong}"));
                }
            }
        }
        if published < self.records {
            self.faults.add("records that were published are no longer");
        }
        self.records > before
    }

    /// A copy of the next record, and where it begins.
    fn record(&mut self, map: &Map) -> Result<(u64, Vec<u64>), &'static str> {
        loop {
            if self.block > 0 && self.next < self.end {
                let head = map.word(self.next);
                let (found, len) = Record::head(head).ok_or("a record of a length that none has")?;
                if found != kind::END {
                    let (at, len) = (self.next, len as u64);
                    let words = map.run(at, len).filter(|_| at + len <= self.end);
                    let words = words.ok_or("a record that goes beyond its block")?;
                    // Once each: what was checked is what is parsed.
                    let mut words: Vec<u64> = words.iter().map(crate::record::cell::Cell::get).collect();
                    words[0] = head;
                    self.next += len;
                    return Ok((at, words));
                }
            }
            self.link(map)?;
        }
    }

    /// Goes on to the next block.
    fn link(&mut self, map: &Map) -> Result<(), &'static str> {
        let start = if self.block == 0 {
            self.first
        } else {
            let next = map.word(self.block + block::NEXT as u64);
            if next == 0 || !next.is_multiple_of(8) {
                return Err("the directory ends before");
            }
            next / 8
        };
        let bytes = map.word(start.saturating_add(block::BYTES as u64));
        let end = start.saturating_add(bytes / 8);
        if bytes / 8 <= block::WORDS as u64 || end > map.len() as u64 {
            return Err("a block that goes beyond the file");
        }
        // No block lies in another: so a chain of them ends.
        if !self.claims.claim(start, end) {
            return Err("a block that lies in something else");
        }
        (self.block, self.end, self.next) = (start, end, start + block::WORDS as u64);
        Ok(())
    }
}
