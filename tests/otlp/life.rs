//! When the exporter pushes, and that it starts and stops as it should.

use crate::otlp_reader::read;
use crate::receiver::{Answer, Receiver};
use crate::{Pushed, settings, tokens};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};
use tach::otlp::{Compression, Histograms, OtlpBuilder, OtlpExporter, Temporality};
use tach::{ErrorKind, Recording, Registry, text};

const SHORT: Duration = Duration::from_millis(20);

#[test]
fn it_pushes_at_the_interval_and_once_more_when_dropped() {
    let (receiver, pushed) = (Receiver::start([]), Pushed::new());
    let exporter = settings(&receiver.endpoint()).interval(SHORT).start(&pushed.registry).unwrap();
    receiver.wait_for(3);
    pushed.tokens.add(7);
    drop(exporter);
    let received = receiver.received();
    assert_eq!(tokens(received.last().unwrap()), 7);
    // One process, one registry: one stream.
    let first = read(&received[0].body).unwrap();
    for request in &received {
        let request = read(&request.body).unwrap();
        assert_eq!(request.resource, first.resource);
        assert_eq!(request.metric("app.tokens").point().start, first.metric("app.tokens").point().start);
    }
}

#[test]
fn a_pause_goes_on_over_intervals_and_then_the_newest_values_are_sent() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let (receiver, pushed) = (Receiver::start([Answer::status(503)]), Pushed::new());
        let pause = Duration::from_secs(2);
        let builder = settings(&receiver.endpoint()).backoff(pause, pause).temporality(temporality);
        let exporter = builder.interval(SHORT).start(&pushed.registry).unwrap();
        receiver.wait_for(1);
        pushed.tokens.add(5);
        let received = receiver.wait_for(2);
        assert_eq!((tokens(&received[0]), tokens(&received[1])), (0, 5));
        exporter.shutdown().unwrap();
        // More than one was due meanwhile.
        assert!(pushed.counts()[1] > 1 && pushed.failures("503") == 1, "{:?}", pushed.counts());
    }
}

#[test]
fn what_is_asked_for_does_not_wait_for_the_end_of_a_pause() {
    let (receiver, pushed) = (Receiver::start([Answer::status(503), Answer::status(503)]), Pushed::new());
    // It would wait for longer than the test may take.
    let builder = settings(&receiver.endpoint()).backoff(Duration::from_secs(600), Duration::from_secs(600));
    let exporter = builder.interval(SHORT).start(&pushed.registry).unwrap();
    receiver.wait_for(1);
    pushed.tokens.add(1);
    exporter.flush().unwrap_err();
    let waiting = Instant::now();
    while pushed.counts()[1] < 5 && waiting.elapsed() < Duration::from_secs(60) {
        std::thread::yield_now();
    }
    assert_eq!(receiver.received().len(), 2);
    pushed.tokens.add(10);
    exporter.shutdown().unwrap();
    assert_eq!(receiver.received().iter().map(tokens).collect::<Vec<_>>(), [0, 1, 11]);
    assert_eq!((pushed.counts()[0], pushed.failures("503")), (1, 2));
}

#[test]
fn a_receiver_that_says_nothing_does_not_keep_it_from_stopping() {
    let (receiver, pushed) = (Receiver::start([Answer::Silence, Answer::Silence]), Pushed::new());
    let builder = settings(&receiver.endpoint()).interval(SHORT).shutdown_timeout(SHORT);
    let exporter = builder.timeout(Duration::from_secs(3600)).start(&pushed.registry).unwrap();
    receiver.wait_for(1);
    assert_eq!(exporter.shutdown().unwrap_err().kind(), ErrorKind::Push);

    let (receiver, zero) = (Receiver::start([]), Duration::ZERO);
    let without = settings(&receiver.endpoint()).shutdown_timeout(zero).start(&pushed.registry).unwrap();
    without.shutdown().unwrap();
    assert_eq!(receiver.received().len(), 0);
}

#[test]
fn a_callback_that_takes_longer_than_there_is_time_is_left_behind() {
    let (receiver, pushed) = (Receiver::start([]), Pushed::new());
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    // Not for ever, so that a test that fails ends.
    let read = move || released.lock().unwrap().recv_timeout(Duration::from_secs(20)).map_or(1.0, |()| 2.0);
    pushed.registry.gauge("slow").observe(read).unwrap();
    let exporter = settings(&receiver.endpoint()).shutdown_timeout(Duration::from_millis(300)).start(&pushed.registry);
    let error = exporter.unwrap().shutdown().unwrap_err().to_string();
    assert!(error.contains("within 300ms: collecting the values takes longer"), "{error}");
    // Then its thread ends without a push.
    drop(release);
    let waiting = Instant::now();
    while pushed.failures("collection") == 0 && waiting.elapsed() < Duration::from_secs(60) {
        std::thread::yield_now();
    }
    assert_eq!((pushed.failures("collection"), pushed.counts()), (1, [0, 1, 0]));
    assert_eq!(receiver.received().len(), 0);
}

#[test]
fn a_flush_that_collects_for_too_long_says_so() {
    let (receiver, pushed) = (Receiver::start([]), Pushed::new());
    let nap = || std::thread::sleep(Duration::from_millis(300));
    let builder = settings(&receiver.endpoint()).timeout(Duration::from_millis(200)).shutdown_timeout(Duration::ZERO);
    let exporter = builder.view(move |now| (nap(), now.clone()).1).start(&pushed.registry).unwrap();
    let error = exporter.flush().unwrap_err().to_string();
    assert!(error.contains("collecting its values took") && error.contains("there was"), "{error}");
    assert_eq!((receiver.received().len(), pushed.failures("collection"), pushed.counts()), (0, 1, [0, 1, 0]));
}

#[test]
fn an_attempt_without_an_answer_leaves_time_for_the_last_push() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let (receiver, pushed) = (Receiver::start([Answer::Silence]), Pushed::new());
        let builder = settings(&receiver.endpoint()).interval(SHORT).shutdown_timeout(Duration::from_secs(3));
        let builder = builder.timeout(Duration::from_secs(3600)).temporality(temporality);
        let exporter = builder.start(&pushed.registry).unwrap();
        receiver.wait_for(1);
        pushed.tokens.add(5);
        exporter.shutdown().unwrap();
        assert_eq!(tokens(receiver.received().last().unwrap()), 5);
        assert_eq!(pushed.failures("timeout"), 1);
    }
}

#[test]
fn an_attempt_that_there_is_no_time_for_is_not_made() {
    let (receiver, pushed) = (Receiver::start(std::iter::repeat_n(Answer::Silence, 1000)), Pushed::new());
    let builder = settings(&receiver.endpoint()).timeout(Duration::from_millis(1)).shutdown_timeout(Duration::ZERO);
    let exporter = builder.start(&pushed.registry).unwrap();
    for _ in 0..100 {
        let error = exporter.flush().unwrap_err().to_string();
        assert!(!error.contains("within 0ns"), "{error}");
    }
    drop(exporter);
}

#[test]
fn it_may_be_used_and_dropped_in_asynchronous_code() {
    let (receiver, pushed) = (Receiver::start([]), Pushed::new());
    let exporter = settings(&receiver.endpoint()).start(&pushed.registry).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async move {
        exporter.flush().unwrap();
        drop(exporter);
    });
    assert_eq!(receiver.received().len(), 2);
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[test]
fn in_asynchronous_code_a_thread_that_is_refused_is_an_error() {
    // A thread cannot have so large a stack. What is set for this process counts from its start, so it takes another.
    const ROLE: &str = "TACH_TEST_NO_THREADS";
    if std::env::var_os(ROLE).is_none() {
        let mut other = std::process::Command::new(std::env::current_exe().unwrap());
        let name = "life::in_asynchronous_code_a_thread_that_is_refused_is_an_error";
        other
            .args([name, "--exact", "--test-threads=1"])
            .env(ROLE, "1")
            .env("RUST_MIN_STACK", (1_u64 << 60).to_string());
        let output = other.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(async { settings("http://127.0.0.1:9/").start(&Registry::new()).unwrap_err() });
    assert!(error.kind() == ErrorKind::System && error.to_string().contains("thread tach-otlp"), "{error}");
}

#[test]
fn what_is_asked_for_is_pushed() {
    let (receiver, pushed) = (Receiver::start([]), Pushed::new());
    pushed.tokens.add(5);
    pushed.registry.histogram("sizes").buckets([10.0]).build().unwrap().record(7);
    let before = pushed.registry.snapshot();
    let builder = settings(&receiver.endpoint()).histograms(Histograms::Explicit);
    let exporter = builder.view(move |now| now.since(&before)).start(&pushed.registry).unwrap();
    pushed.tokens.add(2);
    exporter.flush().unwrap();
    let request = read(&receiver.received()[0].body).unwrap();
    assert_eq!(request.metric("app.tokens").point().int, Some(2));
    assert_eq!(request.metric("app.sizes").point().counts, [0, 0]);
    assert_eq!((&*request.resource["service.name"], request.resource["service.instance.id"].len()), ("test", 36));
}

#[test]
fn a_view_that_panics_costs_only_that_push() {
    let (receiver, pushed) = (Receiver::start([]), Pushed::new());
    let panics = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&panics);
    let builder = settings(&receiver.endpoint()).view(move |now| {
        assert!(!flag.load(Ordering::Relaxed), "this test's view panics");
        now.clone()
    });
    let exporter = builder.start(&pushed.registry).unwrap();
    assert!(exporter.flush().is_err());
    assert_eq!((receiver.received().len(), pushed.failures("view"), pushed.counts()), (0, 1, [0, 1, 0]));
    panics.store(false, Ordering::Relaxed);
    exporter.flush().unwrap();
    assert_eq!(pushed.counts(), [1, 1, 0]);
}

#[test]
fn gzip_makes_requests_smaller_and_changes_nothing() {
    let (receiver, pushed) = (Receiver::start([]), Pushed::new());
    pushed.tokens.add(5);
    let builder = settings(&receiver.endpoint()).compression(Compression::Gzip);
    let exporter = builder.start(&pushed.registry).unwrap();
    exporter.flush().unwrap();
    let mut request = receiver.received().remove(0);
    assert_eq!(request.headers["content-encoding"], "gzip");
    let mut body = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*request.body), &mut body).unwrap();
    assert!(request.body.len() < body.len(), "{} of {}", request.body.len(), body.len());
    request.body = body;
    assert_eq!(tokens(&request), 5);
}

#[test]
fn what_is_counted_is_on_the_page_too_once_for_all_exporters() {
    let (receiver, pushed) = (Receiver::start([Answer::status(400)]), Pushed::new());
    let exporters = [(); 2].map(|()| settings(&receiver.endpoint()).start(&pushed.registry).unwrap());
    assert!(exporters[0].flush().is_err());
    exporters[1].flush().unwrap();
    let page = text::render(&pushed.registry.snapshot());
    for line in [
        "tach_otlp_exports_total 1",
        "tach_otlp_failures_total{reason=\"400\"} 1",
        "tach_otlp_dropped_total 1",
        "tach_otlp_rejected_points_total 0",
        "tach_series 1",
    ] {
        assert!(page.contains(&format!("\n{line}\n")), "{line}: {page}");
    }
    assert!(page.contains("\ntach_otlp_last_success_time_seconds "));
    // Nobody else may have these names.
    assert_eq!(pushed.registry.counter("tach_otlp_exports").build().unwrap_err().kind(), ErrorKind::Conflict);
}

#[test]
fn with_the_sdk_disabled_or_no_exporter_nothing_happens() {
    for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_METRICS_EXPORTER", "none")] {
        let (receiver, pushed) = (Receiver::start([]), Pushed::new());
        let vars = [off, ("OTEL_EXPORTER_OTLP_TIMEOUT", "1s"), ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem")];
        let builder = OtlpBuilder::from_vars(vars).unwrap();
        // Nothing of this is looked at, nor the file.
        for endpoint in ["https://c".to_owned(), receiver.endpoint()] {
            let wrong = builder.clone().endpoint(endpoint).interval(Duration::ZERO);
            let exporter = wrong.start(&pushed.registry).unwrap();
            exporter.flush().unwrap();
            exporter.shutdown().unwrap();
        }
        assert_eq!(receiver.received().len(), 0);
        assert!(!text::render(&pushed.registry.snapshot()).contains("tach_otlp"));
    }
}

#[test]
fn without_a_limit_it_pushes_and_ends() {
    let (receiver, pushed) = (Receiver::start([Answer::status(200), Answer::Silence]), Pushed::new());
    let builder = OtlpBuilder::from_vars([("OTEL_EXPORTER_OTLP_TIMEOUT", "0")]).unwrap();
    let builder = builder.endpoint(receiver.endpoint()).interval(SHORT).shutdown_timeout(Duration::from_secs(2));
    let exporter = builder.start(&pushed.registry).unwrap();
    receiver.wait_for(2);
    exporter.shutdown().unwrap();
    assert_eq!((receiver.received().len(), pushed.failures("timeout")), (3, 1));
}

#[test]
fn a_registry_that_records_nothing_can_be_pushed() {
    let receiver = Receiver::start([]);
    let registry = Registry::builder().recording(Recording::Noop).build().unwrap();
    let exporter = settings(&receiver.endpoint()).start(&registry).unwrap();
    exporter.flush().unwrap();
    assert!(read(&receiver.received()[0].body).is_ok());
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let refuse = |builder: OtlpBuilder| {
        let error = builder.start(&Registry::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Setting);
        error.to_string()
    };
    let builder = OtlpExporter::builder;
    if cfg!(not(feature = "tls")) {
        assert!(refuse(builder().endpoint("https://collector:4318/v1/metrics")).contains("with the feature tls"));
    }
    assert!(refuse(builder().endpoint("collector:4318")).contains("http://"));
    assert!(refuse(builder().interval(Duration::ZERO)).contains("interval"));
    assert!(refuse(builder().timeout(Duration::ZERO)).contains("timeout"));
    assert!(refuse(builder().header("content-type", "x")).contains("sets itself"));
    assert!(refuse(builder().header("a b", "x")).contains("no legal name"));
    let error = refuse(builder().header("key", "se\ncret"));
    assert!(error.contains("\"key\"") && !error.contains("cret"), "{error}");
    assert!(!format!("{:?}", builder().header("key", "secret")).contains("secret"));
    let error = refuse(builder().endpoint("http://user:sec ret@host"));
    assert!(error.contains("header") && !error.contains("ret@"), "{error}");
    assert!(!format!("{:?}", builder().endpoint("http://user:secret@host")).contains("secret"));
    // A value that was taken for a name.
    let builder = OtlpBuilder::from_vars([("OTEL_EXPORTER_OTLP_HEADERS", "a=b,x-api-key:c2VjcmV0Cg==")]).unwrap();
    let error = refuse(builder);
    assert!(error.contains("header 2") && !error.contains("c2Vj"), "{error}");
}
