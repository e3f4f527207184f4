//! What the exporter makes of each answer: one more attempt, or none, and nothing lost.

use crate::receiver::{Answer, Receiver};
use crate::{AGENT, Pushed, settings, tokens};
use std::net::TcpListener;
use std::time::{Duration, Instant};
use tach::ErrorKind;
use tach::otlp::{OtlpExporter, Temporality};

/// A registry with five tokens, and an exporter of it that is answered so.
fn start(answers: impl IntoIterator<Item = Answer>) -> (Receiver, Pushed, OtlpExporter) {
    let (receiver, pushed) = (Receiver::start(answers), Pushed::new());
    let exporter = settings(&receiver.endpoint()).start(&pushed.registry).unwrap();
    pushed.tokens.add(5);
    (receiver, pushed, exporter)
}

#[test]
fn a_request_is_what_the_protocol_says() {
    let (receiver, pushed) = (Receiver::start([]), Pushed::new());
    let builder = settings(&receiver.endpoint()).header("api-key", "first").header("API-Key", "second");
    let exporter = builder.start(&pushed.registry).unwrap();
    pushed.tokens.add(5);
    exporter.flush().unwrap();
    let [request] = &*receiver.received() else { panic!() };
    assert_eq!(request.line, "POST /v1/metrics HTTP/1.1");
    let host = receiver.address().to_string();
    for (name, value) in [("content-type", "application/x-protobuf"), ("host", &*host), ("api-key", "second")] {
        assert_eq!(request.headers[name], value);
    }
    assert_eq!(request.headers["user-agent"], AGENT);
    assert!(!request.headers.contains_key("content-encoding"));
    assert_eq!(tokens(request), 5);
    assert_eq!((pushed.counts(), exporter.last_failure()), ([1, 0, 0], None));
    assert!(pushed.registry.snapshot().gauge("tach_otlp_last_success_time", &[]).unwrap() > 1e9);
}

#[test]
fn what_may_work_later_is_sent_again_as_it_was() {
    let retried = [429, 502, 503, 504].map(Answer::status);
    let (receiver, pushed, exporter) = start(retried.into_iter().chain([Answer::Nothing]));
    exporter.flush().unwrap();
    let received = receiver.received();
    assert_eq!(received.len(), 6);
    assert!(received.iter().all(|request| request.body == received[0].body));
    for reason in ["429", "502", "503", "504", "connection"] {
        assert_eq!(pushed.failures(reason), 1, "{reason}");
    }
    assert_eq!(pushed.counts(), [1, 0, 0]);
    assert!(exporter.last_failure().unwrap().contains("no response"));
}

#[test]
fn what_is_refused_is_sent_once() {
    let refusals = [400, 401, 404, 413, 500, 501, 301, 505];
    let said = Answer::Status(403, "content-type: application/x-protobuf\r\n", b"\x08\x07\x12\x06no key".to_vec());
    let (receiver, pushed, exporter) = start(refusals.map(Answer::status).into_iter().chain([said]));
    for (count, status) in (1..).zip(refusals) {
        let error = exporter.flush().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Push);
        assert!(error.to_string().contains(&format!("answered {status}")), "{error}");
        assert_eq!((receiver.received().len(), pushed.failures(&status.to_string())), (count, 1));
    }
    assert!(exporter.flush().unwrap_err().to_string().ends_with("answered 403: no key"));
    assert_eq!(pushed.counts(), [0, 9, 0]);
    // And the next one has it all.
    exporter.flush().unwrap();
    assert_eq!(tokens(receiver.received().last().unwrap()), 5);
}

#[test]
fn the_receiver_says_when_to_come_back() {
    let soon = Answer::Status(429, "retry-after: 1\r\n", Vec::new());
    let later = Answer::Status(503, "retry-after: 3600\r\n", Vec::new());
    let (receiver, pushed, exporter) = start([soon, later]);
    // The second attempt is in time, a third would not be.
    assert!(exporter.flush().unwrap_err().to_string().contains("answered 503"));
    assert_eq!(receiver.received().len(), 2);
    // Until then nothing is sent, and not for the last time either.
    assert!(exporter.flush().unwrap_err().to_string().contains("left alone"));
    assert!(exporter.shutdown().unwrap_err().to_string().contains("left alone"));
    assert_eq!((receiver.received().len(), pushed.counts()), (2, [0, 3, 0]));
}

#[test]
fn a_time_to_come_back_that_is_over_does_not_shorten_the_pause() {
    let past = Answer::Status(503, "retry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n", Vec::new());
    let now = Answer::Status(429, "retry-after: 0\r\n", Vec::new());
    let (receiver, pushed) = (Receiver::start([past, now]), Pushed::new());
    // The pause is longer than a push may take, so each is one attempt.
    let builder = settings(&receiver.endpoint()).backoff(Duration::from_secs(600), Duration::from_secs(600));
    let exporter = builder.start(&pushed.registry).unwrap();
    for (count, status) in [(1, 503), (2, 429)] {
        assert!(exporter.flush().unwrap_err().to_string().contains(&format!("answered {status}")));
        assert_eq!(receiver.received().len(), count);
    }
    // And the receiver may be asked for something new at once.
    exporter.flush().unwrap();
    assert_eq!(pushed.counts(), [1, 2, 0]);
}

#[test]
fn pushes_due_while_the_receiver_is_left_alone_count_as_dropped() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        // With deltas, the request itself stays, as it is in doubt.
        let later = Answer::Status(504, "retry-after: 3600\r\n", Vec::new());
        let (receiver, pushed) = (Receiver::start([later]), Pushed::new());
        let builder = settings(&receiver.endpoint()).interval(Duration::from_millis(20)).temporality(temporality);
        let exporter = builder.start(&pushed.registry).unwrap();
        let waiting = Instant::now();
        while pushed.counts()[1] < 3 && waiting.elapsed() < Duration::from_secs(60) {
            std::thread::yield_now();
        }
        assert!(pushed.counts()[1] >= 3 && receiver.received().len() == 1, "{:?}", pushed.counts());
        drop(exporter);
        assert_eq!((receiver.received().len(), pushed.failures("504")), (1, 1));
    }
}

#[test]
fn a_push_that_was_put_off_has_the_values_of_when_it_is_sent() {
    let later = Answer::Status(503, "retry-after: 1\r\n", Vec::new());
    let (receiver, pushed) = (Receiver::start([later]), Pushed::new());
    let builder = settings(&receiver.endpoint()).interval(Duration::from_millis(20));
    let exporter = builder.start(&pushed.registry).unwrap();
    receiver.wait_for(1);
    pushed.tokens.add(5);
    let received = receiver.wait_for(2);
    assert_eq!((tokens(&received[0]), tokens(&received[1])), (0, 5));
    drop(exporter);
}

#[test]
fn a_partial_success_is_counted_and_not_sent_again() {
    let partial = b"\x0a\x0b\x08\xac\x02\x12\x06too ol".to_vec();
    let warning = b"\x0a\x06\x12\x04slow".to_vec();
    let (receiver, pushed, exporter) = start([partial, warning].map(|body| Answer::Status(200, "", body)));
    exporter.flush().unwrap();
    assert_eq!((receiver.received().len(), pushed.counts()), (1, [1, 0, 300]));
    assert_eq!(exporter.last_failure().as_deref(), Some("was taken without 300 points: too ol"));
    exporter.flush().unwrap();
    assert_eq!((receiver.received().len(), pushed.counts()), (2, [2, 0, 300]));
    assert!(exporter.last_failure().unwrap().ends_with("0 points: slow"));
}

#[test]
fn what_was_taken_is_taken_whatever_the_rest_of_the_response() {
    let huge = Answer::Status(200, "", vec![b'x'; 1 << 20]);
    let no_message = Answer::Status(202, "", b"<html>".to_vec());
    let (receiver, pushed) = (Receiver::start([huge, no_message, Answer::Half]), Pushed::new());
    let exporter = settings(&receiver.endpoint()).response_max(1000).start(&pushed.registry).unwrap();
    for (count, said) in [(1, "more than 1000 bytes"), (2, "no ExportMetricsServiceResponse"), (3, "broke off")] {
        exporter.flush().unwrap();
        assert!(exporter.last_failure().unwrap().contains(said), "{:?}", exporter.last_failure());
        assert_eq!((receiver.received().len(), pushed.failures("response")), (count as usize, count));
    }
    assert_eq!(pushed.counts(), [3, 0, 0]);
}

#[test]
fn a_status_counts_though_its_body_does_not_come() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let answers =
            [Answer::Stalled(200, ""), Answer::Stalled(400, ""), Answer::Stalled(503, "retry-after: 3600\r\n")];
        let (receiver, pushed) = (Receiver::start(answers), Pushed::new());
        let builder = settings(&receiver.endpoint()).timeout(Duration::from_secs(1)).temporality(temporality);
        let exporter = builder.start(&pushed.registry).unwrap();
        let late = |status: u16| format!("answered {status}, but its body did not come within ");
        // Each is told once, and sent once.
        pushed.tokens.add(5);
        exporter.flush().unwrap();
        assert!(exporter.last_failure().unwrap().contains(&late(200)), "{:?}", exporter.last_failure());
        assert_eq!((receiver.received().len(), pushed.counts()), (1, [1, 0, 0]));
        pushed.tokens.add(2);
        let error = exporter.flush().unwrap_err().to_string();
        assert!(error.contains(&late(400)), "{error}");
        assert_eq!((receiver.received().len(), pushed.failures("400")), (2, 1));
        let error = exporter.flush().unwrap_err().to_string();
        assert!(error.contains(&late(503)), "{error}");
        // It wants to be left alone.
        assert!(exporter.flush().unwrap_err().to_string().contains("left alone"));
        drop(exporter);
        let of_delta = [5, 2, 2];
        let expected = if temporality == Temporality::Delta { of_delta } else { [5, 7, 7] };
        assert_eq!(receiver.received().iter().map(tokens).collect::<Vec<_>>(), expected);
        assert_eq!(pushed.failures("timeout"), 0);
    }
}

#[test]
fn no_answer_in_time_is_worth_another_try() {
    let (receiver, pushed) = (Receiver::start([Answer::Silence]), Pushed::new());
    let builder = settings(&receiver.endpoint()).timeout(Duration::from_millis(500));
    let exporter = builder.shutdown_timeout(Duration::from_secs(60)).start(&pushed.registry).unwrap();
    // The last push is the only one, and has time for many attempts.
    exporter.shutdown().unwrap();
    let received = receiver.received();
    assert!(received.len() >= 2 && received.iter().all(|request| request.body == received[0].body));
    assert!(pushed.failures("timeout") >= 1);
    assert_eq!(pushed.counts(), [1, 0, 0]);
}

#[test]
fn an_outage_loses_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let pushed = Pushed::new();
    let builder = settings(&format!("http://{address}/v1/metrics")).timeout(Duration::from_millis(100));
    let exporter = builder.start(&pushed.registry).unwrap();
    pushed.tokens.add(5);
    let error = exporter.flush().unwrap_err().to_string();
    assert!(error.contains("cannot connect") && pushed.failures("connection") > 0, "{error}");
    pushed.tokens.add(2);
    let receiver = Receiver::start_on(TcpListener::bind(address).unwrap(), []);
    // On a busy machine it may take more than one.
    while exporter.flush().is_err() {}
    assert_eq!((tokens(receiver.received().last().unwrap()), pushed.counts()[0]), (7, 1));
    drop(exporter);
}

#[test]
fn a_lost_delta_is_in_the_next() {
    let (receiver, pushed) = (Receiver::start([Answer::status(200), Answer::status(400)]), Pushed::new());
    let builder = settings(&receiver.endpoint()).temporality(Temporality::Delta);
    let exporter = builder.start(&pushed.registry).unwrap();
    for n in [5, 2, 1, 0] {
        pushed.tokens.add(n);
        let _ = exporter.flush();
    }
    let deltas: Vec<_> = receiver.received().iter().map(tokens).collect();
    assert_eq!((deltas, pushed.counts()), (vec![5, 2, 3, 0], [3, 1, 0]));
}

#[test]
fn a_delta_whose_answer_was_lost_is_sent_again_as_it_was() {
    // Refused for now, nobody knows still what became of it before.
    for lost in [Answer::Nothing, Answer::status(504)] {
        let (receiver, pushed) = (Receiver::start([lost, Answer::status(503)]), Pushed::new());
        // A push is one attempt.
        let builder = settings(&receiver.endpoint()).backoff(Duration::from_secs(600), Duration::from_secs(600));
        let exporter = builder.temporality(Temporality::Delta).start(&pushed.registry).unwrap();
        for n in [5, 2] {
            pushed.tokens.add(n);
            exporter.flush().unwrap_err();
        }
        pushed.tokens.add(1);
        exporter.flush().unwrap();
        let received = receiver.received();
        assert_eq!(received.iter().map(tokens).collect::<Vec<_>>(), [5, 5, 5, 3]);
        assert!(received[..3].iter().all(|request| request.body == received[0].body));
        let span = |at: usize| {
            let read = crate::otlp_reader::read(&received[at].body).unwrap();
            let point = read.metric("app.tokens").point();
            (point.start, point.time)
        };
        assert_eq!(span(3).0, span(2).1);
        // The second push was not even made.
        assert_eq!(pushed.counts(), [2, 1, 0]);
    }
}

#[test]
fn a_delta_in_doubt_that_is_refused_is_in_the_next() {
    let (receiver, pushed) = (Receiver::start([Answer::Nothing, Answer::status(400)]), Pushed::new());
    let builder = settings(&receiver.endpoint()).backoff(Duration::from_secs(600), Duration::from_secs(600));
    let exporter = builder.temporality(Temporality::Delta).start(&pushed.registry).unwrap();
    for n in [5, 2] {
        pushed.tokens.add(n);
        let _ = exporter.flush();
    }
    let deltas: Vec<_> = receiver.received().iter().map(tokens).collect();
    assert_eq!((deltas, pushed.counts()), (vec![5, 5, 7], [1, 1, 0]));
}

#[test]
fn at_the_interval_a_delta_in_doubt_goes_first() {
    let (receiver, pushed) = (Receiver::start([Answer::Silence, Answer::status(502)]), Pushed::new());
    // Pauses of several intervals, over which it is kept.
    let builder = settings(&receiver.endpoint()).backoff(Duration::from_millis(300), Duration::from_millis(300));
    let builder = builder.interval(Duration::from_millis(50)).timeout(Duration::from_millis(500));
    let exporter = builder.temporality(Temporality::Delta).start(&pushed.registry).unwrap();
    receiver.wait_for(1);
    pushed.tokens.add(5);
    receiver.wait_for(4);
    drop(exporter);
    let received = receiver.received();
    assert!(received[1..3].iter().all(|request| request.body == received[0].body));
    // Each value once, however often a request was sent.
    let mut requests = received;
    requests.dedup_by(|later, earlier| later.body == earlier.body);
    assert_eq!(requests.iter().map(tokens).sum::<i64>(), 5);
}

#[test]
fn a_request_that_is_too_large_is_not_sent() {
    let (receiver, pushed) = (Receiver::start([]), Pushed::new());
    let exporter = settings(&receiver.endpoint()).request_max(100).start(&pushed.registry).unwrap();
    assert_eq!(exporter.flush().unwrap_err().kind(), ErrorKind::Push);
    assert!(exporter.last_failure().unwrap().contains("more than 100"));
    drop(exporter);
    assert_eq!((receiver.received().len(), pushed.failures("size"), pushed.counts()), (0, 2, [0, 2, 0]));
}
