use super::*;
use crate::expose::push::client::Fault;

/// At 1994-11-06 08:49:07.
fn judge(result: Result<Reply, Lost>) -> Outcome {
    super::judge(result, SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_747))
}

/// An answer with these headers, or trailers where they begin with `|`.
fn reply(status: u16, fields: &[(&'static str, &str)], body: &[u8]) -> Result<Reply, Lost> {
    let (mut headers, mut trailers) = (HeaderMap::new(), HeaderMap::new());
    for (name, value) in fields {
        let (into, name) = name.strip_prefix('|').map_or((&mut headers, *name), |name| (&mut trailers, name));
        into.insert(name, value.parse().unwrap());
    }
    Ok(Reply { status, headers, body: body.to_vec(), trailers: Some(trailers) })
}

const KIND: (&str, &str) = ("content-type", "application/grpc");
/// A `RetryInfo` of two and a half seconds, of a status 8.
const DETAILS: &str = "CAgaNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIKCggIAhCAyrXuAQ";

fn word(outcome: &Outcome) -> (&str, &str, bool) {
    match outcome {
        Outcome::Later { failure, may_be_taken, .. } => ("later", &failure.reason, *may_be_taken),
        Outcome::Never(failure) => ("never", &failure.reason, false),
        Outcome::Taken(_) => ("taken", "", false),
        Outcome::TakenUnread(text) => ("unread", text, false),
    }
}

#[test]
fn six_statuses_are_worth_another_try() {
    for number in 1..=20 {
        let text = number.to_string();
        for fields in [[KIND, ("grpc-status", &*text)], [KIND, ("|grpc-status", &*text)]] {
            let outcome = judge(reply(200, &fields, b""));
            let (found, reason, in_doubt) = word(&outcome);
            let expected = if [1, 4, 10, 11, 14, 15].contains(&number) { "later" } else { "never" };
            assert_eq!(found, expected, "{number}");
            assert_eq!(in_doubt, [1, 4, 14, 15].contains(&number), "{number}");
            assert_eq!(reason == "UNKNOWN", number == 2 || number > 16, "{number}");
        }
    }
}

#[test]
fn details_tell_when_and_that_exhaustion_will_end() {
    let after = |status: &str, details: &str| {
        let fields = [KIND, ("grpc-status", status), ("grpc-status-details-bin", details)];
        match judge(reply(200, &fields, b"")) {
            Outcome::Later { after, may_be_taken: false, .. } => Some(after.map(|after| after.as_millis())),
            Outcome::Later { after: None, .. } => Some(None),
            _ => None,
        }
    };
    let (padded, twice) = (format!("{DETAILS}=="), format!("{DETAILS}, {DETAILS}"));
    for details in [DETAILS, &padded, &twice] {
        assert_eq!((after("8", details), after("14", details)), (Some(Some(2500)), Some(Some(2500))), "{details}");
        assert_eq!(after("13", details), None);
    }
    for details in ["", "!", "CAg", &DETAILS[..40]] {
        assert_eq!((after("8", details), after("14", details)), (None, Some(None)), "{details}");
    }
    // A year is a mistake.
    let year = "CAgaMwoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIHCgUI4I+GDw==";
    assert_eq!(after("8", year), Some(Some(3_600_000)));
}

#[test]
fn what_was_taken_is_taken_whatever_the_message() {
    let fields = [KIND, ("|grpc-status", "0")];
    let judged = |body: &[u8]| judge(reply(200, &fields, body));
    let Outcome::Taken(verdict) = judged(b"\0\0\0\0\x09\x0a\x07\x08\x05\x12\x03old") else { panic!() };
    assert_eq!((verdict.rejected, &*verdict.message), (5, "old"));
    assert_eq!(word(&judged(b"\0\0\0\0\0")).0, "taken");
    for (body, problem) in [
        (&b""[..], "no message"),
        (b"\0\0\0\0\x01", "length"),
        (b"\0\0\0\0\0\0", "length"),
        (b"\x01\0\0\0\x01x", "compressed"),
        (b"\0\0\0\0\x01<", "no ExportMetricsServiceResponse"),
    ] {
        let outcome = judged(body);
        let (found, text, _) = word(&outcome);
        assert!(found == "unread" && text.contains(problem), "{outcome:?}");
    }
    let mut cut = reply(200, &fields, b"\0\0\0\x10\0").unwrap();
    cut.trailers = None;
    assert_eq!(word(&judge(Ok(cut))).0, "unread");
    let mut refused = reply(200, &[KIND, ("grpc-status", "3")], b"\0\0\0\x10\0").unwrap();
    refused.trailers = None;
    assert_eq!(word(&judge(Ok(refused))).0, "never");
    // What comes last counts.
    let both = [KIND, ("grpc-status", "0"), ("|grpc-status", "14")];
    assert_eq!(word(&judge(reply(200, &both, b""))).0, "later");
}

#[test]
fn who_speaks_no_grpc_is_judged_by_its_status_of_http() {
    for (status, expected) in [
        (200, ("never", "UNKNOWN", false)),
        (400, ("never", "INTERNAL", false)),
        (401, ("never", "UNAUTHENTICATED", false)),
        (403, ("never", "PERMISSION_DENIED", false)),
        (404, ("never", "UNIMPLEMENTED", false)),
        (415, ("never", "UNKNOWN", false)),
        (429, ("later", "UNAVAILABLE", false)),
        (500, ("never", "UNKNOWN", false)),
        (502, ("later", "UNAVAILABLE", true)),
        (503, ("later", "UNAVAILABLE", false)),
        (504, ("later", "UNAVAILABLE", true)),
    ] {
        for kind in ["text/html", "application/grpcx", "application/x-protobuf"] {
            let outcome = judge(reply(status, &[("content-type", kind), ("grpc-status", "0")], b"no\nroute"));
            assert_eq!(word(&outcome), expected, "{status}");
            if let Outcome::Never(failure) = &outcome {
                assert!(failure.text.ends_with(&format!("status {status} of HTTP: no route")), "{}", failure.text);
            }
        }
    }
    let kinds = ["application/grpc+proto", "application/grpc; x=y"];
    for kind in kinds {
        assert_eq!(word(&judge(reply(200, &[("content-type", kind)], b""))), ("never", "UNKNOWN", false));
        // A proxy that says so and no more: with a status of gRPC it is that which counts.
        for (status, expected) in [(429, false), (502, true), (503, false), (504, true)] {
            let outcome = judge(reply(status, &[("content-type", kind)], b""));
            assert_eq!(word(&outcome), ("later", "UNAVAILABLE", expected), "{status}");
            let outcome = judge(reply(status, &[("content-type", kind), ("grpc-status", "3")], b""));
            assert_eq!(word(&outcome), ("never", "INVALID_ARGUMENT", false), "{status}");
        }
    }
}

#[test]
fn who_speaks_no_grpc_may_say_when_to_come_back_as_by_http() {
    let after = |status: u16, kind: &str, fields: &[(&'static str, &str)]| {
        let fields = [&[("content-type", kind)], fields].concat();
        match judge(reply(status, &fields, b"")) {
            Outcome::Later { after, may_be_taken, .. } => Some((after.map(|after| after.as_secs()), may_be_taken)),
            _ => None,
        }
    };
    for kind in ["text/html", "application/grpc"] {
        for (text, seconds) in [("120", Some(120)), ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)), ("soon", None)] {
            let fields = [("retry-after", text)];
            assert_eq!(after(503, kind, &fields), Some((seconds, false)), "{text}");
            assert_eq!(after(429, kind, &fields), Some((seconds, false)), "{text}");
            assert_eq!(after(502, kind, &fields), Some((seconds, true)), "{text}");
            assert_eq!(after(500, kind, &fields), None);
        }
        assert_eq!(after(503, kind, &[("retry-after", "31536000")]), Some((Some(3600), false)));
    }
    // Who speaks gRPC says it by a `RetryInfo`.
    let fields = [("grpc-status", "8"), ("retry-after", "1")];
    assert_eq!(after(429, "application/grpc", &fields), None);
    let fields = [("grpc-status", "14"), ("retry-after", "1")];
    assert_eq!(after(503, "application/grpc", &fields), Some((None, true)));
}

#[test]
fn a_reset_has_a_status_by_its_reason() {
    for (reason, expected) in [
        (Reason::REFUSED_STREAM, ("later", "UNAVAILABLE", false)),
        (Reason::CANCEL, ("later", "CANCELLED", true)),
        (Reason::ENHANCE_YOUR_CALM, ("never", "RESOURCE_EXHAUSTED", false)),
        (Reason::INADEQUATE_SECURITY, ("never", "PERMISSION_DENIED", false)),
        (Reason::INTERNAL_ERROR, ("never", "INTERNAL", false)),
        (Reason::PROTOCOL_ERROR, ("never", "INTERNAL", false)),
        (Reason::NO_ERROR, ("never", "INTERNAL", false)),
    ] {
        assert_eq!(word(&judge(Err(Lost::Reset(reason)))), expected, "{reason}");
    }
    for (fault, expected) in [
        (Fault::Connection(String::new()), ("later", "connection", false)),
        (Fault::Response(String::new()), ("later", "connection", true)),
        (Fault::Timeout(Duration::from_secs(1)), ("later", "timeout", true)),
    ] {
        assert_eq!(word(&judge(Err(fault.into()))), expected);
    }
}

#[test]
fn what_the_receiver_says_is_kept_and_not_at_any_length() {
    let long = "x".repeat(10_000);
    for (message, said) in [("50%25 full", "50% full"), (&*long, "xxx")] {
        let Outcome::Never(failure) = judge(reply(200, &[KIND, ("grpc-status", "3"), ("grpc-message", message)], b""))
        else {
            panic!()
        };
        assert!(failure.text.starts_with(&format!("was answered INVALID_ARGUMENT: {said}")), "{}", failure.text);
        assert!(failure.text.len() < 250);
    }
}
