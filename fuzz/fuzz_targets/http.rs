//! Whatever bytes a client sends, the exporter answers with whole HTTP responses.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tach_fuzz::http::run(data));
