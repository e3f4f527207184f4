//! Instructions per operation, counted by callgrind: exact where times are noisy.
//!
//! Each contender runs twice in a process of its own, once with twice the iterations, and only the timed loop is
//! counted: the difference is free of start-up, set-up and warm-up. Instructions are not time (an uncontended
//! `fetch_add` is one of them, and costs several), so these figures catch a regression of one contender rather than
//! compare contenders.

use std::env;
use std::process::Command;

use crate::contender::{Gate, Work};
use crate::groups::{ALL, COUNTED, Group};
use crate::options::Options;
use crate::report::Row;
use crate::values::TABLE;

/// The value table once or twice.
const ITERATIONS: u64 = TABLE as u64;

/// The loop that counts, and all it calls.
const COUNTED_LOOP: &str = "--toggle-collect=*duel::contender::spin*";

/// Counts for every contender of the groups where it makes sense.
pub(crate) fn run(options: &Options) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (_, build) in ALL.iter().filter(|(key, _)| COUNTED.contains(key) && options.wants(key)) {
        rows.extend(count(&build())?);
    }
    Ok(rows)
}

fn count(group: &Group) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for contender in group.all() {
        let once = collected(group.key, contender.name, ITERATIONS)?;
        let twice = collected(group.key, contender.name, 2 * ITERATIONS)?;
        let each = twice.saturating_sub(once) as f64 / ITERATIONS as f64 / contender.units;
        rows.push(Row { note: contender.note.clone(), ..Row::new(group.key, contender.name, each, "instructions") });
    }
    let floor = rows[0].value;
    let tach = group.all().position(|contender| contender.reference).map(|i| rows[i].value);
    for row in &mut rows {
        row.ratio_floor = Some(row.value / floor);
        row.ratio_tach = tach.map(|tach| row.value / tach);
    }
    Ok(rows)
}

/// Instructions that one child executes in total.
fn collected(group: &str, contender: &str, iterations: u64) -> Result<u64, String> {
    let executable = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", COUNTED_LOOP])
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
    let contender = group.all().find(|known| known.name == contender)?;
    let iterations = iterations.parse().ok()?;
    contender.run(&Work { iterations, warm_up: 1, values: &group.values, gate: &Gate::new(1) });
    Some(String::new())
}
