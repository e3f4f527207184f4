//! What the environment can say.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tach::serve::{Identity, Objectives, Profile, Settings};
use tach::{ErrorKind, HistogramBuckets, Level, Recording};

fn read(vars: &[(&str, &str)]) -> Settings {
    Settings::from_vars(vars.iter().copied()).unwrap()
}

fn refuse(vars: &[(&str, &str)]) -> String {
    let error = Settings::from_vars(vars.iter().copied()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setting);
    error.to_string()
}

#[test]
fn without_variables_the_defaults_hold() {
    let settings = read(&[]);
    assert_eq!(settings, Settings::default());
    assert_eq!((settings.recording, settings.level), (Recording::Sharded, Level::Detailed));
    assert_eq!((settings.host.to_string(), settings.port, settings.disabled), ("127.0.0.1".to_owned(), 8001, false));
    assert_eq!((settings.otlp_endpoint, settings.memory_budget), (None, None));
    assert_eq!((settings.attributes, settings.profiles), (Vec::new(), vec![Profile::MaxServe]));
    assert_eq!((settings.identity, settings.objectives), (Identity::default(), Objectives::default()));
}

#[test]
fn the_defaults_that_are_listed_are_the_defaults() {
    let listed = Settings::variables().iter().map(|variable| (variable.name, variable.default));
    let mut settings = Settings::from_vars(listed).unwrap();
    // The registry's own, which is written as none.
    assert_eq!(settings.memory_budget.take(), Some(4 << 30));
    assert_eq!(settings, Settings::default());
}

type Set = fn(&mut Settings);

/// A value of each variable that is not its default, and what it makes of the settings.
fn examples() -> Vec<(&'static str, &'static str, Set)> {
    vec![
        ("TACH_RECORDING", "sync", |s| s.recording = Recording::Sync),
        ("TACH_LEVEL", "Basic", |s| s.level = Level::Basic),
        ("TACH_METRICS_PORT", "65535", |s| s.port = 65535),
        ("TACH_METRICS_HOST", "::1", |s| s.host = "::1".parse().unwrap()),
        ("TACH_WEB_CONFIG", "/etc/web=1.yml", |s| s.web_config = Some("/etc/web=1.yml".into())),
        ("TACH_OPENMETRICS_2", "On", |s| s.openmetrics_2 = true),
        ("TACH_HISTOGRAM_BUCKETS", "Native", |s| s.histogram_buckets = HistogramBuckets::NativeOnly),
        ("TACH_TARGET_INFO", "1", |s| s.target_info = true),
        ("TACH_DISABLE_TELEMETRY", "Yes", |s| s.disabled = true),
        ("TACH_OTLP_ENDPOINT", "https://collector:4318/v1/metrics", |s| {
            s.otlp_endpoint = Some("https://collector:4318/v1/metrics".to_owned());
        }),
        ("TACH_PROFILE", "vllm, SGLang,genai,maxserve-gone,maxserve", |s| {
            s.profiles = vec![Profile::Vllm, Profile::Sglang, Profile::GenAi, Profile::MaxServeGone, Profile::MaxServe];
        }),
        ("TACH_MODEL_NAME", "HuggingFaceTB/SmolLM2", |s| s.identity.model = "HuggingFaceTB/SmolLM2".to_owned()),
        ("TACH_ENGINE", "3", |s| s.identity.engine = "3".to_owned()),
        ("TACH_EXTRA_ATTRIBUTES", "zone = eu-1,rack=a=b,empty=", |s| {
            s.attributes = [("zone", "eu-1"), ("rack", "a=b"), ("empty", "")].map(|(k, v)| (k.into(), v.into())).into();
        }),
        ("TACH_OBJECTIVES", "TTFT=500ms, tpot=1.5ms,e2e=1m 30s", |s| {
            s.objectives.ttft = Some(Duration::from_millis(500));
            s.objectives.tpot = Some(Duration::from_micros(1500));
            s.objectives.e2e = Some(Duration::from_secs(90));
        }),
        ("TACH_WINDOWS", "10s,1m, 1m 30s", |s| s.windows = [10, 60, 90].map(Duration::from_secs).into()),
        ("TACH_WINDOW_SUMMARIES", "y", |s| s.window_summaries = true),
        ("TACH_MEMORY_BUDGET", "1048576", |s| s.memory_budget = Some(1 << 20)),
    ]
}

#[test]
fn each_variable_sets_its_field_under_either_name() {
    let names: Vec<_> = Settings::variables().iter().map(|variable| variable.name).collect();
    assert_eq!(examples().iter().map(|(name, ..)| *name).collect::<Vec<_>>(), names);
    for ((name, value, set), variable) in examples().into_iter().zip(Settings::variables()) {
        let mut expected = Settings::default();
        set(&mut expected);
        assert_ne!(expected, Settings::default(), "{name}");
        assert_eq!(read(&[(name, value)]), expected, "{name}");
        assert_eq!(read(&[(name, &format!("  {value} "))]), expected, "{name}");
        if let Some(other) = variable.other {
            assert_eq!(read(&[(other, value)]), expected, "{other}");
            // tach's own counts, and the other is not even read.
            assert_eq!(read(&[(other, "\u{0}"), (name, value)]), expected, "{name}");
            assert_eq!(read(&[(other, value), (name, "")]), expected, "{other}");
        }
    }
    let others: Vec<_> = Settings::variables().iter().filter_map(|variable| variable.other).collect();
    let names = [
        "MAX_SERVE_METRIC_RECORDING_METHOD",
        "MAX_SERVE_METRIC_LEVEL",
        "MAX_SERVE_METRICS_ENDPOINT_PORT",
        "MAX_SERVE_HOST",
        "MAX_SERVE_DISABLE_TELEMETRY",
        "MAX_SERVE_OTLP_METRICS_ENDPOINT",
    ];
    assert_eq!(others, names);
}

#[test]
fn an_empty_value_is_none_and_strangers_are_ignored() {
    for variable in Settings::variables() {
        for empty in ["", "  "] {
            assert_eq!(read(&[(variable.name, empty)]), Settings::default(), "{}", variable.name);
        }
    }
    assert_eq!(read(&[("TACH_NOTHING", "1"), ("PATH", "x"), ("tach_level", "none")]), Settings::default());
}

#[test]
fn every_word_that_is_allowed_is_read() {
    for (word, recording) in [
        ("NOOP", Recording::Noop),
        ("SYNC", Recording::Sync),
        ("SHARDED", Recording::Sharded),
        ("ASYNCIO", Recording::Sharded),
        ("PROCESS", Recording::Process),
    ] {
        assert_eq!(read(&[("TACH_RECORDING", word)]).recording, recording);
        assert_eq!(read(&[("TACH_RECORDING", &word.to_lowercase())]).recording, recording);
    }
    for (word, level) in [("NONE", Level::None), ("BASIC", Level::Basic), ("DETAILED", Level::Detailed)] {
        assert_eq!(read(&[("TACH_LEVEL", word)]).level, level);
    }
    for (word, buckets) in [
        ("both", HistogramBuckets::Both),
        ("native", HistogramBuckets::NativeOnly),
        ("classic", HistogramBuckets::ClassicOnly),
    ] {
        assert_eq!(read(&[("TACH_HISTOGRAM_BUCKETS", word)]).histogram_buckets, buckets);
        assert_eq!(read(&[("TACH_HISTOGRAM_BUCKETS", &word.to_uppercase())]).histogram_buckets, buckets);
    }
    for (words, disabled) in [("1 true t yes y on TRUE On", true), ("0 false f no n off FALSE Off", false)] {
        for word in words.split(' ') {
            assert_eq!(read(&[("TACH_DISABLE_TELEMETRY", word)]).disabled, disabled, "{word}");
        }
    }
    assert_eq!(read(&[("TACH_METRICS_HOST", "localhost")]).host.to_string(), "127.0.0.1");
    assert_eq!(read(&[("TACH_METRICS_HOST", "0.0.0.0")]).host.to_string(), "0.0.0.0");
    assert_eq!(read(&[("TACH_METRICS_PORT", "0")]).port, 0);
}

#[test]
fn what_cannot_be_read_is_refused_with_name_value_and_remedy() {
    for (name, value, problem) in [
        ("TACH_RECORDING", "QUEUE", "which is no recording method"),
        ("TACH_LEVEL", "ALL", "which is no level"),
        ("TACH_METRICS_PORT", "80o1", "which is no port"),
        ("TACH_METRICS_PORT", "65536", "which is no port"),
        ("TACH_METRICS_PORT", "-1", "which is no port"),
        ("TACH_METRICS_HOST", "metrics.example", "which is no IP address"),
        ("TACH_METRICS_HOST", "127.0.0.1:80", "which is no IP address"),
        ("TACH_DISABLE_TELEMETRY", "2", "which is neither yes nor no"),
        ("TACH_HISTOGRAM_BUCKETS", "exponential", "which is no sort of buckets"),
        ("TACH_WINDOW_SUMMARIES", "summary", "which is neither yes nor no"),
        ("TACH_OTLP_ENDPOINT", "http://a b", "which is no URL ("),
        ("TACH_OTLP_ENDPOINT", "http://", "which is no URL ("),
        (
            "TACH_OTLP_ENDPOINT",
            "collector:4318",
            "which does not begin with http:// or https://, as http://collector:4318",
        ),
        (
            "TACH_OTLP_ENDPOINT",
            "collector:4318/v1/metrics",
            "which does not begin with http:// or https://, as http://c",
        ),
        ("TACH_OTLP_ENDPOINT", "grpc://collector:4317", "which does not begin with http:// or https://"),
        ("TACH_OTLP_ENDPOINT", "/v1/metrics", "which does not begin with http:// or https://"),
        ("TACH_OTLP_ENDPOINT", "http://:4318/", "which names no host"),
        ("TACH_EXTRA_ATTRIBUTES", "zone", "where \"zone\" has no \"=\""),
        ("TACH_EXTRA_ATTRIBUTES", "zone=a,", "where \"\" has no \"=\""),
        ("TACH_EXTRA_ATTRIBUTES", "a-b=c", "where attributes: label \"a-b\" is not a legal name"),
        ("TACH_EXTRA_ATTRIBUTES", "le=1", "where attributes: label \"le\" is reserved"),
        ("TACH_EXTRA_ATTRIBUTES", "a=1,b=2,a=1", "where \"a\" is given twice"),
        ("TACH_EXTRA_ATTRIBUTES", "path=/", "where \"path\" is a label of maxserve.request_count"),
        ("TACH_EXTRA_ATTRIBUTES", "zone=a,max_lora=4", "where \"max_lora\" is a label of maxserve.lora_requests_info"),
        ("TACH_EXTRA_ATTRIBUTES", "block_size=16", "where \"block_size\" is a label of maxserve.cache_config_info"),
        ("TACH_PROFILE", "maxserve,triton", "where \"triton\" is no profile"),
        ("TACH_PROFILE", "vllm,,", "where \"\" is no profile"),
        ("TACH_OBJECTIVES", "ttft", "where \"ttft\" has no \"=\""),
        ("TACH_OBJECTIVES", "itl=5ms", "where \"itl\" is no objective"),
        ("TACH_OBJECTIVES", "ttft=500", "where \"500\" is no time ("),
        ("TACH_OBJECTIVES", "ttft=", "where \"\" is no time ("),
        ("TACH_OBJECTIVES", "ttft=-5ms", "where \"-5ms\" is no time ("),
        ("TACH_OBJECTIVES", "ttft=0s", "where ttft is zero, which no request keeps"),
        ("TACH_OBJECTIVES", "ttft=1s,ttft=2s", "where ttft is given twice"),
        ("TACH_WINDOWS", "10", "where \"10\" is no time ("),
        ("TACH_WINDOWS", "10s,", "where \"\" is no time ("),
        ("TACH_WINDOWS", "999ms", "where 999ms is below a second"),
        ("TACH_WINDOWS", "1m,60s", "where 60s is given twice"),
        ("TACH_MEMORY_BUDGET", "1GiB", "which is no number of bytes"),
        ("TACH_MEMORY_BUDGET", "0", "which is no number of bytes"),
    ] {
        let variable = Settings::variables().iter().find(|variable| variable.name == name).unwrap();
        for name in [Some(name), variable.other].into_iter().flatten() {
            let error = refuse(&[(name, value)]);
            assert!(error.starts_with(&format!("{name} is {value:?}, {problem}")), "{error}");
            assert!(error.ends_with(&format!("; allowed: {}", variable.allowed)), "{error}");
        }
    }
}

#[test]
fn an_attribute_must_not_be_a_label_of_a_chosen_profile() {
    for (profile, label, problem) in [
        ("vllm", "engine", "\"engine\" is a label of vllm:num_requests_running (profile vllm)"),
        ("maxserve,vllm", "handler", "\"handler\" is a label of http_requests (profile vllm)"),
        ("sglang", "model_name", "\"model_name\" is a label of sglang:num_running_reqs (profile sglang)"),
        ("genai", "error_type", "\"error_type\" is a label of gen_ai.server.request.duration (profile genai)"),
    ] {
        let attributes = format!("zone=a,{label}=x");
        let error = refuse(&[("TACH_EXTRA_ATTRIBUTES", &attributes), ("TACH_PROFILE", profile)]);
        assert!(error.starts_with(&format!("TACH_EXTRA_ATTRIBUTES is {attributes:?}, where {problem}")), "{error}");
        let expected = [("zone", "a"), (label, "x")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read(&[("TACH_EXTRA_ATTRIBUTES", &attributes)]).attributes, expected);
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let error = refuse(&[("MAX_SERVE_HOST", "here"), ("TACH_LEVEL", "all"), ("TACH_METRICS_PORT", "x")]);
    let lines: Vec<_> = error.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(lines, ["TACH_LEVEL", "TACH_METRICS_PORT", "MAX_SERVE_HOST"]);
}

#[test]
fn where_telemetry_is_off_nothing_else_can_be_wrong() {
    let wrong = [
        ("TACH_METRICS_PORT", "abc"),
        ("TACH_OTLP_ENDPOINT", "collector:4318"),
        ("TACH_EXTRA_ATTRIBUTES", "path=/"),
        ("TACH_PROFILE", "triton"),
        ("TACH_WEB_CONFIG", "/nowhere/web.yml"),
        ("TACH_WINDOWS", "1"),
    ];
    for off in ["TACH_DISABLE_TELEMETRY", "MAX_SERVE_DISABLE_TELEMETRY"] {
        let vars = |word| wrong.into_iter().chain([(off, word)]).collect::<Vec<_>>();
        let settings = read(&vars("1"));
        assert!(settings.disabled);
        let _turn = crate::turn();
        assert_eq!(tach::serve::start(&settings).unwrap().local_addr(), None);
        // But on is on, and what is neither is told with the rest.
        assert_eq!(refuse(&vars("0")).lines().count(), 5);
        assert_eq!(refuse(&vars("2")).lines().count(), 6);
    }
}

#[cfg(unix)]
fn not_utf8() -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(b"gr\xfcn".to_vec())
}

#[cfg(unix)]
#[test]
fn what_is_not_utf8_is_refused_by_name() {
    let error = Settings::from_vars([("TACH_MODEL_NAME", not_utf8())]).unwrap_err().to_string();
    assert!(error.starts_with("TACH_MODEL_NAME is \"gr\\xFCn\", which is not UTF-8; allowed:"), "{error}");
    // In a variable of somebody else's it is nobody's business here.
    assert_eq!(Settings::from_vars([("OTHER", not_utf8())]).unwrap(), Settings::default());
}

/// Runs itself with an environment, as that of this process must not be changed while other tests run.
#[cfg(unix)]
#[test]
fn the_environment_is_read() {
    const CHILD: &str = "TACH_SETTINGS_TEST";
    if std::env::var_os(CHILD).is_some() {
        println!("{:?}", Settings::from_env().map_err(|error| error.to_string()));
        return;
    }
    let child = || {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "settings::the_environment_is_read", "--nocapture"]).env_clear().env(CHILD, "1");
        child
    };
    let output = |child: &mut Command| String::from_utf8(child.output().unwrap().stdout).unwrap();
    let mut expected = Settings::default();
    (expected.port, expected.level) = (9000, Level::None);
    let vars = [("TACH_LEVEL", "none"), ("MAX_SERVE_METRICS_ENDPOINT_PORT", "9000")];
    let printed = output(child().envs(vars));
    assert!(printed.contains(&format!("Ok({expected:?})")), "{printed}");
    let printed = output(child().env("TACH_ENGINE", not_utf8()).env("UNRELATED", not_utf8()));
    assert!(printed.contains("Err(\"TACH_ENGINE is"), "{printed}");
}

#[test]
fn the_page_lists_every_variable() {
    let mut table =
        String::from("| variable | the same in MAX serve | default | allowed | meaning |\n|---|---|---|---|---|\n");
    for variable in Settings::variables() {
        let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
        let (name, other, default) = (code(variable.name), code(variable.other.unwrap_or("")), code(variable.default));
        writeln!(table, "| {name} | {other} | {default} | {} | {} |", variable.allowed, variable.meaning).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/SETTINGS.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("\n|").expect("a table");
    let (_, after) = rest.split_once("\n\n").expect("something below it");
    let expected = format!("{before}\n{table}\n{after}");
    if std::env::var_os("TACH_WRITE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        expected,
        "TACH_WRITE_DOCS=1 cargo test --features serve --test serve writes it"
    );
}

#[test]
fn a_password_in_an_address_is_not_repeated() {
    for endpoint in ["https://u:hunter2@h/v1/metrics", "u:hunter2@h", "http://u:hunter 2@h"] {
        let error = Settings::from_vars([("TACH_OTLP_ENDPOINT", endpoint)]).unwrap_err().to_string();
        assert!(error.contains("TACH_OTLP_ENDPOINT") && !error.contains("hunter"), "{error}");
    }
}
