//! The directory of segments.

mod merge;
