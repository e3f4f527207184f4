//! Segments read from outside: one file, or all of a directory.
//!
//! ```text
//! reading   what reading a segment gives
//! ```

mod reading;

pub use reading::{Info, Life, Reading, Torn};
