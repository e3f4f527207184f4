//! What a request asks for: a pure reading of its head.

use super::encoding::gzip_accepted;
use super::negotiate::{Format, Offer, negotiate};
use super::query::names;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderName};
use hyper::{HeaderMap, Method, StatusCode};
use std::collections::BTreeSet;
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
    /// The value of `Authorization`, if there is one, and no more than one.
    pub(super) authorization: Option<String>,
}

/// Which answer is due.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Route {
    Metrics(Wanted),
    Landing,
    Healthy,
    Refused(StatusCode),
}

/// What of the metrics is wanted, and how.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    pub(super) format: Format,
    /// Families, or samples of them, by their exposed names; none: all.
    pub(super) names: BTreeSet<String>,
    pub(super) gzip: bool,
    pub(super) timeout: Option<Duration>,
}

impl Ask {
    /// Reads the head of a request. `query`: what follows `?`, if anything; `body`: whether one follows; `offer`: the
    /// formats to be had.
    pub(super) fn read(
        method: &Method,
        path: &str,
        query: &str,
        headers: &HeaderMap,
        body: bool,
        offer: Offer,
    ) -> Self {
        let route = match path {
            _ if method != Method::GET && method != Method::HEAD => Route::Refused(StatusCode::METHOD_NOT_ALLOWED),
            // Nothing here has a use for a body, so none is read: the connection ends instead.
            _ if body => Route::Refused(StatusCode::PAYLOAD_TOO_LARGE),
            "/metrics" => Route::Metrics(Wanted::read(query, headers, offer)),
            "/" => Route::Landing,
            "/-/healthy" => Route::Healthy,
            _ => Route::Refused(StatusCode::NOT_FOUND),
        };
        Self { route, head: method == Method::HEAD, close: body, authorization: authorization(headers) }
    }
}

impl Wanted {
    fn read(query: &str, headers: &HeaderMap, offer: Offer) -> Self {
        let lines = |name: HeaderName| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        Self {
            // Lines of one header are one list.
            format: negotiate(&lines(ACCEPT).collect::<Vec<_>>().join(","), offer),
            names: names(query),
            gzip: gzip_accepted(lines(ACCEPT_ENCODING)),
            timeout: timeout(headers),
        }
    }
}

fn authorization(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then(|| value.to_owned())
}

/// How soon the client wants its answer. What is no positive number of seconds is ignored.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get(SCRAPE_TIMEOUT)?.to_str().ok()?.trim().parse().ok()?;
    // Of less than a second the half is left.
    (seconds > 0.0).then(|| Duration::try_from_secs_f64((seconds - MARGIN_SECONDS).max(seconds / 2.0)).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::{Ask, Offer, Route, SCRAPE_TIMEOUT, Wanted, timeout};
    use hyper::header::HeaderValue;
    use hyper::{HeaderMap, Method, StatusCode};
    use std::time::Duration;

    impl Default for Wanted {
        fn default() -> Self {
            Self::read("", &HeaderMap::new(), Offer::new())
        }
    }

    #[test]
    fn only_get_and_head_of_three_pages_without_a_body_are_served() {
        let metrics = Route::Metrics(Wanted::default());
        let refused = Route::Refused;
        for (method, path, body, route) in [
            (Method::GET, "/metrics", false, metrics.clone()),
            (Method::HEAD, "/metrics", false, metrics),
            (Method::GET, "/", false, Route::Landing),
            (Method::GET, "/-/healthy", false, Route::Healthy),
            (Method::GET, "/metrics/", false, refused(StatusCode::NOT_FOUND)),
            (Method::GET, "/%6detrics", false, refused(StatusCode::NOT_FOUND)),
            (Method::GET, "*", false, refused(StatusCode::NOT_FOUND)),
            (Method::POST, "/metrics", false, refused(StatusCode::METHOD_NOT_ALLOWED)),
            (Method::OPTIONS, "*", false, refused(StatusCode::METHOD_NOT_ALLOWED)),
            (Method::CONNECT, "", false, refused(StatusCode::METHOD_NOT_ALLOWED)),
            (Method::PUT, "/metrics", true, refused(StatusCode::METHOD_NOT_ALLOWED)),
            (Method::GET, "/metrics", true, refused(StatusCode::PAYLOAD_TOO_LARGE)),
        ] {
            let ask = Ask::read(&method, path, "", &HeaderMap::new(), body, Offer::new());
            assert_eq!(ask, Ask { route, head: method == Method::HEAD, close: body, authorization: None });
        }
    }

    #[test]
    fn what_is_wanted_is_read_of_query_and_headers() {
        let mut headers = HeaderMap::new();
        for accept in ["text/plain;q=0.5", "application/openmetrics-text"] {
            headers.append("accept", HeaderValue::from_static(accept));
        }
        headers.insert("accept-encoding", HeaderValue::from_static("gzip"));
        let query = "name[]=b&name[]=a";
        let ask = Ask::read(&Method::GET, "/metrics", query, &headers, false, Offer::new());
        let Route::Metrics(wanted) = ask.route else { panic!("another route") };
        assert!(wanted.format.content_type().starts_with("application/openmetrics-text;"));
        assert_eq!((wanted.names.len(), wanted.gzip, wanted.timeout), (2, true, None));
    }

    #[test]
    fn an_authorization_is_one_line_of_text() {
        let mut headers = HeaderMap::new();
        for (value, authorization) in [(&b"Basic eA=="[..], Some("Basic eA==")), (b"Bearer x", None)] {
            headers.append("authorization", HeaderValue::from_bytes(value).unwrap());
            let ask = Ask::read(&Method::GET, "/", "", &headers, false, Offer::new());
            assert_eq!(ask.authorization.as_deref(), authorization);
        }
        headers.insert("authorization", HeaderValue::from_bytes(b"Basic \xff").unwrap());
        assert_eq!(Ask::read(&Method::GET, "/", "", &headers, false, Offer::new()).authorization, None);
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
