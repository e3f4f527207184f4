//! The recording methods beside each other: the same run gives the same page, whichever threads made it.

use crate::page::scrape;
use crate::{settings, turn};
use std::collections::BTreeMap;
use tach::Recording;
use tach::serve::{Instrument, Kind, METRICS, Measurement, MetricClient, Origin, catalogue};

/// A sequence of numbers that is the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Measurements of every instrument, of every value of each label; of gauges none, whose last one would count.
fn run(client: MetricClient, mut numbers: Numbers, expected: &mut BTreeMap<String, (u64, f64)>) {
    for _ in 0..6 {
        for row in catalogue().filter(|row| !matches!(row.kind, Kind::Value | Kind::Amount)) {
            let attributes: Vec<_> = row
                .labels
                .iter()
                .map(|label| {
                    let values = label.values().unwrap_or(&["0", "1", "200"]);
                    (label.name(), values[numbers.below(values.len() as u64) as usize])
                })
                .collect();
            let value = match row.kind {
                Kind::Real | Kind::Time => numbers.below(4_000_000) as f64 / 1024.0,
                Kind::Delta => numbers.below(2_000) as f64 - 1_000.0,
                _ => numbers.below(100_000) as f64,
            };
            client.send(&Measurement { name: row.name, value, attributes: &attributes }).unwrap();
            let (count, sum) = expected.entry(row.name.to_owned()).or_default();
            *count += 1;
            *sum += value;
        }
    }
}

/// The page of a run by several threads, after the other or at once.
fn page(recording: Recording, threads: u64, at_once: bool) -> (String, BTreeMap<String, (u64, f64)>) {
    let mut settings = settings();
    settings.recording = recording;
    let serving = tach::serve::start(&settings).unwrap();
    let mut expected = BTreeMap::new();
    let mut merge = |part: BTreeMap<String, (u64, f64)>| {
        for (name, (count, sum)) in part {
            let all: &mut (u64, f64) = expected.entry(name).or_default();
            *all = (all.0 + count, all.1 + sum);
        }
    };
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        for seed in 0..6 {
            let work = move || {
                let mut part = BTreeMap::new();
                run(MetricClient::new(&METRICS), Numbers(seed), &mut part);
                part
            };
            if seed % threads == 0 {
                merge(work());
            } else if at_once {
                running.push(scope.spawn(work));
            } else {
                merge(scope.spawn(work).join().unwrap());
            }
        }
        for thread in running {
            merge(thread.join().unwrap());
        }
    });
    METRICS.cache_num_used_blocks(17.0);
    let page = scrape(&serving).0;
    let snapshot = serving.shutdown();
    assert_eq!(snapshot.gauge("maxserve.cache.num_used_blocks", &[]), Some(17.0));
    let is_ours = |line: &&str| {
        let name = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
        !["tach_", "process_"].iter().any(|of| name.starts_with(of))
    };
    let own = page.lines().filter(is_ours);
    (own.map(|line| format!("{line}\n")).collect(), expected)
}

#[test]
fn sync_and_sharded_give_the_same_page_whichever_threads_recorded() {
    let _turn = turn();
    let (one, expected) = page(Recording::Sharded, 1, false);
    for (recording, threads, at_once) in [
        (Recording::Sharded, 3, false),
        (Recording::Sharded, 6, true),
        (Recording::Sync, 1, false),
        (Recording::Sync, 6, true),
    ] {
        let (other, same) = page(recording, threads, at_once);
        assert_eq!(expected.keys().collect::<Vec<_>>(), same.keys().collect::<Vec<_>>());
        for (here, there) in one.lines().zip(other.lines()) {
            assert_eq!(here, there, "{recording:?}, {threads} threads");
        }
        assert_eq!(one.lines().count(), other.lines().count());
    }
    // And it is the right one: what was sent is what is there, summed over labels.
    let page = crate::page::Page(one);
    let names: Vec<_> = page.samples().map(|(series, _)| series.split('{').next().unwrap().to_owned()).collect();
    let shown = [Origin::MaxServe, Origin::Own];
    let is_set = |row: &&Instrument| matches!(row.kind, Kind::Value | Kind::Amount);
    for row in catalogue().filter(|row| !is_set(row) && shown.contains(&row.origin)) {
        let (count, sum) = expected[row.name];
        let base = format!("maxserve_{}", row.name.replace('.', "_"));
        let exposed = |suffix: &str| {
            let fits = |name: &&String| {
                let middle = name.strip_prefix(&base).and_then(|rest| rest.strip_suffix(suffix));
                let unit = row.unit.suffix();
                middle.is_some_and(|middle| middle.is_empty() || middle.strip_prefix('_') == Some(unit))
            };
            names.iter().find(fits).unwrap_or_else(|| panic!("{base}...{suffix} is not on the page")).clone()
        };
        match row.kind {
            Kind::Event | Kind::Count => assert_eq!(page.sum(&exposed("_total")), sum, "{base}"),
            Kind::Delta => assert_eq!(page.sum(&exposed("")), sum, "{base}"),
            _ => {
                assert_eq!(page.sum(&exposed("_count")), count as f64, "{base}");
                let got = page.sum(&exposed("_sum"));
                // Each value is rounded to a tick.
                let clamped = row.ladder.max < 4_000_000.0 / 1024.0;
                assert!(clamped || (got - sum).abs() <= count as f64 * row.ladder.tick, "{base}: {got} of {sum}");
            }
        }
    }
}
