//! From the text of an address to a listening socket, with errors that say what to do.

use super::socket::Bound;
use crate::error::{Error, ErrorKind};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

/// Where an exporter listens unless told otherwise: the port that OpenTelemetry's Prometheus exporters use, loopback
/// only.
pub(super) const DEFAULT: &str = "127.0.0.1:9464";

/// What a socket in the file system has for an address.
#[cfg(unix)]
const NO_ADDRESS: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));

/// Where to listen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Address {
    Ip(SocketAddr),
    Unix(PathBuf),
}

impl Address {
    /// The address at which other machines can get there, if they can.
    pub(super) fn reachable(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(address.ip()).filter(|ip| !ip.to_canonical().is_loopback()),
            Self::Unix(_) => None,
        }
    }
}

/// A listening socket, and where it is.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) bound: Bound,
    /// The address, with the port that the system chose; unspecified for a socket in the file system.
    pub(super) address: SocketAddr,
    #[cfg(unix)]
    pub(super) file: Option<super::unix::SocketFile>,
}

/// Opens a listening socket that does not block; `mode`: the permissions of its file, where it has one.
pub(super) fn listen(address: &Address, mode: u32) -> Result<Listening, Error> {
    match address {
        Address::Ip(address) => listen_ip(*address),
        Address::Unix(path) => listen_unix(path, mode),
    }
}

fn listen_ip(address: SocketAddr) -> Result<Listening, Error> {
    let open = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let local = listener.local_addr()?;
        Ok(Listening {
            bound: Bound::Tcp(listener),
            address: local,
            #[cfg(unix)]
            file: None,
        })
    };
    open().map_err(|error: io::Error| Error::system(format!("cannot listen on {address}{}", remedy(&error)), error))
}

#[cfg(unix)]
fn listen_unix(path: &Path, mode: u32) -> Result<Listening, Error> {
    let (listener, file) = super::unix::listen(path, mode)?;
    Ok(Listening { bound: Bound::Unix(listener), address: NO_ADDRESS, file: Some(file) })
}

#[cfg(not(unix))]
fn listen_unix(path: &Path, _: u32) -> Result<Listening, Error> {
    let text = format!("cannot listen on unix:{}, as this system has no such sockets: write {DEFAULT}", path.display());
    Err(Error::new(ErrorKind::Setting, text))
}

/// No look-up of names: what is listened on must not depend on who answers one.
pub(super) fn parse(text: &str) -> Result<Address, Error> {
    if let Some(path) = text.strip_prefix("unix:") {
        // What it would be relative to is anybody's guess.
        return if path.starts_with('/') { Ok(Address::Unix(path.into())) } else { Err(no_path(text)) };
    }
    let localhost = |port: &str| Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().ok()?)));
    let parsed = text.parse().ok().or_else(|| text.strip_prefix("localhost:").and_then(localhost));
    parsed.map(Address::Ip).ok_or_else(|| {
        let text = format!(
            "cannot listen on {text:?}, which is no address: write an IP address and a port, as {DEFAULT}, [::1]:9464, or \
             0.0.0.0:9464 for every interface; port 0 takes any free port; or unix: and a path, as unix:/run/tach.sock"
        );
        Error::new(ErrorKind::Setting, text)
    })
}

fn no_path(text: &str) -> Error {
    let text = format!("cannot listen on {text:?}, which has no absolute path: write it as unix:/run/tach.sock");
    Error::new(ErrorKind::Setting, text)
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            ", as the port is taken: choose another port, or port 0 for any free one, or find the process that holds it \
             (ss -ltnp)"
        }
        io::ErrorKind::AddrNotAvailable => {
            ", as no interface of this machine has that address: choose one of its own, 127.0.0.1 or 0.0.0.0"
        }
        io::ErrorKind::PermissionDenied => {
            ", as the process may not use that port: choose one from 1024 upwards, or port 0"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, parse};

    #[test]
    fn addresses_are_read_and_anything_else_is_refused() {
        for (text, address) in [
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("[::1]:9464", "[::1]:9464"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("localhost:9464", "127.0.0.1:9464"),
        ] {
            assert_eq!(parse(text).unwrap(), Address::Ip(address.parse().unwrap()));
        }
        for (text, reachable) in [
            ("127.0.0.1:1", false),
            ("127.9.9.9:1", false),
            ("[::1]:1", false),
            ("[::ffff:127.0.0.1]:1", false),
            ("unix:/run/tach.sock", false),
            ("0.0.0.0:1", true),
            ("[::]:1", true),
            ("10.0.0.1:1", true),
        ] {
            assert_eq!(parse(text).unwrap().reachable().is_some(), reachable, "{text}");
        }
        assert_eq!(parse("unix:/run/a b.sock").unwrap(), Address::Unix("/run/a b.sock".into()));
        for text in ["unix:", "unix:tach.sock", "unix:@tach"] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")) && error.contains("unix:/"), "{error}");
        }
        for text in
            ["", "9464", ":9464", "127.0.0.1", "localhost", "localhost:", "localhost:65536", "::1:9464x", "a.b:1"]
        {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")) && error.contains("port 0"), "{error}");
        }
    }
}
