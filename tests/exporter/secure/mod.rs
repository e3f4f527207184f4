//! TLS, passwords and tokens, with certificates that are made here.

mod chosen;
mod credentials;
mod reload;
mod tls;

use crate::client::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use std::io::BufReader;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use tach::{Exporter, ExporterBuilder, Registry};
use tokio_rustls::rustls;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};

pub(crate) const BOTH: &[&rustls::SupportedProtocolVersion] = &[&TLS12, &TLS13];

/// Who signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate and its key.
    pub(crate) fn issue(&self) -> (String, String) {
        self.issue_for(vec![SanType::DnsName("localhost".try_into().unwrap())])
    }

    pub(crate) fn issue_for(&self, names: Vec<SanType>) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = names;
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    pub(crate) fn roots(&self) -> rustls::RootCertStore {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        roots
    }

    /// What a client who trusts this authority does.
    pub(crate) fn client(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        certificate: Option<&(String, String)>,
    ) -> rustls::ClientConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(versions).unwrap().with_root_certificates(self.roots());
        match certificate {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        }
    }
}

pub(crate) type TlsClient = Client<rustls::StreamOwned<rustls::ClientConnection, TcpStream>>;

/// The client's side of a connection to come.
pub(crate) fn shake(config: rustls::ClientConfig) -> rustls::ClientConnection {
    let name = ServerName::try_from("localhost").unwrap();
    rustls::ClientConnection::new(Arc::new(config), name).unwrap()
}

/// Connects, shakes hands, and asks for the metrics once: a certificate that is refused shows only then.
pub(crate) fn connect(exporter: &Exporter, config: rustls::ClientConfig) -> Option<TlsClient> {
    let mut connection = shake(config);
    let mut socket = TcpStream::connect(exporter.local_addr()).unwrap();
    socket.set_read_timeout(Some(millis(10_000))).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).ok()?;
    }
    let mut client = Client(BufReader::new(rustls::StreamOwned::new(connection, socket)));
    client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.receive(false)?.status, 200);
    Some(client)
}

/// A directory with a web configuration, and what it names.
pub(crate) struct Files(Directory);

impl Files {
    /// For a server whose certificate comes from `authority`; `more`: what stands in the section of TLS besides.
    pub(crate) fn new(name: &str, authority: &Authority, more: &str) -> Self {
        let files = Self(Directory::new(name));
        files.certify(&authority.issue());
        let text = format!("tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n{more}");
        files.write("web.yml", &text);
        files
    }

    pub(crate) fn plain(name: &str, text: &str) -> Self {
        let files = Self(Directory::new(name));
        files.write("web.yml", text);
        files
    }

    pub(crate) fn certify(&self, (certificate, key): &(String, String)) {
        self.write("server.crt", certificate);
        self.write("server.key", key);
    }

    /// As editors and secret stores do: another file takes the place.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let new = self.path("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.path(name)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.0.join(name)
    }

    pub(crate) fn builder(&self) -> ExporterBuilder {
        builder().web_config(self.path("web.yml"))
    }

    pub(crate) fn start(&self) -> Exporter {
        let registry = Registry::new();
        registry.counter("tokens").build().unwrap().add(5);
        self.builder().start(&registry).unwrap()
    }
}
