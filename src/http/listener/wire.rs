//! The bytes of a connection: records in [`Activity`] when some arrive, and closes gracefully.
//!
//! Gracefully: closing a socket with unread bytes makes the kernel send a reset, which can destroy a response on its
//! way: a client that gets 401 or 503 while it still sends its body would see a broken connection instead. So after
//! our last byte the client's rest is
//! read and thrown away, for a moment.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::activity::Activity;

/// How long the rest is read.
const LINGER_MS_MAX: u64 = 1000;

/// How much of it.
const LINGER_BYTES_MAX: usize = 16 << 20;

/// A stream that is watched.
pub struct Wire<S> {
    stream: S,
    activity: Arc<Activity>,
    linger: Option<Linger>,
}

/// The time after our last byte.
struct Linger {
    end: Pin<Box<Sleep>>,
    bytes: usize,
}

impl<S> Wire<S> {
    pub fn new(stream: S, activity: Arc<Activity>) -> Wire<S> {
        Wire {
            stream,
            activity,
            linger: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut this.stream).poll_read(cx, buffer));
        if buffer.filled().len() > before {
            this.activity.received();
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        let linger = this.linger.get_or_insert_with(|| Linger {
            end: Box::pin(sleep(Duration::from_millis(LINGER_MS_MAX))),
            bytes: 0,
        });
        while linger.bytes < LINGER_BYTES_MAX && linger.end.as_mut().poll(cx).is_pending() {
            let mut scratch = [0; 4096];
            let mut buffer = ReadBuf::new(&mut scratch);
            // The end of the stream, or an error: there is no client left to wait for.
            if ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buffer)).is_err()
                || buffer.filled().is_empty()
            {
                break;
            }
            linger.bytes += buffer.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}
