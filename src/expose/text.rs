//! Prometheus text format 0.0.4, and 1.0.0 with [`render_with`].
//!
//! Families come in ascending order of their names, series in that of their label values. `le` is printed as
//! OpenMetrics prints it (`1.0`, `1e+06`), so that a series is the same one in every format.

use super::buffer::{append_to, push_str, push_strs};
use super::families::Families;
use super::lines::{Extras, push_families};
use super::names::Names;
use crate::collect::Snapshot;
use crate::describe::{Descriptor, Escaping};

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

/// Prints a snapshot in version 1.0.0 of the format, whose media type says `escaping` too: 0.0.4, with names that may be
/// in quotes by [`Escaping::AllowUtf8`].
///
/// ```
/// let registry = tach::Registry::builder().utf8_names(true).build()?;
/// registry.gauge("http.size").build()?.set(5.0);
/// let text = tach::text::render_with(&registry.snapshot(), tach::Escaping::AllowUtf8);
/// assert!(text.contains("# TYPE \"http.size\" gauge\n{\"http.size\"} 5\n"));
/// # Ok::<(), tach::Error>(())
/// ```
#[must_use]
pub fn render_with(snapshot: &Snapshot, escaping: Escaping) -> String {
    let mut out = String::new();
    append_to(&mut out, |out| append(&Families::of(snapshot), escaping, out));
    out
}

/// Appends what [`render`] prints to `out`, whose capacity is reused.
pub fn render_into(snapshot: &Snapshot, out: &mut String) {
    append_to(out, |out| append(&Families::of(snapshot), Escaping::Underscores, out));
}

/// Appends what [`render_with`] prints to `out`, whose capacity is reused.
pub(super) fn append(families: &Families<'_>, escaping: Escaping, out: &mut Vec<u8>) {
    // Neither is to be had here: an exemplar would fail the scrape.
    push_families(out, families, escaping, Extras::default(), push_header);
}

/// Here a counter's family has the name of its samples.
fn push_header(out: &mut Vec<u8>, desc: &Descriptor, names: &Names<'_>) {
    let suffix = desc.kind.suffix();
    if !desc.help.is_empty() {
        push_str(out, "# HELP ");
        names.push(out, suffix);
        out.push(b' ');
        push_help(out, &desc.help);
        out.push(b'\n');
    }
    push_str(out, "# TYPE ");
    names.push(out, suffix);
    push_strs(out, [" ", desc.kind.exposed_to_all(), "\n"]);
}

/// A help text: `\` and line feed are escaped.
fn push_help(out: &mut Vec<u8>, help: &str) {
    for &byte in help.as_bytes() {
        match byte {
            b'\\' => push_str(out, "\\\\"),
            b'\n' => push_str(out, "\\n"),
            byte => out.push(byte),
        }
    }
}
