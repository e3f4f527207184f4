//! For people.

use super::super::human::{ago, hex, labels, life, moment, number, printable, series, table, value};
use std::io::{self, IsTerminal, Write};
use std::time::SystemTime;
use tach::reader::{Info, Life, Reading};
use tach::{HistogramSnapshot, Series, Unit, Value};

const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];
const SCALARS: [&str; 2] = ["METRIC", "VALUE"];
const EXEMPLARS: [&str; 5] = ["EXEMPLAR", "VALUE", "TIME", "TRACE", "SPAN"];
const HISTOGRAMS: [&str; 9] = ["HISTOGRAM", "COUNT", "MEAN", "P50", "P90", "P99", "P99.9", "MAX", "UNIT"];

pub(super) fn write(out: &mut impl Write, readings: &[Reading]) -> io::Result<()> {
    let is_coloured = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let now = SystemTime::now();
    for (index, reading) in readings.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        let text = who(&reading.info, now);
        // The first line stands out, in red where the process died.
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        match reading.info.life {
            _ if !is_coloured => write!(out, "{text}")?,
            Life::Died => write!(out, "\x1b[1;31m{first}\x1b[0m\n{rest}")?,
            _ => write!(out, "\x1b[1m{first}\x1b[0m\n{rest}")?,
        }
        write!(out, "{}{}", troubles(reading), values(reading))?;
    }
    Ok(())
}

fn who(info: &Info, now: SystemTime) -> String {
    let bytes = value(info.bytes as f64, Unit::Bytes);
    format!(
        "{}, pid {}: {}\n  file       {}, {bytes}, id {}\n  created    {}, {}\n  last beat  {}, {}, every {}\n",
        printable(&info.name),
        info.pid,
        life(info.life),
        printable(&info.path.display().to_string()),
        id(info.id),
        moment(info.created),
        ago(info.created, now),
        moment(info.beat),
        ago(info.beat, now),
        humantime::format_duration(info.interval),
    )
}

/// As 32 hexadecimal digits.
pub(super) fn id(id: [u64; 2]) -> String {
    format!("{:016x}{:016x}", id[0], id[1])
}

fn troubles(reading: &Reading) -> String {
    let mut text = String::new();
    let mut line = |what: &str, of: String| text += &format!("  {what:<9}  {of}\n");
    if reading.info.fallbacks > 0 {
        line("not here", format!("what {} times found no room, and was recorded elsewhere", reading.info.fallbacks));
    }
    if !reading.folded.is_empty() {
        line("folded", format!("the totals of {} other segments are in this one", reading.folded.len()));
    }
    for torn in &reading.torn {
        let pairs = labels(torn.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let (metric, shard, ahead) = (printable(&torn.metric), torn.shard, torn.ahead);
        line("torn", format!("{metric}{pairs} in shard {shard}: {ahead} in the buckets beyond the count"));
    }
    for fault in &reading.faults {
        line("fault", printable(fault));
    }
    text
}

fn values(reading: &Reading) -> String {
    let mut scalars: Vec<Vec<String>> = Vec::new();
    let mut histograms: Vec<Vec<String>> = Vec::new();
    let mut exemplars: Vec<Vec<String>> = Vec::new();
    for one in reading.snapshot.series() {
        exemplars.extend(one.exemplars().map(|exemplar| {
            let (trace, span) = (hex(&exemplar.trace_id), hex(&exemplar.span_id));
            vec![series(&one), number(exemplar.value), moment(exemplar.timestamp), trace, span]
        }));
        let shown = match one.value() {
            Value::Histogram(histogram) => {
                histograms.push(row(&one, histogram));
                continue;
            }
            Value::Counter(value) => value.to_string(),
            Value::UpDownCounter(value) => value.to_string(),
            Value::FloatCounter(value) | Value::Gauge(value) => number(value),
            _ => continue,
        };
        scalars.push(vec![series(&one), shown]);
    }
    let mut text = String::new();
    for (head, rows) in [(&SCALARS[..], scalars), (&HISTOGRAMS[..], histograms), (&EXEMPLARS[..], exemplars)] {
        if !rows.is_empty() {
            // Names and units to the left, numbers to the right.
            let left = |column: usize| column == 0 || head[column] == "UNIT";
            text += &format!("\n{}", table(head, &rows, left));
        }
    }
    text
}

fn row(one: &Series<'_>, histogram: &HistogramSnapshot) -> Vec<String> {
    let of = |value: f64| if histogram.count() == 0 { "-".to_owned() } else { number(value) };
    let mut row = vec![series(one), histogram.count().to_string(), of(histogram.mean())];
    row.extend(QUANTILES.iter().map(|q| of(histogram.quantile(*q))));
    row.extend([of(histogram.max()), printable(one.unit().suffix())]);
    row
}
