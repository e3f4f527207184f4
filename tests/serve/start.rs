//! Starting and stopping.

use crate::page::scrape;
use crate::{settings, start, turn};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use tach::serve::{Clock, METRICS, Objectives, Profile, Profiles, Serving, Settings};
use tach::{ErrorKind, HistogramBuckets, Level, Recording, Registry};

fn refuse(settings: &Settings) -> tach::Error {
    let error = tach::serve::start(settings).unwrap_err();
    assert!(!METRICS.is_attached());
    error
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn what_was_started_ends_when_it_is_dropped() {
    let _turn = turn();
    METRICS.preemption();
    let serving = start();
    let address = serving.local_addr().unwrap();
    assert!(METRICS.is_attached() && address.ip().is_loopback() && !serving.is_open_to_all());
    METRICS.preemption();
    assert_eq!(scrape(&serving).value("maxserve_cache_preemption_count_total"), Some(1.0));
    drop(serving);
    assert!(!METRICS.is_attached());
    METRICS.preemption();
    assert!(TcpStream::connect(address).is_err());
    // The next one begins at zero.
    let serving = start();
    assert_eq!(scrape(&serving).value("maxserve_cache_preemption_count_total"), Some(0.0));
    assert_eq!(serving.shutdown().counter("maxserve.cache.preemption_count", &[]), Some(0));
}

#[test]
fn disabled_telemetry_and_noop_open_no_port_and_record_nothing() {
    let _turn = turn();
    for disabled in [true, false] {
        let mut settings = settings();
        settings.port = free_port();
        if disabled {
            settings.disabled = true;
            // Nothing of this is looked at then.
            settings.recording = Recording::Process;
        } else {
            settings.recording = Recording::Noop;
        }
        let serving = tach::serve::start(&settings).unwrap();
        assert_eq!(serving.local_addr(), None);
        assert!(!METRICS.is_attached());
        assert!(TcpStream::connect(SocketAddr::new(settings.host, settings.port)).is_err());
        // A server's own metrics can be made all the same.
        serving.registry().counter("own").build().unwrap().inc();
        serving.set_level(Level::Detailed);
        assert_eq!(serving.snapshot().counter("own", &[]), None);
        assert_eq!(tach::serve::start(&settings).unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(serving.shutdown().counter("maxserve.num_input_tokens", &[]), None);
    }
}

#[test]
fn what_this_build_cannot_do_is_refused() {
    let _turn = turn();
    let mut push = settings();
    push.otlp_endpoint = Some("ftp://localhost:4318".to_owned());
    let remedy = if cfg!(feature = "otlp") { "begin with http://" } else { "build it with the feature otlp" };
    let error = refuse(&push);
    assert_eq!(error.kind(), ErrorKind::Setting);
    let text = error.to_string();
    let parts = ["TACH_OTLP_ENDPOINT", "MAX_SERVE_OTLP_METRICS_ENDPOINT", "\"ftp://localhost:4318\"", remedy];
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    drop(start());
}

#[cfg(not(feature = "tls"))]
#[test]
fn a_web_configuration_takes_a_build_with_tls() {
    let _turn = turn();
    let mut settings = settings();
    settings.web_config = Some("web.yml".into());
    let text = refuse(&settings).to_string();
    for part in ["TACH_WEB_CONFIG is web.yml", "build it with the feature tls"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn target_info_is_served_where_the_settings_say_so() {
    let _turn = turn();
    for told in [false, true] {
        let mut settings = settings();
        settings.target_info = told;
        let serving = tach::serve::start(&settings).unwrap();
        let mut client = crate::client::Client::connect_to(serving.local_addr().unwrap());
        let response = client.request("GET", "/metrics", "Accept: application/openmetrics-text\r\n");
        assert_eq!(response.text().starts_with("# TYPE target info\n"), told);
        assert_eq!(response.text().matches("\ntarget_info{service_name=\"").count(), usize::from(told));
        let name = serving.registry().gauge("target").build();
        assert_eq!(name.is_err(), told, "the name is the page's");
    }
}

#[test]
fn histograms_have_the_buckets_that_the_settings_choose() {
    let _turn = turn();
    for (buckets, native, classic) in [
        (HistogramBuckets::Both, true, true),
        (HistogramBuckets::NativeOnly, true, false),
        (HistogramBuckets::ClassicOnly, false, true),
    ] {
        let mut settings = settings();
        (settings.openmetrics_2, settings.histogram_buckets) = (true, buckets);
        let serving = tach::serve::start(&settings).unwrap();
        METRICS.itl(Duration::from_millis(20));
        let mut client = crate::client::Client::connect_to(serving.local_addr().unwrap());
        let response = client.request("GET", "/metrics", "Accept: application/openmetrics-text;version=2.0.0\r\n");
        let text = response.text();
        let line = text.lines().find(|line| line.starts_with("maxserve_itl_milliseconds {")).unwrap();
        assert_eq!((line.contains(",schema:"), line.contains(",bucket:[")), (native, classic), "{line}");
    }
}

#[test]
fn openmetrics_2_is_served_where_the_settings_say_so() {
    let _turn = turn();
    for told in [false, true] {
        let mut settings = settings();
        settings.openmetrics_2 = told;
        let serving = tach::serve::start(&settings).unwrap();
        let mut client = crate::client::Client::connect_to(serving.local_addr().unwrap());
        let accept = "Accept: application/openmetrics-text;version=2.0.0,application/openmetrics-text;q=0.5\r\n";
        let response = client.request("GET", "/metrics", accept);
        let version = if told { "2.0.0" } else { "1.0.0" };
        let media_type =
            format!("application/openmetrics-text; version={version}; charset=utf-8; escaping=underscores");
        assert_eq!(response.header("content-type"), Some(&*media_type));
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_web_configuration_guards_what_is_served() {
    let _turn = turn();
    let folder = crate::client::Directory::new("serve-web-config");
    let (file, none) = (folder.0.join("web.yml"), folder.0.join("none.yml"));
    let mut settings = settings();
    settings.host = "0.0.0.0".parse().unwrap();
    let serving = tach::serve::start(&settings).unwrap();
    assert!(serving.is_open_to_all());
    drop(serving);
    // The hash of "secret", at the least cost.
    let hash = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";
    std::fs::write(&file, format!("basic_auth_users:\n  prometheus: {hash}\n")).unwrap();
    settings.web_config = Some(file.clone());
    let serving = tach::serve::start(&settings).unwrap();
    assert!(!serving.is_open_to_all());
    let address = SocketAddr::from(([127, 0, 0, 1], serving.local_addr().unwrap().port()));
    let response = crate::client::Client::connect_to(address).request("GET", "/metrics", "");
    assert_eq!(response.status, 401);
    drop(serving);
    std::fs::write(&file, "basic_auth_user: {}\n").unwrap();
    for path in [file, none] {
        settings.web_config = Some(path.clone());
        let text = refuse(&settings).to_string();
        assert!(text.starts_with("serve: TACH_WEB_CONFIG, or Settings::web_config: exporter: web_config "), "{text}");
        assert!(text.contains(&*path.to_string_lossy()), "{text}");
    }
}

#[test]
fn attributes_that_are_no_labels_are_refused() {
    let _turn = turn();
    for (attribute, problem) in [
        ("a b", "\"a b\" is not a legal name"),
        ("path", "path=\"x\" cannot be on every series, as \"path\" is a label of maxserve.request_count"),
        ("max_lora", "maxserve.lora_requests_info: name it differently"),
        ("engine", "engine=\"x\" cannot be on every series, as \"engine\" is a label of vllm:num_requests_running"),
    ] {
        let mut settings = settings();
        settings.profiles.push(Profile::Vllm);
        settings.attributes.push((attribute.to_owned(), "x".to_owned()));
        let text = refuse(&settings).to_string();
        assert!(text.starts_with("serve: TACH_EXTRA_ATTRIBUTES, or Settings::attributes: "), "{text}");
        assert!(text.contains(problem), "{text}");
    }
    let mut settings = settings();
    settings.attributes.push(("engine".to_owned(), "x".to_owned()));
    drop(tach::serve::start(&settings).unwrap());
}

#[test]
fn a_servers_own_metric_cannot_have_a_name_of_the_profile() {
    let _turn = turn();
    let mut settings = settings();
    settings.profiles = vec![Profile::Vllm];
    let serving = tach::serve::start(&settings).unwrap();
    let error = serving.registry().gauge("http_requests_total").build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("the profile vllm"), "{error}");
    METRICS.request_count(200, "/");
    assert_eq!(scrape(&serving).0.matches("# TYPE http_requests_total ").count(), 1);
}

#[test]
fn there_is_one_at_a_time() {
    let _turn = turn();
    let serving = start();
    let error = tach::serve::start(&settings()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("started already") && error.to_string().contains("drop it"), "{error}");
    // Which is all that helps.
    METRICS.detach();
    assert!(tach::serve::start(&settings()).unwrap_err().to_string().contains("drop it"));
    drop(serving);
    let serving = start();
    // The first goes on.
    METRICS.preemption();
    assert_eq!(serving.snapshot().counter("maxserve.cache.preemption_count", &[]), Some(1));
    drop(serving);
    // Nor is a registry taken from who attached one by hand.
    let registry = Registry::new();
    let profiles = Profiles::new(&settings().profiles, &settings().identity).unwrap();
    METRICS.attach(&registry, &profiles, Objectives::default(), Clock::new()).unwrap();
    let error = tach::serve::start(&settings()).unwrap_err();
    assert!(METRICS.is_attached() && error.to_string().contains("METRICS.detach()"), "{error}");
    METRICS.detach();
    drop(start());
}

#[test]
fn a_guard_detaches_only_from_its_own_registry() {
    let _turn = turn();
    let attach = |registry: &Registry| {
        let profiles = Profiles::new(&settings().profiles, &settings().identity).unwrap();
        METRICS.attach(registry, &profiles, Objectives::default(), Clock::new()).unwrap();
    };
    let serving = start();
    let other = Registry::new();
    attach(&other);
    assert_eq!(serving.shutdown().counter("maxserve.num_input_tokens", &[]), Some(0));
    METRICS.input_tokens(7);
    assert_eq!(other.snapshot().counter("maxserve.num_input_tokens", &[]), Some(7));
    METRICS.detach();
    // Attached by hand to the guard's own, even if that serves nothing.
    for disabled in [false, true] {
        let mut settings = settings();
        settings.disabled = disabled;
        let serving = tach::serve::start(&settings).unwrap();
        attach(serving.registry());
        drop(serving);
        assert!(!METRICS.is_attached());
    }
}

#[test]
fn an_address_of_another_machine_is_blamed_on_the_host() {
    let _turn = turn();
    let mut settings = settings();
    // Kept for examples, and nobody's.
    settings.host = "192.0.2.1".parse().unwrap();
    let text = refuse(&settings).to_string();
    assert!(text.contains("TACH_METRICS_HOST") && text.contains("192.0.2.1"), "{text}");
}

#[test]
fn levels_attributes_and_own_metrics_are_those_of_the_registry() {
    let _turn = turn();
    let mut settings = settings();
    settings.level = Level::Basic;
    settings.attributes.push(("zone".to_owned(), "eu-1".to_owned()));
    settings.memory_budget = Some(64 << 20);
    let serving = tach::serve::start(&settings).unwrap();
    serving.registry().counter("own").build().unwrap().add(3);
    METRICS.input_tokens(5);
    METRICS.preemption();
    let page = scrape(&serving);
    assert_eq!(page.value("own_total{zone=\"eu-1\"}"), Some(3.0));
    assert_eq!(page.value("maxserve_num_input_tokens_total{zone=\"eu-1\"}"), Some(5.0));
    assert_eq!(page.sum("maxserve_cache_preemption_count_total"), 0.0);
    assert!(page.values("maxserve_cache_preemption_count_total").is_empty());
    serving.set_level(Level::Detailed);
    METRICS.preemption();
    assert_eq!(scrape(&serving).value("maxserve_cache_preemption_count_total{zone=\"eu-1\"}"), Some(1.0));
    assert_eq!(serving.snapshot().counter("own", &[]), Some(3));
}

#[test]
fn objectives_judge_requests() {
    let _turn = turn();
    let mut settings = settings();
    settings.objectives.ttft = Some(Duration::from_secs(3600));
    let serving = tach::serve::start(&settings).unwrap();
    let mut request = tach::serve::RequestTimer::arrived(&METRICS);
    request.tokens(1);
    request.finished(tach::serve::Finish::Stop);
    assert_eq!(serving.shutdown().counter("maxserve.requests_good", &[]), Some(1));
}

#[test]
fn a_guard_can_be_moved_to_another_thread() {
    fn sendable<T: Send + Sync>() {}
    sendable::<Serving>();
    let _turn = turn();
    let serving = start();
    std::thread::spawn(move || drop(serving)).join().unwrap();
    assert!(!METRICS.is_attached());
}
