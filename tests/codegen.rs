//! The compiled code of the fast paths, in a program that depends on tach and is built with the default release
//! profile.
//!
//! Each of its functions makes one recording. In none is there a `lock` prefix, an `xchg` or a fence; whatever it calls
//! is one of the engine's cold functions; and it can be walked from entry to return without a call.

#![cfg(all(target_arch = "x86_64", unix))]

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAM: &str = r#"
use std::hint::black_box;
use tach::{Counter, FloatCounter, Gauge, Histogram, LabelSet, LabelValue, LocalCounter, LocalHistogram};
use tach::{TypedFamily, UpDownCounter};

#[derive(LabelValue)] enum Method { Get, Put, Delete }
#[derive(LabelValue)] enum Class { Ok, Client, Server }
#[derive(LabelSet)] struct Labels { method: Method, cached: bool, class: Class }
const LABELS: [Labels; 3] = [
    Labels { method: Method::Get, cached: false, class: Class::Ok },
    Labels { method: Method::Put, cached: true, class: Class::Client },
    Labels { method: Method::Delete, cached: true, class: Class::Server },
];

#[unsafe(no_mangle)] #[inline(never)] fn probe_inc(c: &Counter) { c.inc() }
#[unsafe(no_mangle)] #[inline(never)] fn probe_add(c: &Counter, n: u64) { c.add(n) }
#[unsafe(no_mangle)] #[inline(never)] fn probe_local_inc(c: &mut LocalCounter) { c.inc() }
#[unsafe(no_mangle)] #[inline(never)] fn probe_dec(c: &UpDownCounter) { c.dec() }
#[unsafe(no_mangle)] #[inline(never)] fn probe_float(c: &FloatCounter, n: f64) { c.add(n) }
#[unsafe(no_mangle)] #[inline(never)] fn probe_set(g: &Gauge, v: f64) { g.set(v) }
#[unsafe(no_mangle)] #[inline(never)] fn probe_record(h: &Histogram, v: u64) { h.record(v) }
#[unsafe(no_mangle)] #[inline(never)] fn probe_record_n(h: &Histogram, v: u64, n: u64) { h.record_n(v, n) }
#[unsafe(no_mangle)] #[inline(never)] fn probe_local_record(h: &mut LocalHistogram, v: u64) { h.record(v) }
#[unsafe(no_mangle)] #[inline(never)] fn probe_typed(f: &TypedFamily<Counter, Labels>, l: Labels) { f.with(l).inc() }

fn main() {
    let registry = tach::Registry::new();
    let c = registry.counter("c").build().unwrap();
    let u = registry.updown_counter("u").build().unwrap();
    let f = registry.float_counter("f").build().unwrap();
    let g = registry.gauge("g").build().unwrap();
    let h = registry.histogram("h").buckets([1.0]).build().unwrap();
    probe_inc(black_box(&c));
    probe_add(black_box(&c), 2);
    probe_local_inc(black_box(&mut c.local()));
    probe_dec(black_box(&u));
    probe_float(black_box(&f), 0.5);
    probe_set(black_box(&g), 0.5);
    probe_record(black_box(&h), 1);
    probe_record_n(black_box(&h), 1, 2);
    probe_local_record(black_box(&mut h.local()), 1);
    let typed = registry.counter("t").label_set::<Labels>().build().unwrap();
    LABELS.map(|labels| probe_typed(black_box(&typed), black_box(labels)));
    let snapshot = registry.snapshot();
    let labels = [("method", "put"), ("cached", "true"), ("class", "client")];
    assert_eq!(snapshot.counter("t", &labels), Some(1));
    assert_eq!(snapshot.counter("c", &[]), Some(4));
    assert_eq!(snapshot.histogram("h", &[]).unwrap().count(), 4);
}
"#;

/// The vocabulary of servers, built without what is above the level BASIC.
const SERVER: &str = r#"
use std::hint::black_box;
use std::time::Duration;
use tach::serve::{
    BatchType, Clock, Identity, METRICS, Objectives, Profile, Profiles, RequestTimer, Stamp, Step, StepTimer,
};

#[unsafe(no_mangle)] #[inline(never)] fn probe_counter(n: u64) { METRICS.output_tokens(n) }
#[unsafe(no_mangle)] #[inline(never)] fn probe_time(gap: Duration) { METRICS.itl(gap) }
#[unsafe(no_mangle)] #[inline(never)] fn probe_labelled(n: u64, by: BatchType) { METRICS.batch_size(n, by) }
#[unsafe(no_mangle)] #[inline(never)] fn probe_step(step: &mut Step<'_>, r: &mut RequestTimer) { step.token(r) }
#[unsafe(no_mangle)] #[inline(never)] fn probe_above(n: u64) { METRICS.cache_misses(n) }

fn main() {
    let registry = tach::Registry::new();
    let profiles = Profiles::new(&[Profile::MaxServe], &Identity::default()).unwrap();
    METRICS.attach(&registry, &profiles, Objectives::default(), Clock::new()).unwrap();
    registry.set_level(tach::Level::Detailed);
    probe_counter(black_box(3));
    probe_time(black_box(Duration::from_millis(2)));
    probe_labelled(black_box(7), black_box(BatchType::Decode));
    probe_above(black_box(1));
    let mut request = RequestTimer::arrived_at(&METRICS, Stamp::from_nanos(0));
    let mut steps = StepTimer::new(&METRICS);
    probe_step(black_box(&mut steps.step()), black_box(&mut request));
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.counter("maxserve.num_output_tokens", &[]), Some(4));
    assert_eq!(snapshot.histogram("maxserve.itl", &[]).unwrap().sum(), 2.0);
    assert_eq!(snapshot.histogram("maxserve.batch_size", &[("batch_type", "TG")]).unwrap().sum(), 7.0);
    assert_eq!(snapshot.counter("maxserve.cache.misses", &[]), None);
}
"#;

/// What a fast path may call, on the way nobody takes. (The last: of a typed family.)
const COLD: [&str; 10] = [
    "add_cold",
    "add_float_cold",
    "record_cold",
    "record_rare",
    "record_split",
    "set_cold",
    "8overflow",
    "advance_unusual",
    "4Step5flush",
    "9elsewhere",
];

/// Builds and runs a program, and gives its assembly.
fn assembly(name: &str, program: &str, features: &[&str]) -> String {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let root = env!("CARGO_MANIFEST_DIR");
    fs::create_dir_all(dir.join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"probe\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
         tach = {{ path = {root:?}, default-features = false, features = {features:?} }}\n"
    );
    fs::write(dir.join("Cargo.toml"), manifest).unwrap();
    fs::write(dir.join("src/main.rs"), program).unwrap();
    // The same versions of what tach depends on, so that nothing new has to be fetched.
    fs::copy(Path::new(root).join("Cargo.lock"), dir.join("Cargo.lock")).unwrap();
    let target = dir.join("target");
    // The fingerprint of a stale assembly must not be taken for this one's.
    let _ = fs::remove_dir_all(target.join("release/deps"));
    let output = Command::new(env!("CARGO"))
        .args(["rustc", "--release", "--quiet", "--", "--emit=asm,link", "-Ccodegen-units=1"])
        .current_dir(&dir)
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let ran = Command::new(target.join("release/probe")).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let listed = fs::read_dir(target.join("release/deps")).unwrap().map(|entry| entry.unwrap().path());
    let is_probe = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("probe-") && name.ends_with(".s")
    };
    fs::read_to_string(listed.filter(is_probe).last().expect("an assembly file")).unwrap()
}

/// The instructions of a function: (label or nothing, instruction).
fn function<'a>(assembly: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!("{name}:");
    let lines = assembly.lines().skip_while(|line| *line != start).skip(1);
    let body: Vec<_> = lines.take_while(|line| !line.trim_start().starts_with(".Lfunc_end")).map(str::trim).collect();
    assert!(!body.is_empty(), "{name} is not in the assembly");
    let is_code =
        |line: &&str| !line.is_empty() && !line.starts_with('#') && (!line.starts_with('.') || line.ends_with(':'));
    body.into_iter().filter(is_code).collect()
}

/// Whether the instruction leaves the function for another one, and for which.
fn callee(instruction: &str) -> Option<&str> {
    let (operation, target) = instruction.split_once(char::is_whitespace)?;
    let leaves =
        operation.starts_with("call") || (operation == "jmp" || operation == "jmpq") && !target.starts_with(".L");
    leaves.then_some(target.trim())
}

/// Whether a return can be reached from the entry without a call.
fn returns_without_call(code: &[&str]) -> bool {
    let labels: HashMap<&str, usize> =
        (0..).zip(code).filter_map(|(index, line)| Some((line.strip_suffix(':')?, index))).collect();
    let (mut seen, mut open) = (HashSet::new(), vec![0]);
    while let Some(index) = open.pop() {
        let Some(line) = code.get(index).filter(|_| seen.insert(index)) else { continue };
        let (operation, target) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        if operation.starts_with("ret") {
            return true;
        }
        if callee(line).is_some() {
            continue;
        }
        if let Some(&to) = operation.starts_with('j').then(|| labels.get(target.trim())).flatten() {
            open.push(to);
        }
        if !operation.starts_with("jmp") {
            open.push(index + 1);
        }
    }
    false
}

/// Checks each of `probes`, with the most instructions that it may have.
fn check(assembly: &str, probes: &[(&str, usize)]) {
    for &(name, instructions_max) in probes {
        let code = function(assembly, name);
        let instructions = code.iter().filter(|line| !line.ends_with(':')).count();
        assert!(instructions <= instructions_max, "{name} has {instructions} instructions:\n{}", code.join("\n"));
        for line in &code {
            let locked = line.starts_with("lock") || line.contains("xchg") || line.contains("fence");
            assert!(!locked && !line.contains("__tls_get_addr"), "{name}: {line}");
            if let Some(callee) = callee(line) {
                let known = COLD.iter().any(|cold| callee.contains(cold));
                assert!(known, "{name} calls {callee}, which is no cold function");
            }
        }
        assert!(returns_without_call(&code), "{name} cannot return without a call:\n{}", code.join("\n"));
    }
}

#[test]
fn fast_paths_have_no_locked_instruction_and_no_call() {
    let probes = [
        ("probe_inc", 16),
        ("probe_add", 16),
        ("probe_local_inc", 16),
        ("probe_dec", 16),
        ("probe_float", 36),
        ("probe_set", 8),
        ("probe_record", 110),
        ("probe_record_n", 110),
        ("probe_local_record", 110),
        // No more than an index computed and checked before `probe_inc`: no hash, no reference count.
        ("probe_typed", 40),
    ];
    check(&assembly("codegen", PROGRAM, &["derive"]), &probes);
}

#[test]
fn a_server_records_as_cheaply_and_not_at_all_above_the_ceiling() {
    let probes = [
        // A load and a branch more than `probe_add`.
        ("probe_counter", 20),
        ("probe_time", 130),
        ("probe_labelled", 120),
        ("probe_step", 60),
        // Nothing but the return.
        ("probe_above", 1),
    ];
    check(&assembly("codegen-serve", SERVER, &["serve", "max_level_basic"]), &probes);
}

#[test]
fn the_check_finds_what_it_looks_for() {
    let locked = "f:\n\tlock\tincq\t(%rdi)\n\tretq\n.Lfunc_end0:\n";
    assert!(function(locked, "f").iter().any(|line| line.starts_with("lock")));
    let calls = "f:\n\ttestq\t%rax, %rax\n\tje\t.LBB0_1\n\tcallq\t*other@GOTPCREL(%rip)\n\
                 .LBB0_1:\n\tjmp\tthird\n.Lfunc_end0:\n";
    let code = function(calls, "f");
    assert_eq!(code.iter().filter_map(|line| callee(line)).collect::<Vec<_>>(), ["*other@GOTPCREL(%rip)", "third"]);
    assert!(!returns_without_call(&code));
}
