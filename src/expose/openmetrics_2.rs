//! OpenMetrics 2.0, as text: by the release candidate `2.0.0-rc0` of its specification, which may change yet.
//!
//! A family has the name of its samples, a counter's with `_total`. A series is one line: a histogram's value has its
//! count, its sum, its native buckets (those of [`protobuf`](crate::protobuf)) and those that were declared, and behind
//! every total stands when it began, and then its exemplars.
//!
//! An exporter answers in it where it is told to and `Accept` names the version: see
//! [`ExporterBuilder::openmetrics_2`](crate::ExporterBuilder::openmetrics_2).

use super::exemplar::push_text_exemplar;
use super::lines::{push_escaped, scalar_lines};
use super::names::Names;
use super::number::{has_series, is_total, push_bound, push_float, push_time};
use super::openmetrics::END;
use super::spans::split;
use crate::collect::{Exemplar, FamilySnapshot, HistogramSnapshot, Snapshot, SummarySnapshot, Values, ZERO_THRESHOLD};
use crate::describe::{Descriptor, Escaping, Form, Pieces};
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
    append(snapshot, escaping, &mut out);
    out
}

/// Appends what [`render`] prints to `out`, whose capacity is reused.
pub fn render_into(snapshot: &Snapshot, out: &mut String) {
    append(snapshot, Escaping::Underscores, out);
}

/// Appends what [`render_with`] prints to `out`, whose capacity is reused.
pub(crate) fn append(snapshot: &Snapshot, escaping: Escaping, out: &mut String) {
    let began = snapshot.earliest();
    let mut buckets = Buckets::default();
    for family in snapshot.families() {
        // A family without series has nothing to say yet.
        if has_series(family) {
            let names = Names::new(&family.desc, escaping);
            push_header(out, &family.desc, &names);
            push_samples(out, &Shown { family, names, began }, &mut buckets);
        }
    }
    out.push_str(END);
}

fn push_header(out: &mut String, desc: &Descriptor, names: &Names<'_>) {
    let begin = |out: &mut String, keyword| {
        out.extend(["# ", keyword, " "]);
        names.push(out, desc.kind.suffix());
        out.push(' ');
    };
    begin(out, "TYPE");
    out.extend([desc.kind.exposed(), "\n"]);
    // Here it need not be the end of the name, which an escaping may have changed.
    if !desc.unit.suffix().is_empty() {
        begin(out, "UNIT");
        out.extend([desc.unit.suffix(), "\n"]);
    }
    if !desc.help.is_empty() {
        begin(out, "HELP");
        push_escaped(out, &desc.help);
        out.push('\n');
    }
}

/// A family on a page.
struct Shown<'a> {
    family: &'a FamilySnapshot,
    names: Names<'a>,
    /// When the snapshot began.
    began: SystemTime,
}

impl Shown<'_> {
    /// Appends the lines of the values that `is_shown`.
    fn push_scalars<T: Copy>(
        &self,
        out: &mut String,
        values: &[T],
        is_shown: fn(T) -> bool,
        mut push: impl FnMut(&mut String, T),
    ) {
        let lines = scalar_lines(self.family, &self.names).iter().zip(values).enumerate();
        for (series, (line, value)) in lines.filter(|(_, (_, value))| is_shown(**value)) {
            out.push_str(line);
            push(out, *value);
            self.push_end(out, series, self.family.exemplar(series).into_iter());
        }
    }

    /// Appends what stands behind a value: when it began, unless that was before 1970, where a clock is that was never
    /// set; the exemplars; and the end of the line.
    fn push_end(&self, out: &mut String, series: usize, exemplars: impl Iterator<Item = Exemplar>) {
        let began = self.family.began(series, self.began);
        if let Some(since) = began.and_then(|began| began.duration_since(UNIX_EPOCH).ok()) {
            out.push_str(" st@");
            push_time(out, since);
        }
        exemplars.for_each(|exemplar| push_text_exemplar(out, &exemplar));
        out.push('\n');
    }

    /// What histograms have between their numbers: the schema, each bound, and then the line of each series.
    fn histogram_pieces(&self, any: &HistogramSnapshot) -> &Pieces<String> {
        self.family.labels.lines.get(Form::Composite(self.names.escaping), || {
            let mut pieces = Pieces::default();
            let mut native = String::from(",schema:");
            native.push_str(itoa::Buffer::new().format(any.native().schema));
            native.push_str(",zero_threshold:");
            push_float(&mut native, ZERO_THRESHOLD);
            native.push_str(",zero_count:");
            pieces.line(&native);
            for (index, (bound, _)) in any.buckets().enumerate() {
                let mut le = String::from(if index == 0 { ",bucket:[" } else { "," });
                push_bound(&mut le, bound);
                le.push(':');
                pieces.line(&le);
            }
            for set in &self.family.labels.sets {
                pieces.line(&(self.names.line("", set, "") + "{count:"));
            }
            pieces
        })
    }

    /// `buckets`: for use here.
    fn push_histograms(&self, out: &mut String, values: &[HistogramSnapshot], buckets: &mut Buckets) {
        let Some(any) = values.first() else { return };
        let mut number = itoa::Buffer::new();
        let mut pieces = self.histogram_pieces(any).iter();
        let native = pieces.next().unwrap_or_default();
        let bounds: Vec<&str> = pieces.by_ref().take(any.buckets().count()).collect();
        for (series, (line, histogram)) in pieces.zip(values).enumerate() {
            out.push_str(line);
            out.push_str(number.format(histogram.count()));
            out.push_str(",sum:");
            push_float(out, histogram.sum());
            out.push_str(native);
            push_native(out, histogram, buckets);
            for ((_, count), bound) in histogram.buckets().zip(&bounds) {
                out.push_str(bound);
                out.push_str(number.format(count));
            }
            if !bounds.is_empty() {
                out.push_str(",+Inf:");
                out.push_str(number.format(histogram.count()));
                out.push(']');
            }
            out.push('}');
            self.push_end(out, series, histogram.exemplars());
        }
    }

    /// Whose label sets are made for each snapshot, so that nothing is prepared for the next one.
    fn push_summaries(&self, out: &mut String, values: &[SummarySnapshot]) {
        for (series, (set, summary)) in self.family.labels.sets.iter().zip(values).enumerate() {
            out.push_str(&self.names.line("", set, ""));
            out.push_str("{count:");
            out.push_str(itoa::Buffer::new().format(summary.count()));
            out.push_str(",sum:");
            push_float(out, summary.sum());
            out.push_str(",quantile:[");
            for (nth, (share, value)) in summary.quantiles().enumerate() {
                out.push_str(if nth == 0 { "" } else { "," });
                push_bound(out, share);
                out.push(':');
                push_float(out, value);
            }
            out.push_str("]}");
            self.push_end(out, series, std::iter::empty());
        }
    }
}

fn push_samples(out: &mut String, shown: &Shown<'_>, buckets: &mut Buckets) {
    let mut integer = itoa::Buffer::new();
    match &shown.family.values {
        Values::Counter(values) => {
            shown.push_scalars(out, values, |_| true, |out, n| out.push_str(integer.format(n)));
        }
        Values::UpDown(values) => {
            shown.push_scalars(out, values, |_| true, |out, n| out.push_str(integer.format(n)));
        }
        Values::FloatCounter(values) => shown.push_scalars(out, values, is_total, push_float),
        Values::Gauge(values) => shown.push_scalars(out, values, |_| true, push_float),
        Values::Histogram(values) => shown.push_histograms(out, values, buckets),
        Values::Summary(values) => shown.push_summaries(out, values),
    }
}

/// Appends the count of zeros and, where there are others, the spans and the counts of their buckets.
fn push_native(out: &mut String, histogram: &HistogramSnapshot, (spans, counts): &mut Buckets) {
    let native = histogram.native();
    let mut number = itoa::Buffer::new();
    out.push_str(number.format(native.zeros));
    split(native.buckets, GAP_MAX, spans, counts);
    for (nth, &(offset, length)) in spans.iter().enumerate() {
        out.push_str(if nth == 0 { ",positive_spans:[" } else { "," });
        out.push_str(number.format(offset));
        out.push(':');
        out.push_str(number.format(length));
    }
    for (nth, &count) in counts.iter().enumerate() {
        out.push_str(if nth == 0 { "],positive_buckets:[" } else { "," });
        out.push_str(number.format(count));
    }
    if !counts.is_empty() {
        out.push(']');
    }
}
