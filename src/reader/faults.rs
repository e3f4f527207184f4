//! What is wrong with a segment, in words: so many of them that they say what it is, and not more.

use std::fmt::Display;

/// How many texts are kept.
const TEXTS_MAX: usize = 32;
/// Bytes of each.
const TEXT_BYTES_MAX: usize = 400;

/// A list of faults.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    texts: Vec<String>,
    more: u64,
}

impl Faults {
    pub(super) fn add(&mut self, text: impl Display) {
        if self.texts.len() >= TEXTS_MAX {
            self.more += 1;
            return;
        }
        let mut text = text.to_string();
        if text.len() > TEXT_BYTES_MAX {
            let end = (0..=TEXT_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            text.truncate(end);
            text.push('…');
        }
        // Such as those that each read meets again.
        if !self.texts.contains(&text) {
            self.texts.push(text);
        }
    }

    pub(super) fn clear(&mut self) {
        self.texts.clear();
        self.more = 0;
    }

    /// Appends them.
    pub(super) fn push_to(&self, out: &mut Vec<String>) {
        out.extend(self.texts.iter().cloned());
        if self.more > 0 {
            out.push(format!("and {} more", self.more));
        }
    }
}
