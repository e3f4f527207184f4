//! From the text of an address to a listening socket, with errors that say what to do.

use crate::error::{Error, ErrorKind};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Where an exporter listens unless told otherwise: the port that OpenTelemetry's Prometheus exporters use, loopback
/// only.
pub(super) const DEFAULT: &str = "127.0.0.1:9464";

/// Opens a listening socket that does not block.
pub(super) fn listen(text: &str) -> Result<(TcpListener, SocketAddr), Error> {
    let address = parse(text)?;
    let open = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let local = listener.local_addr()?;
        Ok((listener, local))
    };
    open().map_err(|error: io::Error| Error::system(format!("cannot listen on {address}{}", remedy(&error)), error))
}

/// No look-up of names: what is listened on must not depend on who answers one.
fn parse(text: &str) -> Result<SocketAddr, Error> {
    let localhost = |port: &str| Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().ok()?)));
    let parsed = text.parse().ok().or_else(|| text.strip_prefix("localhost:").and_then(localhost));
    parsed.ok_or_else(|| {
        let text = format!(
            "cannot listen on {text:?}, which is no address: write an IP address and a port, as {DEFAULT}, [::1]:9464, or \
             0.0.0.0:9464 for every interface; port 0 takes any free port"
        );
        Error::new(ErrorKind::Setting, text)
    })
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
    use super::parse;

    #[test]
    fn addresses_are_read_and_anything_else_is_refused() {
        for (text, address) in [
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("[::1]:9464", "[::1]:9464"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("localhost:9464", "127.0.0.1:9464"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), address);
        }
        for text in
            ["", "9464", ":9464", "127.0.0.1", "localhost", "localhost:", "localhost:65536", "::1:9464x", "a.b:1"]
        {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")) && error.contains("port 0"), "{error}");
        }
    }
}
