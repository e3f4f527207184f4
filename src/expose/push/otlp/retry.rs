//! What an answer means: taken, worth another try, or lost; and when that try is due.

use super::super::client::{Fault, Reply, excerpt};
use super::response::{Verdict, rejection, status_message};
use hyper::header::{HeaderMap, RETRY_AFTER};
use std::borrow::Cow;
use std::time::{Duration, SystemTime};

/// What became of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Taken(Verdict),
    /// Taken, but what the receiver had to say cannot be read.
    TakenUnread(String),
    /// Worth another try: not before `after`, where the receiver says so.
    Later {
        failure: Failure,
        after: Option<Duration>,
        /// Whether it may be taken already.
        may_be_taken: bool,
    },
    Never(Failure),
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// In a word, or as the status.
    pub(super) reason: Cow<'static, str>,
    /// At length.
    pub(super) text: String,
}

/// Judges an answer of HTTP by OTLP's rules: another try is for 429, 502, 503 and 504, and where there was none.
pub(super) fn judge(result: Result<Reply, Fault>, now: SystemTime) -> Outcome {
    let reply = match result {
        Ok(reply) => reply,
        Err(fault) => return lost(fault),
    };
    let status = reply.status;
    if (200..300).contains(&status) {
        return match reply.body.map(|body| rejection(&body)) {
            // Kept until there is something else to say, so not at any length.
            Ok(Some(verdict)) => Outcome::Taken(Verdict { message: excerpt(verdict.message.as_bytes()), ..verdict }),
            Ok(None) => Outcome::TakenUnread("the response is no ExportMetricsServiceResponse".to_owned()),
            Err(problem) => Outcome::TakenUnread(format!("was answered {status}, but {problem}")),
        };
    }
    let text = match reply.body {
        Ok(body) => {
            let said = status_message(&body).map_or_else(|| excerpt(&body), |said| excerpt(said.as_bytes()));
            format!("was answered {status}: {said}")
        }
        Err(problem) => format!("was answered {status}, but {problem}"),
    };
    let failure = Failure { reason: Cow::Owned(status.to_string()), text };
    match status {
        // Of the two a gateway says that it does not know what became of the request behind it.
        429 | 502..=504 => {
            let after = retry_after(&reply.headers, now);
            Outcome::Later { failure, after, may_be_taken: matches!(status, 502 | 504) }
        }
        _ => Outcome::Never(failure),
    }
}

/// No answer is always worth another try.
pub(super) fn lost(fault: Fault) -> Outcome {
    let (reason, text, may_be_taken) = match fault {
        Fault::Connection(text) => ("connection", text, false),
        Fault::Response(text) => ("connection", text, true),
        Fault::Timeout(timeout) => ("timeout", format!("had no answer within {timeout:?}"), true),
    };
    Outcome::Later { failure: Failure { reason: Cow::Borrowed(reason), text }, after: None, may_be_taken }
}

/// Longer than a receiver is down on purpose; a value beyond is a mistake, or a clock that is wrong.
pub(super) const LONGEST_AFTER: Duration = Duration::from_secs(60 * 60);

/// `Retry-After`, in seconds or as a date, an hour at most.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds).min(LONGEST_AFTER));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default().min(LONGEST_AFTER))
}

/// Pauses that double, each with a random part, so that many clients do not come back at once.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        let longest = longest.max(first);
        Self { first, longest, next: first }
    }

    /// Begins anew.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }

    /// The next pause: half to one and a half of its time, for `random` from 0 to 1, and never more than the longest.
    pub(super) fn pause(&mut self, random: f64) -> Duration {
        let pause = self.next.mul_f64(0.5 + random).min(self.longest);
        self.next = self.next.saturating_mul(2).min(self.longest);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::body::Bytes;
    use std::time::UNIX_EPOCH;

    fn reply(status: u16, retry_after: &str, body: &'static [u8]) -> Result<Reply, Fault> {
        let mut headers = HeaderMap::new();
        if !retry_after.is_empty() {
            headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
        }
        Ok(Reply { status, headers, body: Ok(Bytes::from_static(body)) })
    }

    /// 1994-11-06 08:49:07.
    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(784_111_747)
    }

    #[test]
    fn four_statuses_and_no_answer_are_worth_another_try() {
        for status in 100..=599 {
            let outcome = judge(reply(status, "", b""), now());
            let expected = match status {
                200..=299 => "taken",
                429 | 502 | 503 | 504 => "later",
                _ => "never",
            };
            let found = match &outcome {
                Outcome::Taken(_) => "taken",
                Outcome::Later { failure, after: None, may_be_taken } if failure.reason == status.to_string() => {
                    assert_eq!(*may_be_taken, [502, 504].contains(&status), "{status}");
                    "later"
                }
                Outcome::Never(failure) if failure.reason == status.to_string() => "never",
                other => panic!("{other:?}"),
            };
            assert_eq!(found, expected, "{status}");
        }
        for (fault, reason, in_doubt) in [
            (Fault::Connection("refused".to_owned()), "connection", false),
            (Fault::Response("ended".to_owned()), "connection", true),
            (Fault::Timeout(Duration::from_secs(1)), "timeout", true),
        ] {
            let outcome = judge(Err(fault), now());
            let Outcome::Later { failure, after: None, may_be_taken } = outcome else { panic!("{outcome:?}") };
            assert_eq!((&*failure.reason, may_be_taken), (reason, in_doubt));
        }
    }

    #[test]
    fn what_the_receiver_says_is_kept() {
        let verdict = Verdict { rejected: 5, message: "old".to_owned() };
        assert_eq!(judge(reply(200, "", b"\x0a\x07\x08\x05\x12\x03old"), now()), Outcome::Taken(verdict));
        assert!(matches!(judge(reply(200, "", b"<html>"), now()), Outcome::TakenUnread(_)));
        let broken = Reply { status: 202, headers: HeaderMap::new(), body: Err("it broke off".to_owned()) };
        assert_eq!(judge(Ok(broken), now()), Outcome::TakenUnread("was answered 202, but it broke off".to_owned()));
        let long = [&b"\x12\x90\x4e"[..], &[b'x'; 10_000]].concat();
        let Outcome::Never(failure) = judge(reply(400, "", long.leak()), now()) else { panic!() };
        assert!(failure.text.contains("400: xxx") && failure.text.len() < 250, "{}", failure.text);
        for (body, said) in [(&b"\x12\x04full"[..], "full"), (b"no\nroute", "no route")] {
            let Outcome::Never(failure) = judge(reply(400, "", body), now()) else { panic!() };
            assert_eq!(failure.text, format!("was answered 400: {said}"));
        }
    }

    #[test]
    fn a_time_to_wait_is_seconds_or_a_date() {
        for (text, after) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(30)),
            ("Sun Nov  6 08:49:37 1994", Some(30)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("3600", Some(3600)),
            ("3601", Some(3600)),
            ("18446744073709551615", Some(3600)),
            ("Sat, 06 Nov 2094 08:49:37 GMT", Some(3600)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            let Outcome::Later { after: found, .. } = judge(reply(503, text, b""), now()) else { panic!("{text}") };
            assert_eq!(found, after.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let seconds = Duration::from_secs_f64;
        let mut backoff = Backoff::new(seconds(1.0), seconds(5.0));
        let pauses: Vec<_> = [0.5, 0.0, 1.0, 0.5, 1.0].into_iter().map(|random| backoff.pause(random)).collect();
        assert_eq!(pauses, [1.0, 1.0, 5.0, 5.0, 5.0].map(seconds));
        backoff.reset();
        assert_eq!(backoff.pause(0.25), seconds(0.75));
    }
}
