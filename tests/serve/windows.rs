//! Rolling windows, as a setting.

use crate::page::scrape;
use crate::{settings, start, turn};
use std::time::Duration;
use tach::serve::{METRICS, Profile, Serving};

/// A server that has recorded twenty gaps of 20 ms.
fn started(windows: &[u64], summaries: bool) -> Serving {
    let mut settings = settings();
    settings.windows = windows.iter().copied().map(Duration::from_secs).collect();
    settings.window_summaries = summaries;
    settings.profiles = vec![Profile::MaxServe, Profile::Vllm];
    settings.identity.model = "m".to_owned();
    let serving = tach::serve::start(&settings).unwrap();
    for _ in 0..20 {
        METRICS.itl(Duration::from_millis(20));
    }
    serving
}

#[test]
fn windows_are_exposed_under_the_names_of_the_profiles() {
    let _turn = turn();
    let serving = started(&[10, 60], false);
    let page = scrape(&serving);
    for window in ["10s", "1m"] {
        let own = |name: &str| page.value(&format!("maxserve_itl_milliseconds_window_{name}{{window=\"{window}\"}}"));
        assert_eq!(own("values"), Some(20.0));
        assert!(own("rate").unwrap() > 0.0);
        for q in ["0.5", "0.9", "0.99"] {
            let own =
                page.value(&format!("maxserve_itl_window_milliseconds{{window=\"{window}\",q=\"{q}\"}}")).unwrap();
            let labels = format!("model_name=\"m\",engine=\"0\",window=\"{window}\",q=\"{q}\"");
            let other = page.value(&format!("vllm:inter_token_latency_window_seconds{{{labels}}}")).unwrap();
            assert!((20.0..=20.2).contains(&own) && (own / 1e3 - other).abs() < 1e-9, "{own} {other}");
        }
    }
    for name in ["time_to_first_token", "time_per_output_token", "request_queue_time", "request_latency"] {
        let [values, quantiles] = ["milliseconds_window_values", "window_milliseconds"]
            .map(|of| page.values(&format!("maxserve_{name}_{of}")));
        assert!(!values.is_empty() && values.iter().all(|value| *value == 0.0), "{name}");
        assert!(quantiles.len() == values.len() * 3 && quantiles.iter().all(|value| value.is_nan()), "{name}");
    }
    let p99 = |length| serving.windows().unwrap().histogram("maxserve.itl", &[], length).unwrap().quantile(0.99);
    assert!((20.0..=20.2).contains(&p99(Duration::from_secs(10))));
    // Under both names they are kept from metrics of one's own.
    for name in ["maxserve_itl_window_milliseconds", "vllm:inter_token_latency_window_seconds"] {
        let error = serving.registry().gauge(name).build().unwrap_err().to_string();
        assert!(error.contains("the windows of"), "{error}");
    }
    // What else is shown is the same, and is whatever the windows are.
    assert_eq!(page.value("maxserve_itl_milliseconds_count"), Some(20.0));
    assert_eq!(scrape(&serving).value("maxserve_itl_milliseconds_count"), Some(20.0));
}

#[test]
fn they_are_summaries_where_the_settings_say_so() {
    let _turn = turn();
    let serving = started(&[10], true);
    let page = scrape(&serving);
    for (name, labels, factor) in [
        ("maxserve_itl_window_milliseconds", "", 1.0),
        ("vllm:inter_token_latency_window_seconds", "model_name=\"m\",engine=\"0\",", 1e3),
    ] {
        let value = |suffix: &str, last: &str| {
            page.value(&format!("{name}{suffix}{{{labels}window=\"10s\"{last}}}")).unwrap() * factor
        };
        assert!(page.0.contains(&format!("# TYPE {name} summary\n")));
        assert!((20.0..=20.2).contains(&value("", ",quantile=\"0.99\"")));
        assert_eq!((value("_count", ""), value("_sum", "").round()), (20.0 * factor, 400.0));
        let error = serving.registry().counter(format!("{name}_count")).build().unwrap_err().to_string();
        assert!(error.contains("the windows of"), "{error}");
    }
    assert!(!page.0.contains(",q=\"") && !page.0.contains("{q=\""));
    let shown = serving.snapshot();
    let summary = shown.summary("maxserve.itl_window", &[("window", "10s")]).unwrap();
    assert_eq!(summary.count(), 20);
}

#[test]
fn without_the_setting_there_are_none() {
    let _turn = turn();
    let serving = start();
    METRICS.itl(Duration::from_millis(20));
    assert!(serving.windows().is_none());
    assert!(!scrape(&serving).0.contains("_window"));
}

#[test]
fn lengths_that_cannot_be_kept_are_refused_by_name() {
    let _turn = turn();
    let mut settings = settings();
    settings.windows = vec![Duration::from_millis(10)];
    let error = tach::serve::start(&settings).unwrap_err().to_string();
    assert!(error.starts_with("serve: TACH_WINDOWS: windows: 10ms"), "{error}");
    assert!(!METRICS.is_attached());
    drop(start());
}
