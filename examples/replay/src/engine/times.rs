//! How long things take in virtual time, in nanoseconds.

/// A number that looks random and is the same in every run (SplitMix64's finalizer).
pub(crate) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// From the arrival of a request to its place in the scheduler's queue.
pub(crate) fn tokenizing(prompt: u64) -> u64 {
    180_000 + 410 * prompt
}

/// One prefill of so many tokens.
pub(crate) fn prefill(tokens: u64, step: u64) -> u64 {
    4_000_000 + 29_000 * tokens + mix(step) % 900_001
}

/// One decode of a batch with so many tokens in its context.
pub(crate) fn decode(batch: u64, context: u64, step: u64) -> u64 {
    7_000_000 + 110_000 * batch + 12 * context + mix(step) % 400_001
}

/// Forming a batch.
pub(crate) fn creation(batch: u64) -> u64 {
    41_000 + 730 * batch
}
