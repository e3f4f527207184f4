//! Segments read from outside: one file, or all of a directory.
//!
//! ```text
//! exact     sums of floats that no order changes
//! merge     several readings as one set of families
//! reading   what reading a segment gives
//! ```

#[allow(dead_code, reason = "for the directory")]
mod exact;
#[allow(dead_code, reason = "for the directory")]
mod merge;
#[cfg(test)]
mod merge_tests;
mod reading;

pub use reading::{Info, Life, Reading, Torn};
