//! Parts of tests that need a process of their own: this program, run once more for one test.

use std::fs::File;
use std::io::{BufRead, BufReader, Lines};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// Set in a process that is a test's part, to what the test tells it.
const PART: &str = "TACH_TEST_PART";

/// What this process was told, if it is a test's part.
pub(crate) fn part() -> Option<String> {
    std::env::var(PART).ok()
}

/// This program, to be run for `test` as a part that is told `told`.
pub(crate) fn command(test: &str, told: &str, before: &[&str]) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut words: Vec<_> = before.iter().map(|word| (*word).to_owned()).collect();
    words.push(program.to_str().unwrap().to_owned());
    words.extend(["--exact", test, "--nocapture", "--test-threads=1"].map(str::to_owned));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env(PART, told);
    command
}

/// A part that runs, and what it says in lines that begin with `> `.
pub(crate) struct Part {
    pub(crate) child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Part {
    pub(crate) fn start(test: &str, told: &str) -> Self {
        Self::start_with(test, told, Stdio::null())
    }

    pub(crate) fn start_with(test: &str, told: &str, input: Stdio) -> Self {
        let mut child = command(test, told, &[]).stdin(input).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// What it says next.
    pub(crate) fn said(&mut self) -> String {
        let said = self
            .lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| line.split_once("> ").map(|(_, said)| said.to_owned()));
        said.expect("the part ended before it said what it should")
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a part to its end, which must be a good one, and gives all it wrote.
pub(crate) fn run(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{:?}: {text}", output.status);
    text
}

/// Whether anybody holds the lock of a segment.
pub(crate) fn is_locked(path: &Path) -> bool {
    let file = File::options().read(true).write(true).open(path).unwrap();
    #[allow(unsafe_code)]
    // SAFETY: a structure of numbers, for which zeros are values: the whole file.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    #[allow(unsafe_code)]
    // SAFETY: the structure is this function's own.
    let done = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    assert_eq!(done, 0);
    lock.l_type != libc::F_UNLCK as libc::c_short
}
