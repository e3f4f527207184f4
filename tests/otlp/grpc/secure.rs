//! Calls by TLS.

use super::by_grpc;
use super::server::{Answer, Server};
use crate::secure::{Authority, HOUR, push};
use std::net::TcpListener;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// A server with a certificate of this authority that speaks these protocols, and its port.
fn server(authority: &Authority, clients: bool, protocols: &[&str], answers: Vec<Answer>) -> (Server, u16) {
    let mut config = authority.config(clients);
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start_by(listener, answers, move |stream| {
        let acceptor = acceptor.clone();
        async move { acceptor.accept(stream).await.ok() }
    });
    let port = server.address.port();
    (server, port)
}

#[test]
fn a_server_with_a_certificate_that_is_trusted_is_called() {
    let authority = Authority::new("grpc-trusted");
    let (server, port) = server(&authority, false, &["h2"], vec![Answer::status(14)]);
    // A host alone is spoken with by TLS.
    for (count, endpoint) in [(2, format!("https://localhost:{port}")), (3, format!("localhost:{port}"))] {
        push(by_grpc(&endpoint).certificate(authority.file("ca.pem"))).unwrap();
        let calls = server.calls();
        assert_eq!((calls.len(), super::tokens(calls.last().unwrap())), (count, 5));
        assert_eq!(calls[count - 1].head.uri.scheme_str(), Some("https"));
    }
}

#[test]
fn one_that_is_not_or_speaks_no_http2_is_told_nothing() {
    let (authority, other) = (Authority::new("grpc-untrusted"), Authority::new("grpc-other"));
    let (strange, port) = server(&authority, false, &["h2"], Vec::new());
    let once = |port: u16| by_grpc(&format!("https://localhost:{port}")).backoff(HOUR, HOUR);
    let error = push(once(port).certificate(other.file("ca.pem"))).unwrap_err();
    assert!(error.contains("no TLS with localhost:"), "{error}");
    let (old, port) = server(&authority, false, &["http/1.1"], Vec::new());
    let error = push(once(port).certificate(authority.file("ca.pem"))).unwrap_err();
    assert!(error.contains("no TLS with localhost:"), "{error}");
    assert_eq!((strange.calls().len(), old.calls().len()), (0, 0));
}

#[test]
fn a_certificate_is_shown_where_one_is_asked_for() {
    let authority = Authority::new("grpc-clients");
    let (server, port) = server(&authority, true, &["h2"], Vec::new());
    let trusting = || {
        let builder = by_grpc(&format!("https://localhost:{port}")).backoff(HOUR, HOUR);
        builder.certificate(authority.file("ca.pem"))
    };
    let error = push(trusting()).unwrap_err();
    assert!(!error.contains("within"), "{error}");
    push(trusting().client_certificate(authority.file("own.pem"), authority.file("own.key"))).unwrap();
    assert_eq!(server.calls().len(), 1);
}
