//! One connection, from the accepted socket to its end.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;
use tracing::debug;

use super::Config;
use super::activity::{Activity, Timeouts, Verdict};
use super::body::{Pace, Paced, ReadToTheEnd, Sending};
use super::refused::{Answer, Refused};
use super::why::{self, Why};
use super::wire::Wire;
use crate::access::{CertificateNames, Peer};
use crate::tls;

/// How long a connection that was asked to go may take to do so, its last bytes included.
const CLOSE_SECONDS_MAX: u64 = 2;

/// How often an HTTP/2 client is asked whether it is there, and how long it may take to say so.
const PING_SECONDS: u64 = 20;
const PONG_SECONDS_MAX: u64 = 10;

/// HTTP/2 streams that a client opened and took back, and that were not looked at yet: more is the
/// attack known as rapid reset.
const RESET_STREAMS_MAX: usize = 20;

/// What hyper may hold of an HTTP/2 answer that its client does not take.
const SEND_BYTES_MAX: usize = 128 << 10;

/// What all connections of a listener share.
pub struct Shared {
    pub router: Router,
    pub tls: Option<tls::Server>,
    pub builder: auto::Builder<TokioExecutor>,
    pub handshake: Duration,
    pub timeouts: Timeouts,
    pub pace: Pace,
    pub refused: Arc<Refused>,
    /// Whether others wait for a place.
    pub crowded: watch::Sender<bool>,
    /// No more requests.
    pub stop: CancellationToken,
    /// No more time.
    pub cut: CancellationToken,
}

/// hyper's settings for both protocols. The timer is what makes their timeouts work.
pub fn builder(config: &Config) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // hyper counts the rest between two requests as header time; `Activity` is the exact one, and
    // this is the outer limit for what it can't see.
    let header = config.header_seconds_max.max(config.idle_seconds_max);
    let header_bytes = config.header_bytes_max.max(8 << 10);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(header.saturating_add(1)))
        // hyper-util has no limit for the header alone: a header that does not fit is a 431.
        .max_buf_size(header_bytes as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(PING_SECONDS))
        .keep_alive_timeout(Duration::from_secs(PONG_SECONDS_MAX))
        .max_header_list_size(header_bytes)
        .max_concurrent_streams(config.http2_streams_max)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .initial_stream_window_size(config.http2_stream_window_bytes)
        .initial_connection_window_size(config.http2_connection_window_bytes)
        .max_send_buf_size(SEND_BYTES_MAX);
    builder
}

/// Serves one socket to its end.
pub async fn run(stream: TcpStream, address: SocketAddr, shared: Arc<Shared>) {
    // Without it a small answer may wait 40 ms for an acknowledgement.
    _ = stream.set_nodelay(true);
    let mut peer = Peer {
        address,
        tls: false,
        certificate: None,
    };
    let Some(tls) = &shared.tls else {
        return drive(stream, peer, &shared).await;
    };
    let handshake = timeout(shared.handshake, open(stream, tls));
    let opened = tokio::select! {
        opened = handshake => opened,
        () = shared.stop.cancelled() => return,
        () = crowded(&shared) => return debug!(%address, "handshake aborted: other connections are waiting"),
    };
    match opened {
        Ok(Ok(Opened::Tls(stream))) => {
            peer.tls = true;
            let certificates = stream.get_ref().1.peer_certificates();
            let certificate = certificates.and_then(|chain| chain.first());
            peer.certificate = certificate.map(|read| Arc::new(CertificateNames::read(read)));
            drive(*stream, peer, &shared).await;
        }
        Ok(Ok(Opened::Plain(stream))) => {
            shared.refused.connection(address, why::PLAIN_HTTP);
            say_tls(stream, &shared).await;
        }
        Ok(Err(error)) => {
            debug!(%address, "handshake failed: {error}");
            if let Some(why) = Why::of_handshake(&error) {
                shared.refused.connection(address, why);
            }
        }
        Err(_) => shared.refused.connection(address, why::TOO_SLOW),
    }
}

/// The protocol of a socket.
enum Opened {
    Tls(Box<TlsStream<TcpStream>>),
    Plain(TcpStream),
}

/// Does the handshake, unless the first bytes are a method of plain HTTP.
async fn open(stream: TcpStream, tls: &tls::Server) -> io::Result<Opened> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    // A handshake begins with 22.
    if first[0].is_ascii_uppercase() {
        return Ok(Opened::Plain(stream));
    }
    let stream = tls.acceptor().accept(stream).await?;
    Ok(Opened::Tls(Box::new(stream)))
}

/// What plain HTTP is answered where TLS is spoken: a client shows it, and an alert of TLS as garbage.
const SAY_TLS: &str = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\
    content-type: text/plain; charset=utf-8\r\ncontent-length: 55\r\n\r\n\
    this port speaks TLS: write https instead of http here\n";

async fn say_tls(stream: TcpStream, shared: &Shared) {
    let mut wire = Wire::new(stream, Activity::new(shared.timeouts));
    let say = async {
        wire.write_all(SAY_TLS.as_bytes()).await?;
        wire.shutdown().await
    };
    // The connection is gone, so nothing can report the failure.
    _ = timeout(Duration::from_secs(CLOSE_SECONDS_MAX), say).await;
}

/// Ready when others have waited for a place for a second.
async fn crowded(shared: &Shared) {
    let mut crowded = shared.crowded.subscribe();
    let started = Instant::now();
    _ = crowded.wait_for(|crowded| *crowded).await;
    sleep_until(started + Duration::from_secs(1)).await;
}

/// Lets hyper serve the stream, and ends it when its time is over.
async fn drive<S>(stream: S, peer: Peer, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let address = peer.address;
    let activity = Activity::new(shared.timeouts);
    let requests = Requests {
        router: shared.router.clone(),
        peer,
        pace: shared.pace,
        refused: Arc::clone(&shared.refused),
        activity: Arc::clone(&activity),
    };
    let wire = Wire::new(stream, Arc::clone(&activity));
    let connection = shared
        .builder
        .serve_connection(TokioIo::new(wire), requests);
    let mut connection = pin!(connection);
    let mut crowd = shared.crowded.subscribe();
    let mut closing: Option<Instant> = None;
    let mut stopping = false;
    loop {
        let crowded = *crowd.borrow_and_update();
        let wake = match (closing, activity.verdict(Instant::now(), crowded)) {
            (Some(end), _) if end <= Instant::now() => return,
            (Some(end), _) => end,
            (None, Verdict::Until(deadline)) => deadline,
            (None, Verdict::Rest) => {
                connection.as_mut().graceful_shutdown();
                let end = Instant::now() + Duration::from_secs(CLOSE_SECONDS_MAX);
                closing = Some(end);
                end
            }
            (None, Verdict::Stuck(reason)) => {
                return debug!(%address, "connection closed: {reason}");
            }
        };
        tokio::select! {
            end = connection.as_mut() => {
                if let Err(error) = end {
                    debug!(%address, "connection failed: {error}");
                    let error = error.downcast_ref::<hyper::Error>();
                    if let Some(why) = error.and_then(unreadable) {
                        shared.refused.connection(address, why);
                    }
                }
                return;
            }
            () = shared.cut.cancelled() => return,
            () = shared.stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            _ = crowd.changed() => {}
            () = sleep_until(wake) => {}
        }
    }
}

/// Why a request never reached the router. hyper has answered it.
fn unreadable(error: &hyper::Error) -> Option<Why> {
    match (error.is_parse_too_large(), error.is_parse()) {
        (true, _) => Some(why::HEADER),
        (false, true) => Some(why::NO_HTTP),
        (false, false) => None,
    }
}

/// Hands the requests of one connection to the router.
struct Requests {
    router: Router,
    peer: Peer,
    pace: Pace,
    refused: Arc<Refused>,
    activity: Arc<Activity>,
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response<Sending<Body>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let is_http2 = request.version() == Version::HTTP_2;
        let mut in_flight = self.activity.begin(is_http2);
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let (peer, refused) = (self.peer.clone(), Arc::clone(&self.refused));
        let mut request = request.map(|body| {
            let body = Paced::new(body, self.pace);
            match is_http2 {
                true => Body::new(ReadToTheEnd::new(body)),
                false => Body::new(body),
            }
        });
        request.extensions_mut().insert(peer.clone());
        // A router is always ready.
        let answer = self.router.clone().call(request);
        Box::pin(async move {
            let response = answer.await?;
            in_flight.answered();
            let status = response.status();
            if let Some(why) = Why::of_answer(refused.role, &method, status) {
                let (method, path) = (&method, uri.path());
                let answer = Answer {
                    status,
                    method,
                    path,
                };
                refused.request(&peer, why, answer);
            }
            Ok(response.map(|body| Sending::new(body, in_flight)))
        })
    }
}
