//! The vocabulary of inference servers: a method of `METRICS`, and the timers, per token.

use std::time::Duration;

use tach::Registry;
use tach::serve::{
    BatchType, Clock, Identity, Measurement, MetricClient, Metrics, Objectives, Profile, Profiles, RequestTimer, Stamp,
    StepTimer,
};

use crate::contender::{Contender, nanos, repeat};

/// Sequences in a batch.
const BATCH: usize = 64;

/// Without a registry, and with one and the profile of the default.
fn metrics(attach: bool) -> &'static Metrics {
    let metrics: &'static Metrics = Box::leak(Box::new(Metrics::new()));
    if attach {
        let profiles = Profiles::new(&[Profile::MaxServe], &Identity::default()).unwrap();
        let registry: &'static Registry = Box::leak(Box::new(Registry::new()));
        metrics.attach(registry, &profiles, Objectives::default(), Clock::new()).expect("nothing is registered before");
    }
    metrics
}

pub(crate) fn contenders() -> Vec<Contender> {
    let (on, off) = (metrics(true), metrics(false));
    vec![
        Contender::new("METRICS.output_tokens", move |work| repeat(work, on, |metrics| metrics.output_tokens(1)))
            .reference(),
        Contender::new("METRICS.output_tokens, not attached", move |work| {
            repeat(work, off, |metrics| metrics.output_tokens(1))
        }),
        Contender::new("METRICS.itl", move |work| {
            nanos(work, on, |metrics, value| metrics.itl(Duration::from_nanos(value)))
        }),
        Contender::new("METRICS.batch_size, by enum", move |work| {
            nanos(work, on, |metrics, value| metrics.batch_size(value & 63, BatchType::Decode))
        }),
        Contender::new("METRICS.request_count, by strings", move |work| {
            repeat(work, on, |metrics| metrics.request_count(200, "/v1/chat/completions"))
        }),
        Contender::new("MetricClient::send, two enums", move |work| {
            let attributes = [("media_kind", "image"), ("source", "url")];
            let measurement = Measurement { name: "maxserve.media.items", value: 1.0, attributes: &attributes };
            repeat(work, &MetricClient::new(on), |client| client.send(&measurement))
        })
        .note("name and labels found at run time"),
        Contender::new("MetricClient::send, two strings", move |work| {
            let attributes = [("code", "200"), ("path", "/v1/chat/completions")];
            let measurement = Measurement { name: "maxserve.request_count", value: 1.0, attributes: &attributes };
            repeat(work, &MetricClient::new(on), |client| client.send(&measurement))
        }),
        Contender::new("RequestTimer::tokens_at", move |work| {
            let mut request = RequestTimer::arrived(on);
            let mut now = 0;
            nanos(work, &(), move |(), value| {
                now += value;
                request.tokens_at(1, Stamp::from_nanos(now));
            })
        })
        .note("counter and inter-token latency"),
        Contender::new("RequestTimer::tokens", move |work| {
            let mut request = RequestTimer::arrived(on);
            repeat(work, &(), move |()| request.tokens(1))
        })
        .note("the same, and reads the clock"),
        Contender::new("Clock::now", move |work| {
            let clock = Clock::new();
            repeat(work, &clock, |clock| clock.now())
        }),
        Contender::new("Step::token, batch of 64", move |work| {
            let mut steps = StepTimer::new(on);
            let mut batch: Vec<_> = (0..BATCH).map(|_| RequestTimer::arrived(on)).collect();
            repeat(work, &(), move |()| {
                let mut step = steps.step();
                batch.iter_mut().for_each(|request| step.token(request));
            })
        })
        .units(BATCH)
        .note("per token; reads the clock once per step"),
    ]
}
