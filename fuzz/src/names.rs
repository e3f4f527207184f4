//! Names of metrics and labels: which are legal, what an escaping makes of them, and how a page has them. By what
//! Prometheus documents of its escaping schemes.

use crate::exposition::{closing_quote, unescape};
use tach::Escaping;

/// Every way to write names.
pub const ESCAPINGS: [Escaping; 4] = [Escaping::Underscores, Escaping::Dots, Escaping::Values, Escaping::AllowUtf8];

/// How the names of a page are written.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// The scheme.
    pub escaping: Escaping,
    /// Whether the registry takes any names, and so some that this changes.
    pub any: bool,
}

impl Names {
    /// Of a registry that takes legal names only.
    pub const PLAIN: Self = Self { escaping: Escaping::Underscores, any: false };

    /// All of a registry.
    #[must_use]
    pub fn all(any: bool) -> [Self; 4] {
        ESCAPINGS.map(|escaping| Self { escaping, any })
    }

    /// A metric's name as this page should have it, but for quotes.
    #[must_use]
    pub fn metric(self, name: &str) -> String {
        escape(name, self.escaping, ":")
    }

    /// A label's.
    #[must_use]
    pub fn label(self, name: &str) -> String {
        escape(name, self.escaping, "")
    }

    /// Reads a metric's name, and gives what follows.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn read_metric(self, text: &str) -> Result<(String, &str), String> {
        self.read(text, ":")
    }

    /// Reads a label's name, and gives what follows.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn read_label(self, text: &str) -> Result<(String, &str), String> {
        let (name, rest) = self.read(text, "")?;
        // Dots make two underscores of one.
        let is_reserved = if self.escaping == Escaping::Dots { name == "__name__" } else { name.starts_with("__") };
        if is_reserved { Err(format!("{name:?} is no label name")) } else { Ok((name, rest)) }
    }

    fn read<'a>(self, text: &'a str, extra: &str) -> Result<(String, &'a str), String> {
        if let Some(inner) = text.strip_prefix('"') {
            let end = closing_quote(inner).ok_or("a name without an end")?;
            let name = unescape(&inner[..end], true)?;
            if self.escaping != Escaping::AllowUtf8 || !self.any || name.is_empty() || is_legal(&name, extra) {
                return Err(format!("{name:?} is in quotes"));
            }
            return Ok((name, &inner[end + 1..]));
        }
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && !extra.contains(c));
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        if is_legal(name, extra) { Ok((name.to_owned(), rest)) } else { Err(format!("{name:?} is no name")) }
    }
}

/// Whether every reader takes this name as it is; `extra`: what it may have besides letters, digits and `_`.
#[must_use]
pub fn is_legal(name: &str, extra: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || extra.contains(c);
    !name.is_empty() && name.chars().all(legal) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// A name in an escaping, with `extra` as for [`is_legal`].
#[must_use]
pub fn escape(name: &str, escaping: Escaping, extra: &str) -> String {
    let is_kept = is_legal(name, extra) && escaping != Escaping::Dots || escaping == Escaping::AllowUtf8;
    if is_kept {
        return name.to_owned();
    }
    // A digit is no first character.
    let plain = |index: usize, c: char| is_legal(&c.to_string(), extra) || index > 0 && c.is_ascii_digit();
    let escaped = name.chars().enumerate().map(|(index, c)| match (escaping, c) {
        (Escaping::Underscores, c) if plain(index, c) => c.to_string(),
        (Escaping::Underscores, _) => "_".to_owned(),
        (_, '_') => "__".to_owned(),
        (_, c) if plain(index, c) => c.to_string(),
        (Escaping::Dots, '.') => "_dot_".to_owned(),
        (Escaping::Dots, _) => "__".to_owned(),
        (_, c) => format!("_{:x}_", u32::from(c)),
    });
    let escaped: String = escaped.collect();
    if escaping == Escaping::Values { format!("U__{escaped}") } else { escaped }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::undo::undo;

    #[test]
    fn a_name_is_as_each_scheme_has_it() {
        for (name, expected) in [
            ("a:b_1", ["a:b_1", "a:b__1", "a:b_1", "a:b_1"]),
            ("a.b_ä", ["a_b__", "a_dot_b____", "U__a_2e_b___e4_", "a.b_ä"]),
            ("1\"", ["__", "____", "U___31__22_", "1\""]),
            ("http.max_size", ["http_max_size", "http_dot_max__size", "U__http_2e_max__size", "http.max_size"]),
            ("1a:b", ["_a:b", "__a:b", "U___31_a:b", "1a:b"]),
            ("ä🦀", ["__", "____", "U___e4__1f980_", "ä🦀"]),
        ] {
            assert_eq!(Names::all(true).map(|names| names.metric(name)), expected);
            assert_eq!(undo(expected[2]).as_deref().unwrap_or(expected[2]), name);
        }
    }

    #[test]
    fn quotes_stand_where_they_are_needed_and_nowhere_else() {
        let [underscores, .., quoted] = Names::all(true);
        let name = "a \"b\"\\";
        let text = "\"a \\\"b\\\"\\\\\" 5";
        assert_eq!(quoted.read_metric(text), Ok((name.to_owned(), " 5")));
        assert_eq!(quoted.read_label("\"a:b\"=\"5\""), Ok(("a:b".to_owned(), "=\"5\"")));
        for wrong in ["\"a\" 5", "\"a:b\" 5", "\"a.b 5", "a.b", "\"\" 5", "1a", ""] {
            let read = quoted.read_metric(wrong);
            assert!(read.as_ref().is_err() || !read.unwrap().1.starts_with([' ', '=']), "{wrong}");
        }
        assert!(underscores.read_metric(text).is_err());
        assert!(underscores.read_label("__a=").is_err() && quoted.read_label("__a=").is_err());
        assert!(Names { escaping: Escaping::Dots, any: false }.read_label("__name__=").is_err());
    }
}
