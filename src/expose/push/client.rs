//! One request, on a connection of its own, and its response: all that pushing needs of HTTP/1.1, and what gRPC has in
//! common with it.

use super::target::Target;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Who pushes, unless the message says it.
const AGENT: &str = concat!("tach/", env!("CARGO_PKG_VERSION"));

/// What is sent.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    #[cfg_attr(not(feature = "otlp"), allow(dead_code, reason = "for OTLP"))]
    pub(super) headers: HeaderMap,
    /// Or why it cannot be had, to follow on "was answered …, but ".
    pub(super) body: Result<Bytes, String>,
}

/// Why there is no reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No connection, so nothing was sent.
    Connection(String),
    /// The connection ended before there was a response.
    Response(String),
    /// The time is over, which was so long.
    Timeout(Duration),
}

/// Sends a message and reads the response, of whose body at most `limit` bytes, until `end`, which gives how long that was.
/// A response whose head has come by then is one, whatever its body.
pub(super) async fn send(
    to: &Target,
    message: Message,
    limit: usize,
    end: impl Future<Output = Duration>,
) -> Result<Reply, Fault> {
    let mut end = pin!(end);
    let opened = async {
        let stream = connect(to).await?;
        let handshake = http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await;
        handshake.map_err(|error| failed(to, "cannot talk to", &error))
    };
    let (mut sender, connection) = first(opened, end.as_mut()).await.map_err(Fault::Timeout)??;
    let request = request(to, message)?;
    let answered = async {
        let response = first(sender.send_request(request), end.as_mut()).await.map_err(Fault::Timeout)?;
        let response = response.map_err(|error| Fault::Response(describe(to, "no response from", &error)))?;
        let (head, body) = response.into_parts();
        let body = first(read(body, limit), end).await.unwrap_or_else(|time| Err(late(time)));
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
    };
    beside(connection, answered).await
}

/// What became of a body for which there was no more time.
pub(super) fn late(time: Duration) -> String {
    format!("its body did not come within {time:?}")
}

/// What `main` gives, unless `end` comes first.
pub(super) async fn first<T, E>(main: impl Future<Output = T>, end: impl Future<Output = E>) -> Result<T, E> {
    let (mut main, mut end) = (pin!(main), pin!(end));
    poll_fn(|context| match main.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Ok(result)),
        Poll::Pending => end.as_mut().poll(context).map(Err),
    })
    .await
}

/// A connection, with TLS or without.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Connects, and shakes hands where there is TLS.
pub(super) async fn connect(to: &Target) -> Result<Box<dyn Stream>, Fault> {
    let address = (&*to.endpoint.host, to.endpoint.port);
    let stream = TcpStream::connect(address).await.map_err(|error| failed(to, "cannot connect to", &error))?;
    let _ = stream.set_nodelay(true);
    #[cfg(feature = "tls")]
    if let Some((connector, name)) = &to.tls {
        let stream = connector.connect(name.clone(), stream).await;
        return Ok(Box::new(stream.map_err(|error| failed(to, "no TLS with", &error))?));
    }
    Ok(Box::new(stream))
}

pub(super) fn failed(to: &Target, what: &str, error: &dyn std::error::Error) -> Fault {
    Fault::Connection(describe(to, what, error))
}

pub(super) fn describe(to: &Target, what: &str, error: &dyn std::error::Error) -> String {
    // Of hyper's errors the cause says more than they do.
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{what} {}: {error}{cause}", to.endpoint.authority)
}

fn request(to: &Target, message: Message) -> Result<Request<Full<Bytes>>, Fault> {
    let mut request = Request::new(Full::new(message.body));
    *request.method_mut() = message.method;
    *request.uri_mut() = to.endpoint.path.parse().map_err(|error| failed(to, "cannot ask", &error))?;
    let headers = request.headers_mut();
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.extend(message.headers);
    if let Ok(host) = HeaderValue::from_str(&to.endpoint.told()) {
        headers.insert(HOST, host);
    }
    // A push is rare, and a connection that the other side may have closed meanwhile is worth nothing.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

async fn read(body: Incoming, limit: usize) -> Result<Bytes, String> {
    let body = Limited::new(body, limit).collect().await;
    body.map(http_body_util::Collected::to_bytes).map_err(|error| match error.is::<LengthLimitError>() {
        true => format!("its body has more than {limit} bytes"),
        false => format!("its body broke off: {error}"),
    })
}

/// Gives what `main` gives, for which `side` has to run. It is dropped when it is over, as by that a connection of h2 that
/// failed in writing tells those who wait for an answer.
pub(super) async fn beside<T>(side: impl Future, main: impl Future<Output = T>) -> T {
    let (mut side, mut main) = (Some(Box::pin(side)), pin!(main));
    poll_fn(|context| {
        side.take_if(|side| side.as_mut().poll(context).is_ready());
        match main.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// The start of a response's body, for an error.
pub(super) fn excerpt(body: &[u8]) -> String {
    const LONGEST: usize = 200;
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * LONGEST)]);
    let text = text.trim();
    let mut words: String = text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if words.len() < text.len() {
        words.push('…');
    }
    words
}

#[cfg(test)]
mod tests {
    use super::beside;
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    /// Over at once, and tells when it is dropped.
    struct Side<'a>(&'a Cell<bool>);

    impl Future for Side<'_> {
        type Output = ();

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }

    impl Drop for Side<'_> {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }

    #[test]
    fn what_is_over_is_dropped_and_not_kept_for_what_waits_for_that() {
        let dropped = Cell::new(false);
        let main = poll_fn(|context| {
            context.waker().wake_by_ref();
            if dropped.get() { Poll::Ready(5) } else { Poll::Pending }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let limit = std::time::Duration::from_secs(60);
        let timed = async { tokio::time::timeout(limit, beside(Side(&dropped), main)).await };
        assert_eq!(runtime.block_on(timed), Ok(5));
    }
}
