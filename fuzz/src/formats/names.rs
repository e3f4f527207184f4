//! Names of any characters.

use crate::scenario::{list, text};
use arbitrary::{Result, Unstructured};

/// What names are made of: plain, to be escaped, or as if it had been.
const PARTS: [&str; 23] = [
    "a", "b", "_", ".", "-", ":", "1", " ", "\"", "\\", "{", "}", ",", "=", "#", "ä", "🦀", "U__", "_2e_", "_dot_",
    "_total", "_sum", "\u{301}",
];

/// A name, often one that is taken with any characters, and rarely the empty one.
pub(crate) fn name(u: &mut Unstructured) -> Result<String> {
    Ok(match u.int_in_range(0..=9)? {
        8 => text(u)?,
        9 => u.choose(&["n", "ä"])?.repeat(u.int_in_range(99..=101)?),
        _ => (*u.choose(&PARTS)?).to_owned() + &list(u, 3, |u| Ok(*u.choose(&PARTS)?))?.concat(),
    })
}
