//! Requests with a trace leave exemplars, whatever names, units and buckets a profile shows.

use std::time::Duration;
use tach::serve::{
    BatchType, Clock, Finish, Identity, Metrics, Objectives, Profile, Profiles, RequestTimer, StepStats, StepTimer,
};
use tach::{Exemplar, Registry, Snapshot, SpanContext, openmetrics};

fn span(n: u8) -> SpanContext {
    SpanContext::new([n; 16], [n; 8]).unwrap()
}

/// Of each exemplar its value, and the number of its span.
fn found(snapshot: &Snapshot, name: &str, labels: &[(&str, &str)]) -> Vec<(f64, u8)> {
    let told = |exemplar: Exemplar| (exemplar.value, exemplar.span_id[0]);
    snapshot.histogram(name, labels).unwrap().exemplars().map(told).collect()
}

#[test]
fn a_traced_request_leads_from_every_graph_to_its_trace() {
    let registry = Registry::new();
    let metrics = Metrics::new();
    let profiles = |profile| Profiles::new(&[profile], &Identity::default()).unwrap();
    let all = Profiles::new(&[Profile::MaxServe, Profile::Vllm, Profile::Sglang], &Identity::default()).unwrap();
    let (clock, hand) = Clock::manual();
    metrics.attach(&registry, &all, Objectives::default(), clock).unwrap();
    let after = |ms| hand.advance(Duration::from_millis(ms));
    let mut steps = StepTimer::new(&metrics);
    for (n, slowness) in [(None, 1), (Some(1), 2), (Some(2), 40)] {
        let mut request = RequestTimer::arrived(&metrics);
        if let Some(n) = n {
            request.trace(&span(n));
        }
        after(7 * slowness);
        request.tokens(1);
        after(3 * slowness);
        let mut step = steps.step();
        step.token(&mut request);
        step.end(&StepStats::new(BatchType::Decode, 1));
        after(3 * slowness);
        request.tokens(1);
        request.finished(Finish::Stop);
    }
    // One that is not sampled is as none.
    let mut request = RequestTimer::arrived(&metrics);
    request.trace(&span(3).sampled(false));
    after(7);
    request.tokens(1);
    after(2000);
    request.tokens(2);
    request.finished(Finish::Stop);

    let snapshot = registry.snapshot();
    let stop = [("finished_reason", "stop")];
    assert_eq!(found(&snapshot, "maxserve.time_to_first_token", &[]), [(14.0, 1), (280.0, 2)]);
    assert_eq!(found(&snapshot, "maxserve.itl", &[]), [(6.0, 1), (120.0, 2)]);
    assert_eq!(found(&snapshot, "maxserve.time_per_output_token", &[]), [(6.0, 1), (120.0, 2)]);
    assert_eq!(found(&snapshot, "maxserve.request_latency", &stop), [(26.0, 1), (520.0, 2)]);
    let finished = snapshot.exemplar("maxserve.requests_finished", &stop).unwrap();
    assert_eq!((finished.value, snapshot.counter("maxserve.requests_finished", &stop)), (1.0, Some(4)));
    // What the tokens say is all there, whatever way it took.
    let itl = snapshot.histogram("maxserve.itl", &[]).unwrap();
    assert_eq!((itl.count(), itl.sum()), (7, 6.0 + 12.0 + 240.0 + 2000.0));
    assert_eq!(snapshot.histogram("maxserve.itl_per_token", &[]).unwrap().count(), 8);

    // In seconds, and in other buckets.
    let page = openmetrics::render(&profiles(Profile::Vllm).apply(&snapshot));
    let of_ttft = |line: &&str| line.starts_with("vllm:time_to_first_token_seconds_bucket") && line.contains(" # ");
    let told: Vec<_> = page.lines().filter(of_ttft).map(|line| line.split(" # ").nth(1).unwrap()).collect();
    assert_eq!(told.len(), 2, "{page}");
    for (told, (value, id)) in told.iter().zip([("0.014", "01"), ("0.28", "02")]) {
        let ids = format!("{{trace_id=\"{}\",span_id=\"{}\"}} {value} ", id.repeat(16), id.repeat(8));
        assert!(told.starts_with(&ids), "{told}");
    }
    assert!(page.lines().any(|line| line.starts_with("vllm:request_success_total") && line.contains(" # {trace_id")));
}
