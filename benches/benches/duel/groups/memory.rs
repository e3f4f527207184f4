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

pub(crate) const NAMES: [&str; 2] = ["memory, counter", "memory, histogram"];

const KINDS: [Kind; 2] = [
    Kind { name: NAMES[0], series: 10_000, pick: |footprint| footprint.counters },
    Kind { name: NAMES[1], series: 500, pick: |footprint| footprint.histograms },
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
    KINDS.iter().filter(|kind| options.wants(kind.name)).flat_map(rows_of).collect()
}

fn rows_of(kind: &Kind) -> Vec<Row> {
    let (mut first, mut further) = (Vec::new(), Vec::new());
    for footprint in footprints().iter().filter(|footprint| (kind.pick)(footprint).is_some()) {
        let answer = child::ask(&["memory", kind.name, footprint.name]).unwrap_or_default();
        let bytes: Vec<f64> = answer.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [of_first, of_further] = bytes[..] else {
            continue; // The child has said why.
        };
        let row =
            |bytes, unit| Row { note: footprint.note.to_owned(), ..Row::new(kind.name, footprint.name, bytes, unit) };
        first.push(row(of_first, "B/series, one thread"));
        further.push(row(of_further, "B/series, each further thread"));
    }
    for rows in [&mut first, &mut further] {
        let tach = rows.first().map_or(0.0, |row| row.value); // tach leads the list of footprints.
        if tach > 0.0 {
            rows.iter_mut().for_each(|row| row.ratio_tach = Some(row.value / tach));
        }
    }
    first.append(&mut further);
    first
}

/// In the child: builds and touches one contender's series; prints the bytes per series of one thread and of each
/// other.
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
