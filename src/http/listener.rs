//! The listener: an axum router behind a socket that the whole network may reach.
//!
//! In: a bound [`Socket`], a router. Out: HTTP/1.1 and HTTP/2 on it until `stop`; every
//! request carries the [`crate::access::Peer`] that sent it in its extensions.
//!
//! | what a client does | what ends it |
//! |---|---|
//! | opens a connection and says nothing, or half a handshake | `handshake_seconds_max` |
//! | sends no request, or half a header | `header_seconds_max` |
//! | sends its body slowly, or stops | `body_bytes_per_second_min`: an error for the handler |
//! | rests after an answer | `idle_seconds_max`; politely (GOAWAY, or the end after an answer) |
//! | does not take its answer | `idle_seconds_max` without a part taken |
//! | is gone without a word (HTTP/2) | pings |
//! | sends a huge header | `header_bytes_max`: 431 |
//! | speaks plain HTTP where TLS is spoken | an answer that says so: 400 |
//! | still sends its body when it has its answer | the rest is read for a second |
//! | opens and resets HTTP/2 streams | a limit on those; GOAWAY |
//!
//! At most `connections_max` at a time. More wait in the kernel's queue, and while they do, a
//! connection without a request under way is ended after a second, so that idlers can't hold the
//! door. What a connection holds is bounded: its HTTP/2 window or one HTTP/1 buffer of
//! `header_bytes_max`, and what the handlers take.
//!
//! At `stop` the socket is closed, connections without a request end, those with one are told to
//! finish (GOAWAY, `Connection: close`) and cut after `drain_seconds_max`.
//!
//! What can go wrong: nothing on a single connection is an error here; how it ended is logged at debug level. Who is
//! refused, in the handshake or by an answer, is counted, and told in the log within a limit (`refused`). Too few
//! file descriptors slow the accepting down until there are some, and are logged.
//!
//! Not here: what a request may be about (`access`), a body's size (the handler), its duration (the
//! handler; while one is at work its connection is not cut), upgrades to other protocols.

mod activity;
mod body;
mod config;
mod connection;
mod refused;
mod why;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::throttle::Throttle;
use crate::tls;
use connection::Shared;
use refused::Refused;

pub use config::Config;
pub use refused::Role;

/// How long accepting rests when the machine has no more descriptors or memory for it.
const REST_MS: u64 = 200;

/// Where connections come in.
pub struct Socket {
    /// Its purpose, for the counters and the log of rejected clients.
    pub role: Role,
    pub tcp: TcpListener,
    /// Without it the socket uses plain HTTP.
    pub tls: Option<tls::Server>,
}

/// Serves until `stop`, then finishes what is under way. Dropped, it cuts every connection.
///
/// # Errors
///
/// When the listener itself fails, which no client can bring about.
pub async fn serve(
    config: &Config,
    socket: Socket,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let Socket { role, tcp, tls } = socket;
    let cut = CancellationToken::new();
    let _cut_at_the_end = cut.clone().drop_guard();
    if let Some(tls) = tls.clone() {
        let every = Duration::from_secs(config.reload_seconds);
        let end = stop.clone();
        let until_the_end = cut.clone();
        tokio::spawn(async move {
            until_the_end
                .run_until_cancelled(tls.keep(every, end))
                .await
        });
    }
    let shared = Arc::new(Shared {
        router,
        tls,
        builder: connection::builder(config),
        handshake: Duration::from_secs(config.handshake_seconds_max),
        timeouts: config.timeouts(),
        pace: config.pace(),
        refused: Arc::new(Refused::new(role)),
        crowded: watch::Sender::new(false),
        stop: stop.clone(),
        cut: cut.clone(),
    });
    let connections_max = config.connections_max.clamp(1, 1 << 20);
    let slots = Arc::new(Semaphore::new(connections_max as usize));
    let mut door = Acceptor::new(tcp, connections_max, Arc::clone(&slots));
    while let Some(next) = stop.run_until_cancelled(door.next(&shared)).await {
        let (stream, address, slot) = next?;
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            connection::run(stream, address, shared).await;
            drop(slot);
        });
    }
    // From here on the kernel refuses connections.
    drop(door);
    let drain = Duration::from_secs(config.drain_seconds_max);
    let all = slots.acquire_many(connections_max);
    if tokio::time::timeout(drain, all).await.is_err() {
        let left = connections_max as usize - slots.available_permits();
        warn!("{left} connections were still open after {drain:?} and were closed");
    }
    Ok(())
}

/// Where connections come in, each with its slot.
struct Acceptor {
    listener: TcpListener,
    connections_max: u32,
    slots: Arc<Semaphore>,
    full: Throttle,
    poor: Throttle,
}

impl Acceptor {
    fn new(listener: TcpListener, connections_max: u32, slots: Arc<Semaphore>) -> Acceptor {
        Acceptor {
            listener,
            connections_max,
            slots,
            full: Throttle::default(),
            poor: Throttle::default(),
        }
    }

    /// The next connection.
    async fn next(
        &mut self,
        shared: &Shared,
    ) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let slot = self.slot(shared).await?;
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => return Ok((stream, address, slot)),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    if self.poor.due(1, Instant::now()).is_some() {
                        error!("cannot accept connections: {error}: raise the limit on open files");
                    }
                    // At once it would fail again, for as long as it lasts.
                    tokio::time::sleep(Duration::from_millis(REST_MS)).await;
                }
            }
        }
    }

    /// A free slot; while there is none, idle connections are asked to close.
    async fn slot(&mut self, shared: &Shared) -> io::Result<OwnedSemaphorePermit> {
        // Calm again only with an eighth free: else every slot that is freed would tell every
        // connection twice.
        let free = self.slots.available_permits();
        let calm = free > self.connections_max as usize / 8;
        if free == 0 {
            shared
                .crowded
                .send_if_modified(|crowded| !std::mem::replace(crowded, true));
            if self.full.due(1, Instant::now()).is_some() {
                let connections_max = self.connections_max;
                warn!("all {connections_max} connections are in use: new ones wait");
            }
        } else if calm {
            shared.crowded.send_if_modified(std::mem::take);
        }
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        slot.map_err(io::Error::other)
    }
}

/// Whether the error is one of the connection that would have been next, and not ours.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
