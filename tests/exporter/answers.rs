//! What requests are answered with.

use crate::client::*;
use std::sync::{Arc, Barrier, Mutex};
use tach::Registry;

#[test]
fn metrics_are_served_as_text() {
    let (_registry, exporter) = tokens();
    for path in ["/metrics", "/metrics?name%5B%5D=tokens_total", "http://elsewhere/metrics"] {
        let response = request(&exporter, "GET", path, "");
        assert_eq!((response.status, response.header("content-type")), (200, Some(CONTENT_TYPE)));
        assert_eq!(response.value("tokens_total"), Some(5.0));
        assert!(response.text().ends_with('\n'));
        assert_eq!(response.header("vary"), Some("Accept, Accept-Encoding"));
        assert_eq!(response.header("content-encoding"), None);
    }
}

#[test]
fn each_client_gets_the_format_that_it_asks_for() {
    let (_registry, exporter) = tokens();
    let mut client = Client::connect(&exporter);
    let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                        text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let open = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8";
    let text_1 = "text/plain; version=1.0.0; charset=utf-8; escaping=underscores";
    for (accept, content_type) in
        [("*/*", CONTENT_TYPE), (prometheus_3, open), ("text/plain;version=1.0.0", text_1), ("x/y", CONTENT_TYPE)]
    {
        let response = client.request("GET", "/metrics", &format!("Accept: {accept}\r\n"));
        assert_eq!((response.status, response.header("content-type")), (200, Some(content_type)));
        assert_eq!(response.value("tokens_total"), Some(5.0));
        assert_eq!(response.text().ends_with("\n# EOF\n"), content_type == open);
        assert_eq!(response.header("vary"), Some("Accept, Accept-Encoding"));
    }
}

#[test]
fn names_are_escaped_as_each_scraper_asks() {
    let registry = Registry::builder().utf8_names(true).build().unwrap();
    registry.gauge("http.size").build().unwrap().set(5.0);
    let exporter = builder().start(&registry).unwrap();
    let mut client = Client::connect(&exporter);
    for (media_type, end) in [("text/plain", ""), ("application/openmetrics-text", "# EOF\n")] {
        for (escaping, name, sample) in [
            ("underscores", "http_size", "http_size 5"),
            ("dots", "http_dot_size", "http_dot_size 5"),
            ("values", "U__http_2e_size", "U__http_2e_size 5"),
            ("allow-utf-8", "http.size", "{\"http.size\"} 5"),
        ] {
            let accept = format!("Accept: {media_type};version=1.0.0;escaping={escaping};q=0.6,*/*;q=0.2\r\n");
            // A whole page, which is kept, and one of the name that the scraper knows.
            for query in ["".to_owned(), format!("?name[]={name}")] {
                let response = client.request("GET", &format!("/metrics{query}"), &accept);
                let told = response.header("content-type").unwrap().rsplit_once("escaping=");
                assert_eq!(told.map(|(_, told)| told), Some(escaping));
                assert!(response.text().contains(&format!("\n{sample}\n")), "{}", response.text());
                assert!(response.text().ends_with(end));
            }
        }
    }
    assert_eq!(client.request("GET", "/metrics", "").value("http_size"), Some(5.0));
}

#[test]
fn beginnings_are_told_in_openmetrics_where_the_exporter_is_to() {
    let registry = Registry::new();
    registry.counter("tokens").build().unwrap().add(5);
    let exporters = [false, true].map(|created| (created, builder().created(created).start(&registry).unwrap()));
    for accept in ["application/openmetrics-text", "*/*", "application/openmetrics-text;version=1.0.0"] {
        for (created, exporter) in &exporters {
            let response = request(exporter, "GET", "/metrics", &format!("Accept: {accept}\r\n"));
            let told = response.value("tokens_created").is_some();
            assert_eq!(told, *created && accept != "*/*", "{accept}");
            // The exporter's own too.
            assert_eq!(response.text().contains("\ntach_exporter_reload_errors_created "), told);
        }
    }
}

#[test]
fn openmetrics_2_is_served_where_the_exporter_is_told_to() {
    let registry = Registry::new();
    registry.counter("tokens").build().unwrap().add(5);
    registry.histogram("wait").buckets([1.0]).build().unwrap().record(0);
    let exporters = [false, true].map(|told| (told, builder().openmetrics_2(told).start(&registry).unwrap()));
    for (told, exporter) in &exporters {
        let get = |query: &str, accept: &str| {
            request(exporter, "GET", &format!("/metrics{query}"), &format!("Accept: {accept}\r\n"))
        };
        let response = get("", "application/openmetrics-text;version=2.0.0;escaping=allow-utf-8,text/plain;q=0.5");
        let media_type = format!("{}; escaping=allow-utf-8", tach::openmetrics_2::CONTENT_TYPE);
        let media_type = if *told { &media_type } else { tach::text::CONTENT_TYPE };
        assert_eq!(response.header("content-type"), Some(media_type));
        assert_eq!(response.text().contains("\nwait {count:1,sum:0,schema:4,"), *told);
        assert_eq!(response.text().matches("# EOF\n").count(), usize::from(*told));
        if *told {
            // The exporter's own metrics stand before the end.
            assert!(response.text().ends_with("\n# EOF\n") && response.text().contains("\ntach_exporter_"));
            let named = get("?name[]=tokens_total", "application/openmetrics-text;version=2.0.0");
            let lines: Vec<&str> = named.text().lines().collect();
            assert!(lines.len() == 3 && lines[0] == "# TYPE tokens_total counter", "{lines:?}");
            assert!(lines[1].starts_with("tokens_total 5 st@") && lines[2] == "# EOF", "{lines:?}");
        }
        // Nobody gets it without asking.
        for accept in ["application/openmetrics-text", "*/*", ""] {
            assert!(!get("", accept).header("content-type").unwrap().contains("2.0.0"), "{accept}");
        }
    }
}

#[test]
fn protobuf_is_served_too() {
    let (_registry, exporter) = tokens();
    let mut client = Client::connect(&exporter);
    let accept = tach::protobuf::CONTENT_TYPE.replace(' ', "");
    let mut get =
        |more: &str| client.request("GET", "/metrics?name[]=tokens_total", &format!("Accept: {accept}{more}"));
    let response = get(";q=0.6,*/*;q=0.5\r\n");
    assert_eq!(response.status, 200);
    let content_type = format!("{}; escaping=underscores", tach::protobuf::CONTENT_TYPE);
    assert_eq!(response.header("content-type"), Some(&*content_type));
    // A length, the field 1 of 12 bytes, and behind the rest a value of 5, with the field 3: since when.
    assert_eq!(response.body[1..15], *b"\n\x0ctokens_total");
    let value = [&5.0_f64.to_le_bytes()[..], b"\x1a"].concat();
    assert!(response.body.windows(value.len()).any(|bytes| bytes == value));
    assert_eq!(usize::from(response.body[0]), response.body.len() - 1);
}

#[test]
fn a_scrape_may_ask_for_some_metrics_only() {
    let (registry, exporter) = tokens();
    registry.histogram("itl").build().unwrap().record(1);
    registry.gauge("depth").build().unwrap();
    let mut client = Client::connect(&exporter);
    for (query, types) in [
        ("name[]=tokens_total", &["tokens_total counter"][..]),
        ("name[]=tokens&name%5b%5d=itl_bucket", &["itl histogram", "tokens_total counter"]),
        ("name[]=unheard_of", &[]),
    ] {
        let response = client.request("GET", &format!("/metrics?{query}"), "");
        let found: Vec<_> = response.text().lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        assert_eq!((response.status, &found[..]), (200, types));
    }
    assert_eq!(client.request("GET", "/metrics?name[]=x&y", "").body, b"");
    assert!(client.request("GET", "/metrics?name=depth", "").value("tach_series").is_some());
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
    let (head, get) = (client.request("HEAD", "/", ""), client.request("GET", "/", ""));
    assert_eq!((head.status, head.stable_headers()), (get.status, get.stable_headers()));
    let (mut refused, get) = (Client::connect(&exporter), request(&exporter, "GET", "/nothing", ""));
    let head = refused.request("HEAD", "/nothing", "");
    assert_eq!((head.status, head.stable_headers()), (get.status, get.stable_headers()));
    assert!(refused.rest().is_empty());
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
fn a_view_is_what_is_shown() {
    let registry = Registry::new();
    let tokens = registry.counter("tokens").build().unwrap();
    tokens.add(5);
    let first = registry.snapshot();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let threads = Arc::clone(&seen);
    let view = move |now: &tach::Snapshot| {
        threads.lock().unwrap().push(std::thread::current().name().map(str::to_owned));
        let difference = now.since(&first);
        assert_ne!(difference.counter("tokens", &[]), Some(7), "this test views with a panic");
        difference
    };
    let exporter = builder().view(|_| panic!("the last one counts")).view(view).start(&registry).unwrap();
    let mut client = Client::connect(&exporter);
    tokens.add(3);
    assert_eq!(client.request("GET", "/metrics", "").value("tokens_total"), Some(3.0));
    tokens.add(4);
    assert_eq!(client.request("GET", "/metrics", "").status, 500);
    tokens.add(1);
    assert_eq!(client.request("GET", "/metrics", "").value("tokens_total"), Some(8.0));
    assert_eq!(client.request("GET", "/", "").status, 200);
    assert_eq!(*seen.lock().unwrap(), vec![Some("tach-exporter".to_owned()); 3]);
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
        assert_eq!(response.header("vary"), Some("Accept, Accept-Encoding"));
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
fn openmetrics_2_is_zipped_as_it_is() {
    let registry = Registry::builder().utf8_names(true).build().unwrap();
    let waits = registry.histogram("wait.größe").buckets([0.1, 1.0]).labels(["n"]).build().unwrap();
    (0..50_u64).for_each(|n| waits.with([&*n.to_string()]).record(n));
    let exporter = builder().openmetrics_2(true).start(&registry).unwrap();
    let mut client = Client::connect(&exporter);
    let media_type = "application/openmetrics-text; version=2.0.0; charset=utf-8; escaping=allow-utf-8";
    // A whole page, and one that has nothing in it which differs from one collection to the next.
    for query in ["", "?name[]=wait.gr%C3%B6%C3%9Fe"] {
        let mut get = |encoding: &str| {
            let accept = format!("Accept: {media_type}\r\nAccept-Encoding: {encoding}\r\n");
            let response = client.request("GET", &format!("/metrics{query}"), &accept);
            assert_eq!((response.status, response.header("content-type")), (200, Some(media_type)));
            response
        };
        let (zipped, plain) = (get("gzip"), get("identity"));
        assert_eq!((zipped.header("content-encoding"), plain.header("content-encoding")), (Some("gzip"), None));
        assert_eq!(zipped.header("content-length"), Some(&*zipped.body.len().to_string()));
        assert!(zipped.body.len() < plain.body.len() / 2);
        let unzipped = Response { body: gunzip(&zipped.body), ..zipped };
        assert_eq!(unzipped.lines(), plain.lines());
        assert!(plain.text().starts_with("# TYPE") && plain.text().ends_with("\n# EOF\n"));
        assert!(plain.text().contains("\n{\"wait.größe\",n=\"49\"} {count:1,"), "{}", plain.text());
        if !query.is_empty() {
            assert!(unzipped.body == plain.body && !plain.text().contains("tach_"), "{}", plain.text());
        }
    }
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
        assert_eq!(client.request("GET", "/", "").status, 200);
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
