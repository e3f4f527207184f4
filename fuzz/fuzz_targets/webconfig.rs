//! Whatever a web configuration says, it is read or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tach_fuzz::webconfig::run(data));
