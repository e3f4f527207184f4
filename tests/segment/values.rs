//! What is recorded is what is found.

use crate::parse::Segment;
use crate::{Dir, parsed};
use std::thread;
use tach::{Aggregate, Level, Recording, Registry, Snapshot, Unit};

/// Records the same to any registry, from three threads; gives what must live as long as the values.
fn record(registry: &Registry) -> Vec<Box<dyn std::any::Any>> {
    let tokens = registry.counter("tokens").help("Tokens.").build().unwrap();
    let energy = registry.float_counter("energy").unit(Unit::Joules).build().unwrap();
    let running = registry.updown_counter("running").build().unwrap();
    let load = registry.gauge("load").aggregate(Aggregate::Max).build().unwrap();
    let itl = registry.histogram("itl").unit(Unit::Seconds).buckets([0.001, 0.01]).exact_at([0.005]).build().unwrap();
    let requests = registry.counter("requests").labels(["model", "status"]).build().unwrap();
    registry.observe_gauge("answer", "An observed one.", || 42.5).unwrap();
    thread::scope(|scope| {
        for shard in 1..=3_u64 {
            let (tokens, energy, running, load, itl, requests) = (&tokens, &energy, &running, &load, &itl, &requests);
            scope.spawn(move || {
                for n in 0..1000 {
                    tokens.add(shard);
                    energy.add(0.25);
                    running.inc();
                    itl.record(n * 20_000 * shard);
                    requests.with(["llama", if n % 10 == 0 { "500" } else { "200" }]).inc();
                }
                running.add(-999);
                load.set(0.5);
            });
        }
    });
    vec![Box::new((tokens, energy, running, load, itl, requests))]
}

#[test]
fn everything_is_in_the_file() {
    let dir = Dir::new("values");
    let registry = dir.builder().namespace("ns").const_label("zone", "ä").build().unwrap();
    let _kept = record(&registry);
    let file = parsed(&registry);
    assert_eq!((file.name(), file.words[5], file.words[64]), ("test".to_owned(), std::process::id().into(), 1));
    assert_eq!(file.series("ns_tokens", &[]).front[0], 6000);
    assert!(file.series("ns_tokens", &[]).copies.len() >= 2);
    assert_eq!(file.series("ns_energy_joules", &[]).float(), 750.0);
    assert_eq!(file.series("ns_running", &[]).front[0] as i64, 3);
    let load = file.series("ns_load", &[]);
    assert_eq!((f64::from_bits(load.copies[0]), load.front[1]), (0.5, 0));
    assert_eq!(file.series("ns_requests", &["llama", "500"]).front[0], 300);
    assert_eq!(file.series("ns_requests", &["llama", "200"]).front[0], 2700);
    let metric = file.metric("ns_itl_seconds");
    assert_eq!((metric.kind, metric.grid, metric.shown), (5, Some((2, 3_600_000_000_000)), true));
    assert_eq!(metric.const_labels, ["zone", "ä"]);
    assert_eq!(file.metric("ns_load").aggregate, 2);
    assert_eq!(file.metric("ns_requests").labels, ["model", "status"]);
    let itl = file.series("ns_itl_seconds", &[]);
    let sum: u64 = (1..=3).map(|shard| (0..1000).map(|n| n * 20_000 * shard).sum::<u64>()).sum();
    assert_eq!((itl.front[0], itl.front[1]), (3000, sum));
    assert_eq!(itl.buckets().iter().sum::<u64>(), 3000);
    // What callbacks give comes with the beat.
    registry_beats(&registry, 2);
    assert_eq!(parsed(&registry).series("ns_answer", &[]).front[0], 42.5_f64.to_bits());
    assert_eq!(parsed(&registry).series("tach_series", &[]).front[0], 8_f64.to_bits());
    assert_eq!(parsed(&registry).series("tach_segment_fallbacks", &[]).front[0], 0);
}

/// Waits until there were so many beats.
fn registry_beats(registry: &Registry, beats: u64) -> Segment {
    loop {
        let file = parsed(registry);
        if file.words[66] >= beats {
            assert!(file.words[65] > file.words[10], "a beat is after the beginning");
            return file;
        }
        thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Every figure but the engine's own, as text.
fn figures(snapshot: &Snapshot) -> String {
    let text = tach::text::render(snapshot);
    text.lines().filter(|line| !line.contains("tach_")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_sharded_registry_says_the_same() {
    let dir = Dir::new("sharded");
    let (sharded, process) = (Registry::builder().recording(Recording::Sharded), dir.builder());
    let (sharded, process) = (sharded.build().unwrap(), process.build().unwrap());
    let _kept = (record(&sharded), record(&process));
    let (one, other) = (figures(&sharded.snapshot()), figures(&process.snapshot()));
    assert!(one.contains("\ntokens_total 6000\n"), "{one}");
    assert_eq!(one, other);
    assert!(sharded.segment().is_none());
}

#[test]
fn a_removed_series_is_said_to_be_and_keeps_its_cells_for_a_while() {
    let dir = Dir::new("removal");
    let registry = dir.builder().build().unwrap();
    let family = registry.counter("requests").labels(["model"]).build().unwrap();
    family.with(["old"]).add(7);
    let [old] = parsed(&registry).all("requests").try_into().unwrap();
    assert_eq!((old.state, old.front[0], &*old.values), (1, 7, &["old".to_owned()][..]));
    assert!(family.remove(["old"]));
    family.with(["new"]).add(1);
    let [old, new] = parsed(&registry).all("requests").try_into().unwrap();
    assert_eq!((old.state, old.front[0]), (3, 7));
    assert_eq!((new.state, new.front[0]), (1, 1));
    assert_ne!(old.at, new.at, "the cells are not another's yet");
    // The map drops what was removed when it likes. At some time a new series has an old one's cells, cleared.
    let mut removed = vec![(old.at, 0)];
    let reused = (0..1500).find_map(|n| {
        thread::sleep(std::time::Duration::from_millis(20));
        let name = n.to_string();
        let series = family.with([&name]);
        let file = parsed(&registry);
        let later = file.series("requests", &[&name]);
        assert_eq!(later.front[0], 0);
        series.add(9);
        family.remove([&name]);
        let earlier = removed.iter().find(|(at, _)| *at == later.at).map(|(_, beat)| file.words[66] - beat);
        removed.push((later.at, file.words[66]));
        earlier
    });
    let beats = reused.expect("the cells are used again");
    assert!(beats >= 10, "only after a while: {beats}");
}

#[test]
fn what_is_switched_off_is_said_to_be() {
    let dir = Dir::new("levels");
    let registry = dir.builder().level(Level::Basic).build().unwrap();
    let counter = registry.counter("detail").level(Level::Detailed).build().unwrap();
    let gauge = registry.gauge("last").aggregate(Aggregate::Last).build().unwrap();
    counter.inc();
    gauge.set(2.0);
    let file = parsed(&registry);
    let last = file.series("last", &[]);
    assert_eq!((file.metric("detail").shown, file.series("detail", &[]).front[0]), (false, 0));
    assert_eq!((file.metric("last").shown, last.front[0]), (true, 2_f64.to_bits()));
    assert!(last.front[1] > file.words[10], "it says when it was set");
    registry.set_level(Level::Detailed);
    counter.inc();
    let file = parsed(&registry);
    assert_eq!((file.metric("detail").shown, file.series("detail", &[]).front[0]), (true, 1));
    registry.set_level(Level::None);
    counter.inc();
    gauge.set(3.0);
    let file = parsed(&registry);
    assert_eq!((file.metric("detail").shown, file.series("detail", &[]).front[0]), (false, 1));
    assert_eq!(file.series("last", &[]).front[0], 2_f64.to_bits());
}

#[test]
fn a_long_directory_is_chained() {
    let dir = Dir::new("chain");
    let registry = dir.builder().build().unwrap();
    let family = registry.counter("requests").labels(["model"]).build().unwrap();
    let name = |n: usize| format!("{n}-{}", "x".repeat(200));
    for n in 0..1000 {
        family.with([&name(n)]).add(n as u64);
    }
    // Records of more than a block.
    registry.counter("helped").help("h".repeat(200_000)).build().unwrap().inc();
    // And of more than a reader takes: recorded, but not in the file.
    let beyond = registry.counter("beyond").help("h".repeat(2_000_000)).build().unwrap();
    beyond.inc();
    let file = parsed(&registry);
    assert!((0..1000).all(|n| file.series("requests", &[&name(n)]).front[0] == n as u64));
    assert_eq!(file.series("helped", &[]).front[0], 1);
    assert!(file.metrics().iter().all(|metric| metric.base != "beyond"));
    assert_eq!(registry.snapshot().counter("tach_segment_fallbacks", &[]), Some(1));
    assert_eq!(registry.snapshot().counter("beyond", &[]), Some(1));
}

#[test]
fn exemplars_are_in_the_file_and_found_from_outside() {
    let dir = Dir::new("exemplars");
    let registry = dir.builder().build().unwrap();
    let span = |n: u8| tach::SpanContext::new([n; 16], [n; 8]).unwrap();
    let h = registry.histogram("h").tick(1.0).buckets([10.0, 100.0]).max(1000.0).exemplars().build().unwrap();
    let native = registry.histogram("native").tick(1.0).native_schema(2).exemplars().build().unwrap();
    let c = registry.counter("c").labels(["l"]).exemplars().build().unwrap();
    let f = registry.float_counter("f").exemplars().build().unwrap();
    h.record_with_exemplar(7, &span(1));
    c.with(["a"]).inc();
    c.with(["b"]).add_with_exemplar(5, &span(2));
    f.add_with_exemplar(0.5, &span(3));
    thread::scope(|scope| {
        scope.spawn(|| {
            h.record_with_exemplar(500, &span(4));
            native.record_with_exemplar(70, &span(5));
        });
    });
    let inside = registry.snapshot();
    let outside = tach::reader::Segment::open(crate::path(&registry)).unwrap().read().unwrap().snapshot;
    for name in ["h", "native"] {
        let all = |snapshot: &Snapshot| snapshot.histogram(name, &[]).unwrap().exemplars().collect::<Vec<_>>();
        assert_eq!(all(&outside), all(&inside));
    }
    let values = |name: &str| -> Vec<_> {
        let exemplars = outside.histogram(name, &[]).unwrap().exemplars();
        exemplars.map(|exemplar| (exemplar.value, exemplar.trace_id[0])).collect()
    };
    assert_eq!((values("h"), values("native")), (vec![(7.0, 1), (500.0, 4)], vec![(70.0, 5)]));
    for (name, labels, found) in
        [("c", &[("l", "a")][..], None), ("c", &[("l", "b")], Some((5.0, 2))), ("f", &[], Some((0.5, 3)))]
    {
        let exemplar = outside.exemplar(name, labels);
        assert_eq!(exemplar, inside.exemplar(name, labels));
        assert_eq!(exemplar.map(|exemplar| (exemplar.value, exemplar.span_id[7])), found);
    }
    // Of a directory too, where there is another process with the same metrics.
    let other = dir.builder().process_name("other").build().unwrap();
    let there = other.counter("c").labels(["l"]).exemplars().build().unwrap();
    there.with(["b"]).add_with_exemplar(9, &span(6));
    let merged = tach::reader::Directory::open(&dir.0, Default::default()).unwrap().read();
    let exemplar = merged.exemplar("c", &[("l", "b")]).unwrap();
    assert_eq!((merged.counter("c", &[("l", "b")]), exemplar.value), (Some(14), 9.0));
    assert_eq!(merged.histogram("h", &[]).unwrap().exemplars().count(), 2);
}
