//! Names of any characters, and how a scraper that asks for an escaping has to see them: told from its rules alone, one
//! character after another.

use crate::scenario::{list, text};
use arbitrary::{Result, Unstructured};
use tach::Escaping;

/// Every way to write names.
pub(crate) const ESCAPINGS: [Escaping; 4] =
    [Escaping::Underscores, Escaping::Dots, Escaping::Values, Escaping::AllowUtf8];

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

/// How `name`, of a label or else of a metric, is written.
pub(crate) fn written(name: &str, escaping: Escaping, is_label: bool) -> String {
    let is_legal = |(at, c): (usize, char)| {
        c.is_ascii_alphabetic() || c == '_' || c == ':' && !is_label || c.is_ascii_digit() && at > 0
    };
    let all_legal = name.chars().enumerate().all(is_legal);
    let each = |replace: &dyn Fn(char, bool) -> String| -> String {
        name.chars().enumerate().map(|(at, c)| replace(c, is_legal((at, c)))).collect()
    };
    match escaping {
        Escaping::AllowUtf8 => name.to_owned(),
        Escaping::Dots => each(&|c, legal| match c {
            '.' => "_dot_".to_owned(),
            c if legal && c != '_' => c.to_string(),
            _ => "__".to_owned(),
        }),
        Escaping::Values | Escaping::Underscores if all_legal => name.to_owned(),
        Escaping::Values => {
            let number = |c, legal| match c {
                '_' => "__".to_owned(),
                c if legal => c.to_string(),
                c => format!("_{:x}_", u32::from(c)),
            };
            format!("U__{}", each(&number))
        }
        Escaping::Underscores => each(&|c, legal| if legal { c } else { '_' }.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_the_escapings_say() {
        for (name, written_as) in [
            ("http.max_size", ["http_max_size", "http_dot_max__size", "U__http_2e_max__size", "http.max_size"]),
            ("1a:b", ["_a:b", "__a:b", "U___31_a:b", "1a:b"]),
            ("a_b", ["a_b", "a__b", "a_b", "a_b"]),
            ("ä🦀", ["__", "____", "U___e4__1f980_", "ä🦀"]),
        ] {
            assert_eq!(ESCAPINGS.map(|escaping| written(name, escaping, false)), written_as);
        }
        assert_eq!(written("a:b", Escaping::Underscores, true), "a_b");
    }
}
