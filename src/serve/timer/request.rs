//! The life of one request.

use super::{Stamp, Step};
use crate::serve::catalogue::{ByFinish, ByTurn, Finish, Turn};
use crate::serve::metrics::{Live, Metrics};
use crate::{Histogram, SpanContext, UpDownCounter};

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It waits for a place in a batch.
    Waiting,
    /// It waits for something else, and could not use a place.
    Deferred,
    /// It has a place in a batch.
    Scheduled,
}

/// The level that counts the requests in a place.
fn level(live: &Live, place: Place) -> &UpDownCounter {
    match place {
        Place::Waiting => &live.more.reqs_waiting,
        Place::Deferred => &live.more.reqs_deferred,
        Place::Scheduled => &live.more.reqs_scheduled,
    }
}

/// Follows one request from its arrival to its end, and records what follows from it.
///
/// A plain value without a thread or an allocation of its own: it may live in an async task, move between threads, and
/// be dropped at any time, which counts as [`Finish::Abort`]. Every method reads the clock; those that end in `_at` take
/// the caller's reading instead, of [`Clock::new`](super::Clock::new) or as [`Step::now`] gives it: dropping reads the
/// clock, so a timer that is given stamps of another clock has to be ended by [`finished_at`](Self::finished_at). What is
/// not told is not recorded: without [`scheduled`](Self::scheduled) there is no queue time. A timer is for one sequence.
///
/// ```
/// use tach::serve::{Finish, METRICS, RequestTimer, Turn};
///
/// let mut request = RequestTimer::arrived(&METRICS);
/// request.input(512, Turn::First); // tokenized
/// request.admitted(); // handed to the scheduler
/// request.scheduled(); // has a place in a batch
/// request.tokens(1); // the first: time to first token
/// request.tokens(1); // inter-token latency
/// request.finished(Finish::Stop);
/// ```
///
/// | recorded | from | to |
/// |---|---|---|
/// | `input_processing_time` | arrival | [`input`](Self::input) |
/// | `request_queue_time` | arrival | first [`scheduled`](Self::scheduled) |
/// | `time_to_first_token` | arrival | first [`tokens`](Self::tokens) |
/// | `itl` | output event | the next one, once per event: the gap |
/// | `itl_per_token` | output event | the next one, divided by its tokens, once per token |
/// | `time_per_output_token` | first token | last token, divided by the tokens after the first: the request's mean |
/// | `request_prefill_time` | first `scheduled` | first token |
/// | `request_decode_time` | first token | last token |
/// | `request_inference_time` | first `scheduled` | last token |
/// | `output_processing_time` | `input` | the end |
/// | `request_latency` | arrival | the end |
#[derive(Debug)]
#[must_use = "a request that is dropped counts as aborted"]
pub struct RequestTimer {
    live: Option<&'static Live>,
    arrived: Stamp,
    input: Option<Stamp>,
    scheduled: Option<Stamp>,
    first: Option<Stamp>,
    last: Stamp,
    tokens: u64,
    /// What follows belongs to this span.
    span: Option<SpanContext>,
    /// It has had its first token, and no span: what a token has to ask.
    is_usual: bool,
    place: Place,
    awaits_admission: bool,
}

impl RequestTimer {
    /// A request has arrived.
    pub fn arrived(metrics: &Metrics) -> Self {
        let live = metrics.live();
        Self::begin(live, live.map_or(Stamp::from_nanos(0), |live| live.clock.now()))
    }

    /// A request arrived at `now`.
    pub fn arrived_at(metrics: &Metrics, now: Stamp) -> Self {
        Self::begin(metrics.live(), now)
    }

    fn begin(live: Option<&'static Live>, now: Stamp) -> Self {
        if let Some(live) = live {
            live.requests.reqs_running.inc();
            live.requests.reqs_awaiting_admission.inc();
            live.more.reqs_waiting.inc();
        }
        Self {
            live,
            arrived: now,
            input: None,
            scheduled: None,
            first: None,
            last: now,
            tokens: 0,
            span: None,
            is_usual: false,
            place: Place::Waiting,
            awaits_admission: true,
        }
    }

    /// It is part of a trace: what follows of `time_to_first_token`, `itl`, `time_per_output_token`, `request_latency` and
    /// `requests_finished` may become the exemplar of its bucket. A span that is not sampled is as none.
    ///
    /// [`SpanContext::from_traceparent`] reads it from the request's headers; better still is the server's own span, if it
    /// has one. A request without a trace costs what it does without this; one with it some tens of nanoseconds a token
    /// more.
    ///
    /// ```
    /// use tach::SpanContext;
    /// use tach::serve::{Finish, METRICS, RequestTimer};
    ///
    /// let mut request = RequestTimer::arrived(&METRICS);
    /// let header = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    /// if let Some(span) = header.and_then(SpanContext::from_traceparent) {
    ///     request.trace(&span);
    /// }
    /// request.tokens(1);
    /// request.finished(Finish::Stop);
    /// ```
    pub fn trace(&mut self, span: &SpanContext) {
        self.span = Some(*span).filter(SpanContext::is_sampled);
        self.is_usual = self.first.is_some() && self.span.is_none();
    }

    /// Records a value, which may become an exemplar.
    fn record(&self, histogram: &Histogram, value: u64) {
        match &self.span {
            Some(span) => histogram.record_with_exemplar(value, span),
            None => histogram.record(value),
        }
    }

    /// Its input is tokenized, and has so many tokens.
    pub fn input(&mut self, tokens: u64, turn: Turn) {
        if let Some(live) = self.live {
            self.input_at(tokens, turn, live.clock.now());
        }
    }

    /// As [`input`](Self::input), at `now`.
    pub fn input_at(&mut self, tokens: u64, turn: Turn, now: Stamp) {
        let Some(live) = self.live else { return };
        live.requests.input_tokens.add(tokens);
        live.requests.input_tokens_per_request.with(ByTurn { turn }).record(tokens);
        live.requests.input_time.record(now.since(self.arrived));
        self.input = Some(now);
    }

    /// It is handed to the scheduler.
    pub fn admitted(&mut self) {
        if let Some(live) = self.live
            && std::mem::take(&mut self.awaits_admission)
        {
            live.requests.reqs_awaiting_admission.dec();
        }
    }

    /// It has a place in a batch. The first time, its queue time is over.
    pub fn scheduled(&mut self) {
        if let Some(live) = self.live {
            self.scheduled_at(live.clock.now());
        }
    }

    /// As [`scheduled`](Self::scheduled), at `now`.
    pub fn scheduled_at(&mut self, now: Stamp) {
        let Some(live) = self.live else { return };
        self.admitted();
        self.move_to(live, Place::Scheduled);
        if self.scheduled.is_none() {
            self.scheduled = Some(now);
            live.more.request_queue_time.record(now.since(self.arrived));
        }
    }

    /// It waits for something other than room in a batch: a transfer of its cache, an adapter, a grammar. Until it is
    /// [`scheduled`](Self::scheduled), or [`ready`](Self::ready) to be.
    pub fn deferred(&mut self) {
        if let Some(live) = self.live {
            self.move_to(live, Place::Deferred);
        }
    }

    /// What it was [`deferred`](Self::deferred) for is there.
    pub fn ready(&mut self) {
        if let Some(live) = self.live
            && self.place == Place::Deferred
        {
            self.move_to(live, Place::Waiting);
        }
    }

    /// It has lost its place in a batch, and waits until it is [`scheduled`](Self::scheduled) again.
    pub fn preempted(&mut self) {
        let Some(live) = self.live else { return };
        live.cache.preemption.inc();
        self.move_to(live, Place::Waiting);
    }

    /// Puts it elsewhere.
    fn move_to(&mut self, live: &Live, place: Place) {
        let before = std::mem::replace(&mut self.place, place);
        if before != place {
            level(live, before).dec();
            level(live, place).inc();
        }
    }

    /// An output event brought `n` tokens. None is no event.
    #[inline]
    pub fn tokens(&mut self, n: u64) {
        if let Some(live) = self.live {
            self.tokens_at(n, live.clock.now());
        }
    }

    /// As [`tokens`](Self::tokens), at `now`.
    #[inline]
    pub fn tokens_at(&mut self, n: u64, now: Stamp) {
        let Some(live) = self.live else { return };
        if let Some(gap) = self.advance(live, n, now) {
            live.requests.itl.record(gap);
            live.needed.itl_per_token.record_n(per_token(gap, n), n);
        }
        live.requests.output_tokens.add(n);
    }

    /// Notes the event. Gives the gap to the one before, to be recorded; none for the first, and where it is recorded
    /// already.
    #[inline]
    pub(super) fn advance(&mut self, live: &Live, n: u64, now: Stamp) -> Option<u64> {
        if n == 0 {
            return None;
        }
        self.tokens = self.tokens.saturating_add(n);
        let before = std::mem::replace(&mut self.last, now);
        if self.is_usual {
            return Some(now.since(before));
        }
        self.advance_unusual(live, n, before, now);
        None
    }

    /// The first event, or one of a request with a span.
    #[cold]
    fn advance_unusual(&mut self, live: &Live, n: u64, before: Stamp, now: Stamp) {
        if self.first.is_none() {
            return self.begin_output(live, now);
        }
        let gap = now.since(before);
        self.record(&live.requests.itl, gap);
        live.needed.itl_per_token.record_n(per_token(gap, n), n);
    }

    fn begin_output(&mut self, live: &Live, now: Stamp) {
        self.first = Some(now);
        self.is_usual = self.span.is_none();
        // It cannot have a token without, told or not.
        self.admitted();
        self.move_to(live, Place::Scheduled);
        self.record(&live.requests.ttft, now.since(self.arrived));
        if let Some(scheduled) = self.scheduled {
            live.more.request_prefill_time.record(now.since(scheduled));
        }
    }

    pub(super) fn live(&self) -> Option<&'static Live> {
        self.live
    }

    /// The tokens that it has got so far.
    #[must_use]
    pub fn output_tokens(&self) -> u64 {
        self.tokens
    }

    /// It is over.
    pub fn finished(self, reason: Finish) {
        if let Some(live) = self.live {
            self.finished_at(reason, live.clock.now());
        }
    }

    /// As [`finished`](Self::finished), at `now`.
    pub fn finished_at(mut self, reason: Finish, now: Stamp) {
        self.end(reason, now);
    }

    fn end(&mut self, reason: Finish, now: Stamp) {
        let Some(live) = self.live.take() else { return };
        if std::mem::take(&mut self.awaits_admission) {
            live.requests.reqs_awaiting_admission.dec();
        }
        level(live, self.place).dec();
        live.requests.reqs_running.dec();
        let by = ByFinish { finished_reason: reason };
        let finished = live.more.requests_finished.with(by);
        match &self.span {
            Some(span) => finished.inc_with_exemplar(span),
            None => finished.inc(),
        }
        let latency = now.since(self.arrived);
        self.record(live.more.request_latency.with(by), latency);
        if let Some(input) = self.input {
            live.requests.output_time.record(now.since(input));
        }
        // The last token, or the end where there was none.
        let (mut ttft, mut tpot, mut e2e) = (None, 0, latency);
        if let Some(first) = self.first {
            let decode = self.last.since(first);
            (ttft, tpot) = (Some(first.since(self.arrived)), per_token(decode, self.tokens - 1));
            e2e = self.last.since(self.arrived);
            live.requests.output_tokens_per_request.record(self.tokens);
            live.more.max_num_generation_tokens.record(self.tokens);
            live.more.request_decode_time.record(decode);
            if let Some(scheduled) = self.scheduled {
                live.more.request_inference_time.record(self.last.since(scheduled));
            }
            if self.tokens > 1 {
                self.record(&live.requests.time_per_output_token, tpot);
            }
        }
        if matches!(reason, Finish::Stop | Finish::Length) {
            live.objectives.judge(live, ttft, tpot, e2e);
        }
    }
}

/// A gap by `n` tokens, to the nearest nanosecond; zero by none.
#[inline]
pub(super) fn per_token(gap: u64, n: u64) -> u64 {
    match n {
        0 => 0,
        1 => gap,
        n => gap.saturating_add(n / 2) / n,
    }
}

impl Drop for RequestTimer {
    fn drop(&mut self) {
        if let Some(live) = self.live {
            self.end(Finish::Abort, live.clock.now());
        }
    }
}

impl Step<'_> {
    /// The request got one token in this step.
    #[inline]
    pub fn token(&mut self, request: &mut RequestTimer) {
        self.tokens(request, 1);
    }
}
