//! Resident bytes per series: each contender in a process of its own, so that allocators do not share pages.

use std::fs;
use std::sync::Barrier;
use std::thread;

use crate::child;
use crate::contenders as of;
use crate::options::Options;
use crate::report::Row;

/// Records once into every series that a footprint holds; any number of threads may.
pub(crate) type Touch = Box<dyn Fn() + Send + Sync>;

/// Makes that many series.
type Build = fn(usize) -> Touch;

/// How a contender builds many series of each kind.
pub(crate) struct Footprint {
    pub(crate) name: &'static str,
    pub(crate) counters: Option<Build>,
    pub(crate) histograms: Option<Build>,
    pub(crate) note: &'static str,
}

/// What is held: how many series, by how many threads.
struct Kind {
    name: &'static str,
    series: usize,
    pick: fn(&Footprint) -> Option<Build>,
}

const KINDS: [Kind; 2] = [
    Kind { name: "memory, counter", series: 10_000, pick: |footprint| footprint.counters },
    Kind { name: "memory, histogram", series: 500, pick: |footprint| footprint.histograms },
];

const THREADS: usize = 8;

fn footprints() -> Vec<Footprint> {
    let mut all = of::tach::reading::footprints();
    all.extend([
        of::prometheus::footprint(),
        of::prometheus_client::footprint(),
        of::fastmetrics::footprint(),
        of::measured::footprint(),
        of::metrics::footprint(),
        of::opentelemetry::footprint(),
        of::fast_telemetry::footprint(),
    ]);
    all.extend(of::metriken::footprints());
    all.push(of::histogram::footprint());
    all.push(of::hdrhistogram::footprint());
    all
}

/// Measures all contenders, one child process after the other.
pub(crate) fn run(options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    for kind in KINDS.iter().filter(|kind| options.wants(kind.name)) {
        let mut reference: Option<[f64; 2]> = None;
        for footprint in footprints().iter().filter(|footprint| (kind.pick)(footprint).is_some()) {
            let Some(answer) = child::ask(&["memory", kind.name, footprint.name]) else {
                continue;
            };
            let bytes: Vec<f64> = answer.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            let [first, further] = bytes[..] else {
                continue;
            };
            let reference = *reference.get_or_insert([first, further]);
            for (value, tach, unit) in [
                (first, reference[0], "B/series, one thread"),
                (further, reference[1], "B/series, each further thread"),
            ] {
                let mut row = Row::new(kind.name, footprint.name, value, unit);
                row.ratio_tach = (tach > 0.0).then(|| value / tach);
                row.note = footprint.note.to_owned();
                rows.push(row);
            }
        }
    }
    rows.sort_by_key(|row| (row.group.clone(), std::cmp::Reverse(row.unit)));
    rows
}

/// In the child: builds and touches one contender's series; prints the bytes per series of one thread and of each other.
pub(crate) fn child(kind: &str, contender: &str) -> Option<String> {
    let kind = KINDS.iter().find(|known| known.name == kind)?;
    let footprint = footprints().into_iter().find(|known| known.name == contender)?;
    let build = (kind.pick)(&footprint)?;
    let step = Barrier::new(THREADS + 1);
    let touch = std::sync::OnceLock::<Touch>::new();
    let [mut before, mut first, mut all] = [0; 3];
    thread::scope(|scope| {
        for id in 0..THREADS {
            let (step, touch) = (&step, &touch);
            scope.spawn(move || {
                step.wait(); // Stacks exist and are counted in `before`.
                step.wait();
                if id == 0 {
                    touch.get().expect("built before this step")();
                }
                step.wait();
                step.wait();
                if id != 0 {
                    touch.get().expect("built before this step")();
                }
                step.wait();
                step.wait(); // Alive until the last reading is taken.
            });
        }
        step.wait();
        before = resident();
        let _ = touch.set(build(kind.series));
        step.wait();
        step.wait();
        first = resident();
        step.wait();
        step.wait();
        all = resident();
        step.wait();
    });
    let per_series =
        |from: u64, to: u64, threads: usize| to.saturating_sub(from) as f64 / (kind.series * threads) as f64;
    Some(format!("{} {}", per_series(before, first, 1), per_series(first, all, THREADS - 1)))
}

/// Resident bytes that are nobody else's: heap, stacks and anonymous or shared-memory mappings, not code.
fn resident() -> u64 {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let kib = |field: &str| -> u64 {
        let line = rollup.lines().find_map(|line| line.strip_prefix(field));
        line.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0)
    };
    (kib("Pss_Anon:") + kib("Pss_Shmem:")) * 1024
}
