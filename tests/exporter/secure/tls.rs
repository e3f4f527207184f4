//! Handshakes, and what comes of them.

use super::*;
use crate::own::count;
use std::io::Write;
use std::time::Instant;
use tach::ErrorKind;

#[test]
fn metrics_are_served_over_both_versions_of_tls() {
    let authority = Authority::new();
    let files = Files::new("versions", &authority, "");
    let exporter = files.start();
    for versions in [&[&TLS12][..], &[&TLS13], BOTH] {
        let mut client = connect(&exporter, authority.client(versions, None)).unwrap();
        for _ in 0..20 {
            assert_eq!(client.request("GET", "/metrics", "").value("tokens_total"), Some(5.0));
            assert_eq!(client.request("HEAD", "/", "").status, 200);
        }
        assert_eq!(client.request("GET", "/nothing", "Connection: close\r\n").status, 404);
        // Ended by the message that says so, or this would be an error.
        assert!(client.rest().is_empty());
    }
    // Who trusts another authority does not go on.
    assert!(connect(&exporter, Authority::new().client(BOTH, None)).is_none());
    let mut h2 = authority.client(BOTH, None);
    h2.alpn_protocols = vec![b"h2".to_vec()];
    assert!(connect(&exporter, h2).is_none());
    let mut http = authority.client(BOTH, None);
    http.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    assert!(connect(&exporter, http).is_some());
}

#[test]
fn long_pages_arrive_whole() {
    let authority = Authority::new();
    let files = Files::new("long", &authority, "");
    let exporter = files.builder().start(&long_page()).unwrap();
    let mut client = connect(&exporter, authority.client(BOTH, None)).unwrap();
    for _ in 0..3 {
        let response = client.request("GET", "/metrics", "");
        assert!(response.body.len() > 12 << 20 && response.text().ends_with('\n'));
    }
}

#[test]
fn plain_text_is_not_spoken_with() {
    let authority = Authority::new();
    let files = Files::new("plain", &authority, "");
    let exporter = files.start();
    let mut plain = Client::connect(&exporter);
    plain.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    // Nothing but an alert.
    let rest = plain.rest();
    assert!(rest.len() < 16 && !rest.starts_with(b"HTTP"), "{rest:?}");
    drop(plain);
    let mut client = connect(&exporter, authority.client(BOTH, None)).unwrap();
    let handshake = "tach_exporter_refused_total{reason=\"handshake\"}";
    let refused = (0..200).any(|_| {
        std::thread::sleep(millis(5));
        client.request("GET", "/metrics", "").value(handshake) == Some(1.0)
    });
    assert!(refused);
}

#[test]
fn only_versions_that_are_wanted_are_spoken() {
    let authority = Authority::new();
    for (more, twelve, thirteen) in [("  min_version: TLS13\n", false, true), ("  max_version: TLS12\n", true, false)] {
        let files = Files::new("minimum", &authority, more);
        let exporter = files.start();
        assert_eq!(connect(&exporter, authority.client(&[&TLS12], None)).is_some(), twelve);
        assert_eq!(connect(&exporter, authority.client(&[&TLS13], None)).is_some(), thirteen);
    }
}

#[test]
fn clients_show_the_certificates_that_are_asked_for() {
    let (authority, clients, others) = (Authority::new(), Authority::new(), Authority::new());
    let (good, bad) = (clients.issue(), others.issue());
    for (policy, none) in [("RequireAndVerifyClientCert", false), ("VerifyClientCertIfGiven", true)] {
        let files =
            Files::new(policy, &authority, &format!("  client_auth_type: {policy}\n  client_ca_file: ca.crt\n"));
        files.write("ca.crt", &clients.pem);
        let exporter = files.builder().listen("0.0.0.0:0").start(&Registry::new()).unwrap();
        assert_eq!(exporter.is_open_to_all(), none);
        for versions in [&[&TLS12][..], &[&TLS13]] {
            assert!(connect(&exporter, authority.client(versions, Some(&good))).is_some());
            assert!(connect(&exporter, authority.client(versions, Some(&bad))).is_none());
            assert_eq!(connect(&exporter, authority.client(versions, None)).is_some(), none);
        }
    }
}

#[test]
fn clients_that_never_shake_hands_are_cut_off() {
    let authority = Authority::new();
    let files = Files::new("slow", &authority, "");
    let exporter = files.builder().header_timeout(millis(1000)).connections_max(4).start(&Registry::new()).unwrap();
    let begun = Instant::now();
    let mut silent = Client::connect(&exporter);
    let mut slow = Client::connect(&exporter);
    // A record of 512 bytes that does not come, a byte at a time.
    for byte in b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".iter().chain(&[7; 200]) {
        if slow.0.get_mut().write_all(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(millis(10));
    }
    assert!(silent.rest().is_empty() && slow.rest().is_empty());
    assert!(begun.elapsed() >= millis(1000), "{:?}", begun.elapsed());
    // Nor do they keep others out meanwhile.
    let idle: Vec<_> = (0..12).map(|_| Client::connect(&exporter)).collect();
    assert!(connect(&exporter, authority.client(BOTH, None)).is_some());
    drop(idle);
    drop((silent, slow));
}

#[test]
fn files_that_cannot_be_served_are_errors_that_name_them() {
    let authority = Authority::new();
    let files =
        Files::new("errors", &authority, "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n");
    let error = |part: &str| {
        let error = files.builder().start(&Registry::new()).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Setting);
        assert!(text.contains("web.yml") && text.contains(part), "{text}");
    };
    error("ca.crt cannot be read");
    files.write("ca.crt", "nothing");
    error("ca.crt holds no certificate in PEM");
    files.write("ca.crt", &authority.pem);
    let (certificate, key) = authority.issue();
    files.write("server.crt", &certificate);
    error("do not go together");
    files.write("server.key", &certificate);
    error("server.key holds no private key");
    files.write("server.key", &key);
    drop(files.start());
    files.write("web.yml", "tls_server_config:\n  cert_fil: x\n");
    error("line 2: tls_server_config.cert_fil is no known key");
    files.write("web.yml", &" ".repeat(2 << 20));
    error("more than a megabyte");
    std::fs::remove_file(files.path("web.yml")).unwrap();
    std::fs::create_dir(files.path("web.yml")).unwrap();
    error("it is no file");
    let error = builder().web_config("/none/web.yml").start(&Registry::new()).unwrap_err().to_string();
    assert!(error.contains("/none/web.yml cannot be read"), "{error}");
}

#[test]
fn a_unix_socket_and_networks_go_with_tls() {
    let authority = Authority::new();
    let files = Files::new("networks", &authority, "");
    let exporter = files.builder().allow("192.0.2.0/24").start(&Registry::new()).unwrap();
    assert!(connect(&exporter, authority.client(BOTH, None)).is_none());
    let exporter = files.builder().listen("0.0.0.0:0").start(&Registry::new()).unwrap();
    assert!(exporter.is_open_to_all());
    drop(exporter);
    #[cfg(unix)]
    {
        let path = files.path("metrics.sock");
        let address = format!("unix:{}", path.display());
        let exporter = files.builder().listen(address).bearer_token("token").start(&Registry::new()).unwrap();
        let ask = |token: &str| {
            let connection = shake(authority.client(BOTH, None));
            let socket = std::os::unix::net::UnixStream::connect(&path).unwrap();
            let mut client = Client(BufReader::new(rustls::StreamOwned::new(connection, socket)));
            client.request("GET", "/metrics", &format!("Authorization: Bearer {token}\r\n")).status
        };
        assert_eq!((ask("token"), ask("guess"), exporter.is_open_to_all()), (200, 401, false));
        // Text is not spoken there either.
        let mut plain = Client(BufReader::new(std::os::unix::net::UnixStream::connect(&path).unwrap()));
        plain.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(!plain.rest().starts_with(b"HTTP"));
    }
    // Without TLS in the file, text is spoken as ever.
    files.write("web.yml", "http_server_config: {http2: false}");
    let exporter = files.start();
    assert_eq!(count(&exporter, "tach_exporter_reload_errors_total"), 0.0);
}

#[test]
fn a_connection_too_many_gets_no_plain_text() {
    let authority = Authority::new();
    let files = Files::new("too-many", &authority, "");
    let (registry, go) = crate::limits::blocked();
    let exporter = files.builder().connections_max(1).start(&registry).unwrap();
    let mut connection = shake(authority.client(BOTH, None));
    let mut socket = TcpStream::connect(exporter.local_addr()).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).unwrap();
    }
    let mut busy = Client(BufReader::new(rustls::StreamOwned::new(connection, socket)));
    busy.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    std::thread::sleep(millis(50));
    let mut refused = Client::connect(&exporter);
    let mut hello = Vec::new();
    shake(authority.client(BOTH, None)).write_tls(&mut hello).unwrap();
    refused.0.get_mut().write_all(&hello).unwrap();
    let rest = refused.rest();
    drop(go);
    assert!(rest.is_empty(), "{rest:?}");
    busy.receive(false).unwrap();
    let page = busy.request("GET", "/metrics", "");
    assert_eq!(page.value("tach_exporter_refused_total{reason=\"busy\"}"), Some(1.0));
}
