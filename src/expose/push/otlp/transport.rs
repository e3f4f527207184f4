//! How a request goes, and what has become of it: by HTTP or by gRPC.

use super::super::client::{Message, send};
use super::builder::{Compression, Plan};
#[cfg(feature = "otlp-grpc")]
use super::grpc;
use super::retry::{Outcome, judge};
use flate2::write::GzEncoder;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{CONTENT_ENCODING, HeaderValue};
use std::io::Write;
use std::time::{Duration, SystemTime};

/// What speaks with the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Http,
    #[cfg(feature = "otlp-grpc")]
    Grpc,
}

impl Transport {
    /// What `Content-Type` names.
    pub(super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Http => "application/x-protobuf",
            #[cfg(feature = "otlp-grpc")]
            Self::Grpc => "application/grpc",
        })
    }
}

/// A message as it goes, as often as it is sent.
pub(super) fn pack(plan: &Plan, message: Vec<u8>) -> Bytes {
    let message = match plan.compression {
        Compression::None => message,
        Compression::Gzip => gzip(&message),
    };
    match plan.transport {
        Transport::Http => Bytes::from(message),
        #[cfg(feature = "otlp-grpc")]
        Transport::Grpc => grpc::frame(&message, plan.compression == Compression::Gzip),
    }
}

/// Sends what was packed, once, and says what has become of it within `timeout`.
pub(super) async fn exchange(plan: &Plan, packed: Bytes, timeout: Duration) -> Outcome {
    let mut headers = plan.headers.clone();
    match plan.transport {
        Transport::Http => {
            if plan.compression == Compression::Gzip {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            let message = Message { method: Method::POST, headers, body: packed };
            judge(send(&plan.target, message, plan.response_max, timeout).await, SystemTime::now())
        }
        #[cfg(feature = "otlp-grpc")]
        Transport::Grpc => {
            let called = grpc::call(&plan.target, headers, packed, plan.response_max, timeout).await;
            grpc::judge(called, SystemTime::now())
        }
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), flate2::Compression::fast());
    // Writing to a vector cannot fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}
