//! What is rendered of an arbitrary registry reads back as what was recorded.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tach_fuzz::text::run(data));
