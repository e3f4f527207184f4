//! Instructions per operation, counted by callgrind: exact where times are noisy.
//!
//! Each contender runs twice in a process of its own, once with twice the iterations; the difference is free of start-up,
//! set-up and warm-up. Instructions are not time (an uncontended `fetch_add` is one of them, and costs several), so these
//! figures catch a regression of one contender rather than compare contenders.

use std::env;
use std::process::Command;

use crate::contender::{Gate, Work};
use crate::groups::{ALL, COUNTED};
use crate::options::Options;
use crate::report::Row;

const ITERATIONS: u64 = 50_000;

/// Counts for every contender of the groups where it makes sense.
pub(crate) fn run(options: &Options) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (key, build) in ALL.iter().filter(|(key, _)| COUNTED.contains(key) && options.wants(key)) {
        let group = build();
        let mut reference = None;
        for contender in std::iter::once(&group.floor).chain(&group.contenders) {
            let once = collected(key, contender.name, ITERATIONS)?;
            let twice = collected(key, contender.name, 2 * ITERATIONS)?;
            let per_operation = twice.saturating_sub(once) as f64 / ITERATIONS as f64;
            let mut row = Row::new(key, contender.name, per_operation, "instructions");
            row.note.clone_from(&contender.note);
            if contender.reference {
                reference = Some(per_operation);
            }
            rows.push(row);
        }
        if let Some(reference) = reference {
            let of_group = rows.iter_mut().filter(|row| row.group == *key);
            of_group.for_each(|row| row.ratio_tach = Some(row.value / reference));
        }
    }
    Ok(rows)
}

/// Instructions that one child executes in total.
fn collected(group: &str, contender: &str, iterations: u64) -> Result<u64, String> {
    let executable = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(executable)
        .args(["--child", "instructions", group, contender, &iterations.to_string()])
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let log = String::from_utf8_lossy(&output.stderr);
    let count = log.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    count.ok_or_else(|| format!("valgrind counted nothing for {contender}:\n{log}"))
}

/// In the child: runs one contender, nothing else.
pub(crate) fn child(group: &str, contender: &str, iterations: &str) -> Option<String> {
    let (_, build) = ALL.iter().find(|(key, _)| *key == group)?;
    let group = build();
    let mut all = std::iter::once(&group.floor).chain(&group.contenders);
    let contender = all.find(|known| known.name == contender)?;
    let iterations = iterations.parse().ok()?;
    contender.run(&Work { iterations, warm_up: 1, values: &group.values, gate: &Gate::new(1) });
    Some(String::new())
}
