//! What a request asks for: a pure reading of its head.

use super::encoding::gzip_accepted;
use hyper::header::ACCEPT_ENCODING;
use hyper::{HeaderMap, Method, StatusCode};
use std::time::Duration;

/// In which Prometheus says how long it will wait.
const SCRAPE_TIMEOUT: &str = "x-prometheus-scrape-timeout-seconds";

/// How much earlier than that the answer is due, so that it is there in time.
const MARGIN_SECONDS: f64 = 0.5;

/// A request, as far as it matters here.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ask {
    pub(super) route: Route,
    /// Only the head of the response is wanted.
    pub(super) head: bool,
    /// The connection ends with the response.
    pub(super) close: bool,
}

/// Which answer is due.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Route {
    Metrics { gzip: bool, timeout: Option<Duration> },
    Landing,
    Refused(StatusCode),
}

impl Ask {
    /// Reads the head of a request. `body`: whether one follows.
    pub(super) fn read(method: &Method, path: &str, headers: &HeaderMap, body: bool) -> Self {
        let route = match path {
            _ if method != Method::GET && method != Method::HEAD => Route::Refused(StatusCode::METHOD_NOT_ALLOWED),
            // Nothing here has a use for a body, so none is read: the connection ends instead.
            _ if body => Route::Refused(StatusCode::PAYLOAD_TOO_LARGE),
            "/metrics" => Route::Metrics { gzip: gzip(headers), timeout: timeout(headers) },
            "/" => Route::Landing,
            _ => Route::Refused(StatusCode::NOT_FOUND),
        };
        Self { route, head: method == Method::HEAD, close: body }
    }
}

fn gzip(headers: &HeaderMap) -> bool {
    gzip_accepted(headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()))
}

/// How soon the client wants its answer. What is no positive number of seconds is ignored.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get(SCRAPE_TIMEOUT)?.to_str().ok()?.trim().parse().ok()?;
    // Of less than a second the half is left.
    (seconds > 0.0).then(|| Duration::try_from_secs_f64((seconds - MARGIN_SECONDS).max(seconds / 2.0)).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::{Ask, Route, SCRAPE_TIMEOUT, timeout};
    use hyper::header::HeaderValue;
    use hyper::{HeaderMap, Method, StatusCode};
    use std::time::Duration;

    #[test]
    fn only_get_and_head_of_two_pages_without_a_body_are_served() {
        let metrics = Route::Metrics { gzip: false, timeout: None };
        let refused = Route::Refused;
        for (method, path, body, route) in [
            (Method::GET, "/metrics", false, metrics.clone()),
            (Method::HEAD, "/metrics", false, metrics),
            (Method::GET, "/", false, Route::Landing),
            (Method::GET, "/metrics/", false, refused(StatusCode::NOT_FOUND)),
            (Method::GET, "/%6detrics", false, refused(StatusCode::NOT_FOUND)),
            (Method::GET, "*", false, refused(StatusCode::NOT_FOUND)),
            (Method::POST, "/metrics", false, refused(StatusCode::METHOD_NOT_ALLOWED)),
            (Method::OPTIONS, "*", false, refused(StatusCode::METHOD_NOT_ALLOWED)),
            (Method::CONNECT, "", false, refused(StatusCode::METHOD_NOT_ALLOWED)),
            (Method::PUT, "/metrics", true, refused(StatusCode::METHOD_NOT_ALLOWED)),
            (Method::GET, "/metrics", true, refused(StatusCode::PAYLOAD_TOO_LARGE)),
        ] {
            let ask = Ask::read(&method, path, &HeaderMap::new(), body);
            assert_eq!(ask, Ask { route, head: method == Method::HEAD, close: body });
        }
    }

    #[test]
    fn the_scrapers_patience_is_read_and_nonsense_is_ignored() {
        for (value, millis) in [
            ("10", Some(9500)),
            ("1e1", Some(9500)),
            ("1", Some(500)),
            ("0.2", Some(100)),
            ("0", None),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("1e300", None),
            ("", None),
            ("10s", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(SCRAPE_TIMEOUT, HeaderValue::from_static(value));
            assert_eq!(timeout(&headers), millis.map(Duration::from_millis), "{value}");
        }
    }
}
