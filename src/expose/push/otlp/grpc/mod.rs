//! A call of gRPC: one message and its answer, on a connection of HTTP/2 of its own.

mod judge;
mod status;

use super::super::client::{Fault, beside, connect, describe, failed, first};
use super::super::target::Target;
use super::builder::Plan;
use h2::{Reason, RecvStream};
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue, TE};
use hyper::{Method, Request};
use std::pin::pin;
use std::time::Duration;

use judge::is_grpc;
pub(super) use judge::judge;

/// What is called.
const PATH: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// A message's prefix: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// The most bytes of headers or trailers that are read.
const HEADERS_MAX: u32 = 64 << 10;

/// The most bytes of a message, well within what a prefix can tell.
pub(super) const MESSAGE_MAX: usize = i32::MAX as usize;

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    /// That of HTTP.
    status: u16,
    headers: HeaderMap,
    /// What was read of the body.
    body: Vec<u8>,
    rest: Rest,
}

/// What followed what was read of a body.
#[derive(Debug)]
enum Rest {
    /// Those that it ended with.
    Trailers(HeaderMap),
    /// More of it than is read.
    More,
    /// Nothing for so long, although all that an answer is judged by was there.
    Late(Duration),
}

/// Why there is no reply.
#[derive(Debug)]
pub(super) enum Lost {
    Fault(Fault),
    /// The call was ended by itself, and not with its connection.
    Reset(Reason),
}

impl From<Fault> for Lost {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A message with its prefix.
pub(super) fn frame(message: &[u8], is_compressed: bool) -> Bytes {
    let mut framed = Vec::with_capacity(PREFIX + message.len());
    framed.push(u8::from(is_compressed));
    // Longer ones are not made.
    framed.extend(u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    framed.extend(message);
    Bytes::from(framed)
}

/// Sends a framed message and reads the answer, of whose message at most as much as is planned, until `end`, which gives
/// how long that was. The receiver is told that it will be `timeout`.
pub(super) async fn call(
    plan: &Plan,
    headers: HeaderMap,
    framed: Bytes,
    timeout: Duration,
    end: impl Future<Output = Duration>,
) -> Result<Reply, Lost> {
    let (to, limit) = (&plan.target, plan.response_max.saturating_add(PREFIX));
    let request = request(to, headers, framed.first() == Some(&1), timeout)?;
    let mut end = pin!(end);
    let opened = async {
        let stream = connect(to).await?;
        let mut builder = h2::client::Builder::new();
        builder.enable_push(false).max_header_list_size(HEADERS_MAX);
        let handshake = builder.handshake::<_, Bytes>(stream).await;
        handshake.map_err(|error| failed(to, "cannot talk to", &error))
    };
    let (sender, connection) = first(opened, end.as_mut()).await.map_err(Fault::Timeout)??;
    let answered = async {
        let sent = async {
            let mut sender = sender.ready().await?;
            let (response, mut body) = sender.send_request(request, false)?;
            // Kept until the receiver lets it through.
            body.send_data(framed, true)?;
            // With what keeps the call from being broken off.
            response.await.map(|response| (response, body))
        };
        let sent = first(sent, end.as_mut()).await.map_err(Fault::Timeout)?;
        let (response, _call) = sent.map_err(|error| lost(to, &error))?;
        let (head, body) = response.into_parts();
        let (status, headers) = (head.status.as_u16(), head.headers);
        let mut reply = Reply { status, headers, body: Vec::new(), rest: Rest::More };
        match first(read(&mut reply, body, limit), end).await {
            Ok(rest) => reply.rest = rest.map_err(|error| lost(to, &error))?,
            // What is not gRPC is judged by its head.
            Err(time) if is_told(&reply) || !is_grpc(&reply.headers) => reply.rest = Rest::Late(time),
            Err(time) => return Err(Lost::Fault(Fault::Timeout(time))),
        }
        Ok(reply)
    };
    beside(connection, answered).await
}

/// Reads a body into a reply, and gives what follows.
async fn read(reply: &mut Reply, mut body: RecvStream, limit: usize) -> Result<Rest, h2::Error> {
    while let Some(chunk) = body.data().await {
        let chunk = match chunk {
            // All that there was to say is said, and the rest of the request is not wanted.
            Err(error) if error.is_reset() && (error.reason() == Some(Reason::NO_ERROR) || is_told(reply)) => {
                return Ok(Rest::Trailers(HeaderMap::new()));
            }
            chunk => chunk?,
        };
        if reply.body.len() + chunk.len() > limit {
            return Ok(Rest::More);
        }
        reply.body.extend(&chunk);
        body.flow_control().release_capacity(chunk.len())?;
    }
    Ok(Rest::Trailers(body.trailers().await?.unwrap_or_default()))
}

fn lost(to: &Target, error: &h2::Error) -> Lost {
    match error.reason() {
        // One that this end makes is of an answer that it cannot take.
        Some(reason) if error.is_reset() && error.is_remote() => Lost::Reset(reason),
        _ => Lost::Fault(Fault::Response(describe(to, "no response from", error))),
    }
}

fn request(to: &Target, headers: HeaderMap, is_compressed: bool, timeout: Duration) -> Result<Request<()>, Fault> {
    let scheme = if to.endpoint.secure { "https" } else { "http" };
    let uri = format!("{scheme}://{}{PATH}", to.endpoint.told());
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    // What was part of a URL is one.
    *request.uri_mut() = uri.parse().map_err(|error| failed(to, "cannot call", &error))?;
    let all = request.headers_mut();
    all.extend(headers);
    all.insert(TE, HeaderValue::from_static("trailers"));
    // The answer is some bytes.
    all.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if is_compressed {
        all.insert(GRPC_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let Ok(time) = HeaderValue::from_str(&deadline(timeout)) {
        all.insert(GRPC_TIMEOUT, time);
    }
    Ok(request)
}

/// A time as `grpc-timeout` has it: at most eight digits and a unit.
fn deadline(time: Duration) -> String {
    let millis = time.as_millis().max(1);
    match millis {
        ..100_000_000 => format!("{millis}m"),
        _ => format!("{}S", time.as_secs().min(99_999_999)),
    }
}

/// Whether the headers have the status already.
fn is_told(reply: &Reply) -> bool {
    reply.headers.contains_key("grpc-status")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_has_eight_digits_at_most() {
        for (time, text) in [
            (Duration::from_micros(3), "1m"),
            (Duration::from_millis(10_000), "10000m"),
            (Duration::from_millis(99_999_999), "99999999m"),
            (Duration::from_millis(100_000_999), "100000S"),
            (Duration::MAX, "99999999S"),
        ] {
            assert_eq!(deadline(time), text);
        }
    }

    #[test]
    fn a_message_is_told_with_its_length() {
        assert_eq!(frame(b"abc", false), Bytes::from_static(b"\0\0\0\0\x03abc"));
        assert_eq!(frame(&[7; 259], true)[..6], [1, 0, 0, 1, 3, 7]);
    }
}
