//! Words, texts and lists: what records are made of.

use std::fmt;

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A record being written.
pub(super) struct Words(pub(super) Vec<u64>);

impl Words {
    /// Its length in bytes, and its bytes, eight to a word, the last ones followed by zeros.
    pub(super) fn text(&mut self, text: &str) {
        self.0.push(text.len() as u64);
        for chunk in text.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0.push(u64::from_ne_bytes(word));
        }
    }

    pub(super) fn texts(&mut self, texts: &[String]) {
        self.0.push(texts.len() as u64);
        texts.iter().for_each(|text| self.text(text));
    }

    pub(super) fn floats(&mut self, values: &[f64]) {
        self.0.push(values.len() as u64);
        self.0.extend(values.iter().map(|value| value.to_bits()));
    }
}

/// What is left of a record being parsed.
pub(super) struct Rest<'a>(pub(super) &'a [u64]);

impl<'a> Rest<'a> {
    pub(super) fn words(&mut self, n: u64) -> Result<&'a [u64], Malformed> {
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        let (taken, rest) = self.0.split_at_checked(n).ok_or(Malformed("a record that ends too soon"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn word(&mut self) -> Result<u64, Malformed> {
        Ok(self.words(1)?[0])
    }

    pub(super) fn text(&mut self) -> Result<String, Malformed> {
        let len = self.word()?;
        let words = self.words(len.div_ceil(8))?;
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes.truncate(len as usize);
        String::from_utf8(bytes).map_err(|_| Malformed("a text that is not UTF-8"))
    }

    pub(super) fn texts(&mut self) -> Result<Vec<String>, Malformed> {
        // Each takes a word at least: so a wrong number fails before it costs memory.
        let n = self.word()?;
        (0..n).map(|_| self.text()).collect()
    }

    pub(super) fn floats(&mut self) -> Result<Vec<f64>, Malformed> {
        let n = self.word()?;
        Ok(self.words(n)?.iter().map(|word| f64::from_bits(*word)).collect())
    }
}
