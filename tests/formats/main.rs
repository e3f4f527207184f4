//! The formats beside Prometheus text: what is rendered of arbitrary registries reads back, by readers that share
//! nothing with the engine, as what was recorded.

mod model;
mod om_reader;
mod openmetrics;
mod page;
mod pb_reader;
mod protobuf;
