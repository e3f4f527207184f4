//! The texts of labels and values: where they come from, and which are allowed.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::{Attribute, Error, Ident, LitStr, Result};

/// The longest label name and the longest value, in bytes, as the registry has them.
const NAME_MAX: usize = 200;
const VALUE_MAX: usize = 1024;

/// A text, and what an error about it points to.
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) span: Span,
}

impl Text {
    /// The text of `#[label("…")]`, if it is among `attributes`; otherwise what `by_default` makes of the identifier.
    pub(crate) fn of(attributes: &[Attribute], ident: &Ident, by_default: fn(&str) -> String) -> Result<Self> {
        let mut given = attributes.iter().filter(|attribute| attribute.path().is_ident("label"));
        let Some(attribute) = given.next() else {
            return Ok(Self { text: by_default(&ident.unraw().to_string()), span: ident.span() });
        };
        if let Some(second) = given.next() {
            return Err(Error::new_spanned(second, "a second #[label(..)]: remove one of the two"));
        }
        let Ok(literal) = attribute.parse_args::<LitStr>() else {
            let text = "#[label(..)] takes one text in quotes and nothing else, as in #[label(\"code\")]";
            return Err(Error::new_spanned(&attribute.meta, text));
        };
        Ok(Self { text: literal.value(), span: literal.span() })
    }

    fn error(&self, text: &str) -> Error {
        Error::new(self.span, format!("{:?} {text}", self.text))
    }

    /// Checks a label name.
    pub(crate) fn check_name(&self) -> Result<()> {
        let text = self.text.as_str();
        let legal = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && text.chars().next().is_some_and(|c| !c.is_ascii_digit());
        if !legal {
            return Err(self.error("is not a legal label name: use letters, digits and '_', and no digit first"));
        }
        if text.starts_with("__") {
            return Err(self.error("is reserved: names that begin with two underscores belong to Prometheus"));
        }
        if matches!(text, "le" | "quantile") {
            return Err(self.error("is reserved: histograms have a label of this name; choose another"));
        }
        check_length(self, NAME_MAX)
    }

    /// Checks the text of a value.
    pub(crate) fn check_value(&self) -> Result<()> {
        if self.text == "tach_overflow" {
            return Err(self.error("is reserved: the series past a limit has this value; choose another"));
        }
        check_length(self, VALUE_MAX)
    }
}

fn check_length(text: &Text, max: usize) -> Result<()> {
    match text.text.len() {
        len if len > max => Err(text.error(&format!("has {len} bytes: shorten it to at most {max}"))),
        _ => Ok(()),
    }
}

/// Checks each text, and that there are no two alike.
pub(crate) fn check_all(texts: &[Text], what: &str, check: fn(&Text) -> Result<()>) -> Result<()> {
    let mut errors = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        errors.extend(check(text).err());
        if texts[..index].iter().any(|before| before.text == text.text) {
            errors.push(text.error(&format!("is the {what} of another one too: choose another")));
        }
    }
    errors
        .into_iter()
        .reduce(|mut all, error| {
            all.combine(error);
            all
        })
        .map_or(Ok(()), Err)
}

/// Refuses `#[label(..)]` on the type itself.
pub(crate) fn check_outer(attributes: &[Attribute], place: &str) -> Result<()> {
    match attributes.iter().find(|attribute| attribute.path().is_ident("label")) {
        Some(attribute) => Err(Error::new_spanned(attribute, format!("#[label(..)] belongs on a {place}"))),
        None => Ok(()),
    }
}

/// A variant's name in snake case. An abbreviation is one word: `HTTPError` becomes `http_error`.
pub(crate) fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut text = String::new();
    for (index, &c) in chars.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| chars[index]);
        let begins_word = c.is_uppercase()
            && before.is_some_and(|before| {
                let ends_abbreviation = before.is_uppercase() && chars.get(index + 1).is_some_and(|c| c.is_lowercase());
                before != '_' && (!before.is_uppercase() || ends_abbreviation)
            });
        if begins_word {
            text.push('_');
        }
        text.extend(c.to_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_begin_where_people_see_them() {
        for (name, text) in [
            ("Get", "get"),
            ("NotFound", "not_found"),
            ("HTTPError", "http_error"),
            ("Http2Error", "http2_error"),
            ("IO", "io"),
            ("A", "a"),
            ("Already_Split", "already_split"),
            ("lower", "lower"),
            ("XYPlot", "xy_plot"),
            ("ÜberAll", "über_all"),
        ] {
            assert_eq!(snake_case(name), text, "{name}");
        }
    }

    #[test]
    fn names_are_checked_as_the_registry_checks_them() {
        let legal = |name: &str| Text { text: name.to_owned(), span: Span::call_site() }.check_name().is_ok();
        assert!(["a", "_a", "A9_", &"x".repeat(200)].into_iter().all(legal));
        assert!(
            !["", "9a", "a-b", "a.b", "a:b", "ü", "__a", "le", "quantile", &"x".repeat(201)].into_iter().any(legal)
        );
    }
}
