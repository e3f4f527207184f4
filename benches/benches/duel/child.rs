//! Work that needs a process of its own: this executable, started again with `--child`.

use std::env;
use std::process::{Command, Stdio};

use crate::groups::memory;
use crate::instructions;

/// Starts a child and returns what it prints, or says why there is nothing.
pub(crate) fn ask(arguments: &[&str]) -> Option<String> {
    let executable = env::current_exe().ok()?;
    let output = Command::new(executable).arg("--child").args(arguments).stderr(Stdio::inherit()).output();
    match output {
        Ok(output) if output.status.success() => Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Ok(output) => {
            eprintln!("{}: {}", arguments.join(" "), output.status);
            None
        }
        Err(error) => {
            eprintln!("{}: {error}", arguments.join(" "));
            None
        }
    }
}

/// The child's side: dispatches to the group that asked.
pub(crate) fn answer(arguments: &[String]) -> Result<String, String> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let answer = match words[..] {
        ["memory", kind, contender] => memory::child(kind, contender),
        ["instructions", group, contender, iterations] => instructions::child(group, contender, iterations),
        _ => None,
    };
    answer.ok_or_else(|| format!("cannot do {}", words.join(" ")))
}
