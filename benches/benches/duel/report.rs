//! The table and its JSON twin.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::groups::{Group, Scale};
use crate::rounds::Outcome;

/// One line of the table.
pub(crate) struct Row {
    pub(crate) group: String,
    pub(crate) contender: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) ratio_floor: Option<f64>,
    pub(crate) ratio_tach: Option<f64>,
    /// Two threads over one, or with a reader over without.
    pub(crate) ratio_alone: Option<f64>,
    pub(crate) spread: Option<f64>,
    /// Criterion's own median of the same contender, in nanoseconds per unit of work.
    pub(crate) criterion: Option<f64>,
    pub(crate) note: String,
}

impl Row {
    pub(crate) fn new(group: &str, contender: impl Into<String>, value: f64, unit: &'static str) -> Row {
        Row {
            group: group.to_owned(),
            contender: contender.into(),
            value,
            unit,
            ratio_floor: None,
            ratio_tach: None,
            ratio_alone: None,
            spread: None,
            criterion: None,
            note: String::new(),
        }
    }

    pub(crate) fn from_outcome(group: &Group, outcome: Outcome, criterion: Option<f64>) -> Row {
        let (value, unit) = match (group.scale, group.work) {
            (Scale::Millis, _) => (outcome.nanos / 1e6, "ms"),
            (Scale::Nanos, "cell") => (outcome.nanos, "ns/cell"),
            (Scale::Nanos, _) => (outcome.nanos, "ns"),
        };
        Row {
            ratio_floor: Some(outcome.over_floor),
            ratio_tach: outcome.over_tach,
            ratio_alone: outcome.over_alone,
            spread: Some(outcome.spread),
            criterion,
            note: outcome.note,
            ..Row::new(group.key, outcome.name, value, unit)
        }
    }

    fn nanos(&self) -> Option<f64> {
        match self.unit {
            "ns" | "ns/cell" => Some(self.value),
            "ms" => Some(self.value * 1e6),
            _ => None,
        }
    }
}

/// Prints all rows, group by group.
pub(crate) fn print(rows: &[Row]) {
    let names = rows.iter().map(|row| row.contender.chars().count());
    let width = names.chain(rows.iter().map(|row| title(row).len())).max().unwrap_or(0);
    let mut section = String::new();
    for row in rows {
        let title = title(row);
        if title != section {
            println!(
                "\n{title:width$} {:>10} {:>8} {:>8} {:>8} {:>7} {:>10}",
                "median", "× floor", "× tach", "× alone", "±", "criterion"
            );
            section = title;
        }
        let criterion = row.criterion.map(|nanos| if row.unit == "ms" { nanos / 1e6 } else { nanos });
        println!(
            "{:width$} {:>10} {:>8} {:>8} {:>8} {:>7} {:>10}  {}",
            row.contender,
            digits(Some(row.value)),
            digits(row.ratio_floor),
            digits(row.ratio_tach),
            digits(row.ratio_alone),
            row.spread
                .filter(|spread| !spread.is_nan())
                .map_or(String::new(), |spread| format!("{:.1} %", spread * 100.0)),
            digits(criterion),
            row.note
        );
    }
}

fn title(row: &Row) -> String {
    format!("{} [{}]", row.group, row.unit)
}

/// Three significant digits, or nothing.
fn digits(value: Option<f64>) -> String {
    match value {
        None => String::new(),
        Some(value) if value.is_nan() => "n/a".to_owned(),
        Some(value) if value >= 100.0 => format!("{value:.0}"),
        Some(value) if value >= 10.0 => format!("{value:.1}"),
        Some(value) if value >= 0.1 => format!("{value:.2}"),
        Some(value) => format!("{value:.3}"),
    }
}

/// Writes all rows as an array of objects; returns where.
pub(crate) fn write_json(rows: &[Row], host: &str) -> io::Result<PathBuf> {
    let date = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "group": row.group,
                "contender": row.contender,
                "value": row.value,
                "unit": row.unit,
                "median_ns": row.nanos(),
                "ratio_floor": row.ratio_floor,
                "ratio_tach": row.ratio_tach,
                "ratio_alone": row.ratio_alone,
                "spread": row.spread,
                "criterion_ns": row.criterion,
                "note": row.note,
                "host": host,
                "date": date,
            })
        })
        .collect();
    let path = target_directory().join("duel.json");
    fs::write(&path, format!("{:#}\n", Value::Array(rows)))?;
    Ok(path)
}

/// The directory that Cargo builds into: this executable is `<target>/<profile>/deps/duel-<hash>`.
pub(crate) fn target_directory() -> PathBuf {
    let executable = std::env::current_exe().unwrap_or_default();
    executable.ancestors().nth(3).map_or_else(|| PathBuf::from("target"), Path::to_path_buf)
}

/// Processor and number of cores.
pub(crate) fn host() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpuinfo.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = field("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let part = match (field("cpu family"), field("model\t")) {
        (Some(family), Some(model)) => format!(" (family {family}, model {model})"),
        _ => String::new(),
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}{part}, {cores} cores, {}", std::env::consts::OS)
}

/// Says so when somebody else is computing: ratios survive that, absolute times do not.
pub(crate) fn warn_if_busy() {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let busy = load.split_whitespace().next().and_then(|load| load.parse::<f64>().ok()).filter(|load| *load > 0.5);
    if let Some(load) = busy {
        eprintln!("note: the load average is {load}; absolute times and the two-thread groups will be off");
    }
}
