//! Headers that users give, a token say.

use crate::error::{Error, ErrorKind};
use hyper::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING,
};

/// Those that say how a message is sent, or what it is.
const OWN: [HeaderName; 6] = [HOST, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING, TRANSFER_ENCODING];

/// Reads a header, which is the `nth` given, unless it or `is_own` is one that is set anyway; `who` begins errors. The value
/// is shown by nothing, as it may be secret.
pub(super) fn read(
    who: &str,
    nth: usize,
    (name, value): (&str, &str),
    is_own: impl Fn(&str) -> bool,
) -> Result<(HeaderName, HeaderValue), Error> {
    // Nor is what is no name, of which a value may be part.
    let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        let text = format!("{who}: header {nth} has no legal name: correct it");
        Error::new(ErrorKind::Setting, text)
    })?;
    let wrong = |problem: &str| Error::new(ErrorKind::Setting, format!("{who}: the header {name:?} {problem}"));
    if OWN.contains(&key) || is_own(key.as_str()) {
        return Err(wrong("is one that the exporter sets itself: leave it out"));
    }
    let value = HeaderValue::from_str(value);
    let mut value = value.map_err(|_| wrong("has a value with characters that no header has: correct it"))?;
    value.set_sensitive(true);
    Ok((key, value))
}
