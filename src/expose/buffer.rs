//! A page of text while it is written. It is bytes until it is done, since a number's digits go to their place eight at
//! a time, of which as many stay as it has, and a `String` has no place for half a text.

use crate::describe::Part;

/// Has `write` append to `text`. To one that is not empty what was written is copied: what was there stays whatever
/// happens, and is not checked again for being text.
pub(super) fn append_to(text: &mut String, write: impl FnOnce(&mut Vec<u8>)) {
    let is_empty = text.is_empty();
    // Has room, maybe.
    let mut bytes = if is_empty { std::mem::take(text).into_bytes() } else { Vec::new() };
    write(&mut bytes);
    let written = String::from_utf8(bytes).expect("what is written is text");
    if is_empty {
        *text = written;
    } else {
        text.push_str(&written);
    }
}

#[inline]
pub(super) fn push_str(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn push_strs<const N: usize>(out: &mut Vec<u8>, texts: [&str; N]) {
    texts.iter().for_each(|text| push_str(out, text));
}

/// Appends the digits of `value`.
pub(super) fn push_integer(out: &mut Vec<u8>, value: u64) {
    let mut room = [0; INTEGER];
    let len = put_integer(&mut room, value);
    out.extend_from_slice(&room[..len]);
}

pub(super) fn push_signed(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    push_integer(out, value.unsigned_abs());
}

/// Appends a line for each value: its piece, the number, the line's end. The page is longer meanwhile than what is
/// written, and its length is that of room that was made once, so that no line waits for the one before it.
#[inline]
pub(super) fn push_lines(out: &mut Vec<u8>, pieces: Part<'_>, values: impl Iterator<Item = u64>) {
    let first = out.len();
    out.resize(first + pieces.total() + INTEGER * pieces.ends.len() + BLOCK, 0);
    let room = &mut out[first..];
    let (mut start, mut at) = (pieces.start, 0);
    for (&end, value) in pieces.ends.iter().zip(values) {
        copy(&mut room[at..], &pieces.all[start..], end - start);
        at += end - start;
        start = end;
        let Some(number) = room[at..].first_chunk_mut() else { break };
        let len = put_integer(number, value);
        number[len] = b'\n';
        at += len + 1;
    }
    out.truncate(first + at);
}

/// Copies the first `len` bytes, and may overwrite what is behind them: a block of a fixed size is a few moves, and no call.
#[inline]
fn copy(to: &mut [u8], from: &[u8], len: usize) {
    match (to.first_chunk_mut::<BLOCK>(), from.first_chunk::<BLOCK>()) {
        (Some(to), Some(from)) if len <= BLOCK => *to = *from,
        _ => copy_long(to, from, len),
    }
}

/// Apart, or a compiler that sees two ways to copy makes one call of them.
#[inline(never)]
fn copy_long(to: &mut [u8], from: &[u8], len: usize) {
    to[..len].copy_from_slice(&from[..len]);
}

const BLOCK: usize = 64;

/// What the longest integer takes with what is written behind it, the line's end among that.
const INTEGER: usize = 24;

/// Writes the digits of `value`, and gives how many they are. What is behind them is overwritten.
#[inline]
fn put_integer(room: &mut [u8; INTEGER], value: u64) -> usize {
    match usize::try_from(value).ok().and_then(|value| SMALL.get(value)) {
        Some(digits) => {
            room[..4].copy_from_slice(digits);
            1 + usize::from(value > 9) + usize::from(value > 99)
        }
        None => put_long(room, value),
    }
}

/// The digits of numbers of up to three.
static SMALL: [[u8; 4]; 1000] = {
    let (mut all, mut value) = ([[0; 4]; 1000], 0);
    while value < 1000 {
        let [hundreds, tens, ones] = [value / 100, value / 10 % 10, value % 10];
        let [hundreds, tens, ones] = [b'0' + hundreds as u8, b'0' + tens as u8, b'0' + ones as u8];
        all[value] = match value {
            0..10 => [ones, 0, 0, 0],
            10..100 => [tens, ones, 0, 0],
            _ => [hundreds, tens, ones, 0],
        };
        value += 1;
    }
    all
};

#[inline(never)]
fn put_long(room: &mut [u8; INTEGER], value: u64) -> usize {
    if value < EIGHT {
        let digits = eight_digits(value);
        let zeros = digits.trailing_zeros() / 8;
        room[..8].copy_from_slice(&(ascii(digits) >> (8 * zeros)).to_le_bytes());
        8 - zeros as usize
    } else {
        let (high, low) = (value / EIGHT, ascii(eight_digits(value % EIGHT)).to_le_bytes());
        let len = put_integer(room, high);
        room[len..len + 8].copy_from_slice(&low);
        len + 8
    }
}

/// What eight digits are not enough for.
const EIGHT: u64 = 100_000_000;

/// The eight digits of a number, the first in the lowest byte. All at once: the number is cut into halves, each of
/// which stays in its half of the word, these into pairs and the pairs into digits. Divisions by 100 and 10 are products
/// that are exact up to 9999 and 99.
#[inline]
fn eight_digits(value: u64) -> u64 {
    let halves = (value / 10_000) | ((value % 10_000) << 32);
    let hundreds = ((halves * 10_486) >> 20) & 0x7f_0000_007f;
    let pairs = hundreds | ((halves - 100 * hundreds) << 16);
    let tens = ((pairs * 103) >> 10) & 0x0f_000f_000f_000f;
    tens | ((pairs - 10 * tens) << 8)
}

#[inline]
fn ascii(digits: u64) -> u64 {
    digits | u64::from_ne_bytes([b'0'; 8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::describe::Pieces;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut text = "ä ".to_owned();
        append_to(&mut text, write);
        text.split_off(3)
    }

    #[test]
    fn texts_are_appended() {
        assert_eq!(text(|out| push_strs(out, ["a", "", "ü"])), "aü");
        // An empty one's room is made use of.
        let mut text = String::with_capacity(100);
        let room = text.as_ptr();
        append_to(&mut text, |out| push_str(out, "ü"));
        assert_eq!((text.as_ptr(), &*text), (room, "ü"));
    }

    #[test]
    fn a_text_stays_when_writing_panics() {
        let mut text = "ä".to_owned();
        let write = |out: &mut Vec<u8>| {
            push_str(out, "half");
            panic!("as it should");
        };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| append_to(&mut text, write)));
        assert!(result.is_err());
        assert_eq!(text, "ä");
    }

    #[test]
    fn every_half_of_eight_digits_is_printed_as_it_is() {
        for half in 0..10_000 {
            for value in [half, half * 10_000, half * 10_000 + 9_999] {
                assert_eq!(text(|out| push_integer(out, value)), value.to_string());
            }
        }
    }

    #[test]
    fn numbers_of_every_length_are_printed_as_they_are() {
        for power in (0..20).map(|exponent| 10_u64.pow(exponent)) {
            for value in [power - 1, power, power + 1, power.saturating_mul(9), u64::MAX - power] {
                assert_eq!(text(|out| push_integer(out, value)), value.to_string());
                let signed = value.cast_signed();
                assert_eq!(text(|out| push_signed(out, signed)), signed.to_string());
            }
        }
    }

    #[test]
    fn lines_are_their_piece_and_number_however_long_these_are() {
        let values = [7, 0, u64::MAX, 12_345_678, 999, 100_000_000];
        for len in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 1000] {
            let mut pieces = Pieces::default();
            values.iter().for_each(|_| pieces.push(|all| all.resize(all.len() + len, b'x')));
            let expected: String = values.iter().map(|value| format!("{}{value}\n", "x".repeat(len))).collect();
            assert_eq!(text(|out| push_lines(out, pieces.part(0..6), values.into_iter())), expected);
            let last = expected.lines().last().unwrap();
            assert_eq!(text(|out| push_lines(out, pieces.part(5..6), [values[5]].into_iter())).trim_end(), last);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_number_is_printed_as_it_is(value: u64, shift in 0..64_u32) {
            let value = value >> shift;
            proptest::prop_assert_eq!(text(|out| push_integer(out, value)), value.to_string());
        }
    }
}
