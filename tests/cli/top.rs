//! `tach top`, where there is no terminal.

use super::support::{Dir, printed, recorded};

#[test]
fn without_a_terminal_one_frame_is_printed() {
    let dir = Dir::new("top");
    dir.write("worker", &recorded());
    let before = std::fs::read_dir(dir.path("")).unwrap().count();
    for args in [&["top", "--interval", "100ms"][..], &["top", "--once", "--interval", "100ms"]] {
        let text = printed(&[args, &[&dir.path("")]].concat());
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].ends_with(" - 0 of 1 processes alive - now"), "{text}");
        assert!(lines.iter().any(|line| line.starts_with(" worker [") && line.ends_with("closed")), "{text}");
        // Nothing was recorded between the looks.
        let requests = lines.iter().find(|line| line.contains("path=\"/v1/chat\"")).unwrap();
        assert_eq!(requests.split_whitespace().skip(1).collect::<Vec<_>>(), ["0", "41"], "{text}");
        assert!(text.contains("ns_wait_seconds"), "{text}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    }
    // It is looked at, and nothing else.
    assert_eq!(std::fs::read_dir(dir.path("")).unwrap().count(), before);
}
