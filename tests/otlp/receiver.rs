//! A server of HTTP in a few lines, which gives one prepared answer after the other, and keeps what it was sent.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// More than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A status, further lines of the head, and a body.
    Status(u16, &'static str, Vec<u8>),
    /// The connection ends without a response.
    Nothing,
    /// The connection ends in the middle of a response with status 200.
    Half,
    /// A status and further lines of the head, and of the body only the start for as long as the client waits.
    Stalled(u16, &'static str),
    /// No response for as long as the client waits.
    Silence,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self::Status(status, "", Vec::new())
    }
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) line: String,
    /// By their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

#[derive(Default)]
struct State {
    answers: VecDeque<Answer>,
    received: Vec<Received>,
    stopped: bool,
}

pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Receiver {
    /// Answers in this order, and with 200 when there is no answer left.
    pub(crate) fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").unwrap(), answers)
    }

    pub(crate) fn start_on(listener: TcpListener, answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::start_by(listener, answers, |stream| stream)
    }

    /// With something between it and each connection.
    pub(crate) fn start_by<S: Read + Write>(
        listener: TcpListener,
        answers: impl IntoIterator<Item = Answer>,
        layer: impl Fn(TcpStream) -> S + Clone + Send + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let state = State { answers: answers.into_iter().collect(), ..State::default() };
        let shared = Arc::new((Mutex::new(state), Condvar::new()));
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.0.lock().unwrap().stopped {
                    return;
                }
                let (serving, layer) = (Arc::clone(&serving), layer.clone());
                std::thread::spawn(move || {
                    let stream = stream?;
                    stream.set_read_timeout(Some(PATIENCE))?;
                    // A client that is gone is none of its business.
                    serve(&serving, &mut layer(stream))
                });
            }
        });
        Self { address, shared }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}/v1/metrics", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.0.lock().unwrap().received.clone()
    }

    /// Waits until there are so many requests, and gives all.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Received> {
        let (state, changed) = &*self.shared;
        let waiting = |state: &mut State| state.received.len() < count;
        let (state, timeout) = changed.wait_timeout_while(state.lock().unwrap(), PATIENCE, waiting).unwrap();
        assert!(!timeout.timed_out(), "{} requests instead of {count}", state.received.len());
        state.received.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.0.lock().unwrap().stopped = true;
        // Wakes the thread, which then frees the port.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(shared: &(Mutex<State>, Condvar), out: &mut (impl Read + Write)) -> io::Result<()> {
    let request = read(out)?;
    let answer = {
        let mut state = shared.0.lock().unwrap();
        state.received.push(request);
        shared.1.notify_all();
        state.answers.pop_front()
    };
    match answer.unwrap_or_else(|| Answer::status(200)) {
        Answer::Status(status, head, body) => {
            write!(out, "HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n{head}\r\n", body.len())?;
            out.write_all(&body)?;
            out.flush()
        }
        Answer::Nothing => Ok(()),
        Answer::Half => out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"),
        Answer::Stalled(status, head) => {
            write!(out, "HTTP/1.1 {status} Said\r\ncontent-length: 100\r\n{head}\r\nsta")?;
            out.flush()?;
            // Until the client has closed it.
            let _ = out.read(&mut [0])?;
            Ok(())
        }
        Answer::Silence => {
            // Until the client has closed it.
            let _ = out.read(&mut [0])?;
            Ok(())
        }
    }
}

fn read(stream: &mut impl Read) -> io::Result<Received> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Received { line: line.trim_end().to_owned(), headers, body })
}
