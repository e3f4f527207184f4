//! The program as several processes, from outside: how runs end, what becomes of workers, and what is left in the segments.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use tach::Snapshot;
use tach::reader::{Directory, Life, Segment};

/// An API process that was started, its segments, and what it says.
struct Run {
    api: Child,
    errors: BufReader<ChildStderr>,
    dir: PathBuf,
}

impl Run {
    fn start(test: &str, arguments: &str) -> Self {
        let dir = PathBuf::from(format!("/dev/shm/smollm2-test-{}-{test}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        Self::again(dir, arguments)
    }

    fn again(dir: PathBuf, arguments: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_smollm2"));
        command.args(["--mock", "--workers", "2"]).args(arguments.split_whitespace()).env("TACH_SEGMENT_DIR", &dir);
        let mut api = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(api.stderr.take().unwrap());
        Self { api, errors, dir }
    }

    /// The next line on standard error that has this in it.
    fn said(&mut self, what: &str) -> String {
        let mut line = String::new();
        while !line.contains(what) {
            line.clear();
            assert!(self.errors.read_line(&mut line).unwrap() > 0, "it ended, and did not say {what:?}");
        }
        line
    }

    /// The process of the next worker that is ready.
    fn ready(&mut self) -> i32 {
        let line = self.said(", ready");
        line.split_once("process ").unwrap().1.split(',').next().unwrap().parse().unwrap()
    }

    /// Waits until a total has grown by `more`.
    fn grown(&self, name: &str, more: u64) {
        let total = || Directory::watch(&self.dir).unwrap().read().counter(name, &[]).unwrap_or(0);
        let (before, begin) = (total(), Instant::now());
        while total() < before + more {
            assert!(begin.elapsed() < Duration::from_secs(60), "{name} does not grow");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its exit code and its table, when it has ended.
    fn ended(&mut self) -> (Option<i32>, String) {
        let table = std::io::read_to_string(self.api.stdout.take().unwrap()).unwrap();
        (self.api.wait().unwrap().code(), table)
    }

    fn lives(&self) -> Vec<(String, Life)> {
        let files = std::fs::read_dir(&self.dir).unwrap().map(|entry| entry.unwrap().path());
        let infos = files.filter(|path| path.extension().is_some_and(|ending| ending == "tach")).map(|path| {
            let info = Segment::open(path).unwrap().read().unwrap().info;
            (info.name, info.life)
        });
        let mut lives: Vec<_> = infos.collect();
        lives.sort_by_key(|(name, life)| (name.clone(), *life != Life::Closed));
        lives
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.api.kill();
        let _ = self.api.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn signal(signal: &str, pid: i32) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

fn is_there(pid: i32) -> bool {
    // Of one that has ended and that nobody has waited for there is no more than this.
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !state.is_empty() && !state.contains(") Z ")
}

/// By its finished reason.
fn finished(read: &Snapshot, reason: &str) -> u64 {
    read.counter("maxserve.requests_finished", &[("finished_reason", reason)]).unwrap()
}

fn closed(names: &[&str]) -> Vec<(String, Life)> {
    names.iter().map(|name| ((*name).to_owned(), Life::Closed)).collect()
}

#[test]
fn a_run_of_processes_generates_the_tokens_asked_for_and_each_is_counted_once() {
    let mut run = Run::start("tokens", "--tokens 301 --streams 3 --clients 9 --max-tokens 20 --show-text");
    let (code, table) = run.ended();
    assert_eq!(code, Some(0), "{table}");
    assert!(table.contains("\ncheck: ok (69 values equal the scheduler's own account; 1 that"), "{table}");
    assert!(table.contains("── request 0 · "), "{table}");
    assert_eq!(run.lives(), closed(&["api", "worker-0", "worker-1"]));

    let read = Directory::watch(&run.dir).unwrap().read();
    assert_eq!(read.counter("maxserve.num_output_tokens", &[]), Some(301));
    let count = |name: &str| read.histogram(name, &[]).unwrap().count();
    assert_eq!(count("maxserve.time_to_first_token") + count("maxserve.itl"), 301);
    // Steps that were under way when the last token was taken may have brought some that nobody got.
    let of = |batch_type| read.histogram("maxserve.batch_size", &[("batch_type", batch_type)]).unwrap().sum() as u64;
    let computed = of("CE") + of("TG");
    assert!(computed >= 301, "{computed} tokens were computed");
    let loads = |component| read.histogram("maxserve.model_load_time", &[("component", component)]).unwrap().count();
    assert_eq!((loads("spawn"), loads("init"), loads("total")), (2, 2, 2));

    // Another run in the same place counts from where that ended, and its check knows.
    let dir = std::mem::take(&mut run.dir);
    let mut run = Run::again(dir, "--tokens 99");
    let (code, table) = run.ended();
    assert!(code == Some(0) && table.contains("\nnum_output_tokens           400\n"), "{table}");
}

#[test]
fn a_worker_that_is_killed_loses_its_requests_and_is_started_again() {
    let mut run = Run::start("killed", "--tokens 0 --restart-after 0");
    let (first, second) = (run.ready(), run.ready());
    run.grown("maxserve.num_output_tokens", 100);
    signal("-KILL", first);
    let told = run.said("was ended by signal 9");
    let third = run.ready();
    assert!(third != first && third != second && is_there(second), "{told}");
    run.grown("maxserve.num_output_tokens", 200);
    // The gauges of those that live, by their names.
    let read = Directory::watch(&run.dir).unwrap().read();
    assert_eq!(read.gauge("maxserve.kv_tokens_capacity", &[]), Some(2.0 * 4.0 * 4096.0));
    for worker in ["worker-0", "worker-1"] {
        assert!(read.gauge("maxserve.kv_usage", &[("process", worker)]).is_some(), "{worker}");
    }
    signal("-INT", run.api.id() as i32);
    let (code, table) = run.ended();
    assert_eq!(code, Some(0), "{table}");
    assert!(table.contains("of them to the last step of a worker that died"), "{table}");
    let lost: u64 = told.split(": ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let read = Directory::watch(&run.dir).unwrap().read();
    assert_eq!((finished(&read, "error"), finished(&read, "abort")), (lost, 16), "{told}");
    assert!((1..=4).contains(&lost), "{told}");
    assert_eq!(run.lives().iter().filter(|(_, life)| *life == Life::Died).count(), 1);
    assert!(![first, second, third].into_iter().any(is_there));
}

#[test]
fn workers_end_with_their_api_however_it_ends() {
    let mut run = Run::start("orphans", "--tokens 0");
    let workers = [run.ready(), run.ready()];
    run.grown("maxserve.num_output_tokens", 50);
    run.api.kill().unwrap();
    run.api.wait().unwrap();
    let begin = Instant::now();
    while workers.into_iter().any(is_there) {
        assert!(begin.elapsed() < Duration::from_secs(60), "workers outlive their API");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(
        run.lives(),
        [("api".to_owned(), Life::Died)].into_iter().chain(closed(&["worker-0", "worker-1"])).collect::<Vec<_>>()
    );
}

#[test]
fn what_cannot_be_recorded_or_served_is_said_before_anything_is_generated() {
    // No tmpfs: what would be recorded there nobody could read.
    let mut command = Command::new(env!("CARGO_BIN_EXE_smollm2"));
    command.args(["--mock", "--workers", "2"]).env("TACH_SEGMENT_DIR", Path::new(env!("CARGO_MANIFEST_DIR")));
    let said = command.output().unwrap();
    let text = String::from_utf8(said.stderr).unwrap();
    assert!(said.status.code() == Some(1) && text.contains("segment") && said.stdout.is_empty(), "{text}");

    let mut run = Run::start("fits", "--max-tokens 2048 --streams 1 --tokens 5");
    assert_eq!(run.ended().0, Some(0));
    let mut off = Command::new(env!("CARGO_BIN_EXE_smollm2"));
    off.args(["--mock", "--workers", "1"]).env("TACH_RECORDING", "NOOP").env("TACH_SEGMENT_DIR", &run.dir);
    let text = String::from_utf8(off.output().unwrap().stderr).unwrap();
    assert!(text.contains("recording is off by the environment"), "{text}");
}
