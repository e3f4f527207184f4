//! The formats of any registry (`filled`): the readers of `tests/formats/`, which share nothing with the engine, have to
//! find in each what its snapshot has (`shown`).

mod composite;
mod filled;
mod names;
pub mod openmetrics;
pub mod otlp;
pub mod protobuf;
mod shown;
