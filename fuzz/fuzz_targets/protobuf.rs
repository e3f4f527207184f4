//! What is encoded of any registry as Prometheus' protobuf reads back as its snapshot.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tach_fuzz::formats::protobuf::run(data));
