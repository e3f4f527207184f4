//! Clients that send nonsense, are slow, or are too many.

use crate::client::*;
use std::io::{Read, Write};
use std::sync::{Mutex, mpsc};
use std::time::Instant;
use tach::Registry;

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
        let answer = client.receive(false).expect("an answer");
        assert_eq!(answer.status, status, "{input:.80}");
        // It is the HTTP library that gives these, and it says nothing.
        assert_eq!((answer.header("content-type"), &*answer.body), (None, &b""[..]), "{input:.80}");
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
fn a_request_has_one_host() {
    let (_registry, exporter) = tokens();
    for (input, status) in [
        ("GET /metrics HTTP/1.1\r\n\r\n", 400),
        ("GET /metrics HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("GET /metrics HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET /metrics HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", 200),
        ("GET /metrics HTTP/1.0\r\n\r\n", 200),
    ] {
        let mut client = Client::connect(&exporter);
        client.send(input);
        let response = client.receive(false).expect("an answer");
        assert_eq!(response.status, status, "{input}");
        assert_eq!(response.header("content-type").is_some_and(|of| of == "text/plain; charset=utf-8"), status == 400);
        assert!(client.rest().is_empty());
    }
    assert_eq!(scrape(&exporter).value("tach_exporter_requests_total{code=\"400\"}"), Some(3.0));
}

#[test]
fn bodies_of_requests_are_not_read() {
    let (_registry, exporter) = tokens();
    for (head, status) in [
        ("GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000000\r\n\r\n", 413),
        ("GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
        ("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000000\r\n\r\n", 405),
        ("GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n", 413),
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
    assert_eq!(scrape(&exporter).status, 200);
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
pub(crate) fn blocked() -> (Registry, mpsc::Sender<()>) {
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
