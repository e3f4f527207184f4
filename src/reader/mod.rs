//! Segments read from outside: one file, or all of a directory.
//!
//! ```text
//! map       a file as words in memory, and what happens when it is cut
//! header    which segment it is, and whether its writer lives
//! directory block by block, record by record
//! contents  what the records say there is, checked
//! describe  their descriptions, checked
//! values    cells → values
//! segment   one file, opened
//! reading   what reading a segment gives
//! write     a snapshot as a closed segment
//! dir       all segments of a directory as one
//! ```
//!
//! Nothing in a file is trusted. Each word is loaded once, before it is checked; what lies outside of the file, or in the
//! place of something else, is left out and named; and so work and memory stay in proportion to the file.

mod contents;
mod describe;
mod dir;
mod directory;
mod faults;
mod header;
mod map;
mod reading;
mod segment;
mod values;
mod write;

pub use dir::{Directory, Options};
pub use reading::{Info, Life, Reading, Torn};
pub use segment::Segment;
#[doc(hidden)]
pub use write::write;

#[cfg(test)]
mod tests;
