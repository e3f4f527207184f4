//! What the exporter tells of itself.

use crate::client::*;
use tach::{Exporter, Registry};

/// The value of a sample with labels, `name{…}`.
pub(crate) fn count(exporter: &Exporter, sample: &str) -> f64 {
    scrape(exporter).value(sample).unwrap_or_else(|| panic!("no {sample}"))
}

/// Waits until a value is as it should be: a connection ends a little later than its client sees.
pub(crate) fn wait_for(exporter: &Exporter, sample: &str, is_right: impl Fn(f64) -> bool) {
    for _ in 0..200 {
        if is_right(count(exporter, sample)) {
            return;
        }
        std::thread::sleep(millis(10));
    }
    panic!("{sample} is still {}", count(exporter, sample));
}

#[test]
fn requests_are_counted_by_the_status_of_their_answers() {
    let (_registry, exporter) = tokens();
    for (method, path) in [
        ("GET", "/"),
        ("HEAD", "/metrics"),
        ("GET", "/nothing"),
        ("GET", "/-/nothing"),
        ("PUT", "/"),
        ("GET", "/-/healthy"),
    ] {
        request(&exporter, method, path, "");
    }
    let page = scrape(&exporter);
    for (code, requests) in [
        ("200", 3.0),
        ("400", 0.0),
        ("401", 0.0),
        ("403", 0.0),
        ("404", 2.0),
        ("405", 1.0),
        ("413", 0.0),
        ("429", 0.0),
        ("500", 0.0),
        ("503", 0.0),
    ] {
        assert_eq!(page.value(&format!("tach_exporter_requests_total{{code=\"{code}\"}}")), Some(requests), "{code}");
    }
    let _others = [(); 3].map(|()| Client::connect(&exporter));
    wait_for(&exporter, "tach_exporter_connections", |open| open == 4.0);
}

#[test]
fn its_metrics_are_in_every_format_and_can_be_asked_for_by_name() {
    let registry = Registry::builder().const_label("zone", "a").build().unwrap();
    let exporter = builder().view(|snapshot| snapshot.since(snapshot)).start(&registry).unwrap();
    let mut client = Client::connect(&exporter);
    let query = "/metrics?name[]=tach_exporter_requests&name[]=tach_exporter_connections";
    for (accept, types) in [
        ("*/*", ["# TYPE tach_exporter_connections gauge", "# TYPE tach_exporter_requests_total counter"]),
        (
            "application/openmetrics-text",
            ["# TYPE tach_exporter_connections gauge", "# TYPE tach_exporter_requests counter"],
        ),
    ] {
        let response = client.request("GET", query, &format!("Accept: {accept}\r\n"));
        let found: Vec<_> = response.text().lines().filter(|line| line.starts_with("# TYPE ")).collect();
        assert_eq!(found, types);
        assert_eq!(response.value("tach_exporter_connections{zone=\"a\"}"), Some(1.0));
    }
    let response = client.request("GET", "/metrics", "Accept: application/openmetrics-text\r\n");
    assert_eq!(response.text().matches("# EOF\n").count(), 1);
    assert!(response.text().ends_with("\n# EOF\n"), "{}", response.text());
    // Among all others, by their names.
    let families = response.text().lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let families: Vec<&str> = families.filter_map(|line| line.split(' ').next()).collect();
    assert!(families.is_sorted() && families[0] < "tach_exporter" && families.contains(&"tach_memory_bytes"));
    let accept = format!("Accept: {}\r\n", tach::protobuf::CONTENT_TYPE);
    let response = client.request("GET", "/metrics", &accept);
    assert!(response.body.windows(25).any(|name| name == b"tach_exporter_connections"));
    // A view does not reach them.
    let requests = "tach_exporter_requests_total{zone=\"a\",code=\"200\"}";
    assert_eq!(client.request("GET", "/metrics", "").value(requests), Some(4.0));
}

#[test]
fn its_labels_are_escaped_as_asked_for_whatever_the_view_shows() {
    let registry = Registry::builder().utf8_names(true).const_label("zone.name", "a").build().unwrap();
    let (other, _exporter) = tokens();
    let exporter = builder().view(move |_| other.snapshot()).start(&registry).unwrap();
    for (escaping, label) in [("allow-utf-8", "\"zone.name\""), ("underscores", "zone_name")] {
        let accept = format!("Accept: text/plain;version=1.0.0;escaping={escaping}\r\n");
        let response = request(&exporter, "GET", "/metrics", &accept);
        let sample = format!("tach_exporter_connections{{{label}=\"a\"}}");
        assert_eq!(response.value(&sample), Some(1.0), "{}", response.text());
    }
}

#[test]
fn connections_that_were_turned_away_are_counted_by_reason() {
    let exporter = builder().header_timeout(millis(1000)).connections_max(2).start(&Registry::new()).unwrap();
    let reason = |reason: &str| format!("tach_exporter_refused_total{{reason=\"{reason}\"}}");
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/EXPORTER.md")).unwrap();
    for of in ["busy", "displaced", "handshake", "late", "malformed", "network", "system"] {
        assert_eq!(count(&exporter, &reason(of)), 0.0);
        assert!(page.contains(&format!("`{of}` ")), "docs/EXPORTER.md says nothing of {of}");
    }
    let mut nonsense = Client::connect(&exporter);
    nonsense.send("nonsense\r\n\r\n");
    assert!(!nonsense.rest().is_empty());
    wait_for(&exporter, &reason("malformed"), |refused| refused == 1.0);
    assert!(Client::connect(&exporter).rest().is_empty());
    wait_for(&exporter, &reason("late"), |refused| refused >= 1.0);
    let late = count(&exporter, &reason("late"));
    let mut idle: Vec<_> = (0..2).map(|_| Client::connect(&exporter)).collect();
    for client in &mut idle {
        client.request("GET", "/", "");
    }
    wait_for(&exporter, &reason("displaced"), |refused| refused >= 1.0);
    // Whoever closes of his own accord is not counted.
    drop(idle);
    drop(Client::connect(&exporter));
    assert_eq!((count(&exporter, &reason("late")), count(&exporter, &reason("busy"))), (late, 0.0));
}

#[test]
fn health_is_told_without_a_collection() {
    let (registry, go) = crate::limits::blocked();
    let exporter = builder().start(&registry).unwrap();
    let mut scrape = Client::connect(&exporter);
    scrape.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = request(&exporter, "GET", "/-/healthy", "");
    assert_eq!((response.status, response.text()), (200, "Healthy.\n"));
    assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(request(&exporter, "HEAD", "/-/healthy", "").status, 200);
    assert_eq!(request(&exporter, "POST", "/-/healthy", "").header("allow"), Some("GET, HEAD"));
    drop(go);
    assert_eq!(scrape.receive(false).unwrap().status, 200);
}

/// Runs the one test `name` of this program, with a variable set, in a process of its own in which a shell has run
/// `first`; gives what that prints to standard error.
#[cfg(unix)]
fn in_a_process_after(first: &str, name: &str, (variable, value): (&str, &str)) -> String {
    let program = std::env::current_exe().unwrap();
    let command = format!("{first} && exec \"$0\" --exact \"$1\" --test-threads=1 --nocapture");
    let mut child = std::process::Command::new("sh");
    let output = child.args(["-c", &command]).arg(program).arg(name).env(variable, value).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    String::from_utf8(output.stderr).unwrap()
}

#[cfg(unix)]
#[test]
fn an_exporter_that_is_open_to_all_says_so() {
    if let Ok(address) = std::env::var("TACH_TEST_LISTEN") {
        return drop(builder().listen(address).start(&Registry::new()).unwrap());
    }
    for (address, lines) in [("0.0.0.0:0", 1), ("127.0.0.1:0", 0)] {
        let variable = ("TACH_TEST_LISTEN", address);
        let said = in_a_process_after("true", "own::an_exporter_that_is_open_to_all_says_so", variable);
        let notices: Vec<_> = said.lines().filter(|line| line.starts_with("tach: ")).collect();
        assert_eq!(notices.len(), lines, "{said}");
        assert!(notices.iter().all(|notice| notice.contains("can read the metrics")), "{said}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn it_recovers_when_the_process_is_out_of_file_descriptors() {
    if std::env::var_os("TACH_TEST_FEW_FILES").is_none() {
        let name = "own::it_recovers_when_the_process_is_out_of_file_descriptors";
        in_a_process_after("ulimit -n 48", name, ("TACH_TEST_FEW_FILES", "1"));
        return;
    }
    let (_registry, exporter) = tokens();
    let mut scraper = Client::connect(&exporter);
    scraper.request("GET", "/", "");
    let mut files = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        files.push(file);
    }
    // One for the client's end; then there is none for the exporter's.
    drop(files.pop());
    let mut waiting = Client::connect(&exporter);
    waiting.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    std::thread::sleep(millis(1000));
    let system = "tach_exporter_refused_total{reason=\"system\"}";
    // Tried a few times, not all the time; and who is connected is served meanwhile.
    let tried = scraper.request("GET", "/metrics", "").value(system).unwrap();
    assert!((2.0..10.0).contains(&tried), "{tried}");
    drop(files);
    assert_eq!(waiting.receive(false).unwrap().value("tokens_total"), Some(5.0));
}

#[test]
fn an_exporter_tells_whether_it_is_open_to_all() {
    let registry = Registry::new();
    for (builder, open) in [
        (builder(), false),
        (builder().listen("0.0.0.0:0"), true),
        (builder().listen("0.0.0.0:0").allow("127.0.0.0/8"), false),
        (builder().listen("0.0.0.0:0").allow("0.0.0.0/0"), true),
        (builder().listen("0.0.0.0:0").allow("::/0").allow("::ffff:0:0/96"), true),
        (builder().listen("0.0.0.0:0").allow("128.0.0.0/1").allow("0.0.0.0/1"), true),
    ] {
        let exporter = builder.start(&registry).unwrap();
        assert_eq!(exporter.is_open_to_all(), open);
        let mut client = Client::connect_to(([127, 0, 0, 1], exporter.local_addr().port()).into());
        assert_eq!(client.request("GET", "/", "").text().contains("Open to all"), open);
        let page = client.request("GET", "/metrics", "");
        assert_eq!(page.value("tach_exporter_open_to_all"), Some(f64::from(u8::from(open))));
    }
}

#[test]
fn headers_can_be_added_to_every_answer() {
    let registry = Registry::new();
    let exporter = builder().header("X-Frame-Options", "sameorigin").header("x-frame-options", "deny");
    let exporter = exporter.header("Strict-Transport-Security", "max-age=60").start(&registry).unwrap();
    for (method, path) in [("GET", "/metrics"), ("HEAD", "/"), ("GET", "/nothing"), ("PUT", "/")] {
        let response = request(&exporter, method, path, "");
        assert_eq!(response.header("x-frame-options"), Some("deny"));
        assert_eq!(response.header("strict-transport-security"), Some("max-age=60"));
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    }
    for (name, value, part) in [
        ("two words", "x", "is no name of a header"),
        ("x-a", "line\nfeed", "no header may have"),
        ("Content-Length", "5", "the exporter's own"),
    ] {
        let error = builder().header(name, value).start(&registry).unwrap_err();
        assert_eq!(error.kind(), tach::ErrorKind::Setting);
        assert!(error.to_string().contains(&format!("{name:?}")) && error.to_string().contains(part), "{error}");
    }
}
