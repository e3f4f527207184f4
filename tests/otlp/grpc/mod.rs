//! Pushing by gRPC: what is called, and what the exporter makes of each answer.

mod answers;
#[cfg(feature = "tls")]
mod secure;
mod server;

use crate::{AGENT, Pushed, otlp_reader, settings, tokens_of};
use server::{Answer, Call, Server};
use std::time::Duration;
use tach::ErrorKind;
use tach::otlp::{Compression, OtlpBuilder, OtlpExporter, Protocol, Temporality};

fn by_grpc(endpoint: &str) -> OtlpBuilder {
    settings(endpoint).protocol(Protocol::Grpc)
}

/// A registry with five tokens, and an exporter of it that is answered so.
fn start(answers: impl IntoIterator<Item = Answer>) -> (Server, Pushed, OtlpExporter) {
    let (server, pushed) = (Server::start(answers), Pushed::new());
    let exporter = by_grpc(&server.endpoint()).start(&pushed.registry).unwrap();
    pushed.tokens.add(5);
    (server, pushed, exporter)
}

fn tokens(call: &Call) -> i64 {
    tokens_of(&call.message)
}

#[test]
fn a_call_is_what_the_protocol_says() {
    let (server, pushed) = (Server::start([]), Pushed::new());
    let builder = by_grpc(&server.endpoint()).header("Api-Key", "first").header("api-key", "second");
    let exporter = builder.timeout(Duration::from_secs(20)).start(&pushed.registry).unwrap();
    pushed.tokens.add(5);
    drop(exporter);
    let [call] = &*server.calls() else { panic!() };
    assert_eq!(call.head.method, "POST");
    let uri = format!("http://{}/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", server.address);
    assert_eq!(call.head.uri, *uri);
    for (name, value) in [("content-type", "application/grpc"), ("te", "trailers"), ("api-key", "second")] {
        assert_eq!(call.header(name), value);
    }
    assert_eq!(call.header("user-agent"), AGENT);
    // What is left of the time for the last push, which is 5 seconds.
    let time: u64 = call.header("grpc-timeout").strip_suffix('m').unwrap().parse().unwrap();
    assert!((1..=5000).contains(&time), "{time}");
    assert_eq!((call.flag, call.header("grpc-encoding"), tokens(call)), (0, "", 5));
    assert_eq!(pushed.counts(), [1, 0, 0]);
    assert!(pushed.registry.snapshot().gauge("tach_otlp_last_success_time", &[]).unwrap() > 1e9);
}

#[test]
fn gzip_makes_messages_smaller_and_changes_nothing() {
    let (server, pushed) = (Server::start([Answer::status(14)]), Pushed::new());
    let exporter = by_grpc(&server.endpoint()).compression(Compression::Gzip).start(&pushed.registry).unwrap();
    pushed.tokens.add(5);
    exporter.flush().unwrap();
    let calls = server.calls();
    assert_eq!((calls.len(), &calls[0].message), (2, &calls[1].message));
    assert_eq!((calls[0].flag, calls[0].header("grpc-encoding")), (1, "gzip"));
    let mut message = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*calls[0].message), &mut message).unwrap();
    assert!(calls[0].message.len() < message.len());
    assert_eq!(tokens_of(&message), 5);
}

#[test]
fn requests_beyond_the_windows_go_through() {
    let (server, pushed, exporter) = start([]);
    let wide = pushed.registry.counter("wide").labels(["n"]).limit(10_000).build().unwrap();
    for n in 0..5000 {
        wide.with([&*format!("{n:0>100}")]).inc();
    }
    exporter.flush().unwrap();
    let [call] = &*server.calls() else { panic!() };
    assert!(call.message.len() > 500_000, "{}", call.message.len());
    let read = otlp_reader::read(&call.message).unwrap();
    assert_eq!((read.metric("app.wide").data().points.len(), tokens(call)), (5000, 5));
}

#[test]
fn it_pushes_at_the_interval_and_once_more_when_dropped() {
    let (server, pushed) = (Server::start([]), Pushed::new());
    let builder = by_grpc(&server.endpoint()).interval(Duration::from_millis(20));
    let exporter = builder.start(&pushed.registry).unwrap();
    server.wait_for(3);
    pushed.tokens.add(7);
    drop(exporter);
    assert_eq!(tokens(server.calls().last().unwrap()), 7);
}

#[test]
fn a_server_that_says_nothing_leaves_time_for_the_last_push() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let (server, pushed) = (Server::start([Answer::Silence]), Pushed::new());
        let builder = by_grpc(&server.endpoint()).interval(Duration::from_millis(20)).temporality(temporality);
        let builder = builder.timeout(Duration::from_secs(3600)).shutdown_timeout(Duration::from_secs(3));
        let exporter = builder.start(&pushed.registry).unwrap();
        server.wait_for(1);
        pushed.tokens.add(5);
        exporter.shutdown().unwrap();
        assert_eq!((tokens(server.calls().last().unwrap()), pushed.failures("timeout")), (5, 1));
    }
    let (server, pushed) = (Server::start([Answer::Silence, Answer::Silence]), Pushed::new());
    let builder = by_grpc(&server.endpoint()).interval(Duration::from_millis(20));
    let builder = builder.timeout(Duration::from_secs(3600)).shutdown_timeout(Duration::from_millis(20));
    let exporter = builder.start(&pushed.registry).unwrap();
    server.wait_for(1);
    assert_eq!(exporter.shutdown().unwrap_err().kind(), ErrorKind::Push);
    // And no connection is left behind.
    server.wait_for_abandoned(1);
}

#[test]
fn the_variables_lead_there() {
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://ADDRESS"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://ADDRESS/"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://ADDRESS"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "ADDRESS"),
    ] {
        let (server, pushed) = (Server::start([]), Pushed::new());
        let builder = OtlpBuilder::from_vars([
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
            (name, &value.replace("ADDRESS", &server.address.to_string())),
        ]);
        let exporter = builder.unwrap().start(&pushed.registry).unwrap();
        exporter.flush().unwrap();
        let call = server.calls().remove(0);
        assert_eq!(call.header("api-key"), "a b");
        let time: u64 = call.header("grpc-timeout").strip_suffix('m').unwrap().parse().unwrap();
        assert!((1..=2500).contains(&time), "{time}");
        drop(exporter);
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let refuse = |builder: OtlpBuilder| {
        let error = builder.start(&tach::Registry::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Setting);
        error.to_string()
    };
    assert!(refuse(by_grpc("http://c:4317/v1/metrics")).contains("path"));
    for name in ["grpc-timeout", "Grpc-Anything", "te", "content-type", "upgrade"] {
        assert!(refuse(by_grpc("http://c").header(name, "x")).contains("sets itself"), "{name}");
    }
    if cfg!(not(feature = "tls")) {
        assert!(refuse(by_grpc("collector:4317")).contains("with the feature tls"));
    }
}
