//! What was found wrong with files: each thing said once, and counted.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};

/// How many lines are kept to be read.
const LINES_MAX: usize = 256;
/// How many different things are said of one file.
const TEXTS_MAX: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Noted {
    said: HashMap<PathBuf, HashSet<String>>,
    lines: VecDeque<String>,
    count: u64,
}

impl Noted {
    /// Says it, unless it was said of this file before.
    pub(super) fn note(&mut self, path: &Path, text: impl Into<String>) {
        let text = text.into();
        let said = self.said.entry(path.to_owned()).or_default();
        if said.len() >= TEXTS_MAX || !said.insert(text.clone()) {
            return;
        }
        self.count += 1;
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        let place = path.display().to_string();
        // An error's text may begin with the file.
        self.lines.push_back(if text.starts_with(&place) { text } else { format!("{place}: {text}") });
    }

    /// Forgets what was said of files that are not there any more: another one may come to have the name.
    pub(super) fn keep(&mut self, is_there: impl Fn(&Path) -> bool) {
        self.said.retain(|path, _| is_there(path));
    }

    /// How many things there were to say.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The last of them.
    pub(super) fn lines(&self) -> impl Iterator<Item = &String> {
        self.lines.iter()
    }
}
