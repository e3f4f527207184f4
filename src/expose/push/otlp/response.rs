//! What a receiver answers: `ExportMetricsServiceResponse`, or `google.rpc.Status` with an error.

use super::super::client::excerpt;
#[cfg(feature = "otlp-grpc")]
use std::time::Duration;

/// What became of a request that was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Points that the receiver did not want.
    pub(super) rejected: u64,
    /// The start of what it has to say, about those or otherwise.
    pub(super) message: String,
}

/// Reads the response to a request that was taken; `None` where it is none.
pub(super) fn rejection(body: &[u8]) -> Option<Verdict> {
    let mut verdict = Verdict::default();
    for field in Fields(body) {
        if let (1, Value::Bytes(partial)) = field? {
            for field in Fields(partial) {
                match field? {
                    // A negative count says nothing.
                    (1, Value::Number(n)) => verdict.rejected = u64::try_from(n.cast_signed()).unwrap_or(0),
                    (2, Value::Bytes(text)) => verdict.message = excerpt(text),
                    _ => {}
                }
            }
        }
    }
    Some(verdict)
}

/// The start of the message of an error's body; `None` where it is no `google.rpc.Status`.
pub(super) fn status_message(body: &[u8]) -> Option<String> {
    let mut message = None;
    for field in Fields(body) {
        if let (2, Value::Bytes(text)) = field? {
            message = Some(excerpt(std::str::from_utf8(text).ok()?.as_bytes()));
        }
    }
    message
}

/// That a request is worth another try.
#[cfg(feature = "otlp-grpc")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RetryInfo {
    /// Not before this time is over.
    pub(super) delay: Duration,
}

/// Finds `google.rpc.RetryInfo` among the details of a `google.rpc.Status`; `None` where there is none.
#[cfg(feature = "otlp-grpc")]
pub(super) fn retry_info(status: &[u8]) -> Option<RetryInfo> {
    let mut found = None;
    for field in Fields(status) {
        let (3, Value::Bytes(any)) = field? else { continue };
        let (mut kind, mut value) = (&b""[..], &b""[..]);
        for field in Fields(any) {
            match field? {
                (1, Value::Bytes(url)) => kind = url,
                (2, Value::Bytes(bytes)) => value = bytes,
                _ => {}
            }
        }
        if kind.ends_with(b"/google.rpc.RetryInfo") && found.is_none() {
            found = Some(RetryInfo { delay: delay(value)? });
        }
    }
    found
}

/// The first field of a `RetryInfo`, a `google.protobuf.Duration`. Below zero is as none.
#[cfg(feature = "otlp-grpc")]
fn delay(info: &[u8]) -> Option<Duration> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    for field in Fields(info) {
        let (1, Value::Bytes(time)) = field? else { continue };
        for field in Fields(time) {
            match field? {
                (1, Value::Number(n)) => seconds = n.cast_signed(),
                (2, Value::Number(n)) => nanos = n.cast_signed(),
                _ => {}
            }
        }
    }
    let whole = u64::try_from(seconds).map(Duration::from_secs).unwrap_or_default();
    let part = u32::try_from(nanos).ok().filter(|_| seconds >= 0).map_or(0, |nanos| nanos.min(999_999_999));
    Some(whole.saturating_add(Duration::from_nanos(part.into())))
}

/// What a field holds.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Of a fixed size, which none of the fields in use has.
    Fixed,
}

/// The fields of a message, with their numbers; ends with `None` where it is none.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for index in 0..10 {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (now, later) = self.0.split_at_checked(len)?;
        self.0 = later;
        Some(now)
    }

    fn field(&mut self) -> Option<(u64, Value<'a>)> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(len)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return None,
        };
        Some((tag >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u64, Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_success_tells_how_many_and_why() {
        assert_eq!(rejection(b""), Some(Verdict::default()));
        let partial = |rejected, message: &str| Some(Verdict { rejected, message: message.to_owned() });
        assert_eq!(rejection(b"\x0a\x08\x08\xac\x02\x12\x03old"), partial(300, "old"));
        assert_eq!(rejection(b"\x0a\x05\x12\x03old"), partial(0, "old"));
        // Unknown fields of every kind, before and within.
        let unknown = b"\x10\x01\x19\0\0\0\0\0\0\0\0\x25\0\0\0\0\x0a\x06\x18\x01\x08\x07\x22\x00";
        assert_eq!(rejection(unknown), partial(7, ""));
        assert_eq!(rejection(b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), partial(0, ""));
        for wrong in [&b"\x0a\x09\x08"[..], b"<html>", b"\x0a\x01\x08", b"\x80", b"\x0f\x00", &[0xff; 12]] {
            assert_eq!(rejection(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn an_error_has_its_message() {
        assert_eq!(status_message(b"\x08\x08\x12\x04full").as_deref(), Some("full"));
        assert_eq!(
            (status_message(b""), status_message(b"not found"), status_message(b"\x12\x01\xff")),
            (None, None, None)
        );
    }

    #[cfg(feature = "otlp-grpc")]
    #[test]
    fn details_may_say_when_to_come_back() {
        let any = |url: &str, value: &[u8]| {
            let parts = [&[10, url.len() as u8], url.as_bytes(), &[18, value.len() as u8], value].concat();
            [&[26, parts.len() as u8], &*parts].concat()
        };
        let url = "type.googleapis.com/google.rpc.RetryInfo";
        let after = |millis| Some(RetryInfo { delay: Duration::from_millis(millis) });
        for (value, found) in [
            (&b"\x0a\x08\x08\x02\x10\x80\xca\xb5\xee\x01"[..], after(2500)),
            (b"\x0a\x02\x08\x05", after(5000)),
            (b"\x0a\x00", after(0)),
            (b"", after(0)),
            (b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", after(0)),
            (b"\x0a\x05\x08", None),
        ] {
            assert_eq!(retry_info(&any(url, value)), found, "{}", value.escape_ascii());
        }
        let other = any("type.googleapis.com/google.rpc.DebugInfo", b"\x12\x01x");
        assert_eq!(retry_info(&other), None);
        let both = [&b"\x08\x08\x12\x04full"[..], &other, &any(url, b"\x0a\x02\x08\x01"), &any(url, b"")].concat();
        assert_eq!(retry_info(&both), after(1000));
        assert_eq!((retry_info(b""), retry_info(b"\x1a\x05")), (None, None));
    }

    #[test]
    fn of_a_long_message_only_the_start_is_kept() {
        // A message of 300 lines.
        let message = [&b"\x12\xd8\x04"[..], &b"a\n".repeat(300)].concat();
        let response = [&b"\x0a\xdb\x04"[..], &message].concat();
        let kept = format!("{}…", "a ".repeat(100));
        assert_eq!((rejection(&response).unwrap().message, status_message(&message)), (kept.clone(), Some(kept)));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..40)) {
            let _ = (rejection(&bytes), status_message(&bytes));
            #[cfg(feature = "otlp-grpc")]
            let _ = retry_info(&[&[26, bytes.len() as u8], &*bytes].concat());
        }
    }
}
