//! The directory of a segment being written: records one after the other, in chained blocks.

use super::layout::{HEADER_WORDS, PAGE_BYTES, block};
use super::publish;
use super::system::Mapping;
use crate::sync::{Arc, AtomicU64};

/// Bytes of a block, unless a record needs more.
pub(super) const BLOCK_BYTES: u64 = 64 << 10;

/// A record that is published.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    /// As other records refer to it.
    pub(crate) number: u64,
    block: usize,
    word: usize,
}

/// A mapping, from some word of it on.
#[derive(Debug)]
struct Block {
    mapping: Arc<Mapping>,
    first: usize,
}

impl Block {
    /// One of zeros.
    fn begin(mapping: Arc<Mapping>, first: usize) -> Self {
        let block = Self { mapping, first };
        publish::put(&block.words()[block::BYTES], 8 * block.words().len() as u64);
        block
    }

    fn words(&self) -> &[AtomicU64] {
        &self.mapping.words()[self.first..]
    }
}

/// To be locked: one thread at a time appends.
#[derive(Debug)]
pub(super) struct Directory {
    blocks: Vec<Block>,
    /// Words of the last block that are taken.
    used: usize,
    /// How many records there are.
    published: u64,
}

impl Directory {
    /// An empty one, in what is behind the header.
    pub(super) fn new(start: Arc<Mapping>) -> Self {
        Self { blocks: vec![Block::begin(start, HEADER_WORDS)], used: block::WORDS, published: 0 }
    }

    /// Publishes a record. `reserve` gives a further block of at least so many bytes, and where it lies in the file.
    pub(super) fn append(
        &mut self,
        record: &[u64],
        records: &AtomicU64,
        reserve: impl FnOnce(u64) -> Option<(Mapping, u64)>,
    ) -> Option<At> {
        let last = self.blocks.last()?.words();
        // The word behind a block's last record stays zero, which ends the block.
        if self.used + record.len() >= last.len() {
            let bytes = (8 * (block::WORDS + record.len() + 1) as u64).next_multiple_of(PAGE_BYTES).max(BLOCK_BYTES);
            let (mapping, at) = reserve(bytes)?;
            let further = Block::begin(Arc::new(mapping), 0);
            publish::put(&last[block::NEXT], at);
            self.blocks.push(further);
            self.used = block::WORDS;
        }
        let at = At { number: self.published, block: self.blocks.len() - 1, word: self.used };
        publish::write(&self.blocks[at.block].words()[at.word..], record);
        self.used += record.len();
        self.published += 1;
        publish::publish(records, self.published);
        Some(at)
    }

    /// Changes the state of a record, its second word.
    pub(super) fn set_state(&self, at: At, state: u64) {
        publish::put(&self.blocks[at.block].words()[at.word + 1], state);
    }
}
