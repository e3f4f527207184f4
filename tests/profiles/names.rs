//! What a profile exposes and what a server registers itself have no name in common.

use crate::server::{ALL, Server};
use tach::serve::{Clock, Identity, Metrics, Objectives, Profile, Profiles};
use tach::{Error, ErrorKind, Registry};

fn attach(registry: &Registry, profiles: &[Profile]) -> Result<(), Error> {
    let profiles = Profiles::new(profiles, &Identity::default()).unwrap();
    Metrics::new().attach(registry, &profiles, Objectives::default(), Clock::manual().0)
}

fn assert_conflict(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
}

#[test]
fn a_metric_with_a_profile_s_name_is_refused() {
    let server = Server::new(&[Profile::Vllm, Profile::GenAi]);
    let registry = &server.registry;
    let counter = registry.counter("http_requests").build().unwrap_err();
    assert_conflict(&counter, &["\"http_requests\"", "a name of the profile vllm", "choose another name"]);
    let gauge = registry.gauge("http_requests_total").build().unwrap_err();
    assert_conflict(&gauge, &["\"http_requests_total\"", "the profile vllm"]);
    // A sample of a histogram, and a name that is exposed with its unit.
    let sum = registry.gauge("gen_ai_client_token_usage_sum").build().unwrap_err();
    assert_conflict(&sum, &["gen_ai_client_token_usage_sum", "the profile genai"]);
    let observed = registry.observe_gauge("gen_ai.server.request.duration_seconds", "", || 0.0).unwrap_err();
    assert_conflict(&observed, &["the profile genai"]);
    // Those of profiles that were not chosen are free, and the page has each name once.
    registry.counter("sglang:num_requests").build().unwrap().inc();
    assert_eq!(server.page().values("sglang:num_requests_total", &[]), [1.0]);
}

#[test]
fn an_instrument_s_name_is_free_where_it_is_not_made() {
    let server = Server::new(&[Profile::MaxServe, Profile::Vllm]);
    let [own, other] = ["maxserve.num_input_characters", "maxserve.itl_per_token"];
    server.registry.counter(own).build().unwrap().inc();
    assert_eq!(server.page().values("maxserve_num_input_characters_total", &[]), [1.0]);
    // One that only the view of a profile needs is there, and not shown.
    let server = Server::new(&[Profile::MaxServe, Profile::Sglang]);
    assert!(server.registry.counter(other).build().is_err());
    assert!(server.page().values("maxserve_itl_per_token_milliseconds_count", &[]).is_empty());
}

#[test]
fn a_profile_whose_name_a_metric_has_is_refused() {
    let registry = Registry::new();
    let own = registry.counter("http_requests").build().unwrap();
    let error = attach(&registry, &ALL).unwrap_err();
    assert_conflict(&error, &["the profile vllm", "\"http_requests\"", "name that differently"]);
    // Nothing is reserved, so that another choice of profiles works, with further metrics.
    attach(&registry, &[Profile::MaxServe]).unwrap();
    registry.gauge("vllm:num_requests_running").build().unwrap();
    own.inc();
    assert_eq!(registry.snapshot().counter("http_requests", &[]), Some(1));
}

#[test]
fn a_registry_can_be_attached_again() {
    let registry = Registry::new();
    attach(&registry, &ALL).unwrap();
    attach(&registry, &ALL).unwrap();
    assert!(registry.counter("vllm:prompt_tokens").build().is_err());
}
