//! A model without weights: it sleeps as long as a small one would compute and says the same words every time.
//!
//! It needs no file, so the server and what it records can be tried and tested anywhere.

use std::time::Duration;

use anyhow::Result;

use crate::stream::{Engine, Stream, Text};

const WORDS: [&str; 16] = [
    "the", "needle", "turns", "with", "every", "token", "that", "leaves", "this", "engine", "and", "no", "one",
    "waits", "for", "it",
];

/// The token that ends an answer; words follow it.
const END: u32 = 0;

/// How long the model takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// For each token of a prompt.
    pub(crate) prompt_token: Duration,
    /// For each generated token.
    pub(crate) token: Duration,
}

impl Pace {
    /// Some milliseconds per token.
    pub(crate) fn like_a_small_model() -> Self {
        Self { prompt_token: Duration::from_micros(300), token: Duration::from_millis(4) }
    }
}

/// The text side alone.
pub(crate) fn text() -> Box<dyn Text> {
    Box::new(MockText)
}

/// The model.
pub(crate) fn engine(streams: usize, pace: Pace) -> Engine {
    let stream = |_| -> Box<dyn Stream> { Box::new(MockStream { pace, state: 0, cached: 0 }) };
    Engine {
        text: Box::new(MockText),
        streams: (0..streams).map(stream).collect(),
        context: 4096,
        description: "mock: no model, fixed words".to_owned(),
    }
}

struct MockText;

impl Text for MockText {
    fn encode_chat(&self, message: &str) -> Result<Vec<u32>> {
        Ok(message.split_whitespace().map(|word| 1 + word.len() as u32).collect())
    }

    fn decode(&self, tokens: &[u32]) -> Result<String> {
        let words = tokens.iter().filter(|token| **token != END);
        let words: Vec<&str> = words.map(|token| WORDS[*token as usize % WORDS.len()]).collect();
        Ok(words.join(" "))
    }

    fn is_end(&self, token: u32) -> bool {
        token == END
    }
}

struct MockStream {
    pace: Pace,
    /// Advances with each token; starts from the seed.
    state: u64,
    cached: usize,
}

impl MockStream {
    /// One token in 40 is the end.
    fn next(&mut self) -> u32 {
        // An odd multiplier keeps neighbouring seeds apart; the high bits are the ones that vary.
        self.state = self.state.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x632b_e59b_d9b4_e019);
        let draw = self.state >> 33;
        if draw.is_multiple_of(40) { END } else { 1 + (draw % 1000) as u32 }
    }
}

impl Stream for MockStream {
    fn prefill(&mut self, prompt: &[u32], seed: u64) -> Result<u32> {
        std::thread::sleep(self.pace.prompt_token * prompt.len() as u32);
        self.cached = prompt.len();
        self.state = seed;
        Ok(self.next())
    }

    fn decode(&mut self, _last: u32) -> Result<u32> {
        std::thread::sleep(self.pace.token);
        self.cached += 1;
        Ok(self.next())
    }

    fn cached_tokens(&self) -> usize {
        self.cached
    }

    fn clear(&mut self) {
        self.cached = 0;
    }
}
