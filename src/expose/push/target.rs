//! A place to push to, and how it is spoken with.

use super::url::Endpoint;
use crate::error::Error;
use std::path::PathBuf;
#[cfg(feature = "tls")]
use {
    crate::error::ErrorKind,
    tokio_rustls::{TlsConnector, rustls::pki_types::ServerName},
};

/// Which certificates count, where there is TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trust {
    /// The file of the authorities that a receiver's certificate may be of; `None`: those of the system.
    pub(super) authorities: Option<PathBuf>,
    /// The files of a certificate and its key to show.
    pub(super) own: Option<(PathBuf, PathBuf)>,
}

/// A receiver.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) endpoint: Endpoint,
    /// What shakes hands, and with whom.
    #[cfg(feature = "tls")]
    pub(super) tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Target {
    /// Reads the certificates, where they are needed. `protocol` is what TLS is told that will be spoken, if anything.
    #[cfg(feature = "tls")]
    pub(super) fn new(endpoint: Endpoint, trust: &Trust, protocol: Option<&str>) -> Result<Self, Error> {
        if !endpoint.secure {
            return Ok(Self { endpoint, tls: None });
        }
        // The scope of an address is this machine's word for its own interface.
        let host = endpoint.host.split('%').next().unwrap_or_default().to_owned();
        let name = ServerName::try_from(host).map_err(|_| {
            let text = format!("push: {:?} is no host that a certificate can be of: correct it", endpoint.host);
            Error::new(ErrorKind::Setting, text)
        })?;
        Ok(Self { endpoint, tls: Some((super::tls::connector(trust, protocol)?, name)) })
    }

    /// Without TLS, which no endpoint has then.
    #[cfg(not(feature = "tls"))]
    pub(super) fn new(endpoint: Endpoint, _: &Trust, _: Option<&str>) -> Result<Self, Error> {
        Ok(Self { endpoint })
    }
}
