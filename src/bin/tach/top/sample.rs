//! What one look gives, and what two of them tell.

use super::super::human;
use std::time::{Duration, Instant, SystemTime};
use tach::reader::Life;
use tach::{HistogramSnapshot, Snapshot, Unit, Value};

/// All processes at one moment.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) taken: Instant,
    pub(super) time: SystemTime,
    /// The first is all of them together.
    pub(super) processes: Vec<Process>,
    /// What could not be read.
    pub(super) troubles: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Process {
    /// The segment's; zero for all processes together.
    pub(super) id: [u64; 2],
    pub(super) name: String,
    /// `None` for all processes together.
    pub(super) life: Option<Life>,
    pub(super) created: SystemTime,
    /// What was wrong with its segment.
    pub(super) faults: usize,
    pub(super) snapshot: Snapshot,
}

/// What one process did in a span of time: what is counted by the difference of two looks, or since it began.
#[derive(Debug)]
pub(super) struct Span {
    counted: Snapshot,
    now: Snapshot,
    length: Duration,
}

impl Process {
    /// Since `before`, or where that has no such process, or there is none, since it began.
    pub(super) fn span(&self, sample: &Sample, before: Option<&Sample>) -> Span {
        let now = self.snapshot.clone();
        let earlier = before.and_then(|sample| {
            let same = sample.processes.iter().find(|process| process.id == self.id)?;
            Some((same, sample.taken))
        });
        match earlier {
            Some((same, taken)) => {
                let length = sample.taken.saturating_duration_since(taken);
                Span { counted: now.since(&same.snapshot), now, length }
            }
            None => {
                let length = sample.time.duration_since(self.created).unwrap_or_default();
                Span { counted: now.clone(), now, length }
            }
        }
    }
}

impl Span {
    fn rate(&self, count: f64) -> Option<f64> {
        let seconds = self.length.as_secs_f64();
        (seconds > 0.0).then(|| count / seconds)
    }

    /// What the instruments of `tach::serve` say. `None` where there are none of them.
    pub(super) fn serving(&self) -> Option<Serving> {
        let tokens = total(&self.counted, "maxserve.num_output_tokens");
        // A timer of requests tells the one, a timer of steps the other.
        let queued = ["maxserve.num_requests_waiting", "maxserve.num_requests_queued"];
        let serving = Serving {
            tokens: tokens.and_then(|count| self.rate(count)),
            running: total(&self.now, "maxserve.num_requests_running"),
            queued: queued.iter().filter_map(|name| total(&self.now, name)).reduce(f64::max),
            kv: scalars(&self.now, "maxserve.kv_usage").reduce(f64::max),
            ttft: Quantiles::of(&self.counted, "maxserve.time_to_first_token"),
            itl: Quantiles::of(&self.counted, "maxserve.itl"),
        };
        let Serving { running, queued, kv, ttft, itl, .. } = &serving;
        let is_there = tokens.or(*running).or(*queued).or(*kv).is_some() || ttft.is_some() || itl.is_some();
        is_there.then_some(serving)
    }

    /// A line for each series that has recorded anything since it began.
    pub(super) fn lines(&self) -> Vec<Line> {
        let counted: Vec<_> = self.counted.series().collect();
        let line = |(index, one): (usize, tach::Series<'_>)| {
            let mut line = Line { name: human::series(&one), unit: one.unit(), ..Line::default() };
            // What the collection says of itself is not what one looks for.
            if one.name().starts_with("tach_") {
                return None;
            }
            // A difference has the series of the later snapshot, in their order.
            let counted = counted.get(index)?.value();
            match (one.value(), counted) {
                (Value::Counter(total), Value::Counter(count)) if total > 0 => {
                    (line.rate, line.value) = (self.rate(count as f64), Some(total as f64));
                }
                (Value::FloatCounter(total), Value::FloatCounter(count)) if total > 0.0 => {
                    (line.rate, line.value) = (self.rate(count), Some(total));
                }
                (Value::UpDownCounter(value), _) if value != 0 => line.value = Some(value as f64),
                (Value::Gauge(value), _) if value != 0.0 => line.value = Some(value),
                (Value::Histogram(all), Value::Histogram(shown)) if all.count() > 0 => {
                    line.rate = self.rate(shown.count() as f64);
                    line.histogram = Some(shown.clone());
                }
                _ => return None,
            }
            Some(line)
        };
        self.now.series().enumerate().filter_map(line).collect()
    }
}

/// What a server is looked at for.
#[derive(Clone, Debug)]
pub(super) struct Serving {
    /// To the second.
    pub(super) tokens: Option<f64>,
    pub(super) running: Option<f64>,
    pub(super) queued: Option<f64>,
    /// From 0 to 1; of several caches, the fullest.
    pub(super) kv: Option<f64>,
    pub(super) ttft: Option<Quantiles>,
    pub(super) itl: Option<Quantiles>,
}

/// The median and the 99th percentile; NaN where nothing was recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quantiles {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) unit: Unit,
}

impl Quantiles {
    fn of(snapshot: &Snapshot, name: &str) -> Option<Self> {
        snapshot.series().filter(|one| one.name() == name).find_map(|one| match one.value() {
            Value::Histogram(histogram) => {
                let (p50, p99) = (histogram.quantile(0.5), histogram.quantile(0.99));
                Some(Self { p50, p99, unit: one.unit() })
            }
            _ => None,
        })
    }
}

/// One series, as the list of metrics shows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) unit: Unit,
    /// To the second: a counter's, or of values recorded.
    pub(super) rate: Option<f64>,
    /// A total, or a gauge's value.
    pub(super) value: Option<f64>,
    pub(super) histogram: Option<HistogramSnapshot>,
}

/// The values of a metric's series that are no histograms.
fn scalars<'a>(snapshot: &'a Snapshot, name: &'a str) -> impl Iterator<Item = f64> + 'a {
    snapshot.series().filter(move |one| one.name() == name).filter_map(|one| match one.value() {
        Value::Counter(value) => Some(value as f64),
        Value::UpDownCounter(value) => Some(value as f64),
        Value::FloatCounter(value) | Value::Gauge(value) => Some(value),
        _ => None,
    })
}

fn total(snapshot: &Snapshot, name: &str) -> Option<f64> {
    scalars(snapshot, name).reduce(|a, b| a + b)
}
