//! The seeds, and what once went wrong, without libFuzzer: `cargo test` replays them on any toolchain.

use std::fs;
use std::path::Path;

/// Runs `target` on each of its seeds, and on what is left of them when they are cut short.
fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
    let mut seeds = 0;
    for entry in fs::read_dir(&folder).expect("a folder of seeds") {
        let seed = fs::read(entry.expect("a file").path()).expect("a seed");
        for len in [seed.len(), seed.len() / 2, 1, 0] {
            target(&seed[..len.min(seed.len())]);
        }
        seeds += 1;
    }
    assert!(seeds >= 3, "{} has only {seeds} seeds", folder.display());
}

#[test]
fn text() {
    replay("text", tach_fuzz::text::run);
}

#[test]
fn openmetrics() {
    replay("openmetrics", tach_fuzz::formats::openmetrics::run);
}

#[test]
fn protobuf() {
    replay("protobuf", tach_fuzz::formats::protobuf::run);
}

#[test]
fn otlp() {
    replay("otlp", tach_fuzz::formats::otlp::run);
}

#[test]
fn bucket() {
    replay("bucket", tach_fuzz::bucket::run);
}

#[test]
fn negotiate() {
    replay("negotiate", tach_fuzz::negotiate::run);
}

#[test]
fn http() {
    replay("http", tach_fuzz::http::run);
}

#[test]
fn webconfig() {
    replay("webconfig", tach_fuzz::webconfig::run);
}

#[test]
fn segment() {
    replay("segment", tach_fuzz::segment::run);
}
