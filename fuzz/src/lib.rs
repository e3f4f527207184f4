//! What the fuzz targets do, as plain functions of the input's bytes.
//!
//! Each target in `fuzz_targets/` hands its input to one function here, and `tests/seeds.rs` hands the seeds to the
//! same functions without libFuzzer. A failed expectation panics.
//!
//! [`exposition`] is a parser of Prometheus text that shares nothing with the engine: it is the judge of what the
//! engine prints, so it accepts less than a scraper does. [`model`] is what a registry ought to hold, in plain vectors.
//! [`formats`] has the readers of `tests/formats/` judge the others.

pub mod bucket;
pub mod compare;
pub mod exposition;
pub mod formats;
pub mod http;
pub mod model;
pub mod names;
pub mod negotiate;
pub mod number;
#[path = "../../tests/formats/om2_reader.rs"]
mod om2_reader;
#[path = "../../tests/formats/om_reader.rs"]
mod om_reader;
#[path = "../../tests/formats/otlp_reader.rs"]
#[allow(dead_code, reason = "tests ask for one metric by its name")]
mod otlp_reader;
#[path = "../../tests/formats/pb_reader.rs"]
mod pb_reader;
pub mod scenario;
pub mod segment;
pub mod summary;
pub mod text;
#[path = "../../tests/formats/text_reader.rs"]
mod text_reader;
#[cfg(test)]
#[path = "../../tests/formats/undo.rs"]
mod undo;
pub mod webconfig;
pub mod windows;
