//! The formats beside Prometheus text: what is rendered of arbitrary registries reads back, by readers that share
//! nothing with the engine, as what was recorded.

#[cfg(feature = "http")]
mod buckets;
mod created;
mod exemplars;
mod model;
mod om2_reader;
mod om_reader;
mod openmetrics;
mod openmetrics_2;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "otlp")]
mod otlp_reader;
#[cfg(feature = "otlp")]
mod otlp_streams;
mod page;
mod pb_reader;
mod protobuf;
mod summaries;
mod target;
mod text;
mod text_reader;
mod totals;
mod undo;
mod utf8;
