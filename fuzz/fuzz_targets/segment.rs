//! Whatever a file holds, reading it as a segment gives an error or a result that every format carries.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tach_fuzz::segment::run(data));
