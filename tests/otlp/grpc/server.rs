//! A server of gRPC on h2 itself, which gives one prepared answer after the other, and keeps what it was sent.

use h2::{Reason, SendStream, server};
use hyper::body::Bytes;
use hyper::http::{HeaderMap, HeaderName, Request, Response, request};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// More than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

type Fields = Vec<(&'static str, String)>;

#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Headers, this message, and trailers that say OK.
    Message(Vec<u8>),
    /// Headers and trailers with a status and more.
    Status(u8, Fields),
    /// All in the headers, before the request has been read.
    TrailersOnly(u8, Fields),
    /// Something that is not gRPC.
    Http(u16, &'static str, &'static str),
    /// So too, with this `Retry-After`.
    Busy(u16, &'static str),
    /// This body, and no trailers.
    Bare(Vec<u8>),
    /// The stream is reset.
    Reset(Reason),
    /// The connection is ended by this reason.
    GoAway(Reason),
    /// The connection ends after the answer, which is OK.
    Farewell,
    /// The connection ends without a word.
    Nothing,
    /// No answer for as long as the client waits, nor room for the request.
    Silence,
}

impl Answer {
    pub(crate) fn status(status: u8) -> Self {
        Self::Status(status, Vec::new())
    }

    pub(crate) fn ok() -> Self {
        Self::Message(Vec::new())
    }
}

/// A call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) head: Arc<request::Parts>,
    /// The first byte of the message's prefix.
    pub(crate) flag: u8,
    pub(crate) message: Vec<u8>,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.head.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

#[derive(Default)]
struct State {
    answers: VecDeque<Answer>,
    calls: Vec<Call>,
    /// Connections that the client has ended while it waited.
    abandoned: usize,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shared: Arc<(Mutex<State>, Condvar)>,
    /// Its thread, and what ends that.
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Server {
    /// Answers in this order, and with OK when there is no answer left.
    pub(crate) fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").unwrap(), answers)
    }

    pub(crate) fn start_on(listener: TcpListener, answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::start_by(listener, answers, async |stream| Some(stream))
    }

    /// With something between it and each connection.
    pub(crate) fn start_by<S: AsyncRead + AsyncWrite + Unpin + Send + 'static, F: Future<Output = Option<S>> + Send>(
        listener: TcpListener,
        answers: impl IntoIterator<Item = Answer>,
        layer: impl Fn(TcpStream) -> F + Clone + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let state = State { answers: answers.into_iter().collect(), ..State::default() };
        let shared = Arc::new((Mutex::new(state), Condvar::new()));
        let serving = Arc::clone(&shared);
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.spawn(async move {
                listener.set_nonblocking(true).unwrap();
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    let (serving, layer) = (Arc::clone(&serving), layer.clone());
                    tokio::spawn(async move {
                        let Some(stream) = layer(stream).await else { return };
                        // A client that is gone is none of its business.
                        let _ = serve(&serving, stream).await;
                    });
                }
            });
            let _ = runtime.block_on(stopped);
        });
        Self { address, shared, running: Some((stop, thread)) }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.shared.0.lock().unwrap().calls.clone()
    }

    fn wait(&self, enough: impl Fn(&State) -> bool) -> Vec<Call> {
        let (state, changed) = &*self.shared;
        let (state, timeout) =
            changed.wait_timeout_while(state.lock().unwrap(), PATIENCE, |state| !enough(state)).unwrap();
        assert!(!timeout.timed_out(), "{} calls, {} abandoned", state.calls.len(), state.abandoned);
        state.calls.clone()
    }

    /// Waits until there are so many calls, and gives all.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Call> {
        self.wait(|state| state.calls.len() >= count)
    }

    /// Waits until so many connections that were not answered have ended.
    pub(crate) fn wait_for_abandoned(&self, count: usize) {
        self.wait(|state| state.abandoned >= count);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Frees the port.
        let (stop, thread) = self.running.take().unwrap();
        let _ = stop.send(());
        thread.join().unwrap();
    }
}

async fn serve(shared: &(Mutex<State>, Condvar), stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), h2::Error> {
    let mut connection = server::handshake(stream).await?;
    while let Some(accepted) = connection.accept().await {
        let (request, mut respond) = accepted?;
        let answer = shared.0.lock().unwrap().answers.pop_front().unwrap_or_else(Answer::ok);
        if let Answer::TrailersOnly(status, fields) = &answer {
            keep(shared, request.into_parts().0, &[0; 5]);
            let mut response = Response::new(());
            *response.headers_mut() = trailers(*status, fields);
            response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
            // h2 resets the stream with NO_ERROR when it is dropped.
            respond.send_response(response, true)?;
            continue;
        }
        if matches!(answer, Answer::Silence) {
            keep(shared, request.into_parts().0, &[0; 5]);
            // Until the client has ended it.
            let _ = poll_fn(|context| connection.poll_closed(context)).await;
            shared.0.lock().unwrap().abandoned += 1;
            shared.1.notify_all();
            return Ok(());
        }
        // The connection has to run for the body to come.
        let mut reading = Box::pin(read(request));
        let (head, body) = poll_fn(|context| match reading.as_mut().poll(context) {
            std::task::Poll::Pending => {
                let _ = connection.poll_closed(context);
                reading.as_mut().poll(context)
            }
            ready => ready,
        })
        .await?;
        keep(shared, head, &body);
        let head =
            |status: u16, kind: &str| Response::builder().status(status).header("content-type", kind).body(()).unwrap();
        let grpc = "application/grpc+proto";
        match answer {
            Answer::Message(message) => {
                let mut out = respond.send_response(head(200, grpc), false)?;
                finish(&mut out, Some(framed(&message)), Some(trailers(0, &Vec::new())))?;
            }
            Answer::Status(status, fields) => {
                let mut out = respond.send_response(head(200, grpc), false)?;
                finish(&mut out, None, Some(trailers(status, &fields)))?;
            }
            Answer::Http(status, kind, body) => {
                let mut out = respond.send_response(head(status, kind), false)?;
                finish(&mut out, Some(body.as_bytes().to_vec()), None)?;
            }
            Answer::Busy(status, retry_after) => {
                let mut head = head(status, "text/html");
                head.headers_mut().insert("retry-after", retry_after.parse().unwrap());
                let mut out = respond.send_response(head, false)?;
                finish(&mut out, Some(b"busy".to_vec()), None)?;
            }
            Answer::Bare(body) => {
                let mut out = respond.send_response(head(200, grpc), false)?;
                finish(&mut out, Some(body), None)?;
            }
            Answer::Reset(reason) => respond.send_reset(reason),
            Answer::GoAway(reason) => connection.abrupt_shutdown(reason),
            Answer::Farewell => {
                connection.graceful_shutdown();
                let mut out = respond.send_response(head(200, grpc), false)?;
                finish(&mut out, Some(framed(b"")), Some(trailers(0, &Vec::new())))?;
            }
            Answer::Nothing => return Ok(()),
            Answer::TrailersOnly(..) | Answer::Silence => unreachable!("answered above"),
        }
    }
    Ok(())
}

fn keep(shared: &(Mutex<State>, Condvar), head: request::Parts, body: &[u8]) {
    let (prefix, message) = body.split_at(5);
    let length = u32::from_be_bytes(prefix[1..].try_into().unwrap()) as usize;
    assert_eq!(length, message.len());
    let call = Call { head: Arc::new(head), flag: prefix[0], message: message.to_vec() };
    shared.0.lock().unwrap().calls.push(call);
    shared.1.notify_all();
}

async fn read(request: Request<h2::RecvStream>) -> Result<(request::Parts, Vec<u8>), h2::Error> {
    let (head, mut body) = request.into_parts();
    let mut bytes = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        bytes.extend(&chunk);
        body.flow_control().release_capacity(chunk.len())?;
    }
    Ok((head, bytes))
}

pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

fn trailers(status: u8, fields: &Fields) -> HeaderMap {
    let fields = fields.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
    let status = (HeaderName::from_static("grpc-status"), status.to_string().parse().unwrap());
    fields.chain([status]).collect()
}

fn finish(out: &mut SendStream<Bytes>, body: Option<Vec<u8>>, trailers: Option<HeaderMap>) -> Result<(), h2::Error> {
    if let Some(body) = body {
        out.send_data(body.into(), trailers.is_none())?;
    }
    trailers.map_or(Ok(()), |trailers| out.send_trailers(trailers))
}
