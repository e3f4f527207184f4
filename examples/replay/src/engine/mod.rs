//! The mock engine: replicas with continuous batching, each on a thread of its own, in virtual time.

mod deal;
mod observer;
mod replica;
mod times;

pub(crate) use deal::{Start, run};
pub(crate) use observer::{Batch, End, Observer, StepFacts};
pub(crate) use replica::Tally;
pub(crate) use times::{mix, tokenizing};

/// What the engine is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Replicas, each with a thread, a batch and a cache of its own.
    pub(crate) workers: usize,
    /// The most requests in a batch.
    pub(crate) batch_max: usize,
    /// KV cache blocks of a replica.
    pub(crate) blocks: u64,
    /// Tokens of a block.
    pub(crate) block: u64,
    /// The most prompt tokens in a prefill of more than one request.
    pub(crate) prefill_max: u64,
    /// How many tenths as fast as in the trace requests arrive: 10 is as fast.
    pub(crate) speed: u64,
    /// Whether some output events bring two or three tokens, as with speculative decoding.
    pub(crate) drafts: bool,
    /// Steps of other work for each token: a chain of multiplications, of which one takes a bit over a nanosecond.
    pub(crate) work: u64,
}

impl Settings {
    /// When something arrives, in virtual time.
    pub(crate) fn arrival(&self, at: u64) -> u64 {
        (u128::from(at) * 10 / u128::from(self.speed)) as u64
    }

    /// A load that fills the batches, and now and then the caches too.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers,
            batch_max: 64,
            blocks: 3_000,
            block: 16,
            prefill_max: 8_192,
            speed: 20 * workers as u64,
            drafts: true,
            work: 0,
        }
    }
}
