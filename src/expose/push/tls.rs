//! TLS towards a receiver.

use super::target::Trust;
use crate::error::{Error, ErrorKind};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Where systems keep the authorities that all programs trust.
const SYSTEM: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// Makes what shakes hands, for this protocol of ALPN if for one. Errors name the file.
pub(super) fn connector(trust: &Trust, protocol: Option<&str>) -> Result<TlsConnector, Error> {
    // Named here, so that the process's other TLS may use what it likes.
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13, &TLS12]);
    let builder = builder.map_err(|error| wrong(error.to_string()))?;
    let builder = builder.with_root_certificates(roots(trust.authorities.as_deref())?);
    let mut config = match &trust.own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let private = PrivateKeyDer::from_pem_slice(&read(key)?);
            let no_key = |_| wrong(format!("{} holds no private key in PEM that is not encrypted", key.display()));
            builder.with_client_auth_cert(certificates(certificate)?, private.map_err(no_key)?).map_err(|error| {
                wrong(format!("{} and {} do not go together: {error}", certificate.display(), key.display()))
            })?
        }
    };
    config.alpn_protocols = protocol.map(|name| name.as_bytes().to_vec()).into_iter().collect();
    Ok(Arc::new(config).into())
}

/// The authorities in this file, or those of the system.
fn roots(file: Option<&Path>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = file {
        for certificate in certificates(file)? {
            roots.add(certificate).map_err(|error| wrong(format!("{}: {error}", file.display())))?;
        }
        return Ok(roots);
    }
    let told = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()).map(PathBuf::from);
    let system = told.or_else(|| SYSTEM.iter().map(PathBuf::from).find(|path| path.exists()));
    let system = system.ok_or_else(|| {
        let places = SYSTEM.join(", ");
        wrong(format!("the system's authorities are in none of {places}: name their file by SSL_CERT_FILE"))
    })?;
    // Among so many some may be of a sort that is no longer read.
    let (added, _) = roots.add_parsable_certificates(certificates(&system)?);
    if added == 0 { Err(wrong(format!("no certificate of {} can be used", system.display()))) } else { Ok(roots) }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = read(file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    certificates.ok().filter(|certificates| !certificates.is_empty()).ok_or_else(|| {
        wrong(format!("{} holds no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----", file.display()))
    })
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    fs::read(file).map_err(|error| Error::system(format!("push: cannot read {}", file.display()), error))
}

fn wrong(text: String) -> Error {
    Error::new(ErrorKind::Setting, format!("push: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_no_certificates_are_refused_by_name() {
        let here = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        let nowhere = PathBuf::from("/nowhere/ca.pem");
        let trust = |authorities: &PathBuf| Trust { authorities: Some(authorities.clone()), own: None };
        let refuse = |trust: &Trust| connector(trust, None).map(|_| ()).unwrap_err().to_string();
        assert!(refuse(&trust(&nowhere)).contains("cannot read /nowhere/ca.pem"));
        assert!(refuse(&trust(&here)).contains("Cargo.toml holds no certificate"));
    }
}
