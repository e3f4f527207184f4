//! Histograms against the `hdrhistogram` crate and against plain counting.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tach_fuzz::bucket::run(data));
