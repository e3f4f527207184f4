//! One client: hyper's HTTP/1 on its socket, until its watch says that it is over.

use super::negotiate::Offer;
use super::own::Refused;
use super::request::{Ask, Route};
use super::respond::Content;
use super::stream::Stream;
use super::watch::Watch;
use http_body_util::Full;
use hyper::body::Body;
use hyper::header::HOST;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io::Cursor;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncWrite};

/// The longest head of a request, in bytes: its line and its headers.
pub(super) const HEAD_BYTES_MAX: usize = 16 << 10;

/// The most headers that a request may have.
pub(super) const HEADERS_MAX: usize = 64;

/// Has `exchange` serve a connection until its client, an error or a deadline ends it; gives the reason if that was
/// before its time.
pub(super) async fn serve(watch: &Watch, exchange: impl Future<Output = Option<Refused>>) -> Option<Refused> {
    let mut exchange = pin!(exchange);
    let mut timer = pin!(tokio::time::sleep_until(watch.deadline().into()));
    poll_fn(|cx| {
        if let Poll::Ready(refused) = exchange.as_mut().poll(cx) {
            return Poll::Ready(refused.or_else(|| watch.refused(false)));
        }
        // What was just polled may have moved the deadline.
        let deadline = watch.deadline().into();
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx).map(|()| watch.refused(true))
    })
    .await
}

/// HTTP/1 on `io`: requests are read and answered one after another. `offer`: the formats to be had.
pub(super) fn exchange<I, F>(
    io: I,
    watch: Rc<Watch>,
    offer: Offer,
    answer: impl Fn(Ask) -> F,
) -> impl Future<Output = hyper::Result<()>>
where
    I: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Response<Content>>,
{
    let stream = TokioIo::new(Stream::new(io, Rc::clone(&watch)));
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        watch.requested();
        let (head, body) = request.into_parts();
        // The body is dropped unread here: hyper takes what little has come with the head, or ends the connection.
        let mut ask = {
            let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
            Ask::read(&head.method, path, query, &head.headers, !body.is_end_stream(), offer)
        };
        if !is_host_told(head.version, &head.headers) {
            ask.route = Route::Refused(StatusCode::BAD_REQUEST);
        }
        let response = answer(ask);
        let watch = Rc::clone(&watch);
        async move {
            let response = response.await;
            watch.answered();
            Ok::<_, Infallible>(response.map(|content| Full::new(Cursor::new(content))))
        }
    });
    http1::Builder::new()
        // The watch times heads too, which hyper could, but not apart from idleness.
        .header_read_timeout(None)
        // A client that has sent all it wants to may close its side before it is answered.
        .half_close(true)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(stream, service)
}

/// Whether there is one `Host`, as there has to be; before HTTP/1.1 there may be none. hyper does not look. What it says is
/// of no account: nothing here depends on it.
fn is_host_told(version: Version, headers: &HeaderMap) -> bool {
    match headers.get_all(HOST).into_iter().count() {
        0 => version < Version::HTTP_11,
        hosts => hosts == 1,
    }
}
