//! House rules that the compiler does not know: which module may use which, where atomics and `unsafe` may stand, how
//! long a file may be, and that the page on orderings and the code name the same edges.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines a source file may have.
const LINES_MAX: usize = 450;
/// Columns a line may have.
const COLUMNS_MAX: usize = 125;

/// Which modules of the crate each may name, apart from itself and the leaves. Left to right: record, collect, expose.
const MAY_USE: [(&str, &[&str]); 12] = [
    ("bucket", &[]),
    ("sync", &[]),
    ("error", &[]),
    ("describe", &["bucket", "error"]),
    ("segment", &["bucket", "error", "sync"]),
    ("record", &["bucket", "segment", "sync"]),
    ("registry", &["bucket", "describe", "error", "record", "segment", "sync"]),
    ("collect", &["bucket", "describe", "error", "record", "registry", "sync"]),
    ("reader", &["bucket", "collect", "describe", "error", "record", "registry", "segment", "sync"]),
    ("expose", &["collect", "describe", "error"]),
    ("serve", &["bucket", "collect", "describe", "error", "expose", "registry", "sync"]),
    // Programs use what is public.
    ("bin", &[]),
];

/// What points the other way: starting an exporter takes the registry, to collect from it.
const START: ([&str; 6], &str) = (
    [
        "expose/http/exporter.rs",
        "expose/http/endpoint.rs",
        "expose/http/builder.rs",
        "expose/push/otlp/builder.rs",
        "expose/push/otlp/exporter.rs",
        "expose/push/otlp/pusher.rs",
    ],
    "use crate::registry::Registry;",
);
/// What is counted of pushing is registered and recorded like anything else.
const COUNTS: &str = "expose/push/otlp/stats.rs";

/// Files that may name an atomic ordering besides those of `record/`: lone totals and hints.
const ORDERINGS: [&str; 8] = [
    "sync.rs",
    "reader/map.rs",
    "segment/publish.rs",
    "segment/system.rs",
    "registry/entry.rs",
    "registry/metric.rs",
    "registry/own.rs",
    "registry/table.rs",
];
/// Files that may contain `unsafe`.
const UNSAFE: [&str; 9] = [
    "expose/http/unix.rs",
    "reader/map.rs",
    "segment/system.rs",
    "record/fixed.rs",
    "record/region.rs",
    "record/local.rs",
    "record/scalar.rs",
    "record/hdr.rs",
    "record/space.rs",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The sources: path below `src/`, and text.
fn sources() -> Vec<(String, String)> {
    let src = root().join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let name = |path: &PathBuf| path.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
    let sources: Vec<_> = files.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect();
    assert!(sources.len() > 20, "the sources are not where they were");
    sources
}

/// The code of a line: without what follows `//`.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or("")
}

/// The top module a file belongs to.
fn module(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

#[test]
fn dependencies_point_one_way() {
    for (file, text) in sources() {
        if file == "lib.rs" {
            continue;
        }
        let here = module(&file);
        let Some((_, allowed)) = MAY_USE.iter().find(|(module, _)| *module == here) else {
            panic!("{file}: add the module {here} to MAY_USE");
        };
        for (number, line) in (1..).zip(text.lines()) {
            if START.0.contains(&file.as_str()) && line == START.1 || file == COUNTS {
                continue;
            }
            for used in code(line).split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                let is_module = MAY_USE.iter().any(|(module, _)| *module == used);
                let fine = !is_module || used == here || allowed.contains(&used.as_str());
                assert!(fine, "{file}:{number}: {here} must not use {used}: {line}");
            }
        }
    }
}

#[test]
fn the_record_path_uses_nothing_that_waits_or_prints() {
    // `space` and `shard` are its cold side and may use a map or a heap; nothing here may block on I/O or read a clock.
    for (file, text) in sources().into_iter().filter(|(file, _)| file.starts_with("record/")) {
        for word in ["Instant", "println", "format!", "std::io", "std::fs", "std::thread", "String"] {
            let found = text.lines().map(code).any(|line| line.contains(word));
            assert!(!found, "{file} uses {word}");
        }
    }
}

#[test]
fn snapshots_buckets_and_formats_are_plain_data() {
    let plain = |file: &str| {
        file.starts_with("bucket/")
            || file == "collect/snapshot.rs"
            || file == "collect/histogram.rs"
            || file.starts_with("expose/") && !file.starts_with("expose/http/") && !file.starts_with("expose/push/")
    };
    for (file, text) in sources().into_iter().filter(|(file, _)| plain(file)) {
        for word in ["Atomic", "Mutex", "thread", "unsafe"] {
            let found = text.lines().map(code).any(|line| line.contains(word));
            assert!(!found, "{file} uses {word}");
        }
    }
}

#[test]
fn atomics_and_locks_come_from_one_place() {
    for (file, text) in sources() {
        for (number, line) in (1..).zip(text.lines()) {
            let line = code(line);
            let elsewhere = ["sync::atomic", "parking_lot::", "loom::"].iter().any(|word| line.contains(word));
            assert!(!elsewhere || file == "sync.rs", "{file}:{number} goes around src/sync.rs: {line}");
        }
    }
}

#[test]
fn an_ordering_stands_where_it_belongs_and_says_why() {
    for (file, text) in sources() {
        let lines: Vec<_> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let named = code(line).contains("Ordering::") && !code(line).contains("use ");
            if !named || code(line).contains("cmp::Ordering") {
                continue;
            }
            let allowed = file.starts_with("record/") || ORDERINGS.contains(&file.as_str());
            assert!(allowed, "{file}:{}: no atomic access here: {line}", index + 1);
            if file == "record/edges.rs" {
                continue;
            }
            // A comment above, within the statement or up to six lines before, names the ordering.
            let above = &lines[index.saturating_sub(8)..=index];
            let ordering = line.split("Ordering::").nth(1).unwrap();
            let ordering: String = ordering.chars().take_while(|c| c.is_alphanumeric()).collect();
            let said = above.iter().any(|line| {
                let comment = line.trim_start();
                comment.starts_with("//") && (comment.contains(&ordering) || comment.contains("Edge "))
            });
            assert!(said, "{file}:{}: no comment says why {ordering}: {line}", index + 1);
        }
    }
}

#[test]
fn unsafe_stands_where_it_belongs_and_argues() {
    for (file, text) in sources() {
        let lines: Vec<_> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let is_unsafe = code(line).split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
            if !is_unsafe {
                continue;
            }
            assert!(UNSAFE.contains(&file.as_str()), "{file}:{}: no unsafe here: {line}", index + 1);
            let above = &lines[index.saturating_sub(12)..=index];
            let argued = above.iter().any(|line| line.contains("SAFETY:") || line.contains("# Safety"));
            assert!(argued, "{file}:{}: unsafe without an argument: {line}", index + 1);
        }
    }
}

#[test]
fn files_are_short_and_so_are_lines() {
    let mut files = Vec::new();
    for dir in ["src", "derive", "tests", "benches", "examples", "loom-tests", "fuzz"] {
        let dir = root().join(dir);
        if dir.is_dir() {
            rust_files(&dir, &mut files);
        }
    }
    for path in files.iter().filter(|path| !path.components().any(|part| part.as_os_str() == "target")) {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines: split it by purpose", path.display());
        for (number, line) in (1..).zip(text.lines()) {
            let columns = line.chars().count();
            assert!(columns <= COLUMNS_MAX, "{}:{number} has {columns} columns", path.display());
        }
    }
}

#[test]
fn code_and_page_name_the_same_edges() {
    // An edge's name: upper-case words joined by '-'.
    let edges = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_ascii_uppercase() && c != '-');
        let is_edge = |word: &&str| {
            let parts: Vec<_> = word.split('-').collect();
            parts.len() == 2 && parts.iter().all(|part| part.len() > 2)
        };
        words.filter(is_edge).map(str::to_owned).collect()
    };
    let page = fs::read_to_string(root().join("docs/ORDERINGS.md")).unwrap();
    let table: String = page.lines().filter(|line| line.starts_with('|')).collect();
    let comments = |text: &str| -> String {
        text.lines().filter_map(|line| line.split_once("//").map(|(_, comment)| format!("{comment}\n"))).collect()
    };
    let in_code: BTreeSet<_> = sources().iter().flat_map(|(_, text)| edges(&comments(text))).collect();
    assert_eq!(in_code, edges(&table), "left: in comments of src/; right: in the tables of docs/ORDERINGS.md");
}

#[test]
fn every_mutation_has_a_model() {
    let mut files = Vec::new();
    rust_files(&root().join("loom-tests"), &mut files);
    let models: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let mutations: BTreeSet<String> = sources()
        .iter()
        .flat_map(|(_, text)| {
            text.split("tach_mutate = \"")
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(mutations.len() >= 8, "{mutations:?}");
    for mutation in mutations {
        assert!(models.contains(&mutation), "no model in loom-tests/ names the mutation {mutation}");
    }
}

#[test]
fn every_page_that_is_named_is_there() {
    let mut texts = sources();
    for dir in ["", "docs"] {
        for entry in fs::read_dir(root().join(dir)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                texts.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut named = 0;
    for (file, text) in &texts {
        // As a path from the root, and as a link of a page beside it.
        let paths = text.split("docs/").skip(1).map(|rest| (rest, true));
        let links = text.split("](").skip(1).map(|rest| (rest, false)).filter(|_| file.contains("docs"));
        for (rest, from_root) in paths.chain(links) {
            let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "_-.".contains(*c)).collect();
            let Some((stem, _)) = name.split_once(".md") else { continue };
            if from_root || !rest.starts_with(['.', '/']) {
                named += 1;
                let page = root().join("docs").join(format!("{stem}.md"));
                assert!(page.is_file(), "{file} names {}, which is not there", page.display());
            }
        }
    }
    assert!(named > 20, "the pages are not named as they were: {named}");
}
