//! What dashboards and load balancers ask for is there.

use crate::golden::{read, texts};
use crate::server::{MODEL, Server};
use tach::serve::Profile;

/// Panics where a panel would be empty.
fn panels_have_data(profile: Profile, file: &str) {
    let server = Server::new(&[profile]);
    let _running = server.work();
    let page = server.page();
    let mut panels = 0;
    for (dashboard, of_dashboard) in read(file).as_object().unwrap() {
        for (panel, series) in of_dashboard.as_object().unwrap() {
            panels += 1;
            // `process_...` are the process's, whatever the profile.
            for name in texts(series).iter().filter(|name| !name.starts_with("process_")) {
                let values = page.values(name, &[]);
                assert!(values.iter().any(|value| *value > 0.0), "{dashboard}: {panel}: {name} is {values:?}");
            }
        }
    }
    assert!(panels > 10);
}

#[test]
fn every_panel_for_vllm_has_data() {
    panels_have_data(Profile::Vllm, "vllm_panels");
}

#[test]
fn every_panel_for_sglang_has_data() {
    panels_have_data(Profile::Sglang, "sglang_panels");
}

#[test]
fn what_vllm_panels_select_by_label_is_there() {
    let server = Server::new(&[Profile::Vllm]);
    // The variables of its dashboards come from this, before any request.
    assert_eq!(server.page().values("vllm:num_requests_running", &[("model_name", MODEL), ("engine", "0")]), [0.0]);
    let _running = server.work();
    let page = server.page();
    let above_zero = [
        ("http_requests_total", "status", "2xx"),
        ("http_requests_total", "status", "4xx"),
        ("http_requests_total", "status", "5xx"),
        ("http_requests_total", "handler", "/v1/chat/completions"),
        ("vllm:request_success_total", "finished_reason", "stop"),
        ("vllm:request_success_total", "finished_reason", "length"),
        ("vllm:request_success_total", "finished_reason", "abort"),
        ("vllm:request_success_total", "finished_reason", "error"),
        ("vllm:num_requests_waiting_by_reason", "reason", "capacity"),
        ("vllm:num_requests_waiting_by_reason", "reason", "deferred"),
        ("vllm:prompt_tokens_by_source_total", "source", "local_compute"),
        ("vllm:prompt_tokens_by_source_total", "source", "local_cache_hit"),
        ("vllm:prompt_tokens_by_source_total", "source", "external_kv_transfer"),
        ("vllm:engine_sleep_state", "sleep_state", "awake"),
        ("vllm:cache_config_info", "block_size", "16"),
        ("vllm:cache_config_info", "num_gpu_blocks", "100"),
    ];
    for (name, label, value) in above_zero {
        assert!(page.sum(name, &[(label, value)]) > 0.0, "{name} {label}={value}");
    }
    assert_eq!(page.sum("vllm:engine_sleep_state", &[("sleep_state", "discard_all")]), 0.0);
    // Service level objectives are chosen by the bound's text.
    for le in ["0.1", "0.25", "0.5", "0.75", "1.0", "2.5", "5.0", "10.0"] {
        page.sum("vllm:time_to_first_token_seconds_bucket", &[("le", le)]);
    }
    for le in ["0.025", "0.05", "0.075", "0.1", "0.15", "0.2", "0.3", "0.5"] {
        page.sum("vllm:request_time_per_output_token_seconds_bucket", &[("le", le)]);
    }
}

/// The model server protocol of the Gateway API inference extension: requests queued and running, and the share of the
/// cache in use, as gauges that are there before the first request.
#[test]
fn a_gateway_finds_the_load() {
    let names = [
        (Profile::Vllm, ["vllm:num_requests_waiting", "vllm:num_requests_running", "vllm:kv_cache_usage_perc"]),
        (Profile::Sglang, ["sglang:num_queue_reqs", "sglang:num_running_reqs", "sglang:token_usage"]),
    ];
    for (profile, [queued, running, usage]) in names {
        let server = Server::new(&[profile]);
        let page = server.page();
        for name in [queued, running, usage] {
            assert_eq!(page.0[name].kind, "gauge");
            assert_eq!(page.values(name, &[]), [0.0], "{name} at the start");
        }
        let requests = server.work();
        let page = server.page();
        assert_eq!((page.sum(queued, &[]), page.sum(running, &[])), (2.0, 1.0));
        assert_eq!(page.sum(usage, &[]), 0.4);
        drop(requests);
        let page = server.page();
        assert_eq!((page.sum(queued, &[]), page.sum(running, &[])), (0.0, 0.0));
    }
}

#[test]
fn what_is_told_by_labels_has_one_series() {
    let server = Server::new(&[Profile::Vllm]);
    let adapters = |page: &crate::page::Page| page.0["vllm:lora_requests_info"].samples.clone();
    server.metrics.lora_requests_info(4, &["sql"], &["law", "chat"], 100.0);
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let labels =
        vec![label("max_lora", "4"), label("waiting_lora_adapters", "law,chat"), label("running_lora_adapters", "sql")];
    // The values have commas in them, which the label parser of this test takes for what they are.
    assert_eq!(adapters(&server.page()), [("vllm:lora_requests_info".to_owned(), labels.clone(), 100.0)]);
    server.metrics.lora_requests_info(4, &["sql"], &["law", "chat"], 101.0);
    assert_eq!(adapters(&server.page()), [("vllm:lora_requests_info".to_owned(), labels, 101.0)]);
    server.metrics.lora_requests_info(4, &[], &[], 102.0);
    assert_eq!(adapters(&server.page()), [("vllm:lora_requests_info".to_owned(), vec![label("max_lora", "4")], 102.0)]);
}
