//! How names are written where a format, or who reads it, has only letters, digits and `_`.

use std::borrow::Cow;
use std::fmt::Write;

/// How metric and label names are written that are not `[a-zA-Z_:][a-zA-Z0-9_:]*`, which
/// [`RegistryBuilder::utf8_names`](crate::RegistryBuilder::utf8_names) allows: the schemes of Prometheus 3, by which a
/// scraper says in `Accept` what it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Escaping {
    /// Each other character is a `_`: `http.size` as `http_size`. It cannot be undone.
    #[default]
    Underscores,
    /// `.` is `_dot_`, and `_` as well as each other character is `__`: `http.max_size` as `http_dot_max__size`. That
    /// is done to all names, those that need no escaping too.
    Dots,
    /// `U__` in front, `_` is `__`, and each other character its number: `http.size` as `U__http_2e_size`. Nothing is
    /// done to names that need no escaping.
    Values,
    /// As they are; the text formats have quotes around them.
    AllowUtf8,
}

impl Escaping {
    pub(crate) const ALL: [Self; 4] = [Self::Underscores, Self::Dots, Self::Values, Self::AllowUtf8];

    /// Those by which names have to differ, where `utf8` says that some may need escaping. Without, those of all
    /// escapings differ if these do; and by none that is left out do two names become one.
    pub(crate) fn telling(utf8: bool) -> &'static [Self] {
        let all = &[Self::Underscores, Self::Dots, Self::Values];
        if utf8 { all } else { &all[..1] }
    }

    /// A metric's name.
    pub(crate) fn metric(self, name: &str) -> Cow<'_, str> {
        self.escape(name, ":")
    }

    /// A label's name.
    pub(crate) fn label(self, name: &str) -> Cow<'_, str> {
        self.escape(name, "")
    }

    /// `extra`: what is legal besides letters, digits and `_`.
    fn escape<'a>(self, name: &'a str, extra: &str) -> Cow<'a, str> {
        if self == Self::AllowUtf8 || self != Self::Dots && is_legal(name, extra) {
            return Cow::Borrowed(name);
        }
        let mut out = String::from(if self == Self::Values { "U__" } else { "" });
        for (at, c) in name.char_indices() {
            match (self, c) {
                (Self::Dots | Self::Values, '_') => out.push_str("__"),
                (Self::Dots, '.') => out.push_str("_dot_"),
                (_, c) if is_legal_at(c, at, extra) => out.push(c),
                (Self::Dots, _) => out.push_str("__"),
                // A string takes whatever is written.
                (Self::Values, c) => drop(write!(out, "_{:x}_", u32::from(c))),
                _ => out.push('_'),
            }
        }
        Cow::Owned(out)
    }
}

/// Whether every format can have this name of a metric as it is.
pub(crate) fn is_legal_metric(name: &str) -> bool {
    is_legal(name, ":")
}

/// Whether every format can have this name of a label as it is.
pub(crate) fn is_legal_label(name: &str) -> bool {
    is_legal(name, "")
}

/// Whether two labels have one name in some escaping, so that no series can have both.
pub(crate) fn same_label(left: &str, right: &str) -> bool {
    Escaping::ALL.iter().any(|escaping| escaping.label(left) == escaping.label(right))
}

fn is_legal(name: &str, extra: &str) -> bool {
    !name.is_empty() && name.char_indices().all(|(at, c)| is_legal_at(c, at, extra))
}

fn is_legal_at(c: char, at: usize, extra: &str) -> bool {
    c.is_ascii_alphabetic() || c == '_' || extra.contains(c) || at > 0 && c.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::{Escaping, same_label};

    #[test]
    fn names_are_escaped_as_scrapers_undo_it() {
        for (name, underscores, dots, values) in [
            ("plain:name_1", "plain:name_1", "plain:name__1", "plain:name_1"),
            ("http.max_size", "http_max_size", "http_dot_max__size", "U__http_2e_max__size"),
            ("1a", "_a", "__a", "U___31_a"),
            ("_x", "_x", "__x", "_x"),
            ("ünï", "_n_", "__n__", "U___fc_n_ef_"),
            ("größe", "gr__e", "gr____e", "U__gr_f6__df_e"),
            ("a🦀-b", "a__b", "a____b", "U__a_1f980__2d_b"),
            ("\"", "_", "__", "U___22_"),
        ] {
            let all = [Escaping::Underscores, Escaping::Dots, Escaping::Values, Escaping::AllowUtf8];
            let found = all.map(|escaping| escaping.metric(name).into_owned());
            assert_eq!(found, [underscores, dots, values, name], "{name}");
        }
        assert_eq!(Escaping::Underscores.label("a:b"), "a_b");
        assert_eq!(Escaping::Values.label("a:b"), "U__a_3a_b");
    }

    #[test]
    fn labels_are_the_same_where_some_scraper_would_have_them_twice() {
        assert!(same_label("a", "a") && same_label("a.b", "a_b") && same_label("a.b", "a-b"));
        assert!(same_label("a.b", "U__a_2e_b") && !same_label("a.b", "a.c") && !same_label("a_b", "a__b"));
    }
}
