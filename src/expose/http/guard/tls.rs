//! From certificates to a TLS server.

use super::files::Files;
use super::web_config::{Clients, Pem, TlsConfig};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// Makes what answers handshakes. The error names the file.
pub(super) fn acceptor(config: &TlsConfig, files: &mut Files) -> Result<TlsAcceptor, String> {
    // Named here, so that the process's other TLS may use what it likes.
    let provider = Arc::new(ring::default_provider());
    let versions: &[_] = match config.versions {
        (true, true) => &[&TLS13, &TLS12],
        (true, false) => &[&TLS12],
        (false, _) => &[&TLS13],
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions);
    let builder = builder.map_err(|error| error.to_string())?;
    let builder = match &config.clients {
        Clients::Anybody => builder.with_no_client_auth(),
        Clients::Verified(ca) | Clients::Certified(ca) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots(ca, files)?.into(), provider);
            let verifier = match config.clients {
                Clients::Certified(_) => verifier,
                _ => verifier.allow_unauthenticated(),
            };
            let verifier = verifier.build().map_err(|error| format!("{}: {error}", place(ca, "client_ca")))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = certificates(&config.cert, "cert", files)?;
    let key = text(&config.key, files)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|_| format!("{} holds no private key in PEM that is not encrypted", place(&config.key, "key")))?;
    let mut server = builder.with_single_cert(chain, key).map_err(|error| {
        let (cert, key) = (place(&config.cert, "cert"), place(&config.key, "key"));
        format!("{cert} and {key} do not go together: {error}")
    })?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(server).into())
}

fn roots(ca: &Pem, files: &mut Files) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca, "client_ca", files)? {
        roots.add(certificate).map_err(|error| format!("{}: {error}", place(ca, "client_ca")))?;
    }
    Ok(roots)
}

fn certificates(pem: &Pem, key: &str, files: &mut Files) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = text(pem, files)?;
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
