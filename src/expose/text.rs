//! Prometheus text format 0.0.4.
//!
//! Families come in ascending order of their names, series in that of their label values. `le` is printed as
//! OpenMetrics prints it (`1.0`, `1e+06`), so that a series is the same one in every format.

use super::lines::push_families;
use crate::collect::Snapshot;
use crate::describe::Descriptor;

/// The `Content-Type` of what [`render`] prints.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Prints a snapshot.
///
/// ```
/// let registry = tach::Registry::new();
/// let tokens = registry.counter("tokens").help("Tokens generated.").build()?;
/// tokens.add(5);
/// let text = tach::text::render(&registry.snapshot());
/// assert!(text.contains("# TYPE tokens_total counter\ntokens_total 5\n"));
/// # Ok::<(), tach::Error>(())
/// ```
#[must_use]
pub fn render(snapshot: &Snapshot) -> String {
    let mut out = String::new();
    render_into(snapshot, &mut out);
    out
}

/// Appends what [`render`] prints to `out`, whose capacity is reused.
pub fn render_into(snapshot: &Snapshot, out: &mut String) {
    push_families(out, snapshot, false, push_header);
}

/// Here a counter's family has the name of its samples.
fn push_header(out: &mut String, desc: &Descriptor) {
    let suffix = desc.kind.suffix();
    if !desc.help.is_empty() {
        out.extend(["# HELP ", &desc.base, suffix, " "]);
        push_help(out, &desc.help);
        out.push('\n');
    }
    out.extend(["# TYPE ", &desc.base, suffix, " ", desc.kind.exposed(), "\n"]);
}

/// A help text: `\` and line feed are escaped.
fn push_help(out: &mut String, help: &str) {
    for c in help.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}
