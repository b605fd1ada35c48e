//! Bodies: a request body must keep a minimum rate and is read to its end; a response body records its progress.

use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::activity::InFlight;

type BoxError = Box<dyn Error + Send + Sync>;

/// How much is read of what a handler leaves, and for how long.
const REST_BYTES_MAX: usize = 16 << 20;
const REST_WAIT: Duration = Duration::from_secs(1);

/// How slowly a body may come in.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub bytes_per_second_min: u64,
    /// How far it may fall behind.
    pub grace: Duration,
}

pin_project! {
    /// A request's body that ends with an error if the client falls too far behind.
    ///
    /// We have patience for `grace`. Waiting for the client uses it up, each byte wins some back,
    /// never to more than `grace`. Time in which nobody reads the body is not the client's fault
    /// and does not count.
    ///
    /// The error is an [`io::Error`] of kind `TimedOut`, so that a handler can distinguish it (408) from an
    /// interrupted body without importing this room.
    pub struct Paced<B> {
        #[pin]
        body: B,
        pace: Pace,
        timeouts: Duration,
        waiting: Option<Waiting>,
        ended: bool,
    }
}

struct Waiting {
    since: Instant,
    limit: Pin<Box<Sleep>>,
}

impl<B> Paced<B> {
    pub fn new(body: B, pace: Pace) -> Paced<B> {
        Paced {
            body,
            pace,
            timeouts: pace.grace,
            waiting: None,
            ended: false,
        }
    }
}

impl<B> Body for Paced<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        if *this.ended {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = this.body.poll_frame(cx) else {
            let timeouts = *this.timeouts;
            let waiting = this.waiting.get_or_insert_with(|| Waiting {
                since: Instant::now(),
                limit: Box::pin(sleep(timeouts)),
            });
            ready!(waiting.limit.as_mut().poll(cx));
            *this.ended = true;
            let slow = io::Error::new(io::ErrorKind::TimedOut, "the body arrives too slowly");
            return Poll::Ready(Some(Err(slow.into())));
        };
        if let Some(waiting) = this.waiting.take() {
            *this.timeouts = this.timeouts.saturating_sub(waiting.since.elapsed());
        }
        let bytes = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Buf::remaining),
            _ => 0,
        };
        let rate = this.pace.bytes_per_second_min.max(1);
        let won = Duration::from_micros((bytes as u64).saturating_mul(1_000_000) / rate);
        *this.timeouts = this.timeouts.saturating_add(won).min(this.pace.grace);
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body of HTTP/2 whose rest is read and thrown away, for a moment, where a handler answers without it.
///
/// Otherwise the stream is reset as soon as the answer is complete. A client that still sends its body then (a 401 is
/// answered before it is read) may take the reset for a failure and never show the answer, as curl does. HTTP/1 has the
/// same in `wire`, where the answer comes first and asking for the rest would undo `Expect: 100-continue`.
pub struct ReadToTheEnd<B: Body + Send + Unpin + 'static>(Option<B>);

impl<B: Body + Send + Unpin + 'static> ReadToTheEnd<B> {
    pub fn new(body: B) -> ReadToTheEnd<B> {
        ReadToTheEnd(Some(body))
    }
}

impl<B: Body + Send + Unpin + 'static> Body for ReadToTheEnd<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let Some(body) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl<B: Body + Send + Unpin + 'static> Drop for ReadToTheEnd<B> {
    fn drop(&mut self) {
        let Some(body) = self.0.take().filter(|body| !body.is_end_stream()) else {
            return;
        };
        // Without a runtime there is no connection either.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(timeout(REST_WAIT, discard(body)));
        }
    }
}

async fn discard<B: Body + Unpin>(mut body: B) {
    let mut left = REST_BYTES_MAX;
    while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Buf::remaining));
        if left == 0 {
            break;
        }
    }
}

pin_project! {
    /// An answer's body that holds its request's guard.
    pub struct Sending<B> {
        #[pin]
        body: B,
        in_flight: InFlight,
    }
}

impl<B> Sending<B> {
    pub fn new(body: B, in_flight: InFlight) -> Sending<B> {
        Sending { body, in_flight }
    }
}

impl<B: Body> Body for Sending<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        this.in_flight.moved();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body as AxumBody;
    use tokio::sync::mpsc;

    use super::*;

    const PACE: Pace = Pace {
        bytes_per_second_min: 100,
        grace: Duration::from_secs(5),
    };

    struct Channel(mpsc::Receiver<Bytes>);

    impl Body for Channel {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            let bytes = ready!(self.0.poll_recv(cx));
            Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
        }
    }

    /// Sends `bytes` every `every_ms` and returns how many came through, and in how many seconds.
    async fn run(bytes: usize, every_ms: u64, times: usize) -> (usize, u64) {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            for _ in 0..times {
                sleep(Duration::from_millis(every_ms)).await;
                if sender.send(Bytes::from(vec![0; bytes])).await.is_err() {
                    break;
                }
            }
        });
        let start = Instant::now();
        let mut body = Box::pin(Paced::new(Channel(receiver), PACE));
        let mut read = 0;
        while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            match frame {
                Ok(frame) => read += frame.data_ref().map_or(0, Bytes::len),
                Err(error) => {
                    let error = error.downcast_ref::<io::Error>().unwrap();
                    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                    return (read, start.elapsed().as_secs());
                }
            }
        }
        (read, start.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_be_slow_but_not_slower() {
        assert_eq!(run(110, 1000, 100).await, (11_000, 100), "above the rate");
        assert_eq!(run(10, 100, 1000).await, (10_000, 100), "just at the rate");
        assert_eq!(
            run(40, 1000, 100).await,
            (280, 7),
            "too slow uses up the grace"
        );
        assert_eq!(run(1, 1000, 100).await, (5, 5), "a dribble");
        assert_eq!(run(1_000_000, 5500, 2).await, (0, 5), "a silence");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_nobody_reads_is_not_slow() {
        let mut body = Box::pin(Paced::new(AxumBody::from("whole"), PACE));
        sleep(Duration::from_secs(60)).await;
        let frame = timeout(
            Duration::from_secs(1),
            poll_fn(|cx| body.as_mut().poll_frame(cx)),
        );
        assert!(frame.await.unwrap().unwrap().is_ok());
    }
}
