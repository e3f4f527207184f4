//! What is listened on, and what it gives: TCP, or a socket in the file system.

use std::io::{self, IoSlice, Read, Write};
use std::net::{IpAddr, Shutdown};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A listening socket that belongs to no runtime yet.
#[derive(Debug)]
pub(super) enum Bound {
    Tcp(std::net::TcpListener),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener),
}

/// A listening socket.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(tokio::net::TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener),
}

impl Listener {
    /// Takes the socket over into the runtime that runs this.
    pub(super) fn new(bound: Bound) -> io::Result<Self> {
        Ok(match bound {
            Bound::Tcp(listener) => Self::Tcp(tokio::net::TcpListener::from_std(listener)?),
            #[cfg(unix)]
            Bound::Unix(listener) => Self::Unix(tokio::net::UnixListener::from_std(listener)?),
        })
    }

    /// Waits for a client; gives its address too, where it has one.
    pub(super) async fn accept(&self) -> io::Result<(Socket, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // A response is written in one go; waiting for more to send would only delay its end.
                let _ = stream.set_nodelay(true);
                Ok((Socket::Tcp(stream), Some(address.ip())))
            }
            #[cfg(unix)]
            Self::Unix(listener) => Ok((Socket::Unix(listener.accept().await?.0), None)),
        }
    }
}

/// A client's socket.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(tokio::net::TcpStream),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl Socket {
    /// Sends a text and closes, as far as that can be done without waiting.
    pub(super) fn part(self, text: &str) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => {
                let stream = stream.into_std()?;
                write(&stream, text)?;
                stream.shutdown(Shutdown::Write)
            }
            #[cfg(unix)]
            Self::Unix(stream) => {
                let stream = stream.into_std()?;
                write(&stream, text)?;
                stream.shutdown(Shutdown::Write)
            }
        }
    }

    fn io(self: Pin<&mut Self>) -> Pin<&mut dyn Io> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream),
        }
    }
}

fn write<S: Read + Write>(mut stream: S, text: &str) -> io::Result<()> {
    // Unread bytes would make the system reset the connection, and the client might never see the text.
    let _ = stream.read(&mut [0; 4096]);
    stream.write_all(text.as_bytes())
}

/// What both sorts are.
trait Io: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.io().poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.io().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.io().poll_write_vectored(cx, bufs)
    }

    // Both are.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_shutdown(cx)
    }
}
