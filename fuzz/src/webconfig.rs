//! Target `webconfig`: whatever a web configuration says, it is read or refused, and a refusal names a line of it.

use tach::http::check_web_config;

/// An error says more than it quotes, and no more than this.
const WORDS_MAX: usize = 600;

/// Reads `data` as a web configuration.
///
/// # Panics
///
/// An expectation failed.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match check_web_config(text) {
        // What stands in comments does not count. (A byte order mark or a half line would.)
        Ok(()) => {
            let more = format!("{text}\n# nothing: more\n");
            assert_eq!(check_web_config(&more), Ok(()), "{text:?}");
        }
        Err(error) => check(text, &error).unwrap_or_else(|wrong| panic!("{wrong}: {text:?} gives {error:?}")),
    }
}

fn check(text: &str, error: &str) -> Result<(), &'static str> {
    let rest = error.strip_prefix("line ").ok_or("no line")?;
    let (number, rest) = rest.split_once(": ").ok_or("no colon")?;
    let number: usize = number.parse().map_err(|_| "no number")?;
    // All that YAML takes for the end of a line, and the end of the text.
    let lines = text.chars().filter(|c| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')).count() + 2;
    if number > lines {
        return Err("a line that is not there");
    }
    if rest.is_empty() || rest.len() > text.len() * 12 + WORDS_MAX {
        return Err("nothing, or more than there is to say");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_is_no_refusal_is_noticed() {
        assert_eq!(check("a", "line 1: a is no known key"), Ok(()));
        for error in ["", "line", "line x: a", "line 4: a", "line 1: ", "a is no known key"] {
            assert!(check("a\n", error).is_err(), "{error}");
        }
        assert!(check("a", &format!("line 1: {}", "a".repeat(1000))).is_err());
    }
}
