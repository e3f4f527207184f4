//! A scrape and pushes of one server under another one's names, whose snapshots overtake each other: what threads do, by
//! hand.

use crate::otlp_reader::{Request, read};
use std::collections::BTreeMap;
use tach::otlp::{Encoder, Resource, Temporality};
use tach::serve::{Clock, Finish, Identity, Metrics, Objectives, Profile, Profiles, RequestTimer, Turn};
use tach::{Level, Registry, Snapshot, openmetrics};

/// A metric's name, and its attributes.
type Key = (String, BTreeMap<String, String>);

/// What a receiver knows of totals: the amount, or how many values, and the start.
type Totals = BTreeMap<Key, (f64, u64)>;

struct Server {
    registry: Registry,
    metrics: Metrics,
    profiles: Profiles,
}

impl Server {
    fn new(profile: Profile) -> Self {
        let profiles = Profiles::new(&[profile], &Identity::default()).unwrap();
        let (registry, metrics) = (Registry::builder().level(Level::Detailed).build().unwrap(), Metrics::new());
        metrics.attach(&registry, &profiles, Objectives::default(), Clock::manual().0).unwrap();
        Self { registry, metrics, profiles }
    }

    /// One more of each, for a reason and a status of the API that the round is the first to have.
    fn record(&self, round: u16) {
        let finish = [Finish::Stop, Finish::Length, Finish::Abort, Finish::Error][usize::from(round % 4)];
        let mut request = RequestTimer::arrived(&self.metrics);
        request.input(10, Turn::First);
        request.finished(finish);
        // Into a series that there is, of its class and path; and one of its own.
        self.metrics.request_count(200 + round, "/v1/completions");
        self.metrics.request_count(200, &format!("/v1/{round}"));
        self.metrics.output_tokens(1000);
    }
}

/// A receiver of pushes, each of which it takes.
struct Receiver {
    encoder: Encoder,
    totals: Totals,
}

impl Receiver {
    fn new(temporality: Temporality) -> Self {
        let encoder = Encoder::new(Resource::new()).temporality(temporality);
        Self { encoder, totals: Totals::new() }
    }

    fn push(&mut self, shown: &Snapshot) {
        let request = read(&self.encoder.encode(shown)).unwrap();
        self.encoder.accepted();
        for (key, temporality, (amount, start)) in points(&request) {
            let total = self.totals.entry(key.clone()).or_insert((0.0, start));
            if temporality == 1 {
                *total = (total.0 + amount, start);
                continue;
            }
            assert_eq!(total.1, start, "{key:?} began anew");
            *total = (amount, start);
        }
    }
}

/// The points of all totals of the server.
fn points(request: &Request) -> Vec<(Key, u64, (f64, u64))> {
    let metrics = request.metrics.iter().filter(|metric| !metric.name.starts_with("tach"));
    let totals = metrics.filter(|metric| metric.data().monotonic || metric.data().kind == "exponential");
    let points = totals.flat_map(|metric| metric.data().points.iter().map(move |point| (metric, point)));
    let of = points.map(|(metric, point)| {
        let number = point.int.map(|int| int as f64).or(point.double);
        let key = (metric.name.clone(), point.attributes.clone());
        (key, metric.data().temporality, (number.unwrap_or(point.count as f64), point.start))
    });
    of.collect()
}

/// When each series began, by a scrape.
fn created(shown: &Snapshot) -> BTreeMap<String, String> {
    let page = openmetrics::render_with(shown, openmetrics::Options::new().created(true));
    let lines = page.lines().filter(|line| line.contains("_created") && !line.starts_with("tach"));
    lines.map(|line| line.rsplit_once(' ').unwrap()).map(|(series, time)| (series.into(), time.into())).collect()
}

#[test]
fn a_scrape_between_pushes_doubles_no_total() {
    let server = Server::new(Profile::Vllm);
    let mut receivers = [Temporality::Delta, Temporality::Cumulative].map(Receiver::new);
    let mut began = BTreeMap::new();
    let mut scrape = |shown: &Snapshot| {
        for (series, time) in created(shown) {
            assert_eq!(*began.entry(series.clone()).or_insert(time.clone()), time, "{series}");
        }
    };
    for round in 0..12 {
        let older = server.registry.snapshot();
        server.record(round);
        let newer = server.registry.snapshot();
        // The scrape's is the later one, and is viewed first; every other time one more thread has the older one.
        scrape(&server.profiles.apply(&newer));
        receivers.iter_mut().for_each(|receiver| receiver.push(&server.profiles.apply(&older)));
        if round % 2 == 0 {
            scrape(&server.profiles.apply(&older));
        }
    }
    let last = server.profiles.apply(&server.registry.snapshot());
    receivers.iter_mut().for_each(|receiver| receiver.push(&last));
    let [delta, cumulative] = receivers.map(|receiver| receiver.totals);
    let amounts = |totals: &Totals| totals.iter().map(|(key, total)| (key.clone(), total.0)).collect::<Vec<_>>();
    assert_eq!(amounts(&delta), amounts(&cumulative));
    let of =
        |name: &str| delta.iter().filter(|((own, _), _)| own == name).map(|(_, total)| total.0).collect::<Vec<_>>();
    assert_eq!((of("vllm:generation_tokens"), of("vllm:prompt_tokens")), (vec![12_000.0], vec![120.0]));
    assert_eq!(of("vllm:request_success"), [3.0; 4]);
    let requests = of("http_requests");
    assert_eq!((requests.len(), requests.iter().sum::<f64>(), requests.contains(&12.0)), (13, 24.0, true));
    assert!(began.keys().any(|series| series.starts_with("http_requests_created")), "{began:?}");
}

#[test]
fn what_is_switched_off_under_another_name_goes_on_where_it_was() {
    let server = Server::new(Profile::Sglang);
    let mut receivers = [Temporality::Delta, Temporality::Cumulative].map(Receiver::new);
    let mut push = || {
        let shown = server.profiles.apply(&server.registry.snapshot());
        receivers.iter_mut().for_each(|receiver| receiver.push(&shown));
    };
    server.metrics.output_tokens(1000);
    server.metrics.cache_misses(7);
    push();
    for level in [Level::Basic, Level::Detailed, Level::Basic, Level::Detailed] {
        server.registry.set_level(level);
        push();
        server.metrics.output_tokens(1);
        server.metrics.cache_misses(1);
    }
    push();
    for receiver in receivers {
        let tokens = receiver.totals.iter().filter(|((name, _), _)| name == "sglang:realtime_tokens");
        let tokens: Vec<_> = tokens.map(|((_, labels), total)| (&*labels["mode"], total.0)).collect();
        assert_eq!(tokens, [("decode", 1004.0), ("prefill_cache", 0.0), ("prefill_compute", 9.0)]);
    }
}
