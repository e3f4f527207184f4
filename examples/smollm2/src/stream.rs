//! What the server needs of a model: streams that turn tokens into tokens, and a text side.
//!
//! The real model is in `llama`, the one without weights in `mock`.

use anyhow::Result;

/// One slot of the server: a sequence being generated and its KV cache.
pub(crate) trait Stream: Send {
    /// Empties the cache, feeds the whole prompt and returns the first token. `seed` drives the sampling from here on.
    fn prefill(&mut self, prompt: &[u32], seed: u64) -> Result<u32>;

    /// Feeds the token returned last and returns the next one.
    fn decode(&mut self, last: u32) -> Result<u32>;

    /// Tokens whose keys and values the cache holds.
    fn cached_tokens(&self) -> usize;

    /// Empties the cache.
    fn clear(&mut self);
}

/// The text side of a model.
pub(crate) trait Text: Send + Sync {
    /// The tokens of a user's message, with the model's chat template around it.
    fn encode_chat(&self, message: &str) -> Result<Vec<u32>>;

    /// The text of tokens, without the special ones.
    fn decode(&self, tokens: &[u32]) -> Result<String>;

    /// Whether this token ends an answer.
    fn is_end(&self, token: u32) -> bool;
}

/// A loaded model, ready to serve.
pub(crate) struct Engine {
    /// The text side.
    pub(crate) text: Box<dyn Text>,
    /// One stream per slot.
    pub(crate) streams: Vec<Box<dyn Stream>>,
    /// Largest number of tokens that a stream can hold, prompt included.
    pub(crate) context: usize,
    /// Says what was loaded, in a line or two.
    pub(crate) description: String,
}
