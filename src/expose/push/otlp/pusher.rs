//! What the thread does, and when: one request under way at most, and the newest values in it.

use super::super::client::first;
use super::builder::Plan;
use super::retry::{Backoff, Failure, Outcome};
use super::stats::Stats;
use super::transport::{exchange, pack};
use crate::collect::Snapshot;
use crate::expose::otlp::Encoder;
use crate::registry::Registry;
use hyper::body::Bytes;
use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, timeout_at};

/// A push that somebody waits for.
pub(super) struct Flush {
    pub(super) until: Instant,
    pub(super) answer: mpsc::SyncSender<Result<(), String>>,
}

/// When the exporter has to end.
#[derive(Clone, Copy)]
pub(super) struct Stop {
    /// The end of an attempt under way, so that there is time left for the last push.
    running: Instant,
    last: Instant,
}

impl Stop {
    /// Within this time from now, half of which is for an attempt under way, and a little for the thread's end.
    pub(super) fn within(time: Duration) -> Self {
        let now = Instant::now();
        Self { running: now + time / 2, last: now + time - (time / 20).min(Duration::from_millis(100)) }
    }
}

pub(super) struct Pusher {
    registry: Registry,
    plan: Plan,
    encoder: Encoder,
    stats: Arc<Stats>,
    stopping: watch::Receiver<Option<Stop>>,
    /// Whether all that is still to come is the last push.
    is_last: bool,
    backoff: Backoff,
    /// What is to be sent later.
    pending: Option<Pending>,
    /// Until when nothing is sent unless asked for: the pause after the last attempt, where that is worth another one.
    resting: Option<Instant>,
    /// Until when the receiver wants to be left alone.
    closed: Option<Instant>,
}

/// What is sent, once or several times.
struct Request {
    body: Bytes,
    /// Whether it has deltas that the receiver may have taken, as an attempt got no answer of its own. It is then sent
    /// again as it was until there is an answer: what it has must not be in another one too.
    in_doubt: bool,
}

struct Pending {
    /// One that the receiver did not take for now, or of which nobody knows; `None`: one with the values of then, which was
    /// due in the pause.
    request: Option<Request>,
    /// When it is to be sent.
    at: Instant,
}

impl Pending {
    fn is_in_doubt(&self) -> bool {
        self.request.as_ref().is_some_and(|request| request.in_doubt)
    }
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
        stopping: watch::Receiver<Option<Stop>>,
    ) -> Self {
        let backoff = plan.backoff.clone();
        Self {
            registry,
            plan,
            encoder,
            stats,
            stopping,
            is_last: false,
            backoff,
            pending: None,
            resting: None,
            closed: None,
        }
    }

    /// Pushes at the interval and when asked; when stopped, once more.
    pub(super) async fn run(mut self, mut flushes: UnboundedReceiver<Flush>) -> Result<(), String> {
        let mut due = Instant::now() + self.plan.interval;
        loop {
            let at = self.pending.as_ref().map_or(due, |pending| pending.at.min(due));
            match timeout_at(at.into(), flushes.recv()).await {
                Err(_) => {
                    let now = Instant::now();
                    if now >= due {
                        due = next(due, now, self.plan.interval);
                        self.push_due().await;
                    } else if let Some(pending) = self.pending.take()
                        && let Some(request) = pending.request.or_else(|| self.collect())
                    {
                        self.attempt_and_keep(request).await;
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
        let until = self.stopping.borrow().map_or_else(Instant::now, |stop| stop.last);
        self.is_last = true;
        let pushed = if self.plan.shutdown.is_zero() { Ok(()) } else { self.push(until).await };
        if self.pending.is_some() {
            self.stats.dropped();
        }
        pushed
    }

    /// What is due at the interval: the values of now, once there is none in doubt. A pause is kept: a receiver that is
    /// overloaded gains nothing by newer values.
    async fn push_due(&mut self) {
        if let Some(end) = self.resting.filter(|end| *end > Instant::now()) {
            self.put_off(end);
            return;
        }
        if let Some(request) = self.in_doubt() {
            self.attempt_and_keep(request).await;
            if self.pending.is_some() {
                self.stats.dropped();
                return;
            }
        }
        if let Some(request) = self.collect() {
            self.attempt_and_keep(request).await;
        }
    }

    /// Puts a push off until then. One that waits already, it replaces, unless that one is in doubt.
    fn put_off(&mut self, at: Instant) {
        if self.pending.is_some() {
            self.stats.dropped();
        }
        let in_doubt = self.pending.take_if(|pending| pending.is_in_doubt());
        self.pending = in_doubt.or(Some(Pending { request: None, at }));
    }

    /// One attempt, which is repeated when its time has come.
    async fn attempt_and_keep(&mut self, mut request: Request) {
        match self.attempt(&mut request, None).await {
            Ended::Taken => {}
            Ended::Never(_) => self.stats.dropped(),
            Ended::Later(at, _) => self.pending = Some(Pending { request: Some(request), at }),
        }
    }

    /// Pushes the values of now, once there is none in doubt, with as many attempts as there is time for.
    async fn push(&mut self, until: Instant) -> Result<(), String> {
        if let Some(request) = self.in_doubt() {
            let delivered = self.deliver(request, until).await;
            // That it is refused is an answer too.
            if self.pending.is_some() {
                self.stats.dropped();
                return delivered;
            }
        }
        let begun = Instant::now();
        let there_was = readable(until.saturating_duration_since(begun));
        if begun >= until {
            let text = "was not made, as there was no time left: what was under way before took it";
            self.give_up("collection", text.to_owned());
            return Err(text.to_owned());
        }
        let Some(request) = self.collect() else { return Err("could not be made".to_owned()) };
        if Instant::now() >= until {
            let took = readable(begun.elapsed());
            let text =
                format!("was not sent, as collecting its values took {took:?}, and there was {there_was:?} for all");
            self.give_up("collection", text.clone());
            return Err(text);
        }
        self.deliver(request, until).await
    }

    /// Sends a request with as many attempts as there is time for. One that is in doubt after them is kept.
    async fn deliver(&mut self, mut request: Request, until: Instant) -> Result<(), String> {
        let now = Instant::now();
        let mut at = self.closed.unwrap_or(now).max(now);
        // An attempt that is cut off by the end would only blur what the one before it met.
        let least = until.saturating_duration_since(now) / 10;
        let mut last = if at > now {
            "was put off, as the receiver wants to be left alone for longer than there is time".to_owned()
        } else {
            "was put off, as there was no time left".to_owned()
        };
        while at + least <= until {
            if at > Instant::now() {
                sleep_until(at.into()).await;
            }
            if Instant::now() >= until {
                break;
            }
            match self.attempt(&mut request, Some(until)).await {
                Ended::Taken => return Ok(()),
                Ended::Never(text) => {
                    self.stats.dropped();
                    return Err(text);
                }
                Ended::Later(again, text) => (at, last) = (again, text),
            }
        }
        if request.in_doubt {
            // Whoever asked did not wait for the pause to end; what is kept does.
            let at = self.resting.map_or(at, |end| end.max(at));
            self.pending = Some(Pending { request: Some(request), at });
        } else {
            self.stats.dropped();
        }
        Err(last)
    }

    /// Takes the request of which nobody knows, if there is one.
    fn in_doubt(&mut self) -> Option<Request> {
        self.pending.take_if(|pending| pending.is_in_doubt())?.request
    }

    /// A request with the values of now, in place of one that waits; `None` where there is none to send.
    fn collect(&mut self) -> Option<Request> {
        if self.pending.take().is_some() {
            self.stats.dropped();
        }
        let view = self.plan.view.as_ref();
        let snapshot = || -> Snapshot {
            let snapshot = self.registry.snapshot();
            view.map_or_else(|| snapshot.clone(), |view| view.0(&snapshot))
        };
        let encoder = &mut self.encoder;
        let collected = self.stats.collecting(|| {
            let snapshot = catch_unwind(AssertUnwindSafe(snapshot)).ok()?;
            Some(encoder.encode(&snapshot))
        });
        let Some(body) = collected else {
            self.give_up("view", "the view panicked".to_owned());
            return None;
        };
        if body.len() > self.plan.request_max {
            let (bytes, most) = (body.len(), self.plan.request_max);
            self.give_up("size", format!("has {bytes} bytes, more than {most}"));
            return None;
        }
        Some(Request { body: pack(&self.plan, body), in_doubt: false })
    }

    fn give_up(&self, reason: &'static str, text: String) {
        self.stats.failed(Failure { reason: Cow::Borrowed(reason), text });
        self.stats.dropped();
    }

    /// Sends a request once, until `until` at most, if that is told.
    async fn attempt(&mut self, request: &mut Request, until: Option<Instant>) -> Ended {
        let begun = Instant::now();
        let left = until.map_or(self.plan.timeout, |until| until.saturating_duration_since(begun));
        // Of some length, as the end may have come since it was looked at.
        let timeout = self.plan.timeout.min(left).max(Duration::from_millis(1));
        let end = async {
            if self.is_last {
                sleep(timeout).await;
            } else if first(sleep(timeout), stopped(self.stopping.clone())).await.is_err() {
                return readable(begun.elapsed());
            }
            if timeout < self.plan.timeout { readable(timeout) } else { timeout }
        };
        match exchange(&self.plan, request.body.clone(), timeout, end).await {
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
            Outcome::Later { failure, after, may_be_taken } => {
                request.in_doubt |= may_be_taken && self.encoder.has_deltas();
                let text = failure.text.clone();
                self.stats.failed(failure);
                let pause = self.backoff.pause(random());
                let now = Instant::now();
                self.closed = after.map(|after| now + after);
                // A time that is over already is no reason to come back without a pause.
                let at = self.closed.map_or(now + pause, |closed| closed.max(now + pause));
                self.resting = Some(at);
                Ended::Later(at, text)
            }
        }
    }

    fn taken(&mut self, rejected: u64) {
        self.encoder.accepted();
        self.backoff.reset();
        (self.resting, self.closed) = (None, None);
        self.stats.taken(rejected);
    }
}

/// The first time after `now` of those that are whole intervals after `due`.
fn next(due: Instant, now: Instant, interval: Duration) -> Instant {
    let late = now.saturating_duration_since(due).as_nanos();
    let missed = late / interval.as_nanos().max(1);
    let next = u32::try_from(missed + 1).ok().and_then(|n| due.checked_add(interval.checked_mul(n)?));
    next.unwrap_or(now + interval)
}

/// Waits until an attempt under way has to end, as the exporter has to.
async fn stopped(mut stopping: watch::Receiver<Option<Stop>>) {
    // An error is the end of what would stop it, which does so first.
    let stop = stopping.wait_for(Option::is_some).await.ok().and_then(|stop| *stop);
    sleep_until(stop.map_or_else(Instant::now, |stop| stop.running).into()).await;
}

/// A time as somebody would write it who measured it: in whole milliseconds, above zero, of two digits that count.
fn readable(time: Duration) -> Duration {
    let millis = u64::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u64::MAX).max(1);
    let digit = 10_u64.pow(millis.ilog10().saturating_sub(1));
    Duration::from_millis(millis.saturating_add(digit / 2) / digit * digit)
}

/// A number from 0 to 1.
fn random() -> f64 {
    RandomState::new().hash_one(0_u8) as f64 / u64::MAX as f64
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
    fn times_are_told_as_they_are_written() {
        for (nanos, text) in [
            (0, "1ms"),
            (999_999_800, "1s"),
            (996_400_000, "1s"),
            (994_000_000, "990ms"),
            (7_300_000, "8ms"),
            (1_449_000_000, "1.4s"),
            (12_500_000_000, "13s"),
        ] {
            assert_eq!(format!("{:?}", readable(Duration::from_nanos(nanos))), text);
        }
    }

    #[test]
    fn random_numbers_are_spread() {
        let numbers: Vec<f64> = (0..200).map(|_| random()).collect();
        assert!(numbers.iter().all(|number| (0.0..=1.0).contains(number)));
        assert!(numbers.iter().any(|number| *number < 0.3) && numbers.iter().any(|number| *number > 0.7));
    }
}
