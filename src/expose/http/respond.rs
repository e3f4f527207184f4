//! From what is asked to the response: pure, without a socket, a clock or a thread.

use super::page::Page;
use super::request::{Ask, Route, Wanted};
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Response, StatusCode};
use std::rc::Rc;
use tokio::sync::OwnedSemaphorePermit;

const PLAIN: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// What a scrape gives: a page, and the place among the scrapes under way that it holds until it is sent.
#[derive(Debug)]
pub(super) struct Scraped {
    pub(super) page: Rc<Page>,
    pub(super) _place: Option<OwnedSemaphorePermit>,
}

/// Why a scrape gives none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its time was over: too many others, or a collection that takes too long.
    Late,
    /// Rendering panicked.
    Broken,
}

/// What a response carries.
#[derive(Debug)]
pub(super) enum Content {
    Text(String),
    Page(Scraped),
    Gzip(Scraped),
}

impl Content {
    /// The bytes of a page that nobody else sends, or of a text.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        let own = |scraped: Scraped| Rc::into_inner(scraped.page).unwrap_or_default();
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Page(scraped) => own(scraped).into_bytes(),
            Self::Gzip(scraped) => own(scraped).into_gzip().unwrap_or_default(),
        }
    }
}

impl AsRef<[u8]> for Content {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Page(scraped) => scraped.page.bytes(),
            Self::Gzip(scraped) => scraped.page.gzip().unwrap_or_default(),
        }
    }
}

/// Answers a request. `scraped` is what its scrape gave, if [`Route::Metrics`] is asked for.
pub(super) fn respond(ask: &Ask, landing: &str, scraped: Option<Result<Scraped, Refusal>>) -> Response<Content> {
    let response = match (&ask.route, scraped) {
        (Route::Metrics(wanted), Some(Ok(scraped))) => metrics(scraped, wanted),
        (Route::Metrics(_), Some(Err(Refusal::Broken))) => plain(StatusCode::INTERNAL_SERVER_ERROR),
        (Route::Metrics(_), Some(Err(Refusal::Late)) | None) => plain(StatusCode::SERVICE_UNAVAILABLE),
        (Route::Landing, _) => response(StatusCode::OK, HTML, Content::Text(landing.to_owned())),
        (Route::Healthy, _) => response(StatusCode::OK, PLAIN, Content::Text("Healthy.\n".to_owned())),
        (Route::Refused(status), _) => plain(*status),
    };
    finish(response, ask)
}

/// The last touches, which are the same for all.
fn finish(mut response: Response<Content>, ask: &Ask) -> Response<Content> {
    let length = response.body().as_ref().len();
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, length.into());
    // Label values are anybody's text: no browser shall find markup in them.
    set(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    if ask.close {
        set(headers, CONNECTION, "close");
    }
    if ask.head {
        return response.map(|_| Content::Text(String::new()));
    }
    response
}

fn metrics(scraped: Scraped, wanted: &Wanted) -> Response<Content> {
    let gzip = wanted.gzip && scraped.page.gzip().is_some();
    let content = if gzip { Content::Gzip(scraped) } else { Content::Page(scraped) };
    let mut response = Response::new(content);
    let content_type = HeaderValue::try_from(wanted.format.content_type());
    response.headers_mut().insert(CONTENT_TYPE, content_type.expect("a media type is letters and punctuation"));
    set(response.headers_mut(), VARY, "Accept, Accept-Encoding");
    if gzip {
        set(response.headers_mut(), CONTENT_ENCODING, "gzip");
    }
    response
}

/// A refusal in words.
fn plain(status: StatusCode) -> Response<Content> {
    let text = match status {
        StatusCode::BAD_REQUEST => "A request has one header Host.\n",
        StatusCode::NOT_FOUND => "There is nothing here: the metrics are at /metrics.\n",
        StatusCode::METHOD_NOT_ALLOWED => "Only GET and HEAD are served.\n",
        StatusCode::PAYLOAD_TOO_LARGE => "Requests with a body are not served.\n",
        StatusCode::FORBIDDEN => "A certificate is needed now: connect again, and show one.\n",
        StatusCode::UNAUTHORIZED => "A password or token is needed.\n",
        StatusCode::TOO_MANY_REQUESTS => "Too many requests, try again later.\n",
        StatusCode::SERVICE_UNAVAILABLE => "Too busy to collect in time, try again later.\n",
        _ => "The metrics could not be rendered.\n",
    };
    let mut response = response(status, PLAIN, Content::Text(text.to_owned()));
    match status {
        StatusCode::METHOD_NOT_ALLOWED => set(response.headers_mut(), ALLOW, "GET, HEAD"),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            set(response.headers_mut(), RETRY_AFTER, "1")
        }
        _ => {}
    }
    response
}

fn response(status: StatusCode, content_type: &'static str, content: Content) -> Response<Content> {
    let mut response = Response::new(content);
    *response.status_mut() = status;
    set(response.headers_mut(), CONTENT_TYPE, content_type);
    response
}

fn set(headers: &mut HeaderMap, name: hyper::header::HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests {
    use super::{Content, Refusal, Scraped, respond};
    use crate::expose::http::page::Page;
    use crate::expose::http::request::{Ask, Route, Wanted};
    use hyper::{Response, StatusCode};
    use std::rc::Rc;

    fn ask(route: Route, head: bool) -> Ask {
        Ask { route, head, close: false, authorization: None }
    }

    fn wanted(gzip: bool) -> Route {
        Route::Metrics(Wanted { gzip, ..Wanted::default() })
    }

    fn metrics(gzip: bool, head: bool, len: usize) -> Response<Content> {
        let page = Rc::new(Page::render(None, |_| vec![b'x'; len]));
        let scraped = Ok(Scraped { page, _place: None });
        respond(&ask(wanted(gzip), head), "", Some(scraped))
    }

    #[test]
    fn a_head_differs_from_a_get_in_its_content_only() {
        for (gzip, len) in [(false, 0), (false, 5000), (true, 1023), (true, 5000)] {
            let (get, head) = (metrics(gzip, false, len), metrics(gzip, true, len));
            assert_eq!(get.headers(), head.headers());
            assert_eq!(get.headers()["content-length"], get.body().as_ref().len().to_string().as_str());
            assert_eq!(get.headers()["vary"], "Accept, Accept-Encoding");
            assert_eq!(get.headers().contains_key("content-encoding"), gzip && len == 5000);
            assert!(head.body().as_ref().is_empty());
        }
    }

    #[test]
    fn refusals_are_plain_text_and_never_200() {
        let codes = [400_u16, 404, 405, 413].map(|code| {
            let status = StatusCode::from_u16(code).unwrap();
            (code, respond(&ask(Route::Refused(status), false), "", None))
        });
        let late = respond(&ask(wanted(true), false), "", Some(Err(Refusal::Late)));
        let broken = respond(&ask(wanted(true), false), "", Some(Err(Refusal::Broken)));
        for (code, response) in codes.into_iter().chain([(503, late), (500, broken)]) {
            assert_eq!(response.status().as_u16(), code);
            assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
            assert!(!response.headers().contains_key("content-encoding"));
            assert_eq!(response.headers().contains_key("allow"), code == 405);
            assert_eq!(response.headers().contains_key("retry-after"), code == 503);
            assert!(!response.body().as_ref().is_empty());
        }
    }
}
