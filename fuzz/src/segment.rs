//! Target `segment`: whatever a file holds, reading it as a segment gives an error or a result, and a result is what
//! every format carries, and no larger than the file is worth.
//!
//! The check word and the places of a header would keep a fuzzer at the door, so an input is not the file: it says what to
//! change in one, see [`file`].

use crate::exposition::parse;
use crate::names::Names;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;
use tach::reader::{Reading, Segment};

/// Words of a header, and those that its check word covers and where that stands.
const HEADER: usize = 512;
const CHECKED: std::ops::Range<usize> = 1..29;
/// The largest file that is made.
const WORDS_MAX: usize = 1 << 16;
/// Bytes of text to each byte of the file, and in any case: twice what the reader allows, as its guess leaves escapes out.
const TEXT_PER_BYTE: usize = 2 * 64;
const TEXT_MIN: usize = 2 << 20;

/// Where this process's files go.
fn path() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let shared = PathBuf::from("/dev/shm");
        let folder = if shared.is_dir() { shared } else { std::env::temp_dir() };
        folder.join(format!("tach-fuzz-{}.tach", std::process::id()))
    })
}

/// Reads what `data` stands for, twice.
///
/// # Panics
///
/// An expectation failed.
pub fn run(data: &[u8]) {
    let bytes = file(data);
    // Anew each time: what is mapped must not be cut.
    let _ = std::fs::remove_file(path());
    let mut out = File::create_new(path()).expect("a file");
    out.write_all(&bytes).expect("room for it");
    drop(out);
    let opened = Segment::open(path());
    let _ = std::fs::remove_file(path());
    let mut segment = match opened {
        Ok(segment) => segment,
        Err(error) => {
            assert!(error.to_string().len() > 20, "{error}");
            return;
        }
    };
    let first = segment.read().expect("nobody cuts it");
    let text = check(&first, bytes.len());
    let second = segment.read().expect("nobody cuts it");
    assert_eq!(check(&second, bytes.len()), text);
    assert_eq!((&second.faults, &second.torn), (&first.faults, &first.torn));
}

/// What the formats make of it.
fn check(reading: &Reading, bytes: usize) -> String {
    let snapshot = &reading.snapshot;
    let text = tach::text::render(snapshot);
    assert!(text.len() <= TEXT_PER_BYTE * bytes + TEXT_MIN, "{} bytes of text of {bytes}", text.len());
    let names = Names { any: true, ..Names::PLAIN };
    parse(&text, names).unwrap_or_else(|rule| panic!("{rule}\n{text}"));
    assert!(tach::openmetrics::render(snapshot).ends_with("# EOF\n"));
    let _ = tach::protobuf::render(snapshot);
    assert!(reading.faults.iter().all(|fault| fault.len() < 1000) && reading.faults.len() < 200);
    text
}

/// The file that an input stands for: its bytes, with a check word that is right, where it has a header. Zeros at the end
/// of a segment may be left out: word 68, the bytes that are reserved, says how many there are.
fn file(data: &[u8]) -> Vec<u8> {
    let mut words: Vec<u64> = data.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
    if words.len() < HEADER {
        return data.to_vec();
    }
    let reserved = usize::try_from(words[68] / 8).unwrap_or(usize::MAX).min(WORDS_MAX);
    words.resize(words.len().max(reserved), 0);
    let bytes = words[CHECKED].iter().flat_map(|word| word.to_le_bytes());
    words[CHECKED.end] =
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}
