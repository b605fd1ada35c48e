//! The parts of a watch, as they come: read at once, however long storing takes, so that it is known when each came.
//!
//! A reader of its own waits for them. What it had to wait for had not come before: so everything until then was read.
//! Parts that follow each other at once may have waited themselves, in a buffer on the way.
//!
//! Limits: 4 MiB that were read and not taken; then nothing more is read, and what comes later has an unknown time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout};

use super::clock::Clock;
use crate::lifecycle::watched::Moment;

/// How long to wait for the next part before looking at the clock again.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A part that did not come within this time was not there yet: the connection hands over what it has in microseconds.
const NOT_THERE: Duration = Duration::from_millis(5);

/// What was read and not taken, in KiB, and in parts.
const ROOM_KIB: u32 = 4 << 10;
const PARTS_MAX: usize = 1_024;

/// What comes of a watch.
pub enum Came {
    Part(Part),
    /// The API server ended it.
    End,
    Broken,
}

/// Some bytes, and between which moments they came.
pub struct Part {
    pub data: Bytes,
    pub moment: Moment,
    /// Until it is taken.
    _room: OwnedSemaphorePermit,
}

/// A body that is being read.
pub struct Incoming(mpsc::Receiver<Came>);

impl Incoming {
    /// Reads a body until it is over, or this is dropped. `since` is when it was read up to before, in microseconds.
    pub fn of<B>(body: B, clock: Clock, since: i64) -> Incoming
    where
        B: Body<Data = Bytes, Error: Send> + Send + Unpin + 'static,
    {
        let (to, from) = mpsc::channel(PARTS_MAX);
        tokio::spawn(read(body, clock, since, to));
        Incoming(from)
    }

    /// What has come, without waiting.
    pub fn ready(&mut self) -> Option<Came> {
        self.0.try_recv().ok()
    }

    pub async fn next(&mut self) -> Came {
        // Its reader says how it ended, unless it panicked.
        self.0.recv().await.unwrap_or(Came::Broken)
    }
}

async fn read<B>(mut body: B, clock: Clock, mut since: i64, to: mpsc::Sender<Came>)
where
    B: Body<Data = Bytes> + Unpin,
{
    let room = Arc::new(Semaphore::new(ROOM_KIB as usize));
    loop {
        let (begun, begun_at) = (Instant::now(), clock.now());
        let next = tokio::select! {
            next = timeout(LOOK_EVERY, body.frame()) => next,
            () = to.closed() => return,
        };
        if begun.elapsed() >= NOT_THERE {
            since = begun_at;
        }
        let Ok(next) = next else { continue };
        let until = clock.now();
        let came = match next {
            None => Came::End,
            Some(Err(_)) => Came::Broken,
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else {
                    continue;
                };
                let kib = u32::try_from(data.len() >> 10).unwrap_or(ROOM_KIB);
                let permit = room.clone().acquire_many_owned((kib + 1).min(ROOM_KIB));
                // It is never closed.
                let Ok(permit) = permit.await else { return };
                Came::Part(Part {
                    data,
                    moment: Moment { since, until },
                    _room: permit,
                })
            }
        };
        let is_over = !matches!(came, Came::Part(_));
        if to.send(came).await.is_err() || is_over {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures_util::stream;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    const SECOND: i64 = 1_000_000;

    /// A body whose parts come after these waits, in milliseconds.
    fn body(waits: &'static [u64]) -> impl Body<Data = Bytes, Error = io::Error> + Send + Unpin {
        let parts = stream::unfold(waits, |waits| async move {
            let (first, rest) = waits.split_first()?;
            tokio::time::sleep(Duration::from_millis(*first)).await;
            let part = Frame::data(Bytes::from_static(b"part\n"));
            Some((Ok::<_, io::Error>(part), rest))
        });
        StreamBody::new(Box::pin(parts))
    }

    /// Whether what comes is known to have come just then.
    async fn exact(incoming: &mut Incoming) -> Option<bool> {
        match incoming.next().await {
            Came::Part(part) => {
                assert!(part.moment.since <= part.moment.until);
                Some(part.moment.is_exact())
            }
            Came::End | Came::Broken => None,
        }
    }

    #[tokio::test]
    async fn what_was_waited_for_came_then() {
        let long_ago = super::super::clock::ours() - 60 * SECOND;
        // What is there at once may be old, and so may what follows it at once.
        let mut incoming = Incoming::of(body(&[0, 0, 50, 0, 2_500]), Clock::default(), long_ago);
        let mut seen = Vec::new();
        while let Some(exact) = exact(&mut incoming).await {
            seen.push(exact);
        }
        assert_eq!(seen, [false, false, true, true, true]);
        assert!(incoming.ready().is_none());
    }
}
