//! Which metrics a scrape asks for: `/metrics?name[]=one&name[]=another`.

use std::collections::BTreeSet;

/// The values of `name[]` in a query; none: everything is wanted.
pub(super) fn names(query: &str) -> BTreeSet<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| decode(key) == "name[]").map(|(_, value)| decode(value)).collect()
}

/// What was percent-encoded, as forms are. What is no encoding stands for itself.
fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let (byte, after) = match (first, after) {
            (b'+', after) => (b' ', after),
            (b'%', [high, low, last @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, last),
                _ => (b'%', after),
            },
            (byte, after) => (*byte, after),
        };
        out.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn names_are_read_and_anything_else_is_passed_over() {
        for (query, expected) in [
            ("", &[][..]),
            ("name[]=a", &["a"]),
            ("name[]=a&name%5B%5D=b_total&name%5b%5d=a&x=y", &["a", "b_total"]),
            ("name=a&names[]=b&&=&name[]", &[]),
            ("name[]=", &[""]),
            ("name[]=vllm%3Acache+x%2", &["vllm:cache x%2"]),
            ("name[]=%zz%c3%a4%ff", &["%zzä\u{fffd}"]),
        ] {
            assert_eq!(names(query).iter().map(String::as_str).collect::<Vec<_>>(), expected, "{query}");
        }
    }
}
