//! `docs/EXPOSITION.md` says what holds each rule: those tests must be there.

use std::fs;
use std::path::Path;

/// The module that each file is, by the last part of its path, and its text.
fn all_rust(dir: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            all_rust(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let is_root = path.ends_with("mod.rs") || path.ends_with("main.rs");
            let module = if is_root { dir.file_name() } else { path.file_stem() };
            files.push((module.unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap()));
        }
    }
}

#[test]
fn what_is_said_to_hold_a_rule_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    ["src", "tests"].iter().for_each(|dir| all_rust(&root.join(dir), &mut files));
    let page = fs::read_to_string(root.join("docs/EXPOSITION.md")).unwrap();
    let (_, rules) = page.split_once("## The rules").unwrap();
    let mut found = 0;
    for line in rules.lines() {
        // In a table the last column, elsewhere the whole line.
        let text = line.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for name in text.split('`').skip(1).step_by(2) {
            let (module, own) = name.rsplit_once("::").map_or((None, name), |(module, own)| (Some(module), own));
            let is_word = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if own.matches('_').count() >= 2 && is_word(own) && module.is_none_or(is_word) {
                let test = format!("fn {own}(");
                let modules: Vec<&str> =
                    files.iter().filter(|(_, text)| text.contains(&test)).map(|(module, _)| &**module).collect();
                let found = modules.iter().filter(|of| module.is_none_or(|module| module == **of)).count();
                assert_eq!(found, 1, "the test {name} is in {modules:?}: write MODULE::{own}: {line}");
            } else if name.contains('/') && !name.contains(' ') {
                assert!(root.join(name).exists(), "no file {name}: {line}");
            } else {
                continue;
            }
            found += 1;
        }
    }
    assert!(found > 30, "{found}");
    let all = (1..=52).all(|number| {
        let listed = |numbers: &str| {
            numbers.split(", ").any(|part| match part.split_once('–') {
                Some((first, last)) => (first.parse().unwrap()..=last.parse().unwrap()).contains(&number),
                None => part.parse() == Ok(number),
            })
        };
        rules.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()).any(listed)
    });
    assert!(all, "a rule is missing");
}
