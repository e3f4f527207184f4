//! A call of gRPC: one message and its answer, on a connection of HTTP/2 of its own.

mod judge;
mod status;

use super::super::client::{AGENT, Fault, beside, connect, describe, failed};
use super::super::target::Target;
use h2::Reason;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue, TE, USER_AGENT};
use hyper::{Method, Request};
use std::time::Duration;

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
    /// Those that it ended with; `None`: it is longer than what is read.
    trailers: Option<HeaderMap>,
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

/// Sends a framed message and reads the answer, of whose message at most `limit` bytes, all within `timeout`.
pub(super) async fn call(
    to: &Target,
    headers: HeaderMap,
    framed: Bytes,
    limit: usize,
    timeout: Duration,
) -> Result<Reply, Lost> {
    let request = request(to, headers, framed.first() == Some(&1), timeout)?;
    let exchanged = tokio::time::timeout(timeout, exchange(to, request, framed, limit)).await;
    exchanged.unwrap_or(Err(Lost::Fault(Fault::Timeout(timeout))))
}

fn request(to: &Target, headers: HeaderMap, is_compressed: bool, timeout: Duration) -> Result<Request<()>, Fault> {
    let scheme = if to.endpoint.secure { "https" } else { "http" };
    let uri = format!("{scheme}://{}{PATH}", to.endpoint.authority);
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    // What was part of a URL is one.
    *request.uri_mut() = uri.parse().map_err(|error| failed(to, "cannot call", &error))?;
    let all = request.headers_mut();
    all.insert(USER_AGENT, HeaderValue::from_static(AGENT));
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

async fn exchange(to: &Target, request: Request<()>, framed: Bytes, limit: usize) -> Result<Reply, Lost> {
    let stream = connect(to).await?;
    let mut builder = h2::client::Builder::new();
    builder.enable_push(false).max_header_list_size(HEADERS_MAX);
    let handshake = builder.handshake::<_, Bytes>(stream).await;
    let (sender, connection) = handshake.map_err(|error| failed(to, "cannot talk to", &error))?;
    let answered = async {
        let mut sender = sender.ready().await?;
        let (response, mut body) = sender.send_request(request, false)?;
        // Kept until the receiver lets it through.
        body.send_data(framed, true)?;
        let (head, mut body) = response.await?.into_parts();
        let mut reply = Reply { status: head.status.as_u16(), headers: head.headers, body: Vec::new(), trailers: None };
        while let Some(chunk) = body.data().await {
            let chunk = match chunk {
                // All that there was to say is said, and the rest of the request is not wanted.
                Err(error) if error.is_reset() && is_said(&reply, &error) => {
                    reply.trailers = Some(HeaderMap::new());
                    return Ok(reply);
                }
                chunk => chunk?,
            };
            if reply.body.len() + chunk.len() > limit.saturating_add(PREFIX) {
                return Ok(reply);
            }
            reply.body.extend(&chunk);
            body.flow_control().release_capacity(chunk.len())?;
        }
        reply.trailers = Some(body.trailers().await?.unwrap_or_default());
        Ok(reply)
    };
    beside(connection, answered).await.map_err(|error: h2::Error| match error.reason() {
        // One that this end makes is of an answer that it cannot take.
        Some(reason) if error.is_reset() && error.is_remote() => Lost::Reset(reason),
        _ => Lost::Fault(Fault::Response(describe(to, "no response from", &error))),
    })
}

/// Whether an answer is whole although its stream is reset.
fn is_said(reply: &Reply, error: &h2::Error) -> bool {
    error.reason() == Some(Reason::NO_ERROR) || reply.headers.contains_key("grpc-status")
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
