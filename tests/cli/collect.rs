//! `tach collect`.

use super::support::{Dir, recorded, tach};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};

/// A collector under way.
struct Collector {
    child: Child,
    said: BufReader<ChildStderr>,
    address: String,
}

impl Collector {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tach"))
            .arg("collect")
            .args(args)
            .args(["--listen", "127.0.0.1:0", "--interval", "100ms"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let line = line(&mut said);
        let address = line.rsplit_once(" at ").and_then(|(_, url)| url.split_once('/'));
        let address = address.unwrap_or_else(|| panic!("{line}")).0.to_owned();
        Self { child, said, address }
    }

    fn page(&self) -> String {
        let page = self.answer("");
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        page
    }

    /// The answer to a request with further header fields.
    fn answer(&self, fields: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{fields}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    }

    /// Ends it by a signal: what it still said, and how it ended.
    fn end(mut self, signal: &str) -> (String, Option<i32>) {
        let killed = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).unwrap();
        (rest, self.child.wait().unwrap().code())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line(said: &mut BufReader<ChildStderr>) -> String {
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[test]
fn what_processes_recorded_is_served_and_outlives_their_files() {
    let dir = Dir::in_memory("serve");
    dir.write("a", &recorded());
    let mut collector = Collector::start(&["--dir", &dir.path(""), "--keep", "1"]);
    assert_eq!(line(&mut collector.said), format!("tach: a [{}]: closed", std::process::id()));
    assert!(has_requests(&collector.page(), 41));
    // Another one comes. One of them is kept, so the other's file goes, and its totals stay.
    dir.write("b", &recorded());
    let came = format!("tach: b [{}]: closed", std::process::id());
    let went = format!("tach: a [{}]: its file is gone, its totals are kept", std::process::id());
    assert_eq!([line(&mut collector.said), line(&mut collector.said)], [came, went]);
    assert!(!std::path::Path::new(&dir.path("a.tach")).exists());
    assert!(has_requests(&collector.page(), 82), "{}", collector.page());
    assert_eq!(collector.end("-TERM"), ("tach: SIGTERM: the end\n".to_owned(), Some(0)));

    let again = Collector::start(&["--dir", &dir.path("")]);
    assert!(has_requests(&again.page(), 82), "another collector goes on from there: {}", again.page());
    assert_eq!(again.end("-INT").1, Some(0));
}

fn has_requests(page: &str, count: u64) -> bool {
    page.contains(&format!("ns_requests_total{{gpu=\"0\",path=\"/v1/chat\",code=\"200\"}} {count}\n"))
}

#[test]
fn what_is_wrong_with_a_file_is_said_once() {
    let dir = Dir::in_memory("wrong");
    std::fs::write(dir.path("x.tach"), "no segment").unwrap();
    let mut collector = Collector::start(&["--dir", &dir.path("")]);
    let first = line(&mut collector.said);
    assert!(first.contains("x.tach"), "{first}");
    // Some looks later.
    (0..5).for_each(|_| drop(collector.page()));
    std::fs::write(dir.path("y.tach"), "nor this").unwrap();
    let second = line(&mut collector.said);
    assert!(second.contains("y.tach"), "{second}");
    let (rest, _) = collector.end("-TERM");
    assert_eq!(rest, "tach: SIGTERM: the end\n");
}

#[test]
fn what_cannot_be_served_is_an_error() {
    let dir = Dir::in_memory("refused");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let on_disk = "/proc";
    let below_nothing = dir.path("no/such");
    let file = dir.path("file");
    std::fs::write(&file, "").unwrap();
    for (args, expected) in [
        (vec!["--dir", &dir.path(""), "--listen", &taken], taken.as_str()),
        (vec!["--dir", &below_nothing, "--listen", "127.0.0.1:0"], "no/such"),
        (vec!["--dir", &file, "--listen", "127.0.0.1:0"], "file"),
        (vec!["--dir", on_disk, "--listen", "127.0.0.1:0"], "segments are on tmpfs only"),
        (vec!["--dir", &dir.path(""), "--listen", "nowhere"], "nowhere"),
        (vec!["--dir", &dir.path(""), "--keep-for", "200years"], "a shorter time"),
        (vec!["--dir", &dir.path(""), "--windows", "10s,soon"], "give a time as 500ms, 10s or 1h"),
        (vec!["--dir", &dir.path(""), "--windows", "500ms"], "give a second or more"),
        (vec!["--dir", &dir.path(""), "--windows", "60s,10s,1m"], "60s is given twice: remove one of them"),
        (vec!["--dir", &dir.path(""), "--windows-of", "itl"], "--windows <TIME,…>"),
        (vec!["--dir", &dir.path(""), "--window-summaries"], "--windows <TIME,…>"),
        (vec!["--dir", &dir.path(""), "--histogram-buckets", "all"], "[possible values: both, native, classic]"),
    ] {
        let output = tach(&[&["collect"][..], &args].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains(expected), "{args:?}: {said}");
    }
}

#[cfg(feature = "serve")]
#[test]
fn a_profile_gives_the_names_that_dashboards_ask_for() {
    let dir = Dir::in_memory("profile");
    let registry = tach::Registry::new();
    registry.updown_counter("maxserve.num_requests_running").build().unwrap().add(7);
    registry.counter("maxserve.num_output_tokens").build().unwrap().add(5);
    dir.write("worker", &registry.snapshot());
    let collector = Collector::start(&["--dir", &dir.path(""), "--profile", "vllm,maxserve"]);
    let page = collector.page();
    assert!(page.contains("\nvllm:generation_tokens_total{"), "{page}");
    assert!(page.contains("\nmaxserve_num_output_tokens_total 5\n"), "{page}");
    assert_eq!(collector.end("-TERM").1, Some(0));
}

#[test]
fn windows_tell_what_processes_recorded_lately() {
    use tach::{Recording, Registry, Unit};
    let dir = Dir::in_memory("windows");
    let registry = Registry::builder().recording(Recording::Process).segment_dir(dir.path("")).build().unwrap();
    let time = |name| registry.histogram(name).unit(Unit::Milliseconds).build().unwrap();
    let (itl, other) = (time("maxserve.itl"), time("other"));
    itl.record_n(20_000_000, 5);
    let all = Collector::start(&["--dir", &dir.path(""), "--windows", "1m,2h"]);
    let one = Collector::start(&["--dir", &dir.path(""), "--windows", "2h", "--windows-of", "no.such,maxserve.itl"]);
    itl.record_n(30_000_000, 3);
    other.record(1_000_000);
    let page = all.page();
    assert!(page.contains("\nmaxserve_itl_milliseconds_count 8\n"), "{page}");
    assert!(page.contains("\nmaxserve_itl_milliseconds_window_values{window=\"2h\"} 3\n"), "{page}");
    assert!(page.contains("\nmaxserve_itl_window_milliseconds{window=\"2h\",q=\"0.99\"} 30"), "{page}");
    assert!(page.contains("\nmaxserve_itl_milliseconds_window_rate{window=\"1m\"} "), "{page}");
    assert!(page.contains("\nother_milliseconds_window_values{window=\"2h\"} 1\n"), "{page}");
    let page = one.page();
    assert!(page.contains("\nmaxserve_itl_milliseconds_window_values{window=\"2h\"} 3\n"), "{page}");
    assert!(page.contains("\nother_milliseconds_count 1\n") && !page.contains("other_window"), "{page}");
    assert!(!page.contains("other_milliseconds_window"), "{page}");
    assert!(!page.contains("window=\"1m\""), "{page}");
    assert_eq!([all.end("-TERM").1, one.end("-TERM").1], [Some(0); 2]);

    let summaries = Collector::start(&["--dir", &dir.path(""), "--windows", "2h", "--window-summaries"]);
    itl.record(30_000_000);
    let page = summaries.page();
    assert!(page.contains("\n# TYPE maxserve_itl_window_milliseconds summary\n"), "{page}");
    assert!(page.contains("\nmaxserve_itl_window_milliseconds{window=\"2h\",quantile=\"0.99\"} 30"), "{page}");
    assert!(page.contains("\nmaxserve_itl_window_milliseconds_count{window=\"2h\"} 9\n"), "{page}");
    assert!(page.contains("\nmaxserve_itl_milliseconds_window_values{window=\"2h\"} 1\n"), "{page}");
    assert_eq!(summaries.end("-TERM").1, Some(0));
}

#[cfg(feature = "serve")]
#[test]
fn windows_have_the_names_of_the_profile() {
    use tach::{Recording, Registry, Unit};
    let dir = Dir::in_memory("windows-profile");
    let registry = Registry::builder().recording(Recording::Process).segment_dir(dir.path("")).build().unwrap();
    let itl = registry.histogram("maxserve.itl").unit(Unit::Milliseconds).build().unwrap();
    itl.record_n(20_000_000, 5);
    let collector = Collector::start(&["--dir", &dir.path(""), "--profile", "vllm", "--windows", "2h"]);
    itl.record_n(30_000_000, 3);
    let page = collector.page();
    let labels = "{model_name=\"unknown\",engine=\"0\"";
    assert!(page.contains(&format!("\nvllm:inter_token_latency_seconds_count{labels}}} 8\n")), "{page}");
    assert!(
        page.contains(&format!("\nvllm:inter_token_latency_seconds_window_values{labels},window=\"2h\"}} 3\n")),
        "{page}"
    );
    assert!(!page.contains("maxserve_itl"), "{page}");
    assert_eq!(collector.end("-TERM").1, Some(0));
}

#[test]
fn what_an_exporter_gives_a_collector_gives_too() {
    use tach::{Recording, Registry, SpanContext};
    let dir = Dir::in_memory("formats");
    let registry = Registry::builder().recording(Recording::Process).segment_dir(dir.path("")).build().unwrap();
    let tokens = registry.counter("tokens").exemplars().build().unwrap();
    tokens.add_with_exemplar(3, &SpanContext::new([0xab; 16], [0xcd; 8]).unwrap());
    let exemplar = format!(" # {{trace_id=\"{}\",span_id=\"{}\"}} 3", "ab".repeat(16), "cd".repeat(8));

    let one = "Accept: application/openmetrics-text;version=1.0.0\r\n";
    let two = "Accept: application/openmetrics-text;version=2.0.0\r\n";
    let collector = Collector::start(&["--dir", &dir.path(""), "--allow", "127.0.0.0/8"]);
    let page = collector.answer(one);
    assert!(page.contains(&format!("\ntokens_total 3{exemplar}")) && !page.contains("_created"), "{page}");
    assert!(!page.contains("\ntarget_info{"), "{page}");
    assert!(collector.answer(two).contains("text/plain"));
    assert_eq!(collector.end("-TERM").1, Some(0));

    let collector = Collector::start(&["--dir", &dir.path(""), "--created", "--openmetrics-2", "--target-info"]);
    assert!(collector.answer(one).contains("\ntokens_created "));
    let page = collector.answer(two);
    assert!(page.contains("version=2.0.0") && page.contains("\ntokens_total 3 st@"), "{page}");
    assert!(
        page.contains("\r\n\r\n# TYPE target_info info\n") && page.contains("\ntarget_info{service_name=\""),
        "{page}"
    );
    assert_eq!(collector.end("-TERM").1, Some(0));

    registry.histogram("itl").buckets([5.0]).build().unwrap().record(7);
    for (sort, native, classic) in [("both", true, true), ("native", true, false), ("classic", false, true)] {
        let args = ["--dir", &dir.path(""), "--openmetrics-2", "--histogram-buckets", sort];
        let collector = Collector::start(&args);
        let page = collector.answer(two);
        let line = page.lines().find(|line| line.starts_with("itl {")).unwrap_or_else(|| panic!("{page}"));
        assert_eq!((line.contains(",schema:"), line.contains(",bucket:[")), (native, classic), "{line}");
        assert_eq!(collector.end("-TERM").1, Some(0));
    }

    let collector = Collector::start(&["--dir", &dir.path(""), "--allow", "10.0.0.0/8"]);
    let mut stream = TcpStream::connect(&collector.address).unwrap();
    let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut page = String::new();
    assert!(stream.read_to_string(&mut page).is_err() || page.is_empty(), "{page}");
    assert_eq!(collector.end("-TERM").1, Some(0));
}

#[cfg(feature = "tls")]
#[test]
fn a_web_config_says_who_may_look() {
    let dir = Dir::in_memory("guarded");
    dir.write("a", &recorded());
    let config = dir.path("web.yml");
    // The password is `secret`.
    let users = "basic_auth_users: {ops: $2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW}";
    std::fs::write(&config, users).unwrap();
    let collector = Collector::start(&["--dir", &dir.path(""), "--web-config", &config]);
    assert!(collector.answer("").starts_with("HTTP/1.1 401"));
    assert!(collector.answer("Authorization: Basic b3BzOm90aGVy\r\n").starts_with("HTTP/1.1 401"));
    assert!(has_requests(&collector.answer("Authorization: Basic b3BzOnNlY3JldA==\r\n"), 41));
    assert_eq!(collector.end("-TERM").1, Some(0));

    std::fs::write(&config, "basic_auth_users: {ops: secret}").unwrap();
    let output = tach(&["collect", "--dir", &dir.path(""), "--listen", "127.0.0.1:0", "--web-config", &config]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("web.yml") && said.contains("bcrypt"), "{said}");
}
