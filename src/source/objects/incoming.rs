//! The parts of a watch, as they come: read at once, however long storing takes, so that it is known when each came.
//!
//! A reader of its own waits for them. What it had to wait for had not come before: so everything until then was read.
//! Parts that follow each other at once may have waited themselves, in a buffer on the way.
//!
//! Limits: 4 MiB that were read and not taken; then nothing more is read, and what comes later has an unknown time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout};

use super::failure::Failure;
use super::ours;
use super::way::Feed;
use crate::lifecycle::watched::Moment;

/// How long to wait for the next part before looking at the clock again.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A part that did not come within this time was not there yet: the connection hands over what it has in microseconds.
const NOT_THERE: Duration = Duration::from_millis(5);

/// What was read and not taken, in KiB, and in parts.
const ROOM_KIB: u32 = 4 << 10;
const PARTS_MAX: usize = 1_024;

/// What comes of a watch.
pub enum Came<P> {
    Part(Part<P>),
    /// The server ended it.
    End,
    Failed(Failure),
}

/// A part, and between which moments it came.
pub struct Part<P> {
    pub content: P,
    pub moment: Moment,
    /// Until it is taken.
    _room: OwnedSemaphorePermit,
}

/// A watch that is being read.
pub struct Incoming<P> {
    from: mpsc::Receiver<Came<P>>,
    /// For messages.
    url: String,
}

impl<P: Send + 'static> Incoming<P> {
    /// Reads a watch until it is over, or this is dropped. `since` is when it was read up to before, by the clock of the
    /// server, which is `ahead` of ours; in microseconds.
    pub fn of<F: Feed<Part = P>>(feed: F, (url, ahead): (&str, i64), since: i64) -> Incoming<P> {
        let (to, from) = mpsc::channel(PARTS_MAX);
        tokio::spawn(read(feed, ahead, since, to));
        Incoming {
            from,
            url: url.to_owned(),
        }
    }

    /// What has come, without waiting.
    pub fn ready(&mut self) -> Option<Came<P>> {
        self.from.try_recv().ok()
    }

    pub async fn next(&mut self) -> Came<P> {
        // Its reader says how it ended, unless it panicked.
        let came = self.from.recv().await;
        came.unwrap_or_else(|| Came::Failed(Failure::broke_off(&self.url)))
    }
}

async fn read<F: Feed>(mut feed: F, ahead: i64, mut since: i64, to: mpsc::Sender<Came<F::Part>>) {
    let room = Arc::new(Semaphore::new(ROOM_KIB as usize));
    loop {
        let (begun, begun_at) = (Instant::now(), ours() + ahead);
        let next = tokio::select! {
            next = timeout(LOOK_EVERY, feed.next()) => next,
            () = to.closed() => return,
        };
        if begun.elapsed() >= NOT_THERE {
            since = begun_at;
        }
        let Ok(next) = next else { continue };
        let until = ours() + ahead;
        let came = match next {
            None => Came::End,
            Some(Err(failure)) => Came::Failed(failure),
            Some(Ok(content)) => {
                let kib = u32::try_from(F::bytes(&content) >> 10).unwrap_or(ROOM_KIB);
                let permit = room
                    .clone()
                    .acquire_many_owned(kib.saturating_add(1).min(ROOM_KIB));
                // It is never closed.
                let Ok(permit) = permit.await else { return };
                Came::Part(Part {
                    content,
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
    use super::*;

    const SECOND: i64 = 1_000_000;

    /// Parts that come after these waits, in milliseconds.
    struct Waits(&'static [u64]);

    impl Feed for Waits {
        type Part = ();

        async fn next(&mut self) -> Option<Result<(), Failure>> {
            let (first, rest) = self.0.split_first()?;
            tokio::time::sleep(Duration::from_millis(*first)).await;
            self.0 = rest;
            Some(Ok(()))
        }

        fn bytes((): &()) -> usize {
            5
        }
    }

    /// Whether what comes is known to have come just then.
    async fn exact(incoming: &mut Incoming<()>) -> Option<bool> {
        match incoming.next().await {
            Came::Part(part) => {
                assert!(part.moment.since <= part.moment.until);
                Some(part.moment.is_exact())
            }
            Came::End | Came::Failed(_) => None,
        }
    }

    #[tokio::test]
    async fn what_was_waited_for_came_then() {
        let long_ago = ours() - 60 * SECOND;
        // What is there at once may be old, and so may what follows it at once.
        let mut incoming = Incoming::of(Waits(&[0, 0, 50, 0, 900]), ("", 0), long_ago);
        let mut seen = Vec::new();
        while let Some(exact) = exact(&mut incoming).await {
            seen.push(exact);
        }
        assert_eq!(seen, [false, false, true, true, true]);
        assert!(incoming.ready().is_none());
    }
}
