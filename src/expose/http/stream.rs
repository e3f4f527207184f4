//! A socket that tells a [`Watch`] what passes through it, and closes without cutting off what the client has yet to
//! read.

use super::watch::Watch;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much of what comes in after the last response is read and thrown away.
const DRAIN_MAX: usize = 64 << 10;

/// A connection's socket.
#[derive(Debug)]
pub(super) struct Stream<I> {
    io: I,
    watch: Rc<Watch>,
    /// Nothing more is written.
    shut: bool,
    drained: usize,
}

impl<I> Stream<I> {
    pub(super) fn new(io: I, watch: Rc<Watch>) -> Self {
        Self { io, watch, shut: false, drained: 0 }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Stream<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.watch.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.watch.writing();
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, buf))?;
        self.watch.took();
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.watch.writing();
        let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, bufs))?;
        self.watch.took();
        Poll::Ready(Ok(written))
    }

    // A page is written from where it was rendered, beside its head: not copied.
    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    /// Called by hyper when it has nothing more to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.watch.flushed();
        Poll::Ready(Ok(()))
    }

    /// Closing a socket that holds unread bytes resets the connection, and the client may lose the response: so first
    /// say that no more will come, then read until the client has closed too. The watch's deadline bounds it.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut {
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
            self.shut = true;
            self.watch.closing();
        }
        let mut bytes = [0; 1024];
        while self.drained < DRAIN_MAX {
            let mut buf = ReadBuf::new(&mut bytes);
            // An error ends the connection as well as its client does.
            if ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf)).is_err() || buf.filled().is_empty() {
                break;
            }
            self.drained += buf.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}
