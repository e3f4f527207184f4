//! What an answer by gRPC means: taken, worth another try, or lost; and when that try is due.

use super::super::super::client::excerpt;
use super::super::response::rejection;
use super::super::retry::{Failure, LONGEST_AFTER, Outcome, lost, retry_after};
use super::status::{Code, details, message};
use super::{Lost, PREFIX, Reply};
use h2::Reason;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use std::borrow::Cow;
use std::time::{Duration, SystemTime};

/// Judges an answer by OTLP's rules.
pub(in super::super) fn judge(result: Result<Reply, Lost>, now: SystemTime) -> Outcome {
    let reply = match result {
        Ok(reply) => reply,
        Err(Lost::Fault(fault)) => return lost(fault),
        Err(Lost::Reset(reason)) => {
            let text = format!("was answered by resetting the stream: {reason}");
            // Only of a refused stream it is known that nobody has looked at it.
            return failed(Code::of_reset(reason), text, None, reason != Reason::REFUSED_STREAM);
        }
    };
    if !is_grpc(&reply.headers) {
        let (status, said) = (reply.status, excerpt(&reply.body));
        let text = format!("was answered by something that speaks no gRPC, with the status {status} of HTTP: {said}");
        return failed(Code::of_http(status), text, retry_after(&reply.headers, now), matches!(status, 502 | 504));
    }
    // Without a message the status may stand in the headers.
    let said = [reply.trailers.as_ref(), Some(&reply.headers)].into_iter().flatten();
    let said = said.filter_map(|fields| Some((fields, Code::of(fields)?))).next();
    if reply.trailers.is_none() && reply.status == 200 && said.is_none_or(|(_, code)| code == Code::OK) {
        // There is a message only where the call went well.
        let bytes = reply.body.len();
        return Outcome::TakenUnread(format!("the response has more than the {bytes} bytes that were read of it"));
    }
    let Some((fields, code)) = said else {
        let status = reply.status;
        let text = format!("was answered without a status of gRPC, with the status {status} of HTTP");
        return failed(
            Code::of_http(status),
            text,
            retry_after(&reply.headers, now),
            matches!(status, 200 | 502 | 504),
        );
    };
    match code {
        Code::OK => taken(&reply.body),
        _ => {
            let text = format!("was answered {}: {}", code.name(), excerpt(&message(fields)));
            let retry = details(fields);
            // What says when to come back has looked at the request and left it; what does not may be a gateway that knows
            // as little as we do.
            let is_known = retry.is_some() || matches!(code, Code::ABORTED | Code::OUT_OF_RANGE);
            failed(code, text, retry.map(|retry| retry.delay), !is_known)
        }
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let rest = kind.strip_prefix(b"application/grpc");
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
}

fn taken(body: &[u8]) -> Outcome {
    let unread = |text: &str| Outcome::TakenUnread(text.to_owned());
    let Some((prefix, message)) = body.split_at_checked(PREFIX) else {
        return unread("the response has no message");
    };
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
    match prefix[0] {
        _ if usize::try_from(length) != Ok(message.len()) => unread("the response has not the length that it says"),
        0 => match rejection(message) {
            Some(verdict) => Outcome::Taken(verdict),
            None => unread("the response is no ExportMetricsServiceResponse"),
        },
        _ => unread("the response is compressed, which it was not asked to be"),
    }
}

/// What is not sent again counts as refused, whether it `may_be_taken` or not.
fn failed(code: Code, text: String, after: Option<Duration>, may_be_taken: bool) -> Outcome {
    let failure = Failure { reason: Cow::Borrowed(code.name()), text };
    match code {
        Code::CANCELLED
        | Code::DEADLINE_EXCEEDED
        | Code::ABORTED
        | Code::OUT_OF_RANGE
        | Code::UNAVAILABLE
        | Code::DATA_LOSS => {}
        // Unless it says when, the receiver does not expect to recover.
        Code::RESOURCE_EXHAUSTED if after.is_some() => {}
        _ => return Outcome::Never(failure),
    }
    Outcome::Later { failure, after: after.map(|after| after.min(LONGEST_AFTER)), may_be_taken }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
