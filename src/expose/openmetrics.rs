//! OpenMetrics 1.0.0, as text.
//!
//! The samples are those of the [Prometheus text format](crate::text), line for line; above them a counter's family is
//! named without `_total`, the unit has a line of its own, and the page ends in `# EOF`.
//!
//! When a series began is not told: `_created` would cost another series for each counter and histogram with every
//! scraper that does not know it, which is why the format's own libraries leave it out unless asked.

use super::lines::{push_escaped, push_families};
use crate::collect::Snapshot;
use crate::describe::Descriptor;

/// The `Content-Type` of what [`render`] prints.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Prints a snapshot.
///
/// ```
/// let registry = tach::Registry::new();
/// let energy = registry.float_counter("energy").unit(tach::Unit::Joules).help("Energy used.").build()?;
/// energy.add(0.5);
/// let text = tach::openmetrics::render(&registry.snapshot());
/// assert!(text.starts_with(
///     "# TYPE energy_joules counter\n# UNIT energy_joules joules\n# HELP energy_joules Energy used.\n\
///      energy_joules_total 0.5\n"
/// ));
/// assert!(text.ends_with("\n# EOF\n"));
/// # Ok::<(), tach::Error>(())
/// ```
#[must_use]
pub fn render(snapshot: &Snapshot) -> String {
    let mut out = String::new();
    render_into(snapshot, &mut out);
    out
}

/// The last line of a page.
pub(crate) const END: &str = "# EOF\n";

/// Appends what [`render`] prints to `out`, whose capacity is reused.
pub fn render_into(snapshot: &Snapshot, out: &mut String) {
    push_families(out, snapshot, push_header);
    out.push_str(END);
}

fn push_header(out: &mut String, desc: &Descriptor) {
    out.extend(["# TYPE ", &desc.base, " ", desc.kind.exposed(), "\n"]);
    if let Some(unit) = desc.exposed_unit() {
        out.extend(["# UNIT ", &desc.base, " ", unit, "\n"]);
    }
    if !desc.help.is_empty() {
        out.extend(["# HELP ", &desc.base, " "]);
        push_escaped(out, &desc.help);
        out.push('\n');
    }
}
