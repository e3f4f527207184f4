//! Whatever a client accepts, it gets a format that there is.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tach_fuzz::negotiate::run(data));
