//! Segments to look at, and the program that does.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tach::{Registry, Snapshot, Unit};

/// A directory for one test.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// On tmpfs, where processes record.
    pub(crate) fn in_memory(name: &str) -> Self {
        let path = PathBuf::from(format!("/dev/shm/tach-cli-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// A segment that a process of this name left in order.
    pub(crate) fn write(&self, name: &str, snapshot: &Snapshot) -> String {
        let path = self.path(&format!("{name}.tach"));
        let saturated = tach::reader::write(Path::new(&path), name, snapshot, &[]).unwrap();
        assert!(saturated.is_empty());
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How often [`recorded`] records to its histogram of times; no other word of its segment has this value.
pub(crate) const TIMES: u64 = 7_654_321;

/// One metric of each kind.
pub(crate) fn recorded() -> Snapshot {
    let registry = Registry::builder().namespace("ns").const_label("gpu", "0").build().unwrap();
    let requests = registry.counter("requests").help("Requests.").labels(["path", "code"]).build().unwrap();
    requests.with(["/v1/chat", "200"]).add(41);
    requests.with(["/a \"b\", c", "500"]).add(1);
    registry.float_counter("energy").unit(Unit::Joules).build().unwrap().add(12.625);
    registry.updown_counter("running").build().unwrap().add(-3);
    registry.gauge("usage").unit(Unit::Ratio).build().unwrap().set(0.45);
    registry.gauge("load").build().unwrap().set(f64::NAN);
    let waits = registry.histogram("wait").unit(Unit::Seconds).buckets([0.01, 0.1]).build().unwrap();
    waits.record_n(12_500_000, TIMES - 1);
    waits.record(2_000_000_000);
    let sizes = registry.histogram("size").unit(Unit::Bytes).labels(["kind"]).build().unwrap();
    (0..100).for_each(|n| sizes.with(["image, big"]).record(n * n));
    registry.histogram("never").unit(Unit::Other("tokens")).build().unwrap();
    let snapshot = registry.snapshot();
    // The engine's own are in no segment.
    let own = snapshot.series().map(|series| series.name().to_owned()).filter(|name| !name.starts_with("tach_"));
    snapshot.of_metrics(&own.collect())
}

pub(crate) fn tach(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tach")).args(args).env("NO_COLOR", "").output().unwrap()
}

/// What it prints where all goes well.
pub(crate) fn printed(args: &[&str]) -> String {
    let output = tach(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Against a file in `golden/`; `TACH_WRITE_GOLDEN=1` writes it.
pub(crate) fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/golden").join(name);
    if std::env::var_os("TACH_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, golden, "\n{text}\nis not {}\n{golden}", path.display());
}

/// Replaces one word of a segment.
pub(crate) fn patch(path: &str, change: impl Fn(usize, u64) -> u64) {
    let bytes = std::fs::read(path).unwrap();
    let words = bytes.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap()));
    let changed: Vec<u8> = words.enumerate().flat_map(|(at, word)| change(at, word).to_ne_bytes()).collect();
    assert!(changed != bytes, "there is no such word");
    std::fs::write(path, changed).unwrap();
}
