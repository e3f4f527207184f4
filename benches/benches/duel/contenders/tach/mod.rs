//! tach itself.

pub(crate) mod histogram;
pub(crate) mod labels;
pub(crate) mod modes;
pub(crate) mod reading;
pub(crate) mod scalar;
pub(crate) mod serve;
