//! Where an exporter listens besides an address, and whom it lets in.

use crate::client::*;
use tach::{ErrorKind, Exporter, Registry};

#[test]
fn only_networks_that_are_let_in_are_served() {
    let registry = Registry::new();
    let exporter = builder().allow("10.0.0.0/8").allow("127.0.0.0/8").start(&registry).unwrap();
    assert_eq!(scrape(&exporter).status, 200);

    // The machine itself is let in only if it is named.
    let exporter = builder().allow("10.0.0.0/8").allow("192.0.2.7").start(&registry).unwrap();
    for _ in 0..3 {
        let mut client = Client::connect(&exporter);
        client.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(client.rest().is_empty());
    }
    for network in ["everyone", "10.0.0.1/8", ""] {
        let error = builder().allow(network).start(&registry).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Setting);
        assert!(error.to_string().contains(&format!("{network:?}")), "{error}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn who_is_not_let_in_is_counted() {
    let exporter = builder().allow("127.0.0.1").start(&Registry::new()).unwrap();
    assert!(Client::connect_from(&exporter, 2, None).rest().is_empty());
    assert_eq!(scrape(&exporter).value("tach_exporter_refused_total{reason=\"network\"}"), Some(1.0));
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;
    use tach::ExporterBuilder;

    fn at(path: &Path) -> ExporterBuilder {
        Exporter::builder().listen(format!("unix:{}", path.display()))
    }

    fn scrape(path: &Path) -> String {
        let mut client = UnixStream::connect(path).unwrap();
        client.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
        response
    }

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_unix_socket_is_served_and_removed_in_the_end() {
        let directory = Directory::new("served");
        let path = directory.0.join("metrics.sock");
        let registry = Registry::new();
        registry.counter("tokens").build().unwrap().add(5);
        let exporter = at(&path).start(&registry).unwrap();
        assert_eq!((exporter.socket_path(), exporter.local_addr().port()), (Some(&*path), 0));
        assert_eq!(mode(&path), 0o660);
        for _ in 0..3 {
            assert!(scrape(&path).contains("\ntokens_total 5\n"));
        }
        drop(exporter);
        assert!(!path.exists());
        let exporter = at(&path).socket_mode(0o606).start(&registry).unwrap();
        assert_eq!(mode(&path), 0o606);
        // What has taken its place is not its own to remove.
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "other").unwrap();
        drop(exporter);
        assert_eq!(std::fs::read(&path).unwrap(), b"other");
        assert_eq!(builder().start(&registry).unwrap().socket_path(), None);
    }

    #[test]
    fn the_socket_of_a_dead_process_is_replaced_and_no_other_file() {
        let directory = Directory::new("stale");
        let path = directory.0.join("metrics.sock");
        let registry = Registry::new();
        // Dropping it closes it, and leaves the file.
        drop(UnixListener::bind(&path).unwrap());
        let exporter = at(&path).start(&registry).unwrap();
        scrape(&path);
        let error = at(&path).start(&registry).unwrap_err().to_string();
        assert!(error.contains("another process listens") && error.contains(&*path.to_string_lossy()), "{error}");
        scrape(&path);
        drop(exporter);

        std::fs::write(&path, "precious").unwrap();
        let error = at(&path).start(&registry).unwrap_err();
        assert!(error.kind() == ErrorKind::System && error.to_string().contains("no socket"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn what_cannot_be_a_socket_is_an_error_that_says_what_to_do() {
        let directory = Directory::new("errors");
        let registry = Registry::new();
        let start = |builder: ExporterBuilder| builder.start(&registry).map(|_| ()).unwrap_err();
        let path = directory.0.join("metrics.sock");
        for (builder, kind, part) in [
            (Exporter::builder().listen("unix:metrics.sock"), ErrorKind::Setting, "absolute path"),
            (at(&directory.0.join("none/metrics.sock")), ErrorKind::System, "make that first"),
            (at(&directory.0.join("x".repeat(200))), ErrorKind::System, "107 bytes"),
            (at(&path).allow("10.0.0.0/8"), ErrorKind::Setting, "socket_mode"),
            (at(&path).socket_mode(0o444), ErrorKind::Setting, "0o444"),
            (at(&path).socket_mode(660), ErrorKind::Setting, "octal"),
        ] {
            let error = start(builder);
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(part), "{error}");
        }
        assert!(!path.exists());
    }

    #[test]
    fn limits_hold_on_a_unix_socket_too() {
        let directory = Directory::new("limits");
        let path = directory.0.join("metrics.sock");
        let (registry, go) = crate::limits::blocked();
        let exporter = at(&path).connections_max(1).header_timeout(millis(200)).start(&registry).unwrap();
        let mut rest = Vec::new();
        UnixStream::connect(&path).unwrap().read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty());
        let mut busy = UnixStream::connect(&path).unwrap();
        busy.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        std::thread::sleep(millis(50));
        UnixStream::connect(&path).unwrap().read_to_end(&mut rest).unwrap();
        assert!(rest.starts_with(b"HTTP/1.1 503 "));
        drop(go);
        rest.clear();
        busy.read_to_end(&mut rest).unwrap();
        assert!(rest.starts_with(b"HTTP/1.0 200 OK\r\n"));
        drop(exporter);
    }
}
