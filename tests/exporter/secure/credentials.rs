//! Passwords and tokens.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

/// The header with a name and a password.
pub(crate) fn basic(name: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{name}:{password}")))
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// A web configuration with the users alice and bob.
fn users(cost: u32) -> String {
    let hash = |password: &str| bcrypt::hash(password, cost).unwrap();
    format!("basic_auth_users:\n  alice: {}\n  bob: {}\n", hash("wonder:land"), hash("builder"))
}

#[test]
fn a_password_is_needed_for_everything_and_every_refusal_is_alike() {
    let files = Files::plain("users", &users(4));
    let exporter = files.builder().listen("0.0.0.0:0").start(&Registry::new()).unwrap();
    assert!(!exporter.is_open_to_all());
    let (alice, bob) = (basic("alice", "wonder:land"), basic("bob", "builder"));
    let mut refusals = Vec::new();
    for wrong in [
        String::new(),
        basic("alice", "wonder"),
        basic("bob", "wonder:land"),
        basic("mallory", "builder"),
        basic("", ""),
        bearer("builder"),
        "Authorization: Basic !!\r\n".to_owned(),
        format!("{alice}{bob}"),
    ] {
        for (method, path) in
            [("GET", "/metrics"), ("GET", "/"), ("GET", "/-/healthy"), ("GET", "/nothing"), ("POST", "/metrics")]
        {
            let mut client = Client::connect(&exporter);
            let response = client.request(method, path, &wrong);
            assert_eq!((response.status, response.header("connection")), (401, Some("close")));
            assert!(client.rest().is_empty());
            refusals.push((format!("{:?}", response.stable_headers()), response.body));
        }
    }
    refusals.dedup();
    assert_eq!(refusals.len(), 1);
    assert!(refusals[0].0.contains("Basic realm=\\\"metrics\\\", charset=\\\"UTF-8\\\""), "{}", refusals[0].0);
    for _ in 0..3 {
        for right in [&alice, &bob] {
            let mut client = Client::connect(&exporter);
            let statuses =
                ["/metrics", "/", "/-/healthy", "/nothing"].map(|path| client.request("GET", path, right).status);
            assert_eq!(statuses, [200, 200, 200, 404]);
        }
    }
    assert_eq!(request(&exporter, "POST", "/metrics", &bob).status, 405);
    assert_eq!(request(&exporter, "HEAD", "/metrics", "").status, 401);
}

#[test]
fn health_can_be_told_without_a_password() {
    let files = Files::plain("health", &users(4));
    let exporter = files.builder().open_health(true).start(&Registry::new()).unwrap();
    let statuses = ["/-/healthy", "/metrics", "/"].map(|path| request(&exporter, "GET", path, "").status);
    assert_eq!(statuses, [200, 401, 401]);
}

#[test]
fn clients_without_a_password_keep_nobody_out() {
    let files = Files::plain("crowd", &users(4));
    let exporter = files.builder().open_health(true).connections_max(4).start(&Registry::new()).unwrap();
    let alice = basic("alice", "wonder:land");
    for (path, status) in [("/metrics", "401"), ("/-/healthy", "200")] {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                // Each asks on and on, and connects again when that ends.
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        let mut client = Client::connect(&exporter);
                        let ask = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
                        while client.0.get_mut().write_all(ask.as_bytes()).is_ok() && !over.load(Ordering::Relaxed) {
                            let Some(response) = client.receive(false) else { break };
                            assert!(response.status.to_string() == status || response.status == 503);
                            std::thread::sleep(millis(50));
                        }
                    }
                });
            }
            std::thread::sleep(millis(300));
            let statuses = [(); 6].map(|()| request(&exporter, "GET", "/metrics", &alice).status);
            over.store(true, Ordering::Relaxed);
            assert_eq!(statuses, [200; 6], "{path}");
        });
    }
}

#[test]
fn a_token_will_do_too() {
    let exporter = builder().bearer_token("0123456789abcdef").bearer_token("other").start(&Registry::new()).unwrap();
    for (header, status) in [
        (bearer("0123456789abcdef"), 200),
        (bearer("other"), 200),
        (bearer("0123456789abcde"), 401),
        (bearer(""), 401),
        (basic("other", "other"), 401),
        (String::new(), 401),
    ] {
        let response = request(&exporter, "GET", "/metrics", &header);
        assert_eq!(response.status, status, "{header}");
        let challenge = (status == 401).then_some("Bearer realm=\"metrics\"");
        assert_eq!(response.header("www-authenticate"), challenge);
    }
    let files = Files::plain("both", &users(4));
    let both = files.builder().bearer_token("token").start(&Registry::new()).unwrap();
    for (header, status) in [(bearer("token"), 200), (basic("bob", "builder"), 200), (bearer("builder"), 401)] {
        let mut client = Client::connect(&both);
        client.send(&format!("GET /metrics HTTP/1.0\r\n{header}\r\n"));
        let answer = String::from_utf8(client.rest()).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.0 {status} ")), "{answer}");
        assert_eq!(answer.matches("www-authenticate: ").count(), if status == 401 { 2 } else { 0 });
    }
    let error = builder().bearer_token("").start(&Registry::new()).unwrap_err();
    assert!(error.to_string().contains("bearer_token is empty"), "{error}");
}

#[test]
fn no_secret_is_printed() {
    let builder = builder().bearer_token("token-0123").header("X-Key", "value-4567").web_config("web.yml");
    let text = format!("{builder:?}");
    assert!(["1 of them", "X-Key", "web.yml", "127.0.0.1:0"].iter().all(|part| text.contains(part)), "{text}");
    assert!(!text.contains("0123") && !text.contains("4567"), "{text}");
}

#[test]
fn wrong_passwords_are_checked_beside_the_scrapes() {
    // Each takes some time now, and not too much without optimisation.
    let files = Files::plain("beside", &users(7));
    let exporter = files.start();
    let right = basic("alice", "wonder:land");
    assert_eq!(request(&exporter, "GET", "/metrics", &right).value("tokens_total"), Some(5.0));
    std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..6)
            .map(|guess| {
                let exporter = &exporter;
                scope.spawn(move || request(exporter, "GET", "/metrics", &basic("alice", &guess.to_string())))
            })
            .collect();
        for _ in 0..20 {
            assert_eq!(request(&exporter, "GET", "/metrics", &right).status, 200);
        }
        let guesses: Vec<_> = guesses.into_iter().map(|guess| guess.join().unwrap()).collect();
        // One at a time comes from here, and the others are not kept waiting.
        assert!(guesses.iter().any(|guess| guess.status == 401) && guesses.iter().any(|guess| guess.status == 503));
        assert!(guesses.iter().all(|guess| guess.header("connection") == Some("close")));
    });
    // Dropped while one is checked.
    let mut client = Client::connect(&exporter);
    client.send(&format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", basic("alice", "guess")));
    drop(exporter);
    assert!(client.rest().is_empty());
}

#[test]
fn headers_of_the_configuration_are_sent_with_every_answer() {
    let text =
        "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    Content-Security-Policy: default-src 'none'\n";
    let files = Files::plain("headers", &format!("{text}{}", users(4)));
    let exporter = files.start();
    for (path, header, status) in
        [("/metrics", "", 401), ("/metrics", &*basic("bob", "builder"), 200), ("/x", &basic("bob", "builder"), 404)]
    {
        let response = request(&exporter, "GET", path, header);
        assert_eq!((response.status, response.header("x-frame-options")), (status, Some("deny")));
        assert_eq!(response.header("content-security-policy"), Some("default-src 'none'"));
    }
}

#[test]
fn more_requests_than_the_rate_get_a_429() {
    let files = Files::plain("rate", "rate_limit: {interval: 1h, burst: 3}");
    let exporter = files.start();
    let statuses = [(); 5].map(|()| request(&exporter, "GET", "/metrics", "").status);
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    assert_eq!(request(&exporter, "GET", "/", "").header("retry-after"), Some("1"));
}

#[test]
fn clients_that_are_not_known_take_nothing_from_the_rate_of_others() {
    let files = Files::plain("share", &format!("rate_limit: {{interval: 1h, burst: 3}}\n{}", users(4)));
    let exporter = files.builder().open_health(true).start(&Registry::new()).unwrap();
    let statuses = |path: &str, header: &str| [(); 5].map(|()| request(&exporter, "GET", path, header).status);
    assert_eq!(statuses("/metrics", ""), [401; 5]);
    assert_eq!(statuses("/metrics", &basic("alice", "guess")), [401; 5]);
    assert_eq!(statuses("/-/healthy", ""), [200, 200, 200, 429, 429]);
    assert_eq!(statuses("/metrics", &basic("alice", "wonder:land")), [200, 200, 200, 429, 429]);
}
