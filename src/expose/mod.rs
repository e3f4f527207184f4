//! Printing a snapshot, and serving it. Knows snapshots and descriptions; never a metric, a registry's insides or a cell.

mod number;
pub mod text;
