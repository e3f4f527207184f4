//! Suites, groups, and names of clients that a configuration chooses.

use super::*;
use rustls::{CipherSuite, NamedGroup};

const CLIENTS: &str = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n";

#[test]
fn suites_of_tls_1_2_are_those_that_are_chosen() {
    let authority = Authority::new();
    let suite = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";
    let files = Files::new("suites", &authority, &format!("  cipher_suites: [{suite}]\n"));
    let exporter = files.start();
    let spoken = |versions: &[&'static rustls::SupportedProtocolVersion]| {
        let client = connect(&exporter, authority.client(versions, None)).unwrap();
        client.0.get_ref().conn.negotiated_cipher_suite().unwrap().suite()
    };
    assert_eq!(spoken(&[&TLS12]), CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256);
    // The client's first, of those of TLS 1.3.
    assert_eq!(spoken(&[&TLS13]), CipherSuite::TLS13_AES_256_GCM_SHA384);
    // With none of TLS 1.2 nobody gets through by that.
    let files = Files::new("suites13", &authority, "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n");
    let exporter = files.start();
    assert!(connect(&exporter, authority.client(&[&TLS12], None)).is_none());
    assert!(connect(&exporter, authority.client(BOTH, None)).is_some());
}

#[test]
fn keys_are_exchanged_in_the_groups_that_are_chosen() {
    let authority = Authority::new();
    let files = Files::new("groups", &authority, "  curve_preferences: [CurveP384, CurveP256]\n");
    let exporter = files.start();
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let client = connect(&exporter, authority.client(versions, None)).unwrap();
        let group = client.0.get_ref().conn.negotiated_key_exchange_group().unwrap().name();
        assert!([NamedGroup::secp384r1, NamedGroup::secp256r1].contains(&group), "{group:?}");
    }
    let only = |group: NamedGroup| {
        let mut provider = rustls::crypto::ring::default_provider();
        provider.kx_groups.retain(|known| known.name() == group);
        let builder = rustls::ClientConfig::builder_with_provider(provider.into());
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let client = builder.with_root_certificates(authority.roots()).with_no_client_auth();
        connect(&exporter, client).is_some()
    };
    let groups = [NamedGroup::X25519, NamedGroup::secp256r1, NamedGroup::secp384r1];
    assert_eq!(groups.map(only), [false, true, true]);
}

#[test]
fn clients_have_one_of_the_names_that_are_allowed() {
    let (authority, others) = (Authority::new(), Authority::new());
    let names =
        "  client_allowed_sans:\n  - prometheus.example\n  - 10.1.2.3\n  - 'fd00::1'\n  - spiffe://mesh/prometheus\n";
    let files = Files::new("sans", &authority, &format!("{CLIENTS}{names}"));
    files.write("ca.crt", &authority.pem);
    let exporter = files.start();
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let uri = |name: &str| SanType::URI(name.try_into().unwrap());
    let address = |text: &str| SanType::IpAddress(text.parse().unwrap());
    for (sans, allowed) in [
        (vec![dns("prometheus.example")], true),
        (vec![dns("elsewhere"), dns("prometheus.example")], true),
        (vec![address("10.1.2.3")], true),
        (vec![address("fd00::1")], true),
        (vec![uri("spiffe://mesh/prometheus")], true),
        (vec![], false),
        (vec![dns("sub.prometheus.example"), dns("*.example")], false),
        (vec![dns("10.1.2.3")], false),
        (vec![address("10.1.2.4")], false),
        (vec![uri("spiffe://mesh/prometheus/other")], false),
        (vec![SanType::Rfc822Name("a@prometheus.example".try_into().unwrap())], false),
    ] {
        for versions in [&[&TLS12][..], &[&TLS13]] {
            let client = authority.client(versions, Some(&authority.issue_for(sans.clone())));
            assert_eq!(connect(&exporter, client).is_some(), allowed, "{sans:?}");
        }
    }
    // The name alone is nothing, and neither is no certificate.
    let strange = others.issue_for(vec![dns("prometheus.example")]);
    assert!(connect(&exporter, authority.client(BOTH, Some(&strange))).is_none());
    assert!(connect(&exporter, authority.client(BOTH, None)).is_none());
}

#[test]
fn names_that_are_no_longer_allowed_end_with_the_next_connection() {
    let authority = Authority::new();
    let files = Files::new("sans-change", &authority, &format!("{CLIENTS}  client_allowed_sans: [old]\n"));
    files.write("ca.crt", &authority.pem);
    let exporter = files.start();
    let certificate = authority.issue_for(vec![SanType::DnsName("old".try_into().unwrap())]);
    let mut client = connect(&exporter, authority.client(BOTH, Some(&certificate))).unwrap();
    let text = std::fs::read_to_string(files.path("web.yml")).unwrap();
    files.write("web.yml", &text.replace("[old]", "[new, newer]"));
    // The one that there is shows that it would not get through now.
    assert_eq!(client.request("GET", "/metrics", "").status, 403);
    assert!(connect(&exporter, authority.client(BOTH, Some(&certificate))).is_none());
}

#[test]
fn names_are_not_dropped_by_a_file_that_is_cut() {
    let authority = Authority::new();
    let files = Files::new("sans-cut", &authority, &format!("{CLIENTS}  client_allowed_sans:\n  - known\n"));
    files.write("ca.crt", &authority.pem);
    let exporter = files.start();
    let of = |name: &str| authority.issue_for(vec![SanType::DnsName(name.try_into().unwrap())]);
    let (known, stranger) = (of("known"), of("stranger"));
    let text = std::fs::read_to_string(files.path("web.yml")).unwrap();
    let key = text.find("  client_allowed_sans").unwrap();
    for cut in [key, key + "  client_allowed_sans:".len(), key + "  client_allowed_sans:\n  ".len()] {
        files.write("web.yml", &text[..cut]);
        assert!(connect(&exporter, authority.client(BOTH, Some(&stranger))).is_none(), "{:?}", &text[..cut]);
        assert!(connect(&exporter, authority.client(BOTH, Some(&known))).is_some());
    }
}
