//! A client over a raw socket, and what the tests have in common.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;
use tach::{Exporter, ExporterBuilder, Registry};

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn builder() -> ExporterBuilder {
    Exporter::builder().listen("127.0.0.1:0")
}

/// A registry with one counter at 5, and its exporter.
pub(crate) fn tokens() -> (Registry, Exporter) {
    let registry = Registry::new();
    registry.counter("tokens").build().unwrap().add(5);
    let exporter = builder().start(&registry).unwrap();
    (registry, exporter)
}

/// A page so long that the system cannot take it all when the client does not read.
pub(crate) fn long_page() -> Registry {
    let registry = Registry::builder().const_label("padding", "x".repeat(64 << 10)).build().unwrap();
    for index in 0..200 {
        registry.counter(format!("long_{index}")).build().unwrap();
    }
    registry
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The lines of the page but for those that differ from one collection to the next.
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.text().lines().filter(|line| !line.starts_with("tach_")).collect()
    }

    /// The value of a sample without labels.
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        self.text().lines().find_map(value)
    }

    /// The headers that two responses to the same request have in common.
    pub(crate) fn stable_headers(&self) -> BTreeMap<&str, &str> {
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        headers.filter(|(name, _)| *name != "date").collect()
    }
}

pub(crate) struct Client<S = TcpStream>(pub(crate) BufReader<S>);

impl Client {
    pub(crate) fn connect(exporter: &Exporter) -> Self {
        Self::connect_to(exporter.local_addr())
    }

    pub(crate) fn connect_to(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).unwrap())
    }

    /// From 127.0.0.`last`, and with a buffer for what it is sent of so many bytes, or as the system has it. On Linux all
    /// of 127.0.0.0/8 is this machine's.
    #[cfg(target_os = "linux")]
    pub(crate) fn connect_from(exporter: &Exporter, last: u8, buffer: Option<u32>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(([127, 0, 0, last], 0).into()).unwrap();
            if let Some(buffer) = buffer {
                socket.set_recv_buffer_size(buffer).unwrap();
            }
            socket.connect(exporter.local_addr()).await.unwrap().into_std().unwrap()
        });
        stream.set_nonblocking(false).unwrap();
        Self::of(stream)
    }

    fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self(BufReader::new(stream))
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// The next response; `None` when the connection ends instead.
    pub(crate) fn receive(&mut self, to_head: bool) -> Option<Response> {
        let mut line = String::new();
        if self.0.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let status = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "));
        let status = status.unwrap_or_else(|| panic!("no status line: {line:?}"))[..3].parse().unwrap();
        let mut headers = BTreeMap::new();
        loop {
            line.clear();
            self.0.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            assert!(headers.insert(name.to_owned(), value.to_owned()).is_none(), "{name} twice");
        }
        let length: usize = headers["content-length"].parse().unwrap();
        let mut body = vec![0; if to_head { 0 } else { length }];
        self.0.read_exact(&mut body).ok()?;
        Some(Response { status, headers, body })
    }

    pub(crate) fn request(&mut self, method: &str, path: &str, headers: &str) -> Response {
        self.send(&format!("{method} {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n"));
        self.receive(method == "HEAD").expect("a response")
    }

    /// Waits until the other side has closed, and gives what came before.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let (mut rest, mut chunk) = (Vec::new(), [0; 64 << 10]);
        loop {
            match self.0.read(&mut chunk) {
                Ok(0) => return rest,
                Ok(n) => rest.extend_from_slice(&chunk[..n]),
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                    return rest;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("not closed: {error:?}"),
            }
        }
    }
}

/// A directory that is removed in the end.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tach-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

pub(crate) fn request(exporter: &Exporter, method: &str, path: &str, headers: &str) -> Response {
    Client::connect(exporter).request(method, path, headers)
}

pub(crate) fn scrape(exporter: &Exporter) -> Response {
    let response = request(exporter, "GET", "/metrics", "");
    assert_eq!(response.status, 200);
    response
}

pub(crate) fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap();
    out
}
