//! A log of interval histograms, as HdrHistogram's tools read it: one line for each series, of all the time that it
//! covers. Values are in ticks: nanoseconds, for times.

use super::super::outcome::Stop;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, IntervalLogWriterError, Tag};
use std::io::Write;
use std::time::SystemTime;
use tach::reader::{Life, Reading};
use tach::{Series, Value};

pub(super) fn write(out: &mut impl Write, readings: &[Reading]) -> Result<(), Stop> {
    let first = readings.iter().map(|reading| reading.info.created).min().unwrap_or(SystemTime::UNIX_EPOCH);
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment("[Values are in ticks: of times, nanoseconds]")
        .with_start_time(first)
        .with_base_time(first)
        .begin_log_with(out, &mut serializer)?;
    for reading in readings {
        let info = &reading.info;
        let end = if info.life == Life::Running { reading.snapshot.time() } else { info.beat };
        let start = info.created.duration_since(first).unwrap_or_default();
        let length = end.duration_since(info.created).unwrap_or_default();
        for one in reading.snapshot.series() {
            let Value::Histogram(histogram) = one.value() else { continue };
            let process = if readings.len() > 1 { format!("{}[{}]/", info.name, info.pid) } else { String::new() };
            let tag = tag(&process, &one);
            let tag = Tag::new(&tag);
            log.write_histogram(&histogram.to_hdr(), start, length, tag).map_err(|error| match error {
                IntervalLogWriterError::IoError(error) => Stop::from(error),
                error => Stop::Failed(format!("{}: {error}", one.name())),
            })?;
        }
    }
    Ok(())
}

/// The series' name and labels, without what would end the tag.
fn tag(process: &str, one: &Series<'_>) -> String {
    let labels: Vec<String> = one
        .constant_labels()
        .chain(one.labels())
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(";")) };
    let text = format!("{process}{}{labels}", one.exposed_name());
    text.chars().map(|c| if c == ',' || c.is_whitespace() || c.is_control() { '_' } else { c }).collect()
}
