//! Protocol buffers, as far as writing them goes: tagged fields, appended to a buffer.

/// How the value behind a tag is written.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Sized = 2,
}

#[inline]
fn push_tag(out: &mut Vec<u8>, field: u32, wire: Wire) {
    push_varint(out, u64::from(field << 3 | wire as u32));
}

/// Most numbers are small ones.
#[inline]
fn push_varint(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(value as u8);
    } else if value < 0x4000 {
        out.extend_from_slice(&[value as u8 | 0x80, (value >> 7) as u8]);
    } else {
        push_long(out, value);
    }
}

fn push_long(out: &mut Vec<u8>, value: u64) {
    let (bytes, len) = varint(value);
    out.extend_from_slice(&bytes[..len]);
}

/// What the largest number takes.
const VARINT_MAX: usize = 10;

/// Seven bits in each byte, the lowest first, and whether more follow; and how many bytes these are.
#[inline]
fn varint(mut value: u64) -> ([u8; VARINT_MAX], usize) {
    let mut bytes = [0; VARINT_MAX];
    let mut len = 0;
    while value >= 0x80 {
        bytes[len] = value as u8 | 0x80;
        value >>= 7;
        len += 1;
    }
    bytes[len] = value as u8;
    (bytes, len + 1)
}

/// Small numbers of either sign as small numbers.
fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

/// `uint32`, `uint64`, `bool` and enumerations.
pub(super) fn push_uint(out: &mut Vec<u8>, field: u32, value: u64) {
    push_tag(out, field, Wire::Varint);
    push_varint(out, value);
}

/// `sint32` and `sint64`.
pub(super) fn push_sint(out: &mut Vec<u8>, field: u32, value: i64) {
    push_uint(out, field, zigzag(value));
}

/// `double`.
pub(super) fn push_double(out: &mut Vec<u8>, field: u32, value: f64) {
    push_tag(out, field, Wire::Fixed64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// `fixed64` and, as its bits, `sfixed64`.
#[cfg(feature = "otlp")]
pub(super) fn push_fixed(out: &mut Vec<u8>, field: u32, value: u64) {
    push_tag(out, field, Wire::Fixed64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// `string` and `bytes`, in pieces.
pub(super) fn push_text(out: &mut Vec<u8>, field: u32, pieces: &[&str]) {
    push_tag(out, field, Wire::Sized);
    push_varint(out, pieces.iter().map(|piece| piece.len() as u64).sum());
    pieces.iter().for_each(|piece| out.extend_from_slice(piece.as_bytes()));
}

/// `repeated sint64`, packed.
pub(super) fn push_sints(out: &mut Vec<u8>, field: u32, values: impl ExactSizeIterator<Item = i64>) {
    push_tag(out, field, Wire::Sized);
    // Most are one byte.
    push_about(out, values.len(), |out| {
        let (first, mut at) = (out.len(), 0);
        out.resize(first + VARINT_MAX * values.len(), 0);
        let room = &mut out[first..];
        for value in values.map(zigzag) {
            if value < 0x80 {
                room[at] = value as u8;
                at += 1;
            } else {
                let (bytes, len) = varint(value);
                room[at..at + len].copy_from_slice(&bytes[..len]);
                at += len;
            }
        }
        out.truncate(first + at);
    });
}

/// `repeated uint64`, packed.
#[cfg(feature = "otlp")]
pub(super) fn push_uints(out: &mut Vec<u8>, field: u32, values: impl Iterator<Item = u64>) {
    push_tag(out, field, Wire::Sized);
    push_about(out, 0, |out| values.for_each(|value| push_varint(out, value)));
}

/// `repeated fixed64` and, as their bits, `repeated double`, packed.
#[cfg(feature = "otlp")]
pub(super) fn push_fixeds(out: &mut Vec<u8>, field: u32, values: impl Iterator<Item = u64>) {
    push_tag(out, field, Wire::Sized);
    push_about(out, 0, |out| values.for_each(|value| out.extend_from_slice(&value.to_le_bytes())));
}

/// `bytes`, or a message that is encoded already.
pub(super) fn push_bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    push_tag(out, field, Wire::Sized);
    push_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A message: what `fields` writes.
pub(super) fn push_message(out: &mut Vec<u8>, field: u32, fields: impl FnOnce(&mut Vec<u8>)) {
    push_message_about(out, field, 0, fields);
}

/// The same, and `expected` as [`push_about`] has it.
#[inline]
pub(super) fn push_message_about(out: &mut Vec<u8>, field: u32, expected: usize, fields: impl FnOnce(&mut Vec<u8>)) {
    push_tag(out, field, Wire::Sized);
    push_about(out, expected, fields);
}

/// A message of an integer and a `double`, whose fields, and that of the message, are below 16.
#[inline]
pub(super) fn push_pair(out: &mut Vec<u8>, field: u32, (first, integer): (u32, u64), (second, float): (u32, f64)) {
    let tag = |field: u32, wire| (field << 3 | wire as u32) as u8;
    let (bytes, len) = varint(integer);
    let mut message = [0; 2 + 1 + VARINT_MAX + 1 + 8];
    message[..3].copy_from_slice(&[tag(field, Wire::Sized), 10 + len as u8, tag(first, Wire::Varint)]);
    message[3..3 + VARINT_MAX].copy_from_slice(&bytes);
    message[3 + len] = tag(second, Wire::Fixed64);
    message[4 + len..12 + len].copy_from_slice(&float.to_le_bytes());
    // All of it, as its size is known, and then without what is not used.
    out.extend_from_slice(&message);
    out.truncate(out.len() + 12 + len - message.len());
}

/// What `content` writes, with its length before it. That is put where one of about `expected` fits; where another is as
/// long, the content moves.
#[inline]
pub(super) fn push_about(out: &mut Vec<u8>, expected: usize, content: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    let (bytes, expected) = varint(expected as u64);
    out.extend_from_slice(&bytes[..expected]);
    let first = out.len();
    content(out);
    let len = out.len() - first;
    let (bytes, width) = varint(len as u64);
    if width != expected {
        out.resize(out.len().max(start + width + len), 0);
        out.copy_within(first..first + len, start + width);
        out.truncate(start + width + len);
    }
    out[start..start + width].copy_from_slice(&bytes[..width]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = b"before".to_vec();
        write(&mut out);
        out.split_off(6)
    }

    #[test]
    fn fields_are_written_as_the_format_says() {
        assert_eq!(bytes(|out| push_uint(out, 1, 150)), [0x08, 0x96, 0x01]);
        assert_eq!(bytes(|out| push_uint(out, 16, 0)), [0x80, 0x01, 0]);
        assert_eq!(bytes(|out| push_uint(out, 1, u64::MAX)), [&[0x08], &[0xff; 9][..], &[1]].concat());
        for (value, encoded) in [(0, 0), (-1, 1), (1, 2), (-2, 3), (i64::MAX, u64::MAX - 1), (i64::MIN, u64::MAX)] {
            assert_eq!(bytes(|out| push_sint(out, 1, value)), bytes(|out| push_uint(out, 1, encoded)));
        }
        assert_eq!(bytes(|out| push_double(out, 2, 1.0)), [0x11, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
        assert_eq!(bytes(|out| push_text(out, 2, &["test", "", "ing"])), b"\x12\x07testing");
        #[cfg(feature = "otlp")]
        {
            assert_eq!(bytes(|out| push_fixed(out, 3, 258)), [0x19, 2, 1, 0, 0, 0, 0, 0, 0]);
            assert_eq!(bytes(|out| push_uints(out, 2, [1, 300].into_iter())), [0x12, 3, 1, 0xac, 2]);
            assert_eq!(bytes(|out| push_fixeds(out, 6, [1].into_iter())), [0x32, 8, 1, 0, 0, 0, 0, 0, 0, 0]);
            assert_eq!(bytes(|out| push_bytes(out, 1, b"ab")), b"\x0a\x02ab");
        }
        assert_eq!(bytes(|out| push_sints(out, 13, [1, -1, 64].into_iter())), [0x6a, 4, 2, 1, 0x80, 1]);
    }

    #[test]
    fn messages_have_their_length_before_them_however_long_they_are() {
        for len in [0, 1, 127, 128, 16_383, 16_384, 3_000_000] {
            let content = vec![b'x'; len];
            let out = bytes(|out| push_message(out, 4, |out| out.extend_from_slice(&content)));
            let head = bytes(|out| push_uint(out, 4, len as u64));
            // The tag differs from that of a number in its kind.
            assert_eq!((out[0], &out[1..head.len()], &out[head.len()..]), (0x22, &head[1..], &content[..]));
        }
    }
}
