//! What windows are exposed as: names and labels.
//!
//! `docs/EXPOSITION.md` says where the names come from.

use crate::describe::{Descriptor, Kind, Unit};
use std::time::Duration;

const WINDOW: &str = "window";
const QUANTILE: &str = "q";

/// What the windows of a histogram are exposed as: the quantiles, in a summary where `summaries` says so; how many values
/// there are; how many to the second. `None` where it has a label of theirs.
pub(super) fn described(of: &Descriptor, summaries: bool) -> Option<[Descriptor; 3]> {
    let is_taken = of.labels.iter().any(|label| [WINDOW, QUANTILE].contains(&label.as_str()));
    (!is_taken).then(|| {
        [
            match summaries {
                // The label `quantile` is the format's, and no histogram has it.
                true => Descriptor {
                    kind: Kind::Summary,
                    ..gauge(of, "_window", of.unit, "Quantiles of the window, and totals", &[WINDOW])
                },
                false => gauge(of, "_window", of.unit, "Quantiles of the window", &[WINDOW, QUANTILE]),
            },
            gauge(of, "_window_values", Unit::None, "Number of values in the window", &[WINDOW]),
            gauge(of, "_window_rate", Unit::None, "Values per second in the window", &[WINDOW]),
        ]
    })
}

/// A gauge of the histogram `of`.
fn gauge(of: &Descriptor, suffix: &str, unit: Unit, help: &str, labels: &[&str]) -> Descriptor {
    // The unit ends a name, where it is the gauge's own too. What counts keeps it within, as `_count` does: by that two
    // histograms which differ in their units alone stay two.
    let base = match (of.unit.suffix(), unit.suffix()) {
        (_, "") | ("", _) => format!("{}{suffix}", of.base),
        (unit, _) => {
            let stem = of.base.strip_suffix(unit).and_then(|stem| stem.strip_suffix('_'));
            format!("{}{suffix}_{unit}", stem.unwrap_or(&of.base))
        }
    };
    Descriptor {
        name: format!("{}{suffix}", of.name),
        base,
        utf8: of.utf8,
        dotted: format!("{}{suffix}", of.dotted),
        help: if of.help.is_empty() { format!("{help}.") } else { format!("{help} of: {}", of.help) },
        kind: Kind::Gauge,
        unit,
        level: of.level,
        aggregate: of.aggregate,
        labels: of.labels.iter().map(String::as_str).chain(labels.iter().copied()).map(str::to_owned).collect(),
        label_set: None,
        const_labels: Descriptor::giving_way(&of.const_labels, labels),
        // The label sets are made for each snapshot.
        limit: usize::MAX,
        grid: None,
        exemplars: false,
    }
}

/// A length as a label says it: in the largest unit of which it is a whole number.
pub(super) fn name(length: Duration) -> String {
    let (seconds, nanos) = (length.as_secs(), length.subsec_nanos());
    match (seconds, nanos) {
        (_, 1..) => format!("{}s", length.as_secs_f64()),
        (s, 0) if s % 3600 == 0 => format!("{}h", s / 3600),
        (s, 0) if s % 60 == 0 => format!("{}m", s / 60),
        (s, 0) => format!("{s}s"),
    }
}
