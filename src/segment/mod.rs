//! Segments: a registry's cells in shared memory, to be read by other processes and after a crash.
//!
//! ```text
//! layout    which word of a segment means what
//! record    the directory's records ⇄ words
//! ```

#![allow(dead_code, reason = "the writer and the reader come next")]

pub(crate) mod layout;
pub(crate) mod record;
