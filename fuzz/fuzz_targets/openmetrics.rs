//! What is printed of any registry as OpenMetrics reads back as its snapshot.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tach_fuzz::formats::openmetrics::run(data));
