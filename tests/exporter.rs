//! The HTTP exporter as its clients see it: raw sockets, so that every byte is under control.
#![cfg(feature = "http")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::{Duration, Instant};
use tach::{ErrorKind as Kind, Exporter, ExporterBuilder, Registry};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn builder() -> ExporterBuilder {
    Exporter::builder().listen("127.0.0.1:0")
}

/// A registry with one counter at 5, and its exporter.
fn tokens() -> (Registry, Exporter) {
    let registry = Registry::new();
    registry.counter("tokens").build().unwrap().add(5);
    let exporter = builder().start(&registry).unwrap();
    (registry, exporter)
}

/// A page so long that the system cannot take it all when the client does not read.
fn long_page() -> Registry {
    let registry = Registry::builder().const_label("padding", "x".repeat(64 << 10)).build().unwrap();
    for index in 0..200 {
        registry.counter(format!("long_{index}")).build().unwrap();
    }
    registry
}

#[derive(Debug)]
struct Response {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Response {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The lines of the page but for those that differ from one collection to the next.
    fn lines(&self) -> Vec<&str> {
        self.text().lines().filter(|line| !line.starts_with("tach_")).collect()
    }

    /// The value of a sample without labels.
    fn value(&self, name: &str) -> Option<f64> {
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        self.text().lines().find_map(value)
    }

    /// The headers that two responses to the same request have in common.
    fn stable_headers(&self) -> BTreeMap<&str, &str> {
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        headers.filter(|(name, _)| *name != "date").collect()
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(exporter: &Exporter) -> Self {
        Self::connect_to(exporter.local_addr())
    }

    fn connect_to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// The next response; `None` when the connection ends instead.
    fn receive(&mut self, to_head: bool) -> Option<Response> {
        let mut line = String::new();
        if self.0.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let status = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "));
        let status = status.unwrap_or_else(|| panic!("no status line: {line:?}"))[..3].parse().unwrap();
        let mut headers = BTreeMap::new();
        loop {
            line.clear();
            self.0.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            assert!(headers.insert(name.to_owned(), value.to_owned()).is_none(), "{name} twice");
        }
        let length: usize = headers["content-length"].parse().unwrap();
        let mut body = vec![0; if to_head { 0 } else { length }];
        self.0.read_exact(&mut body).ok()?;
        Some(Response { status, headers, body })
    }

    fn request(&mut self, method: &str, path: &str, headers: &str) -> Response {
        self.send(&format!("{method} {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n"));
        self.receive(method == "HEAD").expect("a response")
    }

    /// Waits until the other side has closed, and gives what came before.
    fn rest(&mut self) -> Vec<u8> {
        let (mut rest, mut chunk) = (Vec::new(), [0; 64 << 10]);
        loop {
            match self.0.read(&mut chunk) {
                Ok(0) => return rest,
                Ok(n) => rest.extend_from_slice(&chunk[..n]),
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                    return rest;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("not closed: {error:?}"),
            }
        }
    }
}

fn request(exporter: &Exporter, method: &str, path: &str, headers: &str) -> Response {
    Client::connect(exporter).request(method, path, headers)
}

fn scrape(exporter: &Exporter) -> Response {
    let response = request(exporter, "GET", "/metrics", "");
    assert_eq!(response.status, 200);
    response
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap();
    out
}

#[test]
fn metrics_are_served_as_text() {
    let (_registry, exporter) = tokens();
    for path in ["/metrics", "/metrics?name%5B%5D=x", "http://elsewhere/metrics"] {
        let response = request(&exporter, "GET", path, "");
        assert_eq!((response.status, response.header("content-type")), (200, Some(CONTENT_TYPE)));
        assert_eq!(response.value("tokens_total"), Some(5.0));
        assert!(response.text().ends_with('\n'));
        assert_eq!(response.header("vary"), Some("Accept-Encoding"));
        assert_eq!(response.header("content-encoding"), None);
    }
}

#[test]
fn the_landing_page_leads_to_the_metrics() {
    let (_registry, exporter) = tokens();
    let response = request(&exporter, "GET", "/", "");
    assert_eq!((response.status, response.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(response.text().contains("<a href=\"/metrics\">"));
    assert!(response.text().contains(&format!("Process {},", std::process::id())));
    assert!(response.text().contains("<title>exporter"), "{}", response.text());
}

#[test]
fn other_paths_and_methods_are_refused_in_plain_text() {
    let (_registry, exporter) = tokens();
    for path in ["/nothing", "/metrics/", "/metrics/x", "//", "/%2e"] {
        let response = request(&exporter, "GET", path, "");
        assert_eq!((response.status, response.header("content-type")), (404, Some("text/plain; charset=utf-8")));
    }
    assert_eq!(request(&exporter, "HEAD", "/nothing", "").status, 404);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let response = request(&exporter, method, "/metrics", "");
        assert_eq!((response.status, response.header("allow")), (405, Some("GET, HEAD")), "{method}");
        assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
    }
}

#[test]
fn a_head_has_the_headers_of_a_get() {
    let (_registry, exporter) = tokens();
    // On one connection, so that a body which should not be there would be taken for a response.
    let mut client = Client::connect(&exporter);
    for path in ["/", "/nothing"] {
        let (head, get) = (client.request("HEAD", path, ""), client.request("GET", path, ""));
        assert_eq!((head.status, head.stable_headers()), (get.status, get.stable_headers()));
    }
    for encoding in ["", "Accept-Encoding: gzip\r\n"] {
        let (head, get) = (client.request("HEAD", "/metrics", encoding), client.request("GET", "/metrics", encoding));
        let length = |response: &Response| response.header("content-length").unwrap().parse::<i64>().unwrap();
        // How long the collection took is on the page, in as many digits as it takes.
        assert!((length(&head) - length(&get)).abs() < 50);
        let others = |response: &Response| {
            let mut headers = response.stable_headers();
            headers.remove("content-length");
            format!("{headers:?}")
        };
        assert_eq!(others(&head), others(&get));
    }
}

#[test]
fn gzip_is_sent_to_those_who_take_it() {
    let (_registry, exporter) = tokens();
    let mut client = Client::connect(&exporter);
    let plain = client.request("GET", "/metrics", "");
    for accept in ["gzip", "deflate, gzip;q=0.3", "*", "br\r\nAccept-Encoding: gzip"] {
        let response = client.request("GET", "/metrics", &format!("Accept-Encoding: {accept}\r\n"));
        assert_eq!(response.header("content-encoding"), Some("gzip"), "{accept}");
        assert_eq!(response.header("content-type"), Some(CONTENT_TYPE));
        assert_eq!(response.header("vary"), Some("Accept-Encoding"));
        assert!(response.body.len() < plain.body.len() / 2);
        let inflated = Response { body: gunzip(&response.body), ..response };
        assert_eq!(inflated.lines(), plain.lines());
    }
    for accept in ["identity", "gzip;q=0", "gzip;q=0.0, *;q=1", "deflate", "gzip;q=x", ""] {
        let response = client.request("GET", "/metrics", &format!("Accept-Encoding: {accept}\r\n"));
        assert_eq!(response.header("content-encoding"), None, "{accept}");
        assert_eq!(response.lines(), plain.lines());
    }
    assert_eq!(client.request("GET", "/", "Accept-Encoding: gzip\r\n").header("content-encoding"), None);
}

#[test]
fn the_next_scrape_shows_what_was_recorded() {
    let (registry, exporter) = tokens();
    let counter = registry.counter("fresh").build().unwrap();
    let mut client = Client::connect(&exporter);
    for n in 1..=200 {
        counter.inc();
        assert_eq!(client.request("GET", "/metrics", "").value("fresh_total"), Some(f64::from(n)));
    }
}

#[test]
fn a_connection_serves_many_requests() {
    let (_registry, exporter) = tokens();
    let mut client = Client::connect(&exporter);
    for _ in 0..50 {
        assert_eq!(client.request("GET", "/metrics", "").status, 200);
        assert_eq!(client.request("GET", "/nothing", "").status, 404);
    }
    assert_eq!(client.request("GET", "/", "Connection: close\r\n").header("connection"), Some("close"));
    assert!(client.rest().is_empty());

    let mut old = Client::connect(&exporter);
    old.send("GET /metrics HTTP/1.0\r\n\r\n");
    assert_eq!(old.receive(false).unwrap().value("tokens_total"), Some(5.0));
    assert!(old.rest().is_empty());
}

#[test]
fn pipelined_requests_are_answered_in_turn() {
    let (_registry, exporter) = tokens();
    let mut client = Client::connect(&exporter);
    client.send(&"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(40));
    for _ in 0..40 {
        assert_eq!(client.receive(false).unwrap().value("tokens_total"), Some(5.0));
        assert_eq!(client.receive(true).unwrap().header("content-type"), Some("text/html; charset=utf-8"));
    }
}

#[test]
fn a_client_may_close_its_side_before_it_is_answered() {
    let (_registry, exporter) = tokens();
    let mut client = Client::connect(&exporter);
    client.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    client.0.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.receive(false).unwrap().value("tokens_total"), Some(5.0));
    assert!(client.rest().is_empty());
}

#[test]
fn what_is_no_request_gets_a_400_and_others_are_served() {
    let (_registry, exporter) = tokens();
    let too_long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100 << 10));
    let too_many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65));
    for (input, status) in [
        ("\0\u{1}\u{2}\r\n\r\n", 400),
        ("GET\r\n\r\n", 400),
        ("GET /metrics HTTP/3.0\r\n\r\n", 400),
        ("GET /metrics HTTP/1.1\r\nbroken\r\n\r\n", 400),
        ("GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (&too_long, 431),
        (&too_many, 431),
    ] {
        let mut client = Client::connect(&exporter);
        client.send(input);
        assert_eq!(client.receive(false).expect("an answer").status, status, "{input:.80}");
        assert!(client.rest().is_empty());
        assert_eq!(scrape(&exporter).value("tokens_total"), Some(5.0));
    }
    // Neither is the first flight of TLS, or of HTTP/2; these are just closed or refused.
    for input in [&b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut client = Client::connect(&exporter);
        client.0.get_mut().write_all(input).unwrap();
        let rest = client.rest();
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400 "));
    }
}

#[test]
fn bodies_of_requests_are_not_read() {
    let (_registry, exporter) = tokens();
    for (head, status) in [
        ("GET /metrics HTTP/1.1\r\nContent-Length: 100000000000\r\n\r\n", 413),
        ("GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
        ("POST /metrics HTTP/1.1\r\nContent-Length: 100000000000\r\n\r\n", 405),
        ("GET /metrics HTTP/1.1\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n", 413),
    ] {
        let mut client = Client::connect(&exporter);
        client.send(head);
        // More than is thrown away before the connection is closed.
        for _ in 0..100 {
            if client.0.get_mut().write_all(&[b'x'; 4096]).is_err() {
                break;
            }
        }
        let response = client.receive(false).expect("an answer");
        assert_eq!((response.status, response.header("connection")), (status, Some("close")));
        assert!(client.rest().is_empty());
    }
    assert_eq!(request(&exporter, "GET", "/metrics", "Content-Length: 0\r\n").status, 200);
}

#[test]
fn slow_requests_are_cut_off() {
    let registry = Registry::new();
    let exporter = builder().header_timeout(millis(200)).start(&registry).unwrap();
    let begun = Instant::now();
    // One sends nothing, one a byte at a time.
    let mut silent = Client::connect(&exporter);
    let mut slow = Client::connect(&exporter);
    for byte in "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".bytes() {
        if slow.0.get_mut().write_all(&[byte]).is_err() {
            break;
        }
        std::thread::sleep(millis(20));
    }
    assert!(slow.rest().is_empty() && silent.rest().is_empty());
    assert!(begun.elapsed() >= millis(200) && begun.elapsed() < millis(1500), "{:?}", begun.elapsed());

    // The same for a later request on a connection, from its first byte.
    let mut later = Client::connect(&exporter);
    later.request("GET", "/", "");
    std::thread::sleep(millis(300));
    later.send("GET ");
    let begun = Instant::now();
    assert!(later.rest().is_empty());
    assert!(begun.elapsed() >= millis(150) && begun.elapsed() < millis(1500), "{:?}", begun.elapsed());
}

#[test]
fn idle_connections_are_closed() {
    let exporter = builder().idle_timeout(millis(400)).start(&Registry::new()).unwrap();
    let mut client = Client::connect(&exporter);
    for _ in 0..4 {
        client.request("GET", "/metrics", "");
        std::thread::sleep(millis(100));
    }
    let begun = Instant::now();
    assert!(client.rest().is_empty());
    assert!(begun.elapsed() < millis(1500), "{:?}", begun.elapsed());
}

#[test]
fn slow_readers_are_cut_off() {
    let registry = long_page();
    // The text of the labels is made now, so that the scrapes are quick.
    let length = tach::text::render(&registry.snapshot()).len();
    assert!(length > 12 << 20);
    let exporter = builder().response_timeout(millis(500)).start(&registry).unwrap();
    let begun = Instant::now();
    let mut client = Client::connect(&exporter);
    client.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut byte = [0];
    let mut read = 0;
    while begun.elapsed() < millis(700) {
        client.0.get_mut().read_exact(&mut byte).unwrap();
        read += 1;
        std::thread::sleep(millis(50));
    }
    read += client.rest().len();
    // It gets what the system had taken by then.
    assert!(read < 12 << 20, "{read}");
    assert!(scrape(&exporter).body.len() > 12 << 20);
    assert!(begun.elapsed() < millis(2000), "{:?}", begun.elapsed());
}

#[test]
fn a_new_connection_takes_the_place_of_the_idlest() {
    let exporter = builder().connections_max(2).start(&Registry::new()).unwrap();
    let mut oldest = Client::connect(&exporter);
    oldest.request("GET", "/", "");
    let mut other = Client::connect(&exporter);
    other.request("GET", "/", "");
    let begun = Instant::now();
    assert_eq!(scrape(&exporter).status, 200);
    assert!(begun.elapsed() >= millis(300) && begun.elapsed() < millis(1500), "{:?}", begun.elapsed());
    assert!(oldest.rest().is_empty());
    assert_eq!(other.request("GET", "/", "").status, 200);
}

#[test]
fn connections_that_do_nothing_do_not_keep_others_out() {
    let exporter = builder().connections_max(8).start(&Registry::new()).unwrap();
    let idle: Vec<_> = (0..30).map(|_| Client::connect(&exporter)).collect();
    let begun = Instant::now();
    scrape(&exporter);
    assert!(begun.elapsed() < millis(4000), "{:?}", begun.elapsed());
    drop(idle);
}

/// A registry whose collection waits until it is let go.
fn blocked() -> (Registry, mpsc::Sender<()>) {
    let registry = Registry::new();
    let (go, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let wait = move || {
        // Ends with the sender at the latest.
        let _ = gate.lock().unwrap().recv();
        1.0
    };
    registry.observe_gauge("gate", "Waits.", wait).unwrap();
    (registry, go)
}

#[test]
fn a_connection_too_many_gets_a_503() {
    let (registry, go) = blocked();
    let exporter = builder().connections_max(1).start(&registry).unwrap();
    let mut busy = Client::connect(&exporter);
    busy.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    std::thread::sleep(millis(50));
    let begun = Instant::now();
    let mut refused = Client::connect(&exporter);
    refused.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = refused.receive(false).unwrap();
    assert_eq!((response.status, response.header("retry-after")), (503, Some("1")));
    assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(refused.rest().is_empty());
    assert!(begun.elapsed() < millis(1800), "{:?}", begun.elapsed());
    drop(go);
    assert_eq!(busy.receive(false).unwrap().value("gate"), Some(1.0));
    // The place is free again, or soon will be.
    assert_eq!(scrape(&exporter).status, 200);
}

#[test]
fn a_scrape_that_takes_too_long_gets_a_503() {
    let (registry, go) = blocked();
    let exporter = builder().scrapes_max(1).scrape_timeout(millis(300)).start(&registry).unwrap();
    let mut first = Client::connect(&exporter);
    first.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    std::thread::sleep(millis(20));
    // One for want of a place, and at the time that its header leaves; one for a collection that does not come.
    let begun = Instant::now();
    let second = request(&exporter, "GET", "/metrics", "X-Prometheus-Scrape-Timeout-Seconds: 0.6\r\n");
    assert_eq!((second.status, second.header("retry-after")), (503, Some("1")));
    let hurried = request(&exporter, "GET", "/metrics", "X-Prometheus-Scrape-Timeout-Seconds: 0.1\r\n");
    assert_eq!(hurried.status, 503);
    assert!(begun.elapsed() < millis(1500), "{:?}", begun.elapsed());
    let first = first.receive(false).unwrap();
    assert_eq!((first.status, first.header("content-type")), (503, Some("text/plain; charset=utf-8")));
    // The landing page needs no collection.
    assert_eq!(request(&exporter, "GET", "/", "").status, 200);
    drop(go);
    for nonsense in ["NaN", "-1", "inf", "soon"] {
        let header = format!("X-Prometheus-Scrape-Timeout-Seconds: {nonsense}\r\n");
        assert_eq!(request(&exporter, "GET", "/metrics", &header).status, 200);
    }
}

#[test]
fn scrapes_wait_for_each_other_within_their_cap() {
    let (registry, go) = blocked();
    let exporter = builder().scrapes_max(1).start(&registry).unwrap();
    let mut clients: Vec<_> = (0..5).map(|_| Client::connect(&exporter)).collect();
    for client in &mut clients {
        client.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    std::thread::sleep(millis(50));
    drop(go);
    for client in &mut clients {
        assert_eq!(client.receive(false).unwrap().status, 200);
    }
}

#[test]
fn many_scrapes_at_once_agree() {
    let registry = Registry::new();
    for index in 0..500 {
        registry.counter(format!("counter_{index}")).build().unwrap().add(index);
    }
    let exporter = builder().start(&registry).unwrap();
    let (begin, all) = (Barrier::new(200), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| {
                begin.wait();
                let response = scrape(&exporter);
                all.lock().unwrap().push(response);
            });
        }
    });
    let all = all.into_inner().unwrap();
    assert_eq!(all.len(), 200);
    for response in &all {
        assert_eq!(response.lines(), all[0].lines());
    }
    assert_eq!(all[0].value("counter_499_total"), Some(499.0));
}

#[test]
fn scrapes_at_once_share_a_collection() {
    let registry = Registry::new();
    let collections = Arc::new(Mutex::new(0));
    let count = Arc::clone(&collections);
    let slow = move || {
        std::thread::sleep(millis(20));
        *count.lock().unwrap() += 1;
        0.0
    };
    registry.observe_gauge("slow", "Takes a while.", slow).unwrap();
    let exporter = builder().start(&registry).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| scrape(&exporter));
        }
    });
    let collections = *collections.lock().unwrap();
    assert!((1..15).contains(&collections), "{collections}");
}

#[test]
fn a_callback_that_panics_does_not_end_the_exporter() {
    let (registry, exporter) = tokens();
    registry.observe_gauge("broken", "Panics.", || panic!("this test has a callback that panics")).unwrap();
    for _ in 0..3 {
        assert_eq!(scrape(&exporter).value("tokens_total"), Some(5.0));
    }
}

#[test]
fn two_exporters_of_one_registry_work() {
    let (registry, first) = tokens();
    let second = builder().start(&registry).unwrap();
    assert_ne!(first.local_addr(), second.local_addr());
    assert_eq!(scrape(&first).lines(), scrape(&second).lines());
    drop(first);
    assert_eq!(scrape(&second).value("tokens_total"), Some(5.0));
}

#[test]
fn the_exporter_keeps_what_it_exports() {
    let (registry, exporter) = tokens();
    drop(registry);
    assert_eq!(scrape(&exporter).value("tokens_total"), Some(5.0));
}

#[test]
fn ipv6_addresses_work() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    let exporter = Exporter::builder().listen("[::1]:0").start(&Registry::new()).unwrap();
    assert!(exporter.local_addr().is_ipv6() && exporter.local_addr().port() != 0);
    scrape(&exporter);
}

#[test]
fn a_taken_port_is_an_error_that_says_what_to_do() {
    let (registry, first) = tokens();
    let address = first.local_addr().to_string();
    let error = Exporter::builder().listen(&address).start(&registry).unwrap_err();
    assert_eq!(error.kind(), Kind::System);
    let text = error.to_string();
    for part in [address.as_str(), "taken", "port 0", "find the process"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(scrape(&first).value("tokens_total"), Some(5.0));
}

#[test]
fn settings_that_cannot_be_served_are_errors() {
    let registry = Registry::new();
    let start = |builder: ExporterBuilder| builder.start(&registry).map(|_| ()).unwrap_err();
    for address in ["nonsense", "127.0.0.1", "", ":9464", "300.1.1.1:1"] {
        let error = start(Exporter::builder().listen(address));
        assert_eq!(error.kind(), Kind::Setting);
        assert!(error.to_string().contains(&format!("{address:?}")) && error.to_string().contains("127.0.0.1:9464"));
    }
    // An address of no interface here: it is kept for documentation.
    let error = start(Exporter::builder().listen("192.0.2.1:0")).to_string();
    assert!(error.contains("192.0.2.1:0") && error.contains("no interface"), "{error}");
    let zero = Duration::ZERO;
    for (name, builder) in [
        ("connections_max", builder().connections_max(0)),
        ("scrapes_max", builder().scrapes_max(0)),
        ("scrape_timeout", builder().scrape_timeout(zero)),
        ("header_timeout", builder().header_timeout(zero)),
        ("idle_timeout", builder().idle_timeout(zero)),
        ("response_timeout", builder().response_timeout(zero)),
    ] {
        let error = start(builder);
        assert_eq!(error.kind(), Kind::Setting);
        assert!(error.to_string().contains(name), "{error}");
    }
    let most = Duration::MAX;
    let generous = builder().connections_max(usize::MAX).scrapes_max(usize::MAX).scrape_timeout(most);
    let generous = generous.header_timeout(most).idle_timeout(most).response_timeout(most);
    assert_eq!(scrape(&generous.start(&registry).unwrap()).status, 200);
}

#[test]
fn dropping_it_ends_its_connections_and_frees_the_port() {
    let exporter = builder().start(&long_page()).unwrap();
    let address = exporter.local_addr();
    let mut idle = Client::connect(&exporter);
    idle.request("GET", "/", "");
    let mut half = Client::connect(&exporter);
    half.send("GET /");
    let mut reading = Client::connect(&exporter);
    reading.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    reading.0.get_mut().read_exact(&mut [0]).unwrap();
    let begun = Instant::now();
    drop(exporter);
    assert!(begun.elapsed() < millis(1000), "{:?}", begun.elapsed());
    assert!(idle.rest().is_empty() && half.rest().is_empty());
    assert!(reading.rest().len() < 12 << 20);
    assert!(TcpStream::connect(address).is_err());
    // Again on the same port, at once.
    let again = Exporter::builder().listen(address.to_string()).start(&Registry::new()).unwrap();
    assert_eq!(again.local_addr(), address);
    scrape(&again);
}

#[test]
fn it_may_be_kept_in_a_static() {
    fn is_static<T: Send + Sync + 'static>() {}
    is_static::<Exporter>();
    is_static::<ExporterBuilder>();
}

#[test]
fn its_threads_end_with_it() {
    let names = || -> Vec<String> {
        let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.map(|name| name.trim_end().to_owned()).collect()
    };
    // Other tests have exporters too: so many at once are only here.
    let count = || names().iter().filter(|name| *name == "tach-exporter").count();
    let registry = Registry::new();
    let exporters: Vec<_> = (0..100).map(|_| builder().start(&registry).unwrap()).collect();
    if cfg!(target_os = "linux") {
        assert!(count() >= 100);
    }
    drop(exporters);
    assert!(count() < 60);
}

#[test]
fn it_may_be_started_and_dropped_in_asynchronous_code() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (_registry, exporter) = tokens();
        assert_eq!(scrape(&exporter).value("tokens_total"), Some(5.0));
        drop(exporter);
        assert!(Exporter::builder().listen("nonsense").start(&Registry::new()).is_err());
        let moved = tokens();
        tokio::spawn(async move { drop(moved) }).await.unwrap();
    });
}

#[test]
fn it_may_be_dropped_by_the_destructor_of_a_thread_local() {
    thread_local! {
        static KEPT: std::cell::RefCell<Option<(Registry, Exporter)>> = const { std::cell::RefCell::new(None) };
    }
    let address = std::thread::spawn(|| {
        let kept = tokens();
        let address = kept.1.local_addr();
        assert_eq!(scrape(&kept.1).value("tokens_total"), Some(5.0));
        KEPT.with(|slot| *slot.borrow_mut() = Some(kept));
        address
    })
    .join()
    .unwrap();
    assert!(TcpStream::connect(address).is_err());
}
