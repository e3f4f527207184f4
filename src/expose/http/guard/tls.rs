//! From certificates to a TLS server.

use super::files::Files;
use super::sans::Named;
use super::web_config::{Clients, Pem, Spoken, TlsConfig};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{NamedGroup, RootCertStore, ServerConfig};

/// What answers handshakes, and how.
pub(super) struct Tls {
    pub(super) acceptor: TlsAcceptor,
    /// What clients have to show.
    pub(super) clients: Shown,
    /// The certificates that clients are shown, as PEM, and what is spoken.
    server: (String, Spoken),
}

/// What clients have to show: a certificate of these authorities, as PEM.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shown {
    authorities: Option<String>,
    /// With one of these names, if there are some.
    sans: Vec<String>,
    /// Without one nobody gets through.
    pub(super) required: bool,
}

impl Shown {
    pub(super) fn is_named(&self) -> bool {
        !self.sans.is_empty()
    }
}

impl Tls {
    /// Whether handshakes are the same.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.clients == other.clients && self.server == other.server
    }
}

/// Makes what answers handshakes. The error names the file.
pub(super) fn read(config: &TlsConfig, files: &mut Files) -> Result<Tls, String> {
    // Named here, so that the process's other TLS may use what it likes.
    let mut provider = ring::default_provider();
    if let Some(suites) = &config.spoken.suites {
        // Those of TLS 1.3 are all good, and none can be left out.
        provider.cipher_suites.retain(|suite| suite.tls13().is_some() || suites.contains(&suite.suite()));
    }
    if let Some(groups) = &config.spoken.groups {
        let place = |group: NamedGroup| groups.iter().position(|chosen| *chosen == group);
        provider.kx_groups.retain(|group| place(group.name()).is_some());
        provider.kx_groups.sort_by_key(|group| place(group.name()));
    }
    let provider = Arc::new(provider);
    let versions: &[_] = match config.spoken.versions {
        (true, true) => &[&TLS13, &TLS12],
        (true, false) => &[&TLS12],
        (false, _) => &[&TLS13],
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions);
    let builder = builder.map_err(|error| error.to_string())?;
    let mut clients = Shown::default();
    let builder = match &config.clients {
        Clients::Anybody => builder.with_no_client_auth(),
        Clients::Verified(ca) | Clients::Certified(ca) => {
            clients.required = matches!(config.clients, Clients::Certified(_));
            let text = clients.authorities.insert(text(ca, files)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots(text, ca)?.into(), provider);
            let verifier = if clients.required { verifier } else { verifier.allow_unauthenticated() };
            let verifier = verifier.build().map_err(|error| format!("{}: {error}", place(ca, "client_ca")))?;
            clients.sans.clone_from(&config.sans);
            builder.with_client_cert_verifier(if config.sans.is_empty() {
                verifier
            } else {
                Arc::new(Named { inner: verifier, names: config.sans.clone() })
            })
        }
    };
    let cert = text(&config.cert, files)?;
    let chain = certificates(&cert, &config.cert, "cert")?;
    let key = text(&config.key, files)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|_| format!("{} holds no private key in PEM that is not encrypted", place(&config.key, "key")))?;
    let mut server = builder.with_single_cert(chain, key).map_err(|error| {
        let (cert, key) = (place(&config.cert, "cert"), place(&config.key, "key"));
        format!("{cert} and {key} do not go together: {error}")
    })?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Tls { acceptor: Arc::new(server).into(), clients, server: (cert, config.spoken.clone()) })
}

fn roots(text: &str, ca: &Pem) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(text, ca, "client_ca")? {
        roots.add(certificate).map_err(|error| format!("{}: {error}", place(ca, "client_ca")))?;
    }
    Ok(roots)
}

/// `text`: what `pem` holds.
fn certificates(text: &str, pem: &Pem, key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    certificates.ok().filter(|certificates| !certificates.is_empty()).ok_or_else(|| {
        format!("{} holds no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----", place(pem, key))
    })
}

fn text(pem: &Pem, files: &mut Files) -> Result<String, String> {
    match pem {
        Pem::File(path) => files.read(path),
        Pem::Inline(text) => Ok(text.clone()),
    }
}

/// How an error calls it.
fn place(pem: &Pem, key: &str) -> String {
    match pem {
        Pem::File(path) => path.display().to_string(),
        Pem::Inline(_) => format!("tls_server_config.{key}"),
    }
}
