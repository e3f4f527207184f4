//! Clients that are too many, of one address and of others.

use crate::client::*;
use std::sync::atomic::{AtomicBool, Ordering};
use tach::{Exporter, Registry};

/// Asks for health again and again, on a new connection when the last one was closed, until told.
fn nag(exporter: &Exporter, over: &AtomicBool) {
    // Relaxed: nothing but the flag itself is read.
    while !over.load(Ordering::Relaxed) {
        let mut client = Client::connect_from(exporter, 9, None);
        while !over.load(Ordering::Relaxed) {
            let sent = std::io::Write::write_all(client.0.get_mut(), b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n");
            if sent.is_err() || client.receive(false).is_none_or(|response| response.status != 200) {
                break;
            }
            std::thread::sleep(millis(20));
        }
    }
}

#[test]
fn an_address_that_keeps_every_place_busy_keeps_nobody_out() {
    let exporter = builder().connections_max(6).start(&Registry::new()).unwrap();
    let mut kept = Client::connect_from(&exporter, 2, None);
    kept.request("GET", "/metrics", "");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| nag(&exporter, &over));
        }
        std::thread::sleep(millis(200));
        let new: Vec<_> =
            (0..6).map(|_| Client::connect_from(&exporter, 3, None).request("GET", "/metrics", "").status).collect();
        over.store(true, Ordering::Relaxed);
        assert_eq!(new, [200; 6]);
    });
    // It was the idlest by far, and the only one of its address.
    assert_eq!(kept.request("GET", "/metrics", "").value("tach_exporter_refused_total{reason=\"busy\"}"), Some(0.0));
}

#[test]
fn who_has_many_connections_takes_no_kept_one_of_who_has_few() {
    let (registry, go) = crate::limits::blocked();
    let exporter = builder().connections_max(3).start(&registry).unwrap();
    let mut kept = Client::connect_from(&exporter, 2, None);
    kept.request("GET", "/", "");
    let mut busy = [(); 2].map(|()| Client::connect_from(&exporter, 9, None));
    for client in &mut busy {
        client.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    std::thread::sleep(millis(50));
    let refused = Client::connect_from(&exporter, 9, None).receive(false).map(|response| response.status);
    kept.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let answered = kept.receive(false).map(|response| response.status);
    // Of those that have as many the idlest goes.
    let mut third = Client::connect_from(&exporter, 3, None);
    third.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let third = third.receive(false).map(|response| response.status);
    drop(go);
    assert_eq!((refused, answered, third), (Some(503), Some(200), Some(200)));
    assert!(kept.rest().is_empty());
    for mut client in busy {
        assert_eq!(client.receive(false).unwrap().status, 200);
    }
}

/// Clients that have asked for the page and read nothing of it yet, each from an address with this last number, and with so
/// much room for what comes.
fn ask(exporter: &Exporter, lasts: &[u8], room: Option<u32>) -> Vec<Client> {
    let ask = |last: &u8| {
        let mut client = Client::connect_from(exporter, *last, room);
        client.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
        client
    };
    lasts.iter().map(ask).collect()
}

#[test]
fn slow_readers_keep_no_place_from_scrapes_that_wait() {
    let registry = long_page();
    let exporter = builder().scrapes_max(2).start(&registry).unwrap();
    // Were it waited for, it would be for as long as a scrape may.
    let mut slow = ask(&exporter, &[9, 9, 9], Some(4096));
    std::thread::sleep(millis(600));
    for last in [9, 3] {
        let response = Client::connect_from(&exporter, last, None).request("GET", "/metrics", "");
        assert_eq!(response.status, 200);
        assert!(response.body.len() > 12 << 20);
    }
    for client in &mut slow[..2] {
        assert!(client.rest().len() < 12 << 20);
    }
}

#[test]
fn of_slow_readers_with_an_address_each_none_keeps_two_scrapes_of_one_waiting() {
    let registry = long_page();
    let exporter = builder().scrapes_max(2).start(&registry).unwrap();
    let _slow = ask(&exporter, &[8, 9], Some(4096));
    std::thread::sleep(millis(600));
    // That they wait takes no place, so that either may have one.
    for mut client in ask(&exporter, &[3, 3], None) {
        assert_eq!(client.receive(false).unwrap().status, 200);
    }
}

#[test]
fn who_reads_its_page_is_not_who_leaves() {
    let registry = long_page();
    let exporter = builder().scrapes_max(2).start(&registry).unwrap();
    let mut clients = ask(&exporter, &[9, 9], Some(4096));
    let mut reader = clients.remove(0);
    let (answer, other) = std::thread::scope(|scope| {
        let reader = scope.spawn(move || reader.receive(false));
        std::thread::sleep(millis(100));
        let other = Client::connect_from(&exporter, 3, None).request("GET", "/metrics", "");
        (reader.join().unwrap(), other)
    });
    assert_eq!((answer.unwrap().status, other.status), (200, 200));
}

#[test]
fn slow_readers_keep_no_connection_out() {
    let registry = long_page();
    let exporter = builder().connections_max(2).start(&registry).unwrap();
    let _slow = ask(&exporter, &[9, 9], Some(4096));
    std::thread::sleep(millis(600));
    for last in [9, 3] {
        assert_eq!(Client::connect_from(&exporter, last, None).request("GET", "/", "").status, 200);
    }
}

#[test]
fn who_reads_its_page_keeps_its_connection() {
    let registry = long_page();
    let exporter = builder().connections_max(2).start(&registry).unwrap();
    let idle = [(); 2].map(|()| Client::connect_from(&exporter, 9, Some(4096)));
    let [mut reader, mut idle] = idle;
    idle.request("GET", "/", "");
    reader.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    let new = std::thread::scope(|scope| {
        let answer = scope.spawn(|| reader.receive(false));
        std::thread::sleep(millis(100));
        let new: Vec<_> =
            (0..3).map(|_| Client::connect_from(&exporter, 3, None).request("GET", "/", "").status).collect();
        assert_eq!(answer.join().unwrap().map(|response| response.status), Some(200));
        new
    });
    assert_eq!(new, [200; 3]);
    assert!(idle.rest().is_empty());
}
