//! The statuses of gRPC, and where a call's is found.

use super::super::response::{RetryInfo, retry_info};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use h2::Reason;
use hyper::header::HeaderMap;

/// With padding or without, as both are met.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A status, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code(u8);

const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

impl Code {
    pub(super) const OK: Self = Self(0);
    pub(super) const CANCELLED: Self = Self(1);
    pub(super) const UNKNOWN: Self = Self(2);
    pub(super) const DEADLINE_EXCEEDED: Self = Self(4);
    const PERMISSION_DENIED: Self = Self(7);
    pub(super) const RESOURCE_EXHAUSTED: Self = Self(8);
    pub(super) const ABORTED: Self = Self(10);
    pub(super) const OUT_OF_RANGE: Self = Self(11);
    const UNIMPLEMENTED: Self = Self(12);
    const INTERNAL: Self = Self(13);
    pub(super) const UNAVAILABLE: Self = Self(14);
    pub(super) const DATA_LOSS: Self = Self(15);
    const UNAUTHENTICATED: Self = Self(16);

    pub(super) fn name(self) -> &'static str {
        NAMES[usize::from(self.0)]
    }

    /// That of the headers or trailers; a number that is none of gRPC's is as `UNKNOWN`.
    pub(super) fn of(fields: &HeaderMap) -> Option<Self> {
        let text = fields.get("grpc-status")?.to_str().ok();
        let number = text.and_then(|text| text.parse().ok()).filter(|number| usize::from(*number) < NAMES.len());
        Some(number.map_or(Self::UNKNOWN, Self))
    }

    /// What stands for the status of HTTP where something answered that speaks no gRPC.
    pub(super) fn of_http(status: u16) -> Self {
        match status {
            400 => Self::INTERNAL,
            401 => Self::UNAUTHENTICATED,
            403 => Self::PERMISSION_DENIED,
            404 => Self::UNIMPLEMENTED,
            429 | 502..=504 => Self::UNAVAILABLE,
            _ => Self::UNKNOWN,
        }
    }

    /// What stands for the reason that a stream of HTTP/2 was reset for.
    pub(super) fn of_reset(reason: Reason) -> Self {
        match reason {
            Reason::REFUSED_STREAM => Self::UNAVAILABLE,
            Reason::CANCEL => Self::CANCELLED,
            Reason::ENHANCE_YOUR_CALM => Self::RESOURCE_EXHAUSTED,
            Reason::INADEQUATE_SECURITY => Self::PERMISSION_DENIED,
            _ => Self::INTERNAL,
        }
    }
}

/// What the receiver has to say of its status, with the percent signs resolved.
pub(super) fn message(fields: &HeaderMap) -> Vec<u8> {
    let mut rest = fields.get("grpc-message").map_or(&b""[..], |value| value.as_bytes());
    let mut message = Vec::with_capacity(rest.len());
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| byte == b'%' && digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        // What is wrongly written stays as it is.
        let decoded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = if decoded.is_some() { &after[2..] } else { after };
        message.push(decoded.unwrap_or(byte));
    }
    message
}

/// When to come back, if the details of the status say that it is worth it.
pub(super) fn details(fields: &HeaderMap) -> Option<RetryInfo> {
    // Several values would be one with commas: the first counts.
    let text = fields.get("grpc-status-details-bin")?.as_bytes().split(|byte| *byte == b',').next()?;
    retry_info(&BASE64.decode(text.trim_ascii()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: &'static str, value: &str) -> HeaderMap {
        let mut fields = HeaderMap::new();
        fields.insert(name, value.parse().unwrap());
        fields
    }

    #[test]
    fn a_status_is_one_of_seventeen() {
        for (text, code) in [
            ("0", Code::OK),
            ("14", Code::UNAVAILABLE),
            ("17", Code::UNKNOWN),
            ("-1", Code::UNKNOWN),
            ("x", Code::UNKNOWN),
        ] {
            assert_eq!(Code::of(&fields("grpc-status", text)), Some(code), "{text}");
        }
        assert_eq!(Code::of(&HeaderMap::new()), None);
        assert_eq!((Code::RESOURCE_EXHAUSTED.name(), Code::DATA_LOSS.name()), ("RESOURCE_EXHAUSTED", "DATA_LOSS"));
    }

    #[test]
    fn messages_are_percent_encoded() {
        for (text, said) in [
            ("full", "full"),
            ("50%25 of %C3%A4%0a", "50% of ä\n"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz%+1 %25", "%zz%+1 %"),
        ] {
            assert_eq!(String::from_utf8(message(&fields("grpc-message", text))).unwrap(), said);
        }
        assert_eq!(message(&HeaderMap::new()), b"");
    }
}
