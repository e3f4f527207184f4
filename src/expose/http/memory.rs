//! The exporter's HTTP without a socket, for fuzzing.

use super::builder::Limits;
use super::connection::exchange;
use super::negotiate::Offer;
use super::page::Page;
use super::request::{Ask, Route};
use super::respond::{Scraped, respond};
use super::watch::Watch;
use crate::collect::Snapshot;
use crate::expose::families::Families;
use std::cell::RefCell;
use std::future::ready;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

/// What a client that sends `input` and then closes its side gets in return, all requests answered with `snapshot`.
///
/// # Panics
///
/// The connection does not end although its input has.
#[must_use]
pub fn serve_bytes(snapshot: &Snapshot, input: &[u8]) -> Vec<u8> {
    let watch = Rc::new(Watch::new(&Rc::new(Limits::default()), &Rc::new(Notify::new())));
    let output = RefCell::new(Vec::new());
    let answer = |ask: Ask| {
        let scraped = match &ask.route {
            Route::Metrics(wanted) => {
                let shown = snapshot.only(&wanted.names);
                let page =
                    Rc::new(Page::render(None, |buffer| wanted.format.body.render(&Families::of(&shown), buffer)));
                Some(Ok(Scraped { page, _place: None }))
            }
            _ => None,
        };
        ready(respond(&ask, "landing page\n", scraped))
    };
    {
        let mut exchange = pin!(exchange(Memory { input, output: &output }, watch, Offer::new(), answer));
        let mut cx = Context::from_waker(Waker::noop());
        // Nothing here ever waits; hyper pauses after some requests in a row to let others run.
        let ended = (0..input.len() + 16).any(|_| exchange.as_mut().poll(&mut cx).is_ready());
        assert!(ended, "the connection goes on after its input has ended");
    }
    output.into_inner()
}

/// A client in memory.
struct Memory<'a> {
    input: &'a [u8],
    output: &'a RefCell<Vec<u8>>,
}

impl AsyncRead for Memory<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (now, later) = self.input.split_at(self.input.len().min(buf.remaining()));
        buf.put_slice(now);
        self.input = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.output.borrow_mut().extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::serve_bytes;
    use crate::Registry;

    fn serve(input: &[u8]) -> String {
        let registry = Registry::new();
        registry.counter("tokens").build().unwrap().add(5);
        String::from_utf8(serve_bytes(&registry.snapshot(), input)).unwrap()
    }

    #[test]
    fn requests_are_answered_in_turn_until_the_input_ends() {
        let out = serve(&b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(40));
        assert_eq!(out.matches("HTTP/1.1 200 OK\r\n").count(), 40);
        assert_eq!(out.matches("\ntokens_total 5\n").count(), 40);
        assert_eq!(serve(b""), "");
        assert_eq!(serve(b"GET /metrics HTTP/1.1\r\nHo"), "");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for (input, status) in [
            (&b"nonsense\r\n\r\n"[..], "400"),
            (b"GET /metrics HTTP/9.9\r\n\r\n", "400"),
            (b"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", "400"),
            (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "405"),
            (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "413"),
            (b"GET / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n", "431"),
            (b"GET / HTTP/1.1\r\nContent-Length: 1, 2\r\n\r\n", "400"),
        ] {
            let out = serve(input);
            assert!(out.starts_with(&format!("HTTP/1.1 {status} ")), "{out}");
        }
        let long = [&b"GET /"[..], &b"x".repeat(20 << 10), b" HTTP/1.1\r\n\r\n"].concat();
        assert!(serve(&long).starts_with("HTTP/1.1 431 "));
        let many = [&b"GET / HTTP/1.1\r\n"[..], &b"a: b\r\n".repeat(65), b"\r\n"].concat();
        assert!(serve(&many).starts_with("HTTP/1.1 431 "));
    }
}
