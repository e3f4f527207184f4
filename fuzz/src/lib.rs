//! What the fuzz targets do, as plain functions of the input's bytes.
//!
//! Each target in `fuzz_targets/` hands its input to one function here, and `tests/seeds.rs` hands the seeds to the
//! same functions without libFuzzer. A failed expectation panics.
//!
//! [`exposition`] is a parser of Prometheus text that shares nothing with the engine: it is the judge of what the
//! engine prints, so it accepts less than a scraper does. [`model`] is what a registry ought to hold, in plain vectors.

pub mod bucket;
pub mod compare;
pub mod exposition;
pub mod http;
pub mod model;
pub mod names;
pub mod negotiate;
pub mod number;
pub mod openmetrics;
pub mod openmetrics_2;
pub mod protobuf;
pub mod scenario;
pub mod segment;
pub mod text;
pub mod webconfig;
