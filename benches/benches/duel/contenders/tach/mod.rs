//! tach itself.

pub(crate) mod histogram;
pub(crate) mod labels;
pub(crate) mod reading;
pub(crate) mod scalar;
