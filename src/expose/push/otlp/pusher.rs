//! What the thread does, and when: one request under way at most, and the newest values in it.

use super::super::client::{Fault, Message, send};
use super::builder::{Compression, Plan};
use super::retry::{Backoff, Failure, Outcome, judge};
use super::stats::Stats;
use crate::collect::Snapshot;
use crate::expose::otlp::Encoder;
use crate::registry::Registry;
use flate2::write::GzEncoder;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{CONTENT_ENCODING, HeaderValue};
use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout_at};

/// A push that somebody waits for.
pub(super) struct Flush {
    pub(super) until: Instant,
    pub(super) answer: mpsc::SyncSender<Result<(), String>>,
}

pub(super) struct Pusher {
    registry: Registry,
    plan: Plan,
    encoder: Encoder,
    stats: Arc<Stats>,
    stopping: watch::Receiver<Option<Instant>>,
    backoff: Backoff,
    /// The request that the receiver did not take for now.
    pending: Option<Pending>,
    /// Until when the receiver wants to be left alone.
    closed: Option<Instant>,
}

struct Pending {
    body: Bytes,
    /// When it is to be sent again.
    at: Instant,
}

/// How an attempt ended.
enum Ended {
    Taken,
    /// Another is due then.
    Later(Instant, String),
    Never(String),
}

impl Pusher {
    pub(super) fn new(
        registry: Registry,
        plan: Plan,
        encoder: Encoder,
        stats: Arc<Stats>,
        stopping: watch::Receiver<Option<Instant>>,
    ) -> Self {
        let backoff = plan.backoff.clone();
        Self { registry, plan, encoder, stats, stopping, backoff, pending: None, closed: None }
    }

    /// Pushes at the interval and when asked; when stopped, once more.
    pub(super) async fn run(mut self, mut flushes: UnboundedReceiver<Flush>) -> Result<(), String> {
        let mut due = Instant::now() + self.plan.interval;
        loop {
            let at = self.pending.as_ref().map_or(due, |pending| pending.at.min(due));
            let at = self.closed.map_or(at, |closed| at.max(closed));
            match timeout_at(at.into(), flushes.recv()).await {
                Err(_) => {
                    let now = Instant::now();
                    let body = if now < due {
                        self.pending.take().map(|pending| pending.body)
                    } else {
                        due = next(due, now, self.plan.interval);
                        self.collect()
                    };
                    if let Some(body) = body {
                        self.attempt_and_keep(body).await;
                    }
                }
                Ok(Some(flush)) => {
                    let pushed = self.push(flush.until).await;
                    // Nobody receives when the caller is gone.
                    let _ = flush.answer.send(pushed);
                }
                Ok(None) => break,
            }
        }
        let until = self.stopping.borrow().unwrap_or_else(Instant::now);
        if self.plan.shutdown.is_zero() { Ok(()) } else { self.push(until).await }
    }

    /// One attempt, which is repeated when its time has come.
    async fn attempt_and_keep(&mut self, body: Bytes) {
        let until = Instant::now() + self.plan.timeout;
        match self.attempt(body.clone(), until).await {
            Ended::Taken => {}
            Ended::Never(_) => self.stats.dropped(),
            Ended::Later(at, _) => self.pending = Some(Pending { body, at }),
        }
    }

    /// Pushes the values of now, with as many attempts as there is time for.
    async fn push(&mut self, until: Instant) -> Result<(), String> {
        let Some(body) = self.collect() else { return Err("could not be made".to_owned()) };
        // It has what the other one had.
        let now = Instant::now();
        let mut at = self.closed.unwrap_or(now).max(now);
        // An attempt that is cut off by the end would only blur what the one before it met.
        let least = until.saturating_duration_since(now) / 10;
        let put_off = "was put off, as there was no time left or the receiver wants to be left alone for longer";
        let mut last = put_off.to_owned();
        while at + least <= until {
            sleep_until(at.into()).await;
            match self.attempt(body.clone(), until).await {
                Ended::Taken => return Ok(()),
                Ended::Never(text) => {
                    self.stats.dropped();
                    return Err(text);
                }
                Ended::Later(again, text) => (at, last) = (again, text),
            }
        }
        self.stats.dropped();
        Err(last)
    }

    /// A request with the values of now, in place of one that waits; `None` where there is none to send.
    fn collect(&mut self) -> Option<Bytes> {
        if self.pending.take().is_some() {
            self.stats.dropped();
        }
        let view = self.plan.view.as_ref();
        let snapshot = || -> Snapshot {
            let snapshot = self.registry.snapshot();
            view.map_or_else(|| snapshot.clone(), |view| view.0(&snapshot))
        };
        let Ok(snapshot) = catch_unwind(AssertUnwindSafe(snapshot)) else {
            self.give_up("view", "the view panicked".to_owned());
            return None;
        };
        let body = self.encoder.encode(&snapshot);
        if body.len() > self.plan.request_max {
            let (bytes, most) = (body.len(), self.plan.request_max);
            self.give_up("size", format!("has {bytes} bytes, more than {most}"));
            return None;
        }
        Some(Bytes::from(match self.plan.compression {
            Compression::None => body,
            Compression::Gzip => gzip(&body),
        }))
    }

    fn give_up(&self, reason: &'static str, text: String) {
        self.stats.failed(Failure { reason: Cow::Borrowed(reason), text });
        self.stats.dropped();
    }

    /// Sends a request once, until `until` at most.
    async fn attempt(&mut self, body: Bytes, until: Instant) -> Ended {
        let mut headers = self.plan.headers.clone();
        if self.plan.compression == Compression::Gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let message = Message { method: Method::POST, headers, body };
        let timeout = self.plan.timeout.min(until.saturating_duration_since(Instant::now()));
        let sent = send(&self.plan.target, message, self.plan.response_max, timeout);
        let stopped = stopped(self.stopping.clone());
        let result = first(sent, stopped).await.unwrap_or(Err(Fault::Timeout(timeout)));
        match judge(result, SystemTime::now()) {
            Outcome::Taken(verdict) => {
                self.taken(verdict.rejected);
                if verdict.rejected > 0 || !verdict.message.is_empty() {
                    let (rejected, message) = (verdict.rejected, verdict.message);
                    self.stats.say(format!("was taken without {rejected} points: {message}"));
                }
                Ended::Taken
            }
            Outcome::TakenUnread(text) => {
                self.taken(0);
                self.stats.failed(Failure { reason: Cow::Borrowed("response"), text });
                Ended::Taken
            }
            Outcome::Never(failure) => {
                let text = failure.text.clone();
                self.stats.failed(failure);
                Ended::Never(text)
            }
            Outcome::Later { failure, after } => {
                let text = failure.text.clone();
                self.stats.failed(failure);
                let pause = self.backoff.pause(random());
                let now = Instant::now();
                self.closed = after.map(|after| now.checked_add(after).unwrap_or(now + FOREVER));
                Ended::Later(self.closed.unwrap_or(now + pause), text)
            }
        }
    }

    fn taken(&mut self, rejected: u64) {
        self.encoder.accepted();
        self.backoff.reset();
        self.closed = None;
        self.stats.taken(rejected);
    }
}

/// Longer than any receiver means.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The first time after `now` of those that are whole intervals after `due`.
fn next(due: Instant, now: Instant, interval: Duration) -> Instant {
    let late = now.saturating_duration_since(due).as_nanos();
    let missed = late / interval.as_nanos().max(1);
    let next = u32::try_from(missed + 1).ok().and_then(|n| due.checked_add(interval.checked_mul(n)?));
    next.unwrap_or(now + interval)
}

/// Waits until the exporter has to have ended.
async fn stopped(mut stopping: watch::Receiver<Option<Instant>>) {
    // An error is the end of what would stop it, which does so first.
    let until = stopping.wait_for(Option::is_some).await.ok().and_then(|until| *until);
    sleep_until(until.unwrap_or_else(Instant::now).into()).await;
}

/// What `main` gives, unless `end` comes first.
async fn first<T>(main: impl Future<Output = T>, end: impl Future<Output = ()>) -> Option<T> {
    let (mut main, mut end) = (std::pin::pin!(main), std::pin::pin!(end));
    std::future::poll_fn(|context| match main.as_mut().poll(context) {
        std::task::Poll::Ready(result) => std::task::Poll::Ready(Some(result)),
        std::task::Poll::Pending => end.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// A number from 0 to 1.
fn random() -> f64 {
    RandomState::new().hash_one(0_u8) as f64 / u64::MAX as f64
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), flate2::Compression::fast());
    // Writing to a vector cannot fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushes_that_were_missed_are_left_out() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let after = |late| next(start, start + late, second) - start;
        assert_eq!(after(Duration::ZERO), second);
        assert_eq!(after(Duration::from_millis(999)), second);
        assert_eq!(after(second), 2 * second);
        assert_eq!(after(Duration::from_millis(7500)), 8 * second);
    }

    #[test]
    fn random_numbers_are_spread() {
        let numbers: Vec<f64> = (0..200).map(|_| random()).collect();
        assert!(numbers.iter().all(|number| (0.0..=1.0).contains(number)));
        assert!(numbers.iter().any(|number| *number < 0.3) && numbers.iter().any(|number| *number > 0.7));
    }
}
