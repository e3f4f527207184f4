//! What a server pushes by OTLP.

use crate::otlp_reader::read;
use crate::page::scrape;
use crate::receiver::{Answer, Receiver};
use crate::{settings, turn};
use tach::serve::{METRICS, Profile};

#[test]
fn the_last_push_has_what_a_scrape_shows_under_otlps_names() {
    let _turn = turn();
    let receiver = Receiver::start([]);
    let mut settings = settings();
    settings.otlp_endpoint = Some(receiver.endpoint());
    settings.profiles = vec![Profile::MaxServe, Profile::Vllm, Profile::GenAi];
    settings.identity.model = "smollm2".to_owned();
    settings.attributes = vec![("zone".to_owned(), "eu-1".to_owned())];
    let serving = tach::serve::start(&settings).unwrap();
    METRICS.input_tokens(5);
    METRICS.ttft(std::time::Duration::from_millis(250));
    assert_eq!(scrape(&serving).value("tach_otlp_exports_total{zone=\"eu-1\"}"), Some(0.0));
    drop(serving);
    let [request] = &*receiver.received() else { panic!() };
    let request = read(&request.body).unwrap();
    let tokens = request.metric("maxserve.num_input_tokens");
    assert_eq!((tokens.point().int, tokens.data().temporality), (Some(5), 2));
    assert_eq!(tokens.point().attributes["zone"], "eu-1");
    // The views are there, with their units.
    let ttft = request.metric("gen_ai.server.time_to_first_token");
    assert_eq!((&*ttft.unit, ttft.point().count, ttft.point().sum), ("s", 1, Some(0.25)));
    let vllm = request.metric("vllm:prompt_tokens");
    assert_eq!((vllm.point().int, &*vllm.point().attributes["model_name"]), (Some(5), "smollm2"));
}

#[test]
fn a_receiver_that_is_not_there_keeps_no_server_from_working() {
    let _turn = turn();
    let receiver = Receiver::start([Answer::status(400)]);
    let mut settings = settings();
    settings.otlp_endpoint = Some(receiver.endpoint());
    let serving = tach::serve::start(&settings).unwrap();
    METRICS.input_tokens(5);
    let last = serving.shutdown();
    assert_eq!(last.counter("maxserve.num_input_tokens", &[]), Some(5));
    assert_eq!(last.counter("tach_otlp_failures", &[("reason", "400")]), Some(1));
}

#[test]
fn disabled_telemetry_pushes_nothing() {
    let _turn = turn();
    let receiver = Receiver::start([]);
    let mut settings = settings();
    settings.otlp_endpoint = Some(receiver.endpoint());
    settings.disabled = true;
    tach::serve::start(&settings).unwrap().shutdown();
    assert_eq!(receiver.received().len(), 0);
}
