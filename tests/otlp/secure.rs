//! Pushing by https, with certificates that are made here.

use crate::receiver::{Answer, Receiver};
use crate::{Pushed, settings, tokens};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tach::otlp::OtlpBuilder;
use tach::push::Pushgateway;
use tokio_rustls::rustls;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;

/// More than any test takes: no further attempts.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// An authority, and what it certifies, as files in a directory of their own.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    directory: PathBuf,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("otlp-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        std::fs::write(directory.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        let authority = Self { issuer: Issuer::new(params, key), directory };
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority.issuer).unwrap().pem();
        std::fs::write(authority.file("own.pem"), certificate).unwrap();
        std::fs::write(authority.file("own.key"), key.serialize_pem()).unwrap();
        authority
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn root(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.file("ca.pem")).unwrap()
    }

    /// What a server with a certificate of this authority goes by; with `clients`, one that wants certificates too.
    pub(crate) fn config(&self, clients: bool) -> rustls::ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if clients {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(self.root()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![CertificateDer::from_pem_file(self.file("own.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(self.file("own.key")).unwrap();
        builder.with_single_cert(chain, key).unwrap()
    }

    /// Such a server, and its URL.
    fn receiver(&self, clients: bool, answers: impl IntoIterator<Item = Answer>) -> (Receiver, String) {
        let config = Arc::new(self.config(clients));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Receiver::start_by(listener, answers, move |stream| {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            rustls::StreamOwned::new(connection, stream)
        });
        let url = format!("https://localhost:{}/v1/metrics", receiver.address().port());
        (receiver, url)
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Pushes five tokens once, with few further attempts.
pub(crate) fn push(builder: OtlpBuilder) -> Result<(), String> {
    let pushed = Pushed::new();
    pushed.tokens.add(5);
    let builder = builder.shutdown_timeout(Duration::ZERO);
    let exporter = builder.start(&pushed.registry).map_err(|error| error.to_string())?;
    exporter.flush().map_err(|error| error.to_string())
}

#[test]
fn a_receiver_with_a_certificate_that_is_trusted_is_pushed_to() {
    let authority = Authority::new("trusted");
    let (receiver, url) = authority.receiver(false, [Answer::status(503)]);
    push(settings(&url).certificate(authority.file("ca.pem"))).unwrap();
    let received = receiver.received();
    assert_eq!((received.len(), tokens(&received[1])), (2, 5));
    let host = format!("localhost:{}", receiver.address().port());
    assert_eq!(received[1].headers["host"], host);

    let gateway = Pushgateway::new(&format!("https://{host}"), "job").unwrap();
    gateway.certificate(authority.file("ca.pem")).put(&tach::Registry::new().snapshot()).unwrap();
    assert_eq!(receiver.received()[2].line, "PUT /metrics/job/job HTTP/1.1");
}

#[test]
fn one_that_is_not_is_told_nothing() {
    let (authority, other) = (Authority::new("untrusted"), Authority::new("other"));
    let (receiver, url) = authority.receiver(false, []);
    let once = |url: &str| settings(url).backoff(HOUR, HOUR);
    let error = push(once(&url).certificate(other.file("ca.pem"))).unwrap_err();
    assert!(error.contains("no TLS with localhost:"), "{error}");
    // Nor one by another name.
    let error = push(once(&url.replace("localhost", "127.0.0.1")).certificate(authority.file("ca.pem"))).unwrap_err();
    assert!(error.contains("no TLS with 127.0.0.1:"), "{error}");
    assert_eq!(receiver.received().len(), 0);
}

#[test]
fn a_certificate_is_shown_where_one_is_asked_for() {
    let authority = Authority::new("clients");
    let (receiver, url) = authority.receiver(true, []);
    let trusting = || settings(&url).certificate(authority.file("ca.pem")).backoff(HOUR, HOUR);
    assert!(push(trusting()).is_err());
    assert_eq!(receiver.received().len(), 0);
    push(trusting().client_certificate(authority.file("own.pem"), authority.file("own.key"))).unwrap();
    assert_eq!(receiver.received().len(), 1);
    let error = push(trusting().client_certificate(authority.file("own.pem"), authority.file("ca.pem"))).unwrap_err();
    assert!(error.contains("ca.pem holds no private key"), "{error}");
}
