//! OpenMetrics 2.0, as text: by the release candidate `2.0.0-rc0` of its specification, which may change yet.
//!
//! A family has the name of its samples, a counter's with `_total`. A series is one line: a histogram's value has its
//! count, its sum, its native buckets (those of [`protobuf`](crate::protobuf)) and those that were declared, and behind
//! every total stands when it began, and then its exemplars.
//!
//! An exporter answers in it where it is told to and `Accept` names the version: see
//! [`ExporterBuilder::openmetrics_2`](crate::ExporterBuilder::openmetrics_2).

use super::buffer::{append_to, push_integer, push_signed, push_str, push_strs};
use super::exemplar::push_text_exemplar;
use super::families::Families;
use super::lines::{push_escaped, scalar_lines};
use super::names::Names;
use super::number::{is_total, push_bound, push_float, push_time};
use super::openmetrics::END;
use super::spans::split;
use crate::collect::{Exemplar, FamilySnapshot, HistogramSnapshot, Snapshot, SummarySnapshot, Values, ZERO_THRESHOLD};
use crate::describe::{Descriptor, Escaping, Form, HistogramBuckets, Pieces};
use std::time::{SystemTime, UNIX_EPOCH};

/// The `Content-Type` of what [`render`] prints.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=2.0.0; charset=utf-8";

/// So many empty buckets in a row are part of a span, which takes fewer bytes than another one; more there should not be.
const GAP_MAX: i32 = 1;

/// Spans and counts of native buckets, used again for each histogram.
type Buckets = (Vec<(i32, u32)>, Vec<u64>);

/// Prints a snapshot.
///
/// ```
/// let registry = tach::Registry::new();
/// let wait = registry.histogram("wait").buckets([1.0]).build()?;
/// wait.record(0);
/// let text = tach::openmetrics_2::render(&registry.snapshot());
/// assert!(text.contains("\nwait {count:1,sum:0,schema:4,zero_threshold:2.938735877055719e-39,zero_count:1,bucket:["));
/// assert!(text.ends_with("\n# EOF\n"));
/// # Ok::<(), tach::Error>(())
/// ```
#[must_use]
pub fn render(snapshot: &Snapshot) -> String {
    render_with(snapshot, Escaping::Underscores)
}

/// As [`render`], with names that need it written in another way than by underscores. The media type says so.
#[must_use]
pub fn render_with(snapshot: &Snapshot, escaping: Escaping) -> String {
    let mut out = String::new();
    append_to(&mut out, |out| append(&Families::of(snapshot), escaping, HistogramBuckets::Both, out));
    out
}

/// Appends what [`render`] prints to `out`, whose capacity is reused.
pub fn render_into(snapshot: &Snapshot, out: &mut String) {
    append_to(out, |out| append(&Families::of(snapshot), Escaping::Underscores, HistogramBuckets::Both, out));
}

/// Appends what [`render_with`] prints to `out`, whose capacity is reused.
pub(super) fn append(families: &Families<'_>, escaping: Escaping, shown: HistogramBuckets, out: &mut Vec<u8>) {
    let began = families.earliest;
    let mut buckets = Buckets::default();
    for &family in &families.list {
        let names = Names::new(&family.desc, escaping);
        push_header(out, &family.desc, &names);
        push_samples(out, &Shown { family, names, shown, began }, &mut buckets);
    }
    push_str(out, END);
}

fn push_header(out: &mut Vec<u8>, desc: &Descriptor, names: &Names<'_>) {
    let begin = |out: &mut Vec<u8>, keyword| {
        push_strs(out, ["# ", keyword, " "]);
        names.push(out, desc.kind.suffix());
        out.push(b' ');
    };
    begin(out, "TYPE");
    push_strs(out, [desc.kind.exposed(), "\n"]);
    // Here it need not be the end of the name, which an escaping may have changed.
    if !desc.unit.suffix().is_empty() {
        begin(out, "UNIT");
        push_strs(out, [desc.unit.suffix(), "\n"]);
    }
    if !desc.help.is_empty() {
        begin(out, "HELP");
        push_escaped(out, &desc.help);
        out.push(b'\n');
    }
}

/// A family on a page.
struct Shown<'a> {
    family: &'a FamilySnapshot,
    names: Names<'a>,
    /// Which buckets of a histogram.
    shown: HistogramBuckets,
    /// When the snapshot began.
    began: SystemTime,
}

impl Shown<'_> {
    /// Appends the lines of the values that `is_shown`.
    fn push_scalars<T: Copy>(
        &self,
        out: &mut Vec<u8>,
        values: &[T],
        is_shown: fn(T) -> bool,
        push: impl Fn(&mut Vec<u8>, T),
    ) {
        let lines = scalar_lines(self.family, &self.names).iter().zip(values).enumerate();
        for (series, (line, value)) in lines.filter(|(_, (_, value))| is_shown(**value)) {
            out.extend_from_slice(line);
            push(out, *value);
            self.push_end(out, series, self.family.exemplar(series).into_iter());
        }
    }

    /// Appends what stands behind a value: when it began, unless that was before 1970, where a clock is that was never
    /// set; the exemplars; and the end of the line.
    fn push_end(&self, out: &mut Vec<u8>, series: usize, exemplars: impl Iterator<Item = Exemplar>) {
        let began = self.family.began(series, self.began);
        if let Some(since) = began.and_then(|began| began.duration_since(UNIX_EPOCH).ok()) {
            push_str(out, " st@");
            push_time(out, since);
        }
        exemplars.for_each(|exemplar| push_text_exemplar(out, &exemplar));
        out.push(b'\n');
    }

    /// What histograms have between their numbers: the schema, each bound, and then the line of each series.
    fn histogram_pieces(&self, any: &HistogramSnapshot) -> &Pieces {
        self.family.labels.lines.get(Form::Composite(self.names.escaping, self.shown), || {
            let mut pieces = Pieces::default();
            pieces.push(|out| {
                if self.shown.has_native() {
                    push_str(out, ",schema:");
                    push_integer(out, any.native().schema.into());
                    push_str(out, ",zero_threshold:");
                    push_float(out, ZERO_THRESHOLD);
                    push_str(out, ",zero_count:");
                }
            });
            for (index, (bound, _)) in any.buckets().enumerate() {
                pieces.push(|out| {
                    push_str(out, if index == 0 { ",bucket:[" } else { "," });
                    push_bound(out, bound);
                    out.push(b':');
                });
            }
            for set in &self.family.labels.sets {
                pieces.push(|out| {
                    self.names.push_line(out, "", set, None);
                    push_str(out, "{count:");
                });
            }
            pieces
        })
    }

    /// `buckets`: for use here.
    fn push_histograms(&self, out: &mut Vec<u8>, values: &[HistogramSnapshot], buckets: &mut Buckets) {
        let Some(any) = values.first() else { return };
        let mut pieces = self.histogram_pieces(any).iter();
        let native = pieces.next().unwrap_or_default();
        let bounds: Vec<&[u8]> = pieces.by_ref().take(any.buckets().count()).collect();
        let has_classic = self.shown.has_classic(!bounds.is_empty());
        for (series, (line, histogram)) in pieces.zip(values).enumerate() {
            out.extend_from_slice(line);
            push_integer(out, histogram.count());
            push_str(out, ",sum:");
            push_float(out, histogram.sum());
            if self.shown.has_native() {
                out.extend_from_slice(native);
                push_native(out, histogram, buckets);
            }
            if has_classic {
                for ((_, count), bound) in histogram.buckets().zip(&bounds) {
                    out.extend_from_slice(bound);
                    push_integer(out, count);
                }
                push_str(out, if bounds.is_empty() { ",bucket:[+Inf:" } else { ",+Inf:" });
                push_integer(out, histogram.count());
                out.push(b']');
            }
            out.push(b'}');
            self.push_end(out, series, histogram.exemplars());
        }
    }

    /// Whose label sets are made for each snapshot, so that nothing is prepared for the next one.
    fn push_summaries(&self, out: &mut Vec<u8>, values: &[SummarySnapshot]) {
        for (series, (set, summary)) in self.family.labels.sets.iter().zip(values).enumerate() {
            self.names.push_line(out, "", set, None);
            push_str(out, "{count:");
            push_integer(out, summary.count());
            push_str(out, ",sum:");
            push_float(out, summary.sum());
            push_str(out, ",quantile:[");
            for (nth, (share, value)) in summary.quantiles().enumerate() {
                push_str(out, if nth == 0 { "" } else { "," });
                push_bound(out, share);
                out.push(b':');
                push_float(out, value);
            }
            push_str(out, "]}");
            self.push_end(out, series, std::iter::empty());
        }
    }
}

fn push_samples(out: &mut Vec<u8>, shown: &Shown<'_>, buckets: &mut Buckets) {
    match &shown.family.values {
        Values::Counter(values) => shown.push_scalars(out, values, |_| true, push_integer),
        Values::UpDown(values) => shown.push_scalars(out, values, |_| true, push_signed),
        Values::FloatCounter(values) => shown.push_scalars(out, values, is_total, push_float),
        Values::Gauge(values) => shown.push_scalars(out, values, |_| true, push_float),
        Values::Histogram(values) => shown.push_histograms(out, values, buckets),
        Values::Summary(values) => shown.push_summaries(out, values),
    }
}

/// Appends the count of zeros and, where there are others, the spans and the counts of their buckets.
fn push_native(out: &mut Vec<u8>, histogram: &HistogramSnapshot, (spans, counts): &mut Buckets) {
    let native = histogram.native();
    push_integer(out, native.zeros);
    split(native.buckets, GAP_MAX, spans, counts);
    for (nth, &(offset, length)) in spans.iter().enumerate() {
        push_str(out, if nth == 0 { ",positive_spans:[" } else { "," });
        push_signed(out, offset.into());
        out.push(b':');
        push_integer(out, length.into());
    }
    for (nth, &count) in counts.iter().enumerate() {
        push_str(out, if nth == 0 { "],positive_buckets:[" } else { "," });
        push_integer(out, count);
    }
    if !counts.is_empty() {
        out.push(b']');
    }
}
