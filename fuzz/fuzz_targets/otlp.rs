//! What is encoded of any registry as OTLP reads back as its snapshots.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tach_fuzz::formats::otlp::run(data));
