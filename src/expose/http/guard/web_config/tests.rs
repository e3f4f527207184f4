use super::{Clients, Pem, Rate, WebConfig, duration};
use std::path::Path;
use std::time::Duration;

const HASH: &str = "$2b$04$cVWp4XaNU8a4v1uMRum2SO026BWLIoQMD/TXg5uZV.0P.uO8m3YEm";

fn parse(text: &str) -> Result<WebConfig, String> {
    WebConfig::parse(text, Path::new("/etc/tach"))
}

#[test]
fn a_whole_configuration_is_read() {
    let text = format!(
        "# Comments, and quotes.\ntls_server_config:\n  cert_file: server.crt\n  key_file: \"/keys/server.key\"\n  \
         client_auth_type: RequireAndVerifyClientCert\n  client_ca: |\n    first\n    second\n  min_version: TLS13\n  \
         cipher_suites: []\nhttp_server_config:\n  http2: false\n  headers:\n    X-Frame-Options: deny\n    \
         Strict-Transport-Security: max-age=31536000\nbasic_auth_users:\n  alice: {HASH}\n  bob: '{HASH}'\n\
         rate_limit:\n  interval: 1m0.5s\n  burst: 20\n"
    );
    let config = parse(&text).unwrap();
    let tls = config.tls.unwrap();
    assert!(matches!(tls.cert, Pem::File(path) if path == Path::new("/etc/tach/server.crt")));
    assert!(matches!(tls.key, Pem::File(path) if path == Path::new("/keys/server.key")));
    assert!(matches!(tls.clients, Clients::Certified(Pem::Inline(pem)) if pem == "first\nsecond\n"));
    assert_eq!(tls.spoken.versions, (false, true));
    let headers: Vec<_> = config.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    assert_eq!(headers, [("x-frame-options", "deny"), ("strict-transport-security", "max-age=31536000")]);
    assert_eq!(config.users, [("alice", HASH), ("bob", HASH)].map(|(name, hash)| (name.to_owned(), hash.to_owned())));
    assert_eq!(config.rate, Some(Rate { interval: Duration::from_millis(60_500), burst: 20 }));
}

#[test]
fn nothing_asks_for_nothing() {
    for text in
        ["", "# only this\n", "---\n", "{}", "tls_server_config:\nhttp_server_config: ~\nbasic_auth_users: {}\n"]
    {
        let config = parse(text).unwrap();
        assert!(config.tls.is_none() && config.headers.is_empty() && config.users.is_empty() && config.rate.is_none());
    }
    assert_eq!(parse("rate_limit: {interval: 0, burst: 5}").unwrap().rate, None);
}

#[test]
fn truths_are_written_as_in_yaml_1_1_and_an_empty_text_is_none() {
    for [yes, no] in [["true", "false"], ["True", "FALSE"], ["yes", "No"], ["Y", "n"], ["ON", "Off"], ["~", "NULL"]] {
        let text = format!(
            "tls_server_config:\n  cert_file: a\n  cert: \"\"\n  key: b\n  client_auth_type: \"\"\n  \
             client_ca_file: \"\"\n  prefer_server_cipher_suites: {yes}\nhttp_server_config:\n  http2: {no}\n"
        );
        let tls = parse(&text).unwrap().tls.unwrap();
        assert!(matches!(tls.cert, Pem::File(path) if path == Path::new("/etc/tach/a")));
        assert!(matches!(tls.clients, Clients::Anybody));
    }
}

#[test]
fn mistakes_are_told_with_line_key_and_remedy() {
    let tls = |more: &str| format!("tls_server_config:\n  cert_file: a\n  key_file: b\n  {more}\n");
    let cases = [
        ("tls_server_conf: {}", "line 1: tls_server_conf is no known key: allowed are tls_server_config, http"),
        (&*tls("cert_fil: x"), "line 4: tls_server_config.cert_fil is no known key: allowed are cert, cert_file"),
        (&*tls("cert: x"), "line 4: tls_server_config.cert stands beside cert_file"),
        (&*tls("client_auth_type: Require"), "line 4: tls_server_config.client_auth_type is \"Require\": allowed"),
        (&*tls("client_auth_type: RequireAnyClientCert"), "nobody verifies"),
        (&*tls("client_auth_type: RequireAndVerifyClientCert"), "needs client_ca_file"),
        (&*tls("client_ca_file: x"), "line 4: tls_server_config.client_ca_file has an effect only"),
        (&*tls("min_version: TLS11"), "line 4: tls_server_config.min_version is older than TLS12"),
        (&*tls("max_version: SSL"), "is \"SSL\": allowed are TLS12 and TLS13"),
        (&*tls("min_version: TLS13\n  max_version: TLS12"), "line 4: tls_server_config.min_version is above"),
        (
            &*tls("cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]"),
            "line 4: tls_server_config.cipher_suites has an unknown cipher: TLS_R",
        ),
        (&*tls("cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]"), "allowed are TLS_AES_128_GCM_SHA256, "),
        (
            &*tls("cipher_suites: [TLS_AES_128_GCM_SHA256]\n  max_version: TLS12"),
            "line 4: tls_server_config.cipher_suites has suites of TLS 1.3 only",
        ),
        (&*tls("cipher_suites: TLS_AES_128_GCM_SHA256"), "is to be a list"),
        (&*tls("cipher_suites: [[a]]"), "is to be a list of single values"),
        (&*tls("curve_preferences: [CurveP521]"), "has an unknown curve: CurveP521: allowed are X25519, CurveP256"),
        (&*tls("client_allowed_sans: [a]"), "needs client_auth_type: RequireAndVerifyClientCert"),
        (
            &*tls("client_allowed_sans: [a]\n  client_auth_type: VerifyClientCertIfGiven\n  client_ca: a"),
            "needs client_auth_type: RequireAndVerifyClientCert",
        ),
        (
            &*tls("client_allowed_sans: []\n  client_auth_type: RequireAndVerifyClientCert\n  client_ca: a"),
            "line 4: tls_server_config.client_allowed_sans allows nobody",
        ),
        (
            &*tls("client_allowed_sans:\n  client_auth_type: RequireAndVerifyClientCert\n  client_ca: a"),
            "line 4: tls_server_config.client_allowed_sans allows nobody",
        ),
        (
            &*tls("client_allowed_sans: [a@b]\n  client_auth_type: RequireAndVerifyClientCert\n  client_ca: a"),
            "addresses of mail are not looked at",
        ),
        (&*tls("prefer_server_cipher_suites: false"), "the server's order of suites counts"),
        ("tls_server_config:\n  cert_file: a", "tls_server_config.key_file is missing"),
        ("tls_server_config:\n  key_file: a", "tls_server_config.cert_file is missing"),
        ("tls_server_config: true", "line 1: tls_server_config is to have keys"),
        ("tls_server_config:\n  cert_file: [a]", "line 2: tls_server_config.cert_file is to be one value"),
        ("http_server_config:\n  http2: true", "line 2: http_server_config.http2 HTTP/2 is not spoken"),
        ("http_server_config: {http2: On}", "line 1: http_server_config.http2 HTTP/2 is not spoken"),
        ("http_server_config: {http2: fALSE}", "http_server_config.http2 is \"fALSE\": allowed are true and false"),
        (&*tls("prefer_server_cipher_suites: Off"), "the server's order of suites counts"),
        (&*tls("client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ''"), "needs client_ca_file"),
        ("tls_server_config: {cert_file: '', cert: '', key: b}", "tls_server_config.cert_file is missing"),
        (
            "http_server_config: {headers: {Server: x}}",
            "http_server_config.headers.Server is no known key: allowed are Con",
        ),
        ("http_server_config: {headers: {X-Frame-Options: no}}", "is \"no\": allowed is deny or sameorigin"),
        ("http_server_config: {headers: {X-XSS-Protection: \"a\\nb\"}}", "has characters that no header may have"),
        ("basic_auth_users:\n  alice: secret", "line 2: basic_auth_users.alice has no bcrypt hash"),
        ("basic_auth_users:\n  alice:\n", "line 2: basic_auth_users.alice has no bcrypt hash"),
        ("rate_limit: {interval: 1}", "rate_limit.interval is \"1\": write a time with its unit"),
        ("rate_limit: {interval: 1s, burst: 0}", "rate_limit.burst is no number of requests"),
        ("a: 1\na: 2", "line 2: the key a is given twice"),
        ("&x tls_server_config: {}", "line 1: "),
        ("basic_auth_users: &x {}", "anchors, aliases and tags are not taken"),
        ("basic_auth_users: !!map {}", "anchors, aliases and tags are not taken"),
        ("- a", "line 1: no keys with values"),
        ("? [a]\n: b", "line 1: a key that is not a word"),
        ("{}\n---\n{}", "a second document"),
        ("a: [", "no YAML"),
        ("[[[[[[[[[[[[]]]]]]]]]]]]", "nested more than 8 deep"),
    ];
    for (text, part) in cases {
        let error = parse(text).unwrap_err();
        assert!(error.contains(part), "{text:?}: {error}");
    }
}

#[test]
fn hashes_are_checked_and_not_shown() {
    for (name, hash, part) in [
        ("a", HASH.replace("$04$", "$15$"), "cost above 14"),
        ("a", HASH.replace("$04$", "$03$"), "cost below 4"),
        ("a", HASH.replace("$2b$", "$1$"), "no bcrypt hash"),
        ("'a:b'", HASH.to_owned(), "is no name"),
    ] {
        let error = parse(&format!("basic_auth_users:\n  {name}: {hash}")).unwrap_err();
        assert!(error.contains(part) && !error.contains("cVWp4XaNU8a4v1uMRum2SO"), "{error}");
    }
    for version in ["$2a$", "$2y$"] {
        assert_eq!(
            parse(&format!("basic_auth_users: {{a: {}}}", HASH.replace("$2b$", version))).unwrap().users.len(),
            1
        );
    }
}

#[test]
fn times_are_read_as_go_writes_them() {
    for (text, nanos) in [
        ("0", Some(0)),
        ("1s", Some(1_000_000_000)),
        ("1.5s", Some(1_500_000_000)),
        ("1h2m3s", Some(3_723_000_000_000)),
        ("7ms8us9ns", Some(7_008_009)),
        ("1µs", Some(1000)),
        ("", None),
        ("1", None),
        ("00", None),
        ("s", None),
        ("-1s", None),
        ("1d", None),
        ("1.2.3s", None),
        ("9999999999999999999h", None),
    ] {
        assert_eq!(duration(text).map(|time| time.as_nanos()), nanos, "{text:?}");
    }
}

#[test]
fn suites_groups_and_names_are_chosen_by_what_go_calls_them() {
    use tokio_rustls::rustls::{CipherSuite, NamedGroup};
    let text = "tls_server_config:\n  cert_file: a\n  key_file: b\n  client_auth_type: RequireAndVerifyClientCert\n  \
                client_ca_file: c\n  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n  \
                curve_preferences: [CurveP384, X25519]\n  prefer_server_cipher_suites: true\n  client_allowed_sans:\n    \
                - prometheus\n    - 10.0.0.1\n    - spiffe://a@b/c\n";
    let tls = parse(text).unwrap().tls.unwrap();
    assert_eq!(tls.spoken.suites, Some(vec![CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]));
    assert_eq!(tls.spoken.groups, Some(vec![NamedGroup::secp384r1, NamedGroup::X25519]));
    assert_eq!(tls.sans, ["prometheus", "10.0.0.1", "spiffe://a@b/c"]);
    let tls =
        parse("tls_server_config: {cert: a, key: b, cipher_suites: [], curve_preferences: }").unwrap().tls.unwrap();
    assert_eq!((tls.spoken.suites, tls.spoken.groups, tls.sans), (None, None, Vec::new()));
}
