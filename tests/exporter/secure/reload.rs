//! Files that change while they are served.

use super::*;

const ERRORS: &str = "tach_exporter_reload_errors_total";

#[test]
fn certificates_that_change_are_used_for_the_next_handshake() {
    let (first, second) = (Authority::new(), Authority::new());
    let files = Files::new("renewed", &first, "");
    let exporter = files.start();
    let mut old = connect(&exporter, first.client(BOTH, None)).unwrap();
    files.certify(&second.issue());
    assert!(connect(&exporter, first.client(BOTH, None)).is_none());
    let mut new = connect(&exporter, second.client(BOTH, None)).unwrap();
    // A connection keeps what it began with, for one more answer.
    let last = old.request("GET", "/metrics", "");
    assert_eq!((last.status, last.header("connection")), (200, Some("close")));
    assert_eq!(new.request("GET", "/metrics", "").header("connection"), None);
    assert_eq!(new.request("GET", "/metrics", "").value(ERRORS), Some(0.0));
}

#[test]
fn certificates_that_become_due_are_asked_of_open_connections_too() {
    let (authority, first, second) = (Authority::new(), Authority::new(), Authority::new());
    let files = Files::new("due", &authority, "");
    let exporter = files.builder().listen("0.0.0.0:0").open_health(true).start(&Registry::new()).unwrap();
    let client = |certificate| connect(&exporter, authority.client(BOTH, certificate));
    let refused = |client: &mut TlsClient, path: &str| {
        let response = client.request("GET", path, "");
        assert_eq!((response.status, response.header("connection")), (403, Some("close")), "{path}");
        assert!(response.text().contains("certificate") && client.rest().is_empty());
    };
    let mut anonymous = ["/metrics", "/-/healthy", "/"].map(|path| (client(None).unwrap(), path));
    assert!(exporter.is_open_to_all());
    let open = "tach_exporter_open_to_all";
    let page = anonymous[0].0.request("GET", "/metrics", "");
    assert_eq!(
        (page.value(open), anonymous[2].0.request("GET", "/", "").text().contains("Open to all")),
        (Some(1.0), true)
    );

    files.write("ca.crt", &first.pem);
    let text = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";
    let text = format!("{text}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n");
    files.write("web.yml", &text);
    for (client, path) in &mut anonymous {
        refused(client, path);
    }
    assert!(client(None).is_none() && !exporter.is_open_to_all());
    let shown = first.issue();
    let mut known = client(Some(&shown)).unwrap();
    assert_eq!(known.request("GET", "/metrics", "").value(open), Some(0.0));
    assert!(!known.request("GET", "/", "").text().contains("Open to all"));

    // Another certificate of its own is no reason.
    files.certify(&authority.issue());
    let last = known.request("GET", "/metrics", "");
    assert_eq!((last.status, last.header("connection")), (200, Some("close")));
    // Another authority is.
    let mut known = client(Some(&shown)).unwrap();
    files.write("ca.crt", &second.pem);
    refused(&mut known, "/metrics");
    assert!(client(Some(&shown)).is_none() && client(Some(&second.issue())).is_some());
}

#[test]
fn tls_that_is_added_ends_open_connections() {
    let authority = Authority::new();
    let files = Files::new("added", &authority, "");
    let text = std::fs::read_to_string(files.path("web.yml")).unwrap();
    files.write("web.yml", "");
    let exporter = files.start();
    let mut plain = Client::connect(&exporter);
    assert_eq!(plain.request("GET", "/metrics", "").header("connection"), None);
    files.write("web.yml", &text);
    assert_eq!(plain.request("GET", "/metrics", "").header("connection"), Some("close"));
    assert!(plain.rest().is_empty() && connect(&exporter, authority.client(BOTH, None)).is_some());
}

#[test]
fn files_that_are_wrong_change_nothing_until_they_are_right() {
    let (first, second) = (Authority::new(), Authority::new());
    let files = Files::new("wrong", &first, "");
    let exporter = files.start();
    let mut errors = 0.0;
    let (certificate, key) = second.issue();
    for (name, text) in
        [("server.crt", "nothing"), ("server.crt", &certificate), ("web.yml", "nonsense"), ("web.yml", "")]
    {
        files.write(name, text);
        errors += 1.0;
        for _ in 0..3 {
            let mut client = connect(&exporter, first.client(BOTH, None)).unwrap();
            assert_eq!(client.request("GET", "/metrics", "").value(ERRORS), Some(errors), "{name}: {text}");
        }
    }
    std::fs::remove_file(files.path("web.yml")).unwrap();
    assert!(connect(&exporter, first.client(BOTH, None)).is_some());
    files.write("server.key", &key);
    files.write("web.yml", "tls_server_config: {cert_file: server.crt, key_file: server.key}");
    let mut client = connect(&exporter, second.client(BOTH, None)).unwrap();
    assert_eq!(client.request("GET", "/metrics", "").value(ERRORS), Some(errors + 1.0));
}

#[test]
fn a_password_that_changes_counts_at_once_and_none_is_no_change() {
    let users = |password: &str| format!("basic_auth_users:\n  alice: {}\n", bcrypt::hash(password, 4).unwrap());
    let files = Files::plain("password", &users("first"));
    let exporter = files.start();
    // On one connection as long as it lasts, which has no leave to go on.
    let mut client = Client::connect(&exporter);
    let mut status = |password: &str| {
        let response = client.request("GET", "/metrics", &credentials::basic("alice", password));
        if response.status == 401 {
            client = Client::connect(&exporter);
        }
        response.status
    };
    assert_eq!((status("first"), status("second")), (200, 401));
    files.write("web.yml", &users("second"));
    assert_eq!((status("first"), status("second")), (401, 200));
    for text in ["", "basic_auth_users:\n", "http_server_config: {headers: {X-Frame-Options: deny}}"] {
        files.write("web.yml", text);
        assert_eq!((status("first"), status("second"), status("")), (401, 200, 401), "{text}");
    }
    let page = Client::connect(&exporter).request("GET", "/metrics", &credentials::basic("alice", "second"));
    assert_eq!(page.value(ERRORS), Some(3.0));
    assert_eq!(page.header("x-frame-options"), None);
}
