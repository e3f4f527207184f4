//! OpenMetrics 1.0.0, as text.
//!
//! The samples are those of the [Prometheus text format](crate::text), line for line; above them a counter's family is
//! named without `_total`, the unit has a line of its own, and the page ends in `# EOF`. Totals and buckets that have an
//! [exemplar](crate::MetricBuilder::exemplars) tell it, with its trace, its span and its time.
//!
//! When a series began is told if [`Options::created`] says so: `_created` costs another series for each counter and
//! histogram with every scraper that does not know it, which is why the format's own libraries leave it out unless
//! asked.

use super::buffer::{append_to, push_str, push_strs};
use super::families::Families;
use super::lines::{Extras, push_escaped, push_families};
use super::names::Names;
use crate::collect::Snapshot;
use crate::describe::{Descriptor, Escaping};

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

/// What may be chosen of the format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    created: bool,
    escaping: Escaping,
}

impl Options {
    /// Those of [`render`].
    #[must_use]
    pub const fn new() -> Self {
        Self { created: false, escaping: Escaping::Underscores }
    }

    /// Whether each counter and histogram has a sample `_created` that says when it began, in seconds since 1970; false
    /// unless told. A counter that a callback gives has none.
    #[must_use]
    pub const fn created(self, created: bool) -> Self {
        Self { created, ..self }
    }

    /// How names are written that need it; [`Escaping::Underscores`] unless told.
    #[must_use]
    pub const fn escaping(self, escaping: Escaping) -> Self {
        Self { escaping, ..self }
    }

    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "for the exporter"))]
    pub(crate) const fn in_escaping(self) -> Escaping {
        self.escaping
    }
}

/// Prints a snapshot as `options` say.
///
/// ```
/// use tach::openmetrics::{Options, render_with};
///
/// let registry = tach::Registry::new();
/// registry.counter("tokens").build()?.add(5);
/// let text = render_with(&registry.snapshot(), Options::new().created(true));
/// assert!(text.contains("\ntokens_total 5\ntokens_created 1"));
/// # Ok::<(), tach::Error>(())
/// ```
#[must_use]
pub fn render_with(snapshot: &Snapshot, options: Options) -> String {
    let mut out = String::new();
    append_to(&mut out, |out| append(&Families::of(snapshot), options, out));
    out
}

/// Appends what [`render`] prints to `out`, whose capacity is reused.
pub fn render_into(snapshot: &Snapshot, out: &mut String) {
    append_to(out, |out| append(&Families::of(snapshot), Options::new(), out));
}

/// The last line of a page.
pub(super) const END: &str = "# EOF\n";

/// Appends what [`render_with`] prints to `out`, whose capacity is reused.
pub(super) fn append(families: &Families<'_>, options: Options, out: &mut Vec<u8>) {
    let extras = Extras { created: options.created, exemplars: true };
    push_families(out, families, options.escaping, extras, push_header);
    push_str(out, END);
}

fn push_header(out: &mut Vec<u8>, desc: &Descriptor, names: &Names<'_>) {
    let begin = |out: &mut Vec<u8>, keyword| {
        push_strs(out, ["# ", keyword, " "]);
        names.push(out, "");
    };
    begin(out, "TYPE");
    push_strs(out, [" ", desc.kind.exposed(), "\n"]);
    if let Some(unit) = desc.exposed_unit(&names.stem) {
        begin(out, "UNIT");
        push_strs(out, [" ", unit, "\n"]);
    }
    if !desc.help.is_empty() {
        begin(out, "HELP");
        out.push(b' ');
        push_escaped(out, &desc.help);
        out.push(b'\n');
    }
}
