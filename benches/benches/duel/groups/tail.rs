//! How long single recordings take while another thread reads everything a thousand times a second.
//!
//! Each recording lies between two readings of the time stamp counter, so every figure contains one of them; the
//! subject "nothing" shows how much that is. Rounds with and without the reader alternate, and a ratio compares
//! neighbours, because what lies beyond p99.99 is mostly the machine's interrupts, and those come and go.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use quanta::Clock;

use crate::contenders as of;
use crate::options::Options;
use crate::report::Row;
use crate::stats::median;
use crate::values::Values;

pub(crate) const NAME: &str = "tail";

const PERIOD: Duration = Duration::from_millis(1);
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];

/// Runs subjects and gathers their rows.
pub(crate) struct Tail {
    clock: Clock,
    values: Values,
    records: usize,
    rounds: usize,
    rows: Vec<Row>,
}

pub(crate) fn run(options: &Options) -> Vec<Row> {
    if !options.wants(NAME) {
        return Vec::new();
    }
    let (records, rounds) = if options.quick { (500_000, 7) } else { (2_000_000, 25) };
    let mut tail = Tail { clock: Clock::new(), values: Values::latencies(), records, rounds, rows: Vec::new() };
    of::tach::reading::tail(&mut tail);
    of::prometheus::tail(&mut tail);
    tail.subject("nothing", |_| (), || ());
    tail.rows
}

impl Tail {
    /// Measures `record` by itself and with `read` every [`PERIOD`] in another thread.
    pub(crate) fn subject(&mut self, name: &str, record: impl Fn(u64), read: impl Fn() + Sync) {
        let mut ticks = vec![0; self.records]; // Written once here, so that its pages exist.
        let mut quiet = QUANTILES.map(|_| Vec::new());
        let mut read_meanwhile = QUANTILES.map(|_| Vec::new());
        let mut ratios = QUANTILES.map(|_| Vec::new());
        for round in 0..=self.rounds {
            let without = self.round(&mut ticks, &record);
            let with = reading_meanwhile(&read, || self.round(&mut ticks, &record));
            if round == 0 {
                continue; // Warms everything up.
            }
            for i in 0..QUANTILES.len() {
                quiet[i].push(without[i]);
                read_meanwhile[i].push(with[i]);
                ratios[i].push(with[i] / without[i]);
            }
        }
        for (i, (label, _)) in QUANTILES.iter().enumerate() {
            self.rows.push(Row::new(NAME, format!("{name} {label}, no reader"), median(&mut quiet[i]), "ns"));
            let mut row =
                Row::new(NAME, format!("{name} {label}, read at 1 kHz"), median(&mut read_meanwhile[i]), "ns");
            row.ratio_alone = Some(median(&mut ratios[i]));
            self.rows.push(row);
        }
    }

    /// Times every single recording of one round; returns the quantiles in nanoseconds.
    fn round(&self, ticks: &mut [u32], record: &impl Fn(u64)) -> [f64; QUANTILES.len()] {
        for (slot, &value) in ticks.iter_mut().zip(self.values.nanos.iter().cycle()) {
            let start = self.clock.raw();
            record(value);
            *slot = u32::try_from(self.clock.raw() - start).unwrap_or(u32::MAX);
        }
        ticks.sort_unstable();
        QUANTILES.map(|(_, q)| {
            let ticks = ticks[(q * (ticks.len() - 1) as f64) as usize];
            self.clock.delta_as_nanos(0, u64::from(ticks)) as f64
        })
    }
}

fn reading_meanwhile<T>(read: &(impl Fn() + Sync), body: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut next = Instant::now();
            while !over.load(Ordering::Relaxed) {
                read();
                next += PERIOD;
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        let result = body();
        over.store(true, Ordering::Relaxed);
        result
    })
}
