//! The program `tach`, run as a program: what it prints, and how it ends.

#![cfg(target_os = "linux")]

mod collect;
mod dump;
mod live;
mod support;
mod top;

use support::{Dir, tach};

#[test]
fn wrong_arguments_are_errors_that_say_what_is_wrong() {
    for (args, expected) in [
        (&["dump"][..], "<PATH>"),
        (&["dump", "--format", "xml", "/"], "[possible values: table, text, json, hlog]"),
        (&["top", "--interval", "soon", "/"], "give a time as 500ms, 10s or 1h"),
        (&["no_such_command"], "no_such_command"),
        (&[], "Usage: tach"),
    ] {
        let output = tach(args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(said.contains(expected) && output.stdout.is_empty(), "{args:?}: {said}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for (args, expected) in [
        (&["--help"][..], "collect"),
        (&["dump", "--help"], "Exit status: 0 fine, 1 an error, 2 read but with faults."),
        (&["--version"], concat!("tach ", env!("CARGO_PKG_VERSION"), "\n")),
    ] {
        let output = tach(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(String::from_utf8(output.stdout).unwrap().contains(expected), "{args:?}");
    }
}

#[test]
fn what_is_not_there_is_an_error_that_names_it() {
    let dir = Dir::new("absent");
    let absent = dir.path("absent.tach");
    let empty = dir.path("");
    for (args, expected) in
        [(["dump", &absent], "absent.tach"), (["dump", &empty], "no segments"), (["top", &absent], "absent.tach")]
    {
        let output = tach(&args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(said.starts_with("tach: ") && said.contains(expected), "{args:?}: {said}");
    }
}
