//! Target `http`: whatever bytes a client sends, the exporter answers with whole HTTP responses, and with no more than
//! it was asked for.

use std::sync::LazyLock;
use tach::http::serve_bytes;
use tach::{Registry, Snapshot};

/// What is served. A snapshot never changes, so one serves all runs.
static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(|| {
    let registry = Registry::new();
    let family = registry.counter("requests").help("Requests.").labels(["path"]).build().expect("a legal metric");
    // Enough for the page to be worth compressing.
    for path in 0..40 {
        family.with([&format!("/v1/path/{path}")]).inc();
    }
    registry.snapshot()
});

/// No request is shorter: `GET / HTTP/1.1`, and the line ends.
const REQUEST_MIN: usize = 16;
/// Longer than any response's head.
const HEAD_MAX: usize = 512;

/// Sends `data` to the exporter.
///
/// # Panics
///
/// An expectation failed.
pub fn run(data: &[u8]) {
    let pages = Pages {
        text: tach::text::render(&SNAPSHOT).into_bytes(),
        openmetrics: tach::openmetrics::render(&SNAPSHOT).into_bytes(),
        protobuf: tach::protobuf::render(&SNAPSHOT),
    };
    let longest = [&pages.text, &pages.openmetrics, &pages.protobuf].map(Vec::len).into_iter().max().unwrap_or(0);
    // A query may ask for some metrics only.
    let in_part = data.contains(&b'?');
    let out = serve_bytes(&SNAPSHOT, data);
    // The last response may be the refusal of what is no request.
    let most = data.len() / REQUEST_MIN + 1;
    assert!(out.len() <= most * (HEAD_MAX + longest), "{} bytes for {}", out.len(), data.len());
    let mut rest = &out[..];
    let mut responses = 0;
    while !rest.is_empty() {
        rest = response(rest, &pages, in_part).unwrap_or_else(|wrong| {
            panic!("{wrong}: {:?} answered with {:?}", data.escape_ascii().to_string(), out.escape_ascii().to_string())
        });
        responses += 1;
    }
    assert!(responses <= most, "{responses} responses to {} bytes", data.len());
}

/// The same snapshot in each format.
struct Pages {
    text: Vec<u8>,
    openmetrics: Vec<u8>,
    protobuf: Vec<u8>,
}

impl Pages {
    fn of(&self, content_type: &str) -> Option<&[u8]> {
        let of = [
            ("text/plain; version=0.0.4; charset=utf-8", &self.text),
            ("text/plain; version=1.0.0; charset=utf-8; escaping=", &self.text),
            ("application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=", &self.openmetrics),
            (tach::protobuf::CONTENT_TYPE, &self.protobuf),
        ];
        of.into_iter().find(|(begin, _)| content_type.starts_with(begin)).map(|(_, page)| &page[..])
    }
}

/// Whether each line of `part` is one of `page`, in the same order. Protobuf has no lines: there it is at most as long.
fn is_part(part: &[u8], page: &[u8]) -> bool {
    let mut lines = page.split_inclusive(|byte| *byte == b'\n');
    part.len() <= page.len()
        && (!page.starts_with(b"#")
            || part.split_inclusive(|byte| *byte == b'\n').all(|line| lines.any(|there| there == line)))
}

/// Checks the response at the start of `bytes`, and gives what follows it.
fn response<'a>(bytes: &'a [u8], pages: &Pages, in_part: bool) -> Result<&'a [u8], String> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or("a head without an end")?;
    let (head, rest) = (&bytes[..end], &bytes[end + 4..]);
    let head = std::str::from_utf8(head).map_err(|_| "a head that is no text")?;
    let mut lines = head.split("\r\n");
    let mut status = lines.next().unwrap_or_default().splitn(3, ' ');
    let (version, code) = (status.next().unwrap_or_default(), status.next().unwrap_or_default());
    if !["HTTP/1.0", "HTTP/1.1"].contains(&version) {
        return Err("the status line".to_owned());
    }
    let headers: Vec<(String, &str)> = lines
        .map(|line| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value)))
        .collect::<Option<_>>()
        .ok_or("a line of the head")?;
    let header = |name: &str| headers.iter().find(|(of, _)| of == name).map(|(_, value)| *value);
    let length = header("content-length").and_then(|value| value.parse::<usize>().ok()).ok_or("no length")?;
    match code {
        "200" if header("content-type").is_none() => return Err("no content type".to_owned()),
        "405" if header("allow") != Some("GET, HEAD") => return Err("405 without what is allowed".to_owned()),
        "200" | "404" | "405" | "413" => {}
        // Of a request without one host, in words.
        "400" if header("content-type").is_some() => {}
        // hyper's own, without content.
        "400" | "431" | "414" | "505" if length == 0 => {}
        _ => return Err(format!("the status {code}")),
    }
    // The answer to HEAD says how long the content would be, and another response follows at once, or nothing.
    if rest.is_empty() || rest.starts_with(b"HTTP/1.") {
        return Ok(rest);
    }
    if rest.len() < length {
        return Err("content that is cut short".to_owned());
    }
    let (content, rest) = rest.split_at(length);
    let content_type = header("content-type").unwrap_or_default();
    let Some(page) = pages.of(content_type).filter(|_| code == "200") else { return Ok(rest) };
    match header("content-encoding") {
        None if content == page || in_part && is_part(content, page) => Ok(rest),
        None => Err("another page than the snapshot's".to_owned()),
        Some("gzip") if content.starts_with(&[0x1f, 0x8b]) => Ok(rest),
        Some(_) => Err("an encoding that is not gzip".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_response_is_noticed() {
        let good = b"HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\nabcHTTP/1.1";
        let pages =
            Pages { text: b"# page\n".to_vec(), openmetrics: b"# open\n# EOF\n".to_vec(), protobuf: b"pb".to_vec() };
        assert_eq!(response(good, &pages, false), Ok(&b"HTTP/1.1"[..]));
        for bad in [
            &b"HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n"[..],
            b"HTTP/2 404 Not Found\r\ncontent-length: 3\r\n\r\nabc",
            b"HTTP/1.1 500 Oh\r\ncontent-length: 3\r\n\r\nabc",
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nabc",
            b"HTTP/1.1 404 Not Found\r\nnothing\r\n\r\nabc",
            b"HTTP/1.1 404 Not Found\r\n\r\nabc",
            b"HTTP/1.1 405 No\r\ncontent-length: 3\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n\
              content-length: 3\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n\
              content-length: 13\r\n\r\n# open\n# EOF\n",
        ] {
            assert!(response(bad, &pages, false).is_err(), "{}", bad.escape_ascii());
        }
    }
}
