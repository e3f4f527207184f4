//! What a collector of segments costs: processes × threads × series read, merged and printed, and how it grows with each.
//!
//! `cargo run --release --example fleet`. Each process here is a registry with a segment of its own, recorded into by
//! threads that stand still while the time is taken. A quarter of the series are histograms with 20 buckets, of 2 digits,
//! in which each thread has 256 values over two decades; the rest are counters.

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    fleet::run()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("segments are for Linux");
}

#[cfg(target_os = "linux")]
mod fleet {
    use std::path::Path;
    use std::sync::Barrier;
    use std::thread;
    use std::time::{Duration, Instant};
    use tach::reader::{Directory, Options};
    use tach::{Counter, Histogram, Recording, Registry, Unit, text};

    const ROUNDS: usize = 15;
    const VALUES: u64 = 256;

    struct Process {
        _registry: Registry,
        counters: Vec<Counter>,
        histograms: Vec<Histogram>,
    }

    impl Process {
        fn start(dir: &Path, name: String, series: usize) -> Result<Self, tach::Error> {
            let registry =
                Registry::builder().recording(Recording::Process).segment_dir(dir).process_name(name).build()?;
            if let Some(Err(why)) = registry.segment() {
                panic!("there is no segment: {why}");
            }
            // In families of ten.
            let bounds = (1..=20).map(|step| f64::from(step) * 0.005);
            let (mut counters, mut histograms) = (Vec::new(), Vec::new());
            for index in 0..series {
                let (family, label) = (index / 10, (index % 10).to_string());
                if family % 4 == 0 {
                    let histogram = registry.histogram(format!("latency_{family}")).unit(Unit::Seconds);
                    let histogram = histogram.buckets(bounds.clone()).labels(["kind"]).build()?;
                    histograms.push(histogram.with([&*label]).clone());
                } else {
                    let counter = registry.counter(format!("events_{family}")).labels(["kind"]).build()?;
                    counters.push(counter.with([&*label]).clone());
                }
            }
            Ok(Self { _registry: registry, counters, histograms })
        }

        fn record(&self, values: u64, seed: u64) {
            self.counters.iter().for_each(Counter::inc);
            for histogram in &self.histograms {
                // From one millisecond to a tenth of a second.
                (0..values).for_each(|n| histogram.record(1_000_000 + (n * n + seed) * 7_919 % 99_000_000));
            }
        }
    }

    /// Medians, in milliseconds: reading and merging, and printing, where every series has changed; and reading where none
    /// has. And the bytes of the page.
    fn measure(dir: &Path, processes: usize, threads: usize, series: usize) -> Result<[f64; 4], tach::Error> {
        let _ = std::fs::remove_dir_all(dir);
        std::fs::create_dir_all(dir).expect("a directory can be made");
        let all: Result<Vec<_>, _> = (0..processes).map(|n| Process::start(dir, format!("p{n}"), series)).collect();
        let (all, directory) = (all?, Directory::open(dir, Options::default())?);
        let (begin, done) = (Barrier::new(threads + 1), Barrier::new(threads + 1));
        let mut times = [Vec::new(), Vec::new(), Vec::new()];
        let mut page = String::new();
        thread::scope(|scope| {
            for thread in 0..threads as u64 {
                let (all, begin, done) = (&all, &begin, &done);
                scope.spawn(move || {
                    for round in 0..ROUNDS as u64 {
                        begin.wait();
                        let values = if round == 0 { VALUES } else { 1 };
                        all.iter().for_each(|process| process.record(values, 31 * round + thread));
                        done.wait();
                    }
                });
            }
            for _ in 0..ROUNDS {
                begin.wait();
                done.wait();
                let start = Instant::now();
                let snapshot = directory.read();
                times[0].push(start.elapsed());
                let start = Instant::now();
                page.clear();
                text::render_into(&snapshot, &mut page);
                times[1].push(start.elapsed());
                let start = Instant::now();
                let _ = directory.read();
                times[2].push(start.elapsed());
            }
        });
        let expected = (ROUNDS * threads * processes) as u64;
        let got = directory.read().counter("events_1", &[("kind", "0")]);
        assert!(series < 20 || got == Some(expected), "{got:?} and not {expected}: {:?}", directory.faults());
        assert_eq!(directory.faults(), Vec::<String>::new());
        let median = |times: &mut Vec<Duration>| {
            times.sort();
            times[times.len() / 2].as_secs_f64() * 1e3
        };
        let [read, print, again] = &mut times;
        Ok([median(read), median(print), median(again), page.len() as f64])
    }

    pub(super) fn run() -> Result<(), Box<dyn std::error::Error>> {
        let shm = Path::new("/dev/shm");
        let parent = if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() };
        let dir = parent.join(format!("tach-fleet-{}", std::process::id()));
        println!("processes  threads  series   read, ms  print, ms  together   nothing new, ms  page, kB");
        for (processes, threads, series) in [
            (16, 8, 200),
            (1, 8, 200),
            (4, 8, 200),
            (32, 8, 200),
            (16, 1, 200),
            (16, 2, 200),
            (16, 16, 200),
            (16, 8, 40),
            (16, 8, 400),
        ] {
            let [read, print, again, bytes] = measure(&dir, processes, threads, series)?;
            let (sum, kb) = (read + print, bytes / 1e3);
            println!(
                "{processes:9}  {threads:7}  {series:6}  {read:9.2}  {print:9.2}  {sum:8.2}  {again:16.2}  {kb:8.0}"
            );
        }
        std::fs::remove_dir_all(&dir)?;
        Ok(())
    }
}
