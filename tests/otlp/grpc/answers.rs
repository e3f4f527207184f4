//! What the exporter makes of each answer: one more attempt, or none, and nothing lost.

use super::server::{Answer, Server, framed};
use super::{by_grpc, start, tokens};
use crate::Pushed;
use h2::Reason;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use tach::otlp::Temporality;

const LONG: Duration = Duration::from_secs(600);

/// `grpc-status-details-bin` with a `RetryInfo` of so many seconds.
fn retry_info(seconds: u16) -> (&'static str, String) {
    use base64::Engine;
    let url = b"type.googleapis.com/google.rpc.RetryInfo";
    let part = |tag: u8, bytes: &[u8]| [&[tag, u8::try_from(bytes.len()).unwrap()], bytes].concat();
    let seconds = [8, (seconds & 127) as u8 | 128, (seconds >> 7) as u8];
    let any = [part(10, url), part(18, &part(10, &seconds))].concat();
    let status = [&b"\x08\x08\x12\x04full"[..], &part(26, &any)].concat();
    ("grpc-status-details-bin", base64::engine::general_purpose::STANDARD_NO_PAD.encode(status))
}

#[test]
fn what_may_work_later_is_sent_again_as_it_was() {
    let retried = [1, 4, 10, 11, 14, 15];
    let only = retried.map(|status| Answer::TrailersOnly(status, Vec::new()));
    let (server, pushed, exporter) = start(retried.map(Answer::status).into_iter().chain(only));
    exporter.flush().unwrap();
    let calls = server.calls();
    assert_eq!(calls.len(), 13);
    // Where the answer comes before the message, the server here has not read that.
    assert!(calls[..6].iter().all(|call| call.message == calls[12].message));
    assert_eq!(tokens(&calls[12]), 5);
    for reason in ["CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"] {
        assert_eq!(pushed.failures(reason), 2, "{reason}");
    }
    assert_eq!(pushed.counts(), [1, 0, 0]);
}

#[test]
fn what_is_refused_is_sent_once() {
    let refusals = [
        (2, "UNKNOWN"),
        (3, "INVALID_ARGUMENT"),
        (5, "NOT_FOUND"),
        (6, "ALREADY_EXISTS"),
        (7, "PERMISSION_DENIED"),
        (8, "RESOURCE_EXHAUSTED"),
        (9, "FAILED_PRECONDITION"),
        (12, "UNIMPLEMENTED"),
        (13, "INTERNAL"),
    ];
    let said = Answer::TrailersOnly(16, vec![("grpc-message", "no%20key".to_owned())]);
    let answers = refusals.map(|(status, _)| Answer::status(status));
    let (server, pushed, exporter) = start(answers.into_iter().chain([said]));
    for (count, (_, name)) in (1..).zip(refusals) {
        let error = exporter.flush().unwrap_err().to_string();
        assert!(error.contains(&format!("answered {name}")), "{error}");
        assert_eq!((server.calls().len(), pushed.failures(name)), (count, 1), "{name}");
    }
    assert!(exporter.flush().unwrap_err().to_string().ends_with("answered UNAUTHENTICATED: no key"));
    assert_eq!(pushed.counts(), [0, 10, 0]);
    // And the next one has it all.
    exporter.flush().unwrap();
    assert_eq!(tokens(server.calls().last().unwrap()), 5);
}

#[test]
fn the_server_says_when_to_come_back() {
    let soon = Answer::Status(8, vec![retry_info(1)]);
    let later = Answer::TrailersOnly(14, vec![retry_info(3600)]);
    let (server, pushed, exporter) = start([soon, later]);
    let begun = Instant::now();
    // The second attempt is in time, a third would not be.
    assert!(exporter.flush().unwrap_err().to_string().contains("answered UNAVAILABLE"));
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!((server.calls().len(), pushed.failures("RESOURCE_EXHAUSTED")), (2, 1));
    // Until then nothing is sent, and not for the last time either.
    assert!(exporter.flush().unwrap_err().to_string().contains("left alone"));
    assert!(exporter.shutdown().unwrap_err().to_string().contains("left alone"));
    assert_eq!((server.calls().len(), pushed.counts()), (2, [0, 3, 0]));
}

#[test]
fn a_partial_success_is_counted_and_not_sent_again() {
    let partial = b"\x0a\x0b\x08\xac\x02\x12\x06too ol".to_vec();
    let warning = b"\x0a\x06\x12\x04slow".to_vec();
    let (server, pushed, exporter) = start([partial, warning].map(Answer::Message));
    exporter.flush().unwrap();
    assert_eq!((server.calls().len(), pushed.counts()), (1, [1, 0, 300]));
    assert_eq!(exporter.last_failure().as_deref(), Some("was taken without 300 points: too ol"));
    exporter.flush().unwrap();
    assert_eq!((server.calls().len(), pushed.counts()), (2, [2, 0, 300]));
    assert!(exporter.last_failure().unwrap().ends_with("0 points: slow"));
}

#[test]
fn what_was_taken_is_taken_whatever_the_message() {
    let answers = [Answer::Message(vec![b'x'; 1 << 20]), Answer::Message(b"<html>".to_vec()), Answer::status(0)];
    let (server, pushed) = (Server::start(answers), Pushed::new());
    let exporter = by_grpc(&server.endpoint()).response_max(1000).start(&pushed.registry).unwrap();
    for (count, said) in [(1, "more than"), (2, "no ExportMetricsServiceResponse"), (3, "no message")] {
        exporter.flush().unwrap();
        assert!(exporter.last_failure().unwrap().contains(said), "{:?}", exporter.last_failure());
        assert_eq!((server.calls().len(), pushed.failures("response")), (count as usize, count));
    }
    assert_eq!(pushed.counts(), [3, 0, 0]);
}

#[test]
fn an_answer_without_a_status_is_none_that_is_sent_again() {
    let answers =
        [Answer::Bare(framed(b"")), Answer::Http(200, "text/html", "hello"), Answer::Http(404, "text/html", "")];
    let (server, pushed, exporter) = start(answers);
    for (count, said) in [(1, "without a status"), (2, "status 200 of HTTP: hello"), (3, "status 404 of HTTP")] {
        let error = exporter.flush().unwrap_err().to_string();
        assert!(error.contains(said) && server.calls().len() == count, "{error}");
    }
    assert_eq!((pushed.failures("UNKNOWN"), pushed.failures("UNIMPLEMENTED"), pushed.counts()), (2, 1, [0, 3, 0]));
}

#[test]
fn a_gateway_that_speaks_no_grpc_may_do_later() {
    let (server, pushed, exporter) =
        start([502, 503, 504, 429].map(|status| Answer::Http(status, "text/plain", "busy")));
    exporter.flush().unwrap();
    assert_eq!((server.calls().len(), pushed.failures("UNAVAILABLE"), pushed.counts()), (5, 4, [1, 0, 0]));
}

#[test]
fn a_gateway_that_speaks_no_grpc_says_when_to_come_back() {
    let (server, pushed, exporter) = start([Answer::Busy(503, "1"), Answer::Busy(429, "3600")]);
    let begun = Instant::now();
    // The second attempt is in time, a third would not be.
    assert!(exporter.flush().unwrap_err().to_string().contains("status 429 of HTTP: busy"));
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert!(exporter.flush().unwrap_err().to_string().contains("left alone"));
    assert!(exporter.shutdown().unwrap_err().to_string().contains("left alone"));
    assert_eq!((server.calls().len(), pushed.failures("UNAVAILABLE"), pushed.counts()), (2, 2, [0, 3, 0]));
}

#[test]
fn a_reset_is_a_status() {
    let reasons = [Reason::REFUSED_STREAM, Reason::CANCEL, Reason::INTERNAL_ERROR, Reason::ENHANCE_YOUR_CALM];
    let (server, pushed, exporter) = start(reasons.map(Answer::Reset));
    assert!(exporter.flush().unwrap_err().to_string().contains("resetting the stream"));
    assert_eq!(server.calls().len(), 3);
    assert!(exporter.flush().is_err());
    for reason in ["UNAVAILABLE", "CANCELLED", "INTERNAL", "RESOURCE_EXHAUSTED"] {
        assert_eq!(pushed.failures(reason), 1, "{reason}");
    }
    assert_eq!((server.calls().len(), pushed.counts()), (4, [0, 2, 0]));
}

#[test]
fn a_connection_that_ends_is_worth_another_try_and_a_farewell_is_none() {
    let ends = [Answer::GoAway(Reason::NO_ERROR), Answer::GoAway(Reason::ENHANCE_YOUR_CALM), Answer::Nothing];
    let (server, pushed, exporter) = start(ends);
    exporter.flush().unwrap();
    assert_eq!((server.calls().len(), pushed.failures("connection"), pushed.counts()), (4, 3, [1, 0, 0]));
    assert!(exporter.last_failure().unwrap().contains("no response"));
    let (server, pushed, exporter) = start([Answer::Farewell]);
    exporter.flush().unwrap();
    assert_eq!((server.calls().len(), pushed.counts(), exporter.last_failure()), (1, [1, 0, 0], None));
}

#[test]
fn an_answer_before_the_message_was_read_counts() {
    let (server, pushed, exporter) = start([Answer::TrailersOnly(12, Vec::new()), Answer::Silence]);
    let wide = pushed.registry.counter("wide").labels(["n"]).limit(10_000).build().unwrap();
    for n in 0..5000 {
        wide.with([&*format!("{n:0>100}")]).inc();
    }
    assert!(exporter.flush().unwrap_err().to_string().contains("answered UNIMPLEMENTED"));
    drop(exporter);
    // Neither is a connection left behind whose message nobody makes room for.
    server.wait_for_abandoned(1);
}

#[test]
fn no_answer_in_time_is_worth_another_try() {
    let (server, pushed) = (Server::start([Answer::Silence]), Pushed::new());
    let builder = by_grpc(&server.endpoint()).timeout(Duration::from_millis(500));
    let exporter = builder.shutdown_timeout(Duration::from_secs(60)).start(&pushed.registry).unwrap();
    exporter.shutdown().unwrap();
    server.wait_for_abandoned(1);
    assert!(server.calls().len() >= 2 && pushed.failures("timeout") >= 1);
    assert_eq!(pushed.counts(), [1, 0, 0]);
}

#[test]
fn an_outage_loses_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let pushed = Pushed::new();
    let builder = by_grpc(&format!("http://{address}")).timeout(Duration::from_millis(100));
    let exporter = builder.start(&pushed.registry).unwrap();
    pushed.tokens.add(5);
    let error = exporter.flush().unwrap_err().to_string();
    assert!(error.contains("cannot connect") && pushed.failures("connection") > 0, "{error}");
    pushed.tokens.add(2);
    let server = Server::start_on(TcpListener::bind(address).unwrap(), []);
    // On a busy machine it may take more than one.
    while exporter.flush().is_err() {}
    assert_eq!((tokens(server.calls().last().unwrap()), pushed.counts()[0]), (7, 1));
    drop(exporter);
}

#[test]
fn who_speaks_another_protocol_is_told_of() {
    let (receiver, pushed) = (crate::receiver::Receiver::start([]), Pushed::new());
    let builder = by_grpc(&format!("http://{}", receiver.address())).backoff(LONG, LONG);
    let exporter = builder.shutdown_timeout(Duration::ZERO).start(&pushed.registry).unwrap();
    let error = exporter.flush().unwrap_err().to_string();
    assert!(error.contains("no response from") && pushed.failures("connection") == 1, "{error}");
}

#[test]
fn a_delta_of_which_nobody_knows_is_sent_again_as_it_was() {
    for (lost, is_in_doubt) in [
        (Answer::Nothing, true),
        (Answer::status(14), true),
        (Answer::Reset(Reason::CANCEL), true),
        (Answer::Reset(Reason::REFUSED_STREAM), false),
        (Answer::Status(14, vec![retry_info(0)]), false),
        (Answer::status(10), false),
    ] {
        let (server, pushed) = (Server::start([lost.clone()]), Pushed::new());
        // A push is one attempt.
        let builder = by_grpc(&server.endpoint()).backoff(LONG, LONG).temporality(Temporality::Delta);
        let exporter = builder.start(&pushed.registry).unwrap();
        pushed.tokens.add(5);
        exporter.flush().unwrap_err();
        pushed.tokens.add(2);
        exporter.flush().unwrap();
        let calls = server.calls();
        let deltas: Vec<_> = calls.iter().map(tokens).collect();
        assert_eq!(deltas, if is_in_doubt { vec![5, 5, 2] } else { vec![5, 7] }, "{lost:?}");
        assert_eq!(calls[0].message == calls[1].message, is_in_doubt);
    }
}

#[test]
fn a_request_that_is_too_large_is_not_sent() {
    let (server, pushed) = (Server::start([]), Pushed::new());
    let exporter = by_grpc(&server.endpoint()).request_max(100).start(&pushed.registry).unwrap();
    exporter.flush().unwrap_err();
    assert!(exporter.last_failure().unwrap().contains("more than 100"));
    drop(exporter);
    assert_eq!((server.calls().len(), pushed.failures("size")), (0, 2));
}
