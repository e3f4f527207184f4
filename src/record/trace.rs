//! What a recording may carry besides its value: which span of which trace it was made in.

/// A span of a trace, as a caller's `traceparent` header or the program's own tracing tells it.
///
/// Given with a recording it becomes an exemplar: the way from a bucket on a graph to the request that was in it. See
/// [`MetricBuilder::exemplars`](crate::MetricBuilder::exemplars).
///
/// ```
/// use tach::SpanContext;
///
/// let span = SpanContext::from_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
/// assert_eq!(span.span_id(), [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
/// assert!(span.is_sampled());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanContext {
    trace: [u64; 2],
    span: u64,
    sampled: bool,
}

impl SpanContext {
    /// A sampled span. `None` where one of the ids is all zeros, which stands for "none".
    #[must_use]
    pub const fn new(trace_id: [u8; 16], span_id: [u8; 8]) -> Option<Self> {
        let (trace, span) = (u128::from_be_bytes(trace_id), u64::from_be_bytes(span_id));
        Self::of([(trace >> 64) as u64, trace as u64], span, true)
    }

    const fn of(trace: [u64; 2], span: u64, sampled: bool) -> Option<Self> {
        if trace[0] | trace[1] == 0 || span == 0 { None } else { Some(Self { trace, span, sampled }) }
    }

    /// Whether the trace is kept; [`SpanContext::new`] says that it is. One that is not leads nowhere, and no exemplar
    /// is made of it.
    #[must_use]
    pub const fn sampled(self, sampled: bool) -> Self {
        Self { sampled, ..self }
    }

    /// What a `traceparent` header says, by W3C's Trace Context: `00-<trace id>-<span id>-<flags>`, in lower-case
    /// hexadecimal digits. `None` where it is anything else, which a header from outside may be. Of a later version than
    /// the first what this one has.
    #[must_use]
    pub fn from_traceparent(header: &str) -> Option<Self> {
        let bytes = header.trim_matches([' ', '\t']).as_bytes();
        let (head, rest) = bytes.split_at_checked(55)?;
        let version = hex(&head[..2])?;
        let is_whole = if version == 0 { rest.is_empty() } else { rest.first().is_none_or(|byte| *byte == b'-') };
        if version == 0xff || !is_whole || [2, 35, 52].iter().any(|&at| head[at] != b'-') {
            return None;
        }
        let trace = [hex(&head[3..19])?, hex(&head[19..35])?];
        Self::of(trace, hex(&head[36..52])?, hex(&head[53..])? & 1 == 1)
    }

    /// The id of the trace.
    #[must_use]
    pub const fn trace_id(&self) -> [u8; 16] {
        trace_id(self.trace)
    }

    /// The id of the span in it.
    #[must_use]
    pub const fn span_id(&self) -> [u8; 8] {
        self.span.to_be_bytes()
    }

    /// Whether the trace is kept.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.sampled
    }

    pub(super) fn words(&self) -> ([u64; 2], u64) {
        (self.trace, self.span)
    }
}

/// The id of a trace out of its two words.
pub(crate) const fn trace_id([high, low]: [u64; 2]) -> [u8; 16] {
    ((high as u128) << 64 | low as u128).to_be_bytes()
}

/// Up to sixteen lower-case hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_the_standard_says() {
        let id = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
        let span = |header: &str| SpanContext::from_traceparent(header);
        let sampled = span(&["00-", id, "-01"].concat()).unwrap();
        assert_eq!(sampled.trace_id()[..2], [0x0a, 0xf7]);
        assert_eq!(sampled.trace_id()[14..], [0x31, 0x9c]);
        assert_eq!(sampled.span_id(), [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]);
        assert_eq!(SpanContext::new(sampled.trace_id(), sampled.span_id()), Some(sampled));
        assert_eq!(span(&[" 00-", id, "-03\t"].concat()), Some(sampled));
        assert_eq!(span(&["00-", id, "-00"].concat()), Some(sampled.sampled(false)));
        // A later version may say more.
        assert_eq!(span(&["01-", id, "-01"].concat()), Some(sampled));
        assert_eq!(span(&["cc-", id, "-01-what it likes"].concat()), Some(sampled));
        for (before, after) in
            [("00", "01x"), ("00", "01-"), ("01", "01x"), ("ff", "01"), ("00", "0"), ("00", "0g"), ("0", "01")]
        {
            assert_eq!(span(&[before, "-", id, "-", after].concat()), None, "{before} {after}");
        }
        for wrong in [
            "",
            "00",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319cb-7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333ü-01",
        ] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ids_of_zeros_are_none() {
        assert_eq!(SpanContext::new([0; 16], [1; 8]), None);
        assert_eq!(SpanContext::new([1; 16], [0; 8]), None);
        let mut low = [0; 16];
        low[15] = 1;
        assert_eq!(SpanContext::new(low, [1; 8]).map(|span| span.trace_id()), Some(low));
    }
}
