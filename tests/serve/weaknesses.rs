//! Where telemetry that hands its measurements to a queue is weak, and that this is not. The numbers are those of the
//! list that these tests were made from.
//!
//! | number | weakness | test |
//! |---|---|---|
//! | 1, 8 | one method cannot be scraped, another serves on another port | `sync_is_scraped_where_sharded_is` |
//! | 2, 9 | memory grows while nobody reads | `a_million_recordings_leave_memory_as_it_was` |
//! | 7 | what the model's worker records is not on the page | `recordings_of_any_thread_are_on_the_page` |
//! | 10 | what was recorded last is lost at exit | `what_ending_threads_recorded_last_is_there` |
//! | 11 | telemetry that crashes takes the server with it | `a_callback_that_panics_harms_nothing_else` |
//! | 13 | a scrape stalls recording | `recording_goes_on_while_a_scrape_is_stuck` |
//! | 15 | one bad measurement drops its packet | `a_bad_measurement_drops_no_other` |
//! | 16 | a gauge shows what arrived last, not what was set last | `a_gauge_shows_what_was_set_last` |
//! | 17 | a taken port goes unnoticed | `a_taken_port_is_an_error_and_leaves_nothing_behind` |
//! | 18 | the start waits for another process | `connections_are_accepted_when_start_returns` |
//! | 19 | each recording makes an object | in `tests/allocator.rs` |
//! | 20 | an instrument that is missing shows at run time, in a log | `an_unknown_name_is_refused_and_counted` |
//! | 21 | NaN and negative values are recorded | `nan_and_negative_values_are_not_recorded` |
//! | 21 | paths that clients make up become series | `ten_thousand_paths_are_five_hundred_series` |
//! | 22 | gauges vanish from the second scrape | `gauges_are_in_every_scrape` |
//! | 23 | a series is absent until its first sample | `counters_have_a_zero_line` |
//! | 25 | metrics made elsewhere are not on the page | `a_servers_own_metrics_are_on_the_page` |
//! | 30 | nobody counted what several producers record under load | `several_producers_are_counted_exactly` |
//!
//! Those that do not apply: 3 to 6 and 12, as there is no queue to be full, to block an event loop, or to be drained,
//! and no process to watch; 14, as there is no message for a measurement to travel in; 24, as there are no shadow
//! histograms; 26, as disabling is meant to remove the page (`start.rs` tests it, and that a push endpoint is not
//! ignored); 27, as nothing is pushed yet; 28, as nothing private is used; 29, as there is no interval, and quantiles do
//! not depend on the bounds.

use crate::client::Client;
use crate::page::scrape;
use crate::{settings, start, turn};
use std::sync::mpsc;
use std::time::Duration;
use tach::serve::{BatchType, METRICS, Measurement, MetricClient, Refusal};
use tach::{ErrorKind, Recording};

const HITS: &str = "maxserve_cache_misses_tokens_total";

#[test]
fn sync_is_scraped_where_sharded_is() {
    let _turn = turn();
    let mut settings = settings();
    settings.port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for recording in [Recording::Sync, Recording::Sharded] {
        settings.recording = recording;
        let serving = tach::serve::start(&settings).unwrap();
        METRICS.cache_misses(3);
        assert_eq!(serving.local_addr().unwrap().port(), settings.port);
        assert_eq!(scrape(&serving).value(HITS), Some(3.0), "{recording:?}");
    }
}

/// Resident memory, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// In a process of its own, as the other tests of this one allocate meanwhile.
#[cfg(target_os = "linux")]
#[test]
fn a_million_recordings_leave_memory_as_it_was() {
    const CHILD: &str = "TACH_MEMORY_TEST";
    if std::env::var_os(CHILD).is_none() {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "weaknesses::a_million_recordings_leave_memory_as_it_was"]).env(CHILD, "1");
        let output = child.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    let serving = start();
    let record = |times: u64| {
        for n in 0..times {
            METRICS.itl(Duration::from_nanos(n % 100_000_000));
            METRICS.batch_size(n % 512, BatchType::Decode);
            METRICS.request_count(200, "/v1/completions");
        }
    };
    record(100_000);
    let before = resident();
    record(1_000_000);
    let grown = resident().saturating_sub(before);
    // A byte for each recording would be more than this.
    assert!(grown < 2 << 20, "{grown} bytes more");
    let total = serving.snapshot();
    let labels = [("code", "200"), ("path", "/v1/completions")];
    assert_eq!(total.counter("maxserve.request_count", &labels), Some(1_100_000));
}

#[test]
fn recordings_of_any_thread_are_on_the_page() {
    let _turn = turn();
    let serving = start();
    let worker = std::thread::spawn(|| {
        METRICS.batch_size(8, BatchType::Prefill);
        METRICS.cache_used_kv_pct(50.0);
    });
    METRICS.input_tokens(8);
    worker.join().unwrap();
    let page = scrape(&serving);
    assert_eq!(page.value("maxserve_batch_size_sum{batch_type=\"CE\"}"), Some(8.0));
    assert_eq!(page.value("maxserve_cache_used_kv_pct_percent_sum"), Some(50.0));
    assert_eq!(page.value("maxserve_num_input_tokens_total"), Some(8.0));
}

#[test]
fn what_ending_threads_recorded_last_is_there() {
    let _turn = turn();
    let serving = start();
    for _ in 0..200 {
        let last = std::thread::spawn(|| {
            METRICS.cache_misses(1);
            METRICS.itl(Duration::from_millis(1));
        });
        last.join().unwrap();
    }
    let snapshot = serving.shutdown();
    assert_eq!(snapshot.counter("maxserve.cache.misses", &[]), Some(200));
    assert_eq!(snapshot.histogram("maxserve.itl", &[]).unwrap().count(), 200);
}

#[test]
fn a_callback_that_panics_harms_nothing_else() {
    let _turn = turn();
    let serving = start();
    let panics = || panic!("this test has a callback that panics");
    serving.registry().observe_gauge("broken", "Panics.", panics).unwrap();
    for n in 1..=3 {
        METRICS.cache_misses(1);
        assert_eq!(scrape(&serving).value(HITS), Some(f64::from(n)));
    }
}

#[test]
fn recording_goes_on_while_a_scrape_is_stuck() {
    let _turn = turn();
    let serving = start();
    let (entered, is_stuck) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(Some((entered, released)));
    let wait = move || {
        // The first scrape only.
        if let Some((entered, released)) = gate.lock().unwrap().take() {
            entered.send(()).unwrap();
            released.recv().unwrap();
        }
        0.0
    };
    serving.registry().observe_gauge("slow", "Waits.", wait).unwrap();
    let mut client = Client::connect_to(serving.local_addr().unwrap());
    client.send("GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n");
    is_stuck.recv().unwrap();
    // The collector waits in the callback; nobody who records waits for it, on a thread that is new to it too.
    let record = || (0..10_000).for_each(|_| METRICS.cache_misses(1));
    record();
    std::thread::spawn(record).join().unwrap();
    METRICS.request_count(200, "/new");
    release.send(()).unwrap();
    assert_eq!(client.receive(false).unwrap().status, 200);
    assert_eq!(scrape(&serving).value(HITS), Some(20_000.0));
}

#[test]
fn a_bad_measurement_drops_no_other() {
    let _turn = turn();
    let serving = start();
    let good = |name, value| Measurement { name, value, attributes: &[] };
    let packet = [
        good("cache.misses", 1.0),
        good("no_such_name", 1.0),
        good("maxserve.cache.misses", 2.0),
        good("itl", f64::NAN),
        good("cache.hits", 1.0),
        good("itl", 2.5),
    ];
    let refused = MetricClient::new(&METRICS).send_all(&packet);
    let reasons = [(1, Refusal::UnknownName), (3, Refusal::NotFinite), (4, Refusal::WrongAttributes)];
    assert_eq!(refused, reasons);
    let page = scrape(&serving);
    assert_eq!(page.value(HITS), Some(3.0));
    assert_eq!(page.value("maxserve_itl_milliseconds_sum"), Some(2.5));
    assert_eq!(page.sum("maxserve_measurements_refused_total"), 3.0);
}

#[test]
fn a_gauge_shows_what_was_set_last() {
    let _turn = turn();
    let serving = start();
    for n in 0..50 {
        METRICS.cache_num_used_blocks(f64::from(n));
        std::thread::spawn(move || METRICS.cache_num_used_blocks(f64::from(n) + 0.5)).join().unwrap();
        let there = serving.snapshot().gauge("maxserve.cache.num_used_blocks", &[]);
        assert_eq!(there, Some(f64::from(n) + 0.5));
    }
}

#[test]
fn a_taken_port_is_an_error_and_leaves_nothing_behind() {
    let _turn = turn();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = settings();
    settings.port = holder.local_addr().unwrap().port();
    for _ in 0..3 {
        let error = tach::serve::start(&settings).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::System);
        let text = error.to_string();
        let port = settings.port.to_string();
        for part in ["TACH_METRICS_PORT", "MAX_SERVE_METRICS_ENDPOINT_PORT", &port, "taken", "choose another port"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!METRICS.is_attached());
    }
    drop(holder);
    let serving = tach::serve::start(&settings).unwrap();
    METRICS.cache_misses(1);
    assert_eq!(scrape(&serving).value(HITS), Some(1.0));
}

#[test]
fn connections_are_accepted_when_start_returns() {
    let _turn = turn();
    for _ in 0..5 {
        // Without another try.
        let page = scrape(&start());
        assert_eq!(page.value(HITS), Some(0.0));
    }
}

#[test]
fn an_unknown_name_is_refused_and_counted() {
    let _turn = turn();
    let serving = start();
    let measurement = Measurement { name: "maxserve.cache.used_kv_pct_", value: 1.0, attributes: &[] };
    assert_eq!(MetricClient::new(&METRICS).send(&measurement), Err(Refusal::UnknownName));
    let refused = "maxserve_measurements_refused_total{reason=\"unknown_name\"}";
    assert_eq!(scrape(&serving).value(refused), Some(1.0));
}

#[test]
fn nan_and_negative_values_are_not_recorded() {
    let _turn = turn();
    let serving = start();
    for value in [f64::NAN, -1.0, f64::NEG_INFINITY, 50.0] {
        METRICS.cache_used_kv_pct(value);
        METRICS.batch_generation_throughput(value, BatchType::Decode);
    }
    let page = scrape(&serving);
    for histogram in ["cache_used_kv_pct_percent", "batch_generation_throughput_tokens_per_second"] {
        assert_eq!(page.sum(&format!("maxserve_{histogram}_count")), 1.0);
        assert_eq!(page.sum(&format!("maxserve_{histogram}_sum")), 50.0);
    }
}

#[test]
fn ten_thousand_paths_are_five_hundred_series() {
    let _turn = turn();
    let serving = start();
    METRICS.request_count(200, "/v1/completions");
    for n in 0..10_000 {
        METRICS.request_count(404, &format!("/{n}.php"));
    }
    METRICS.request_count(200, "/v1/completions");
    let page = scrape(&serving);
    let values = page.values("maxserve_request_count_total");
    // With the one that takes the rest.
    assert_eq!(values.len(), 501);
    assert_eq!(values.iter().sum::<f64>(), 10_002.0);
    assert_eq!(page.value("maxserve_request_count_total{code=\"200\",path=\"/v1/completions\"}"), Some(2.0));
    assert_eq!(page.value("tach_overflow_series_total"), Some(9_501.0));
}

#[test]
fn gauges_are_in_every_scrape() {
    let _turn = turn();
    let serving = start();
    METRICS.cache_num_used_blocks(12.0);
    METRICS.reqs_queued(3.0);
    let [first, second] = [scrape(&serving), scrape(&serving)];
    for page in [&first, &second] {
        assert_eq!(page.value("maxserve_cache_num_used_blocks"), Some(12.0));
        assert_eq!(page.value("maxserve_num_requests_queued"), Some(3.0));
    }
    let series = |page: &crate::page::Page| page.samples().map(|(series, _)| series.to_owned()).collect::<Vec<_>>();
    assert_eq!(series(&first), series(&second));
}

#[test]
fn counters_have_a_zero_line() {
    let _turn = turn();
    let page = scrape(&start());
    for (name, series) in [
        ("num_input_tokens_total", 1),
        ("cache_hits_tokens_total", 2),
        ("media_rejections_total", 17),
        ("media_items_total", 6),
        ("itl_milliseconds_count", 1),
        ("batch_size_count", 2),
        ("cache_num_used_blocks", 1),
    ] {
        assert_eq!(page.values(&format!("maxserve_{name}")), vec![0.0; series], "{name}");
    }
}

#[test]
fn a_servers_own_metrics_are_on_the_page() {
    let _turn = turn();
    let serving = start();
    serving.registry().counter("kernels").build().unwrap().add(7);
    assert_eq!(scrape(&serving).value("kernels_total"), Some(7.0));
}

#[test]
fn several_producers_are_counted_exactly() {
    const THREADS: u64 = 6;
    const TIMES: u64 = 20_000;
    let _turn = turn();
    let serving = start();
    // One reader that is slow, and one that is not.
    let mut slow = Client::connect_to(serving.local_addr().unwrap());
    slow.send("GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                let client = MetricClient::new(&METRICS);
                for n in 0..TIMES {
                    METRICS.cache_misses(n % 3);
                    METRICS.itl(Duration::from_micros(n));
                    METRICS.reqs_running(if n % 2 == 0 { 1 } else { -1 });
                    METRICS.request_count(200, if thread % 2 == 0 { "/a" } else { "/b" });
                    client.send(&Measurement { name: "cache.misses", value: 1.0, attributes: &[] }).unwrap();
                }
            });
        }
        let (mut misses, mut counts) = (0.0, 0.0);
        for _ in 0..20 {
            let page = scrape(&serving);
            let (now, count) = (page.sum(HITS), page.sum("maxserve_itl_milliseconds_count"));
            assert!(now >= misses && count >= counts);
            assert_eq!(page.value("maxserve_itl_milliseconds_bucket{le=\"+Inf\"}"), Some(count));
            (misses, counts) = (now, count);
        }
    });
    let page = scrape(&serving);
    let each: u64 = (0..TIMES).map(|n| n % 3 + 1).sum();
    assert_eq!(page.value(HITS), Some((THREADS * each) as f64));
    assert_eq!(page.sum("maxserve_itl_milliseconds_count"), (THREADS * TIMES) as f64);
    let millis = (0..TIMES).sum::<u64>() as f64 / 1000.0 * THREADS as f64;
    assert_eq!(page.sum("maxserve_itl_milliseconds_sum"), millis);
    assert_eq!(page.value("maxserve_num_requests_running"), Some(0.0));
    assert_eq!(page.values("maxserve_request_count_total"), [(THREADS / 2 * TIMES) as f64; 2]);
    assert_eq!(slow.receive(false).unwrap().status, 200);
}
