//! `docs/EXPOSITION.md` says what holds each rule: those tests must be there.

use std::fs;
use std::path::Path;

fn all_rust(dir: &Path, text: &mut String) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            all_rust(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn what_is_said_to_hold_a_rule_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = String::new();
    ["src", "tests"].iter().for_each(|dir| all_rust(&root.join(dir), &mut sources));
    let page = fs::read_to_string(root.join("docs/EXPOSITION.md")).unwrap();
    let (_, rules) = page.split_once("## The rules").unwrap();
    let mut found = 0;
    for line in rules.lines() {
        // In a table the last column, elsewhere the whole line.
        let text = line.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for name in text.split('`').skip(1).step_by(2) {
            let is_test = name.matches('_').count() >= 2 && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            if is_test {
                assert!(sources.contains(&format!("fn {name}(")), "no test {name}: {line}");
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
