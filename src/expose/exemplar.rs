//! Exemplars as the formats of Prometheus have them: two labels, `trace_id` and `span_id`, in hexadecimal digits, a value
//! and a time. With their names they have 63 of the 128 characters that OpenMetrics allows.

use super::buffer::push_strs;
use super::number::{push_float, push_time};
use crate::collect::Exemplar;

pub(super) const LABELS: [&str; 2] = ["trace_id", "span_id"];

/// Lower-case hexadecimal digits, up to 32.
pub(super) fn hex<'a>(id: &[u8], digits: &'a mut [u8; 32]) -> &'a str {
    for (pair, byte) in digits.chunks_exact_mut(2).zip(id) {
        pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
        pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
    std::str::from_utf8(&digits[..2 * id.len()]).expect("digits are ASCII")
}

/// Appends what stands behind a sample's value in OpenMetrics, of either version.
pub(super) fn push_text_exemplar(out: &mut Vec<u8>, exemplar: &Exemplar) {
    let (mut trace, mut span) = ([0; 32], [0; 32]);
    let (trace, span) = (hex(&exemplar.trace_id, &mut trace), hex(&exemplar.span_id, &mut span));
    push_strs(out, [" # {", LABELS[0], "=\"", trace, "\",", LABELS[1], "=\"", span, "\"} "]);
    push_float(out, exemplar.value);
    out.push(b' ');
    push_time(out, exemplar.since_epoch());
}
