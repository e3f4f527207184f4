//! Processes that record as they are looked at. This program is run again as one.

use super::support::{Dir, printed};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tach::{Recording, Registry, Unit};

/// Tells the recorder where.
const DIR: &str = "TACH_CLI_TEST_DIR";

/// Records without end, and says when it has begun.
fn record(dir: OsString) {
    let registry = Registry::builder().recording(Recording::Process).segment_dir(dir).process_name("worker");
    let registry = registry.build().unwrap();
    let tokens = registry.counter("maxserve.num_output_tokens").build().unwrap();
    let running = registry.updown_counter("maxserve.num_requests_running").build().unwrap();
    let itl = registry.histogram("maxserve.itl").unit(Unit::Milliseconds).build().unwrap();
    running.add(2);
    for n in 0_u64.. {
        tokens.inc();
        itl.record(10_000_000 + n % 1_000);
        if n == 1_000 {
            println!("\nrecording");
        }
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// A recorder, which ends with the test.
struct Recorder(Child);

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(dir: &Dir) -> Recorder {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "live::a_process_is_seen_while_it_lives_and_after_it_was_killed", "--nocapture"])
        .env(DIR, dir.path(""))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let recorder = Recorder(child);
    assert!(lines.any(|line| line.unwrap() == "recording"), "it ended before it recorded");
    recorder
}

#[test]
fn a_process_is_seen_while_it_lives_and_after_it_was_killed() {
    if let Some(dir) = std::env::var_os(DIR) {
        return record(dir);
    }
    let dir = Dir::in_memory("live");
    let mut recorder = start(&dir);
    let pid = recorder.0.id();
    let living = printed(&["dump", &dir.path("")]);
    assert_eq!(living.lines().next(), Some(format!("worker, pid {pid}: running").as_str()), "{living}");

    let top = printed(&["top", "--once", "--interval", "300ms", &dir.path("")]);
    let words = |head: &str| -> Vec<&str> {
        let line = top.lines().find(|line| line.starts_with(head));
        line.unwrap_or_else(|| panic!("{head}: {top}")).split_whitespace().collect()
    };
    // Name, pid, state, tokens to the second, running, queued, cache, quantiles: of the last interval.
    for (line, rate) in [(words(">all"), 1), (words(" worker ["), 3)] {
        assert!(line[rate] != "0" && line[rate] != "-", "{top}");
        assert_eq!(line[rate + 1..rate + 4], ["2", "-", "-"], "{top}");
        assert_eq!(line[line.len() - 2..], ["10.0", "ms"], "{top}");
    }

    recorder.0.kill().unwrap();
    recorder.0.wait().unwrap();
    let json: serde_json::Value = serde_json::from_str(&printed(&["dump", "--format", "json", &dir.path("")])).unwrap();
    let segment = &json["segments"][0];
    assert_eq!((&segment["life"], &segment["pid"]), (&"died".into(), &pid.into()));
    let series = segment["series"].as_array().unwrap();
    let of = |metric: &str| series.iter().find(|one| one["metric"] == metric).unwrap();
    let tokens = of("maxserve.num_output_tokens")["value"].as_u64().unwrap();
    let values = of("maxserve.itl")["count"].as_u64().unwrap();
    // It was killed anywhere: between the two, at most.
    assert!(tokens > 1_000 && tokens - values <= 1, "{tokens} tokens, {values} gaps");
}
