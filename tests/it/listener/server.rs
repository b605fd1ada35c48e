//! A listener that runs, and small clients.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::routing::{get, post};
use bygone::access::Peer;
use bygone::http::listener::{self, Config, Role, Socket};
use bygone::tls;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// No test waits longer for anything.
pub const LIMIT: Duration = Duration::from_secs(20);

pub struct Server {
    pub address: SocketAddr,
    pub stop: CancellationToken,
    pub task: JoinHandle<std::io::Result<()>>,
}

pub async fn start(config: Config, router: Router) -> Server {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let socket = Socket {
        role: Role::Ingest,
        tcp,
        tls: config.tls().unwrap(),
    };
    let stop = CancellationToken::new();
    let until = stop.clone();
    let task = tokio::spawn(async move { listener::serve(&config, socket, router, until).await });
    Server {
        address,
        stop,
        task,
    }
}

impl Server {
    pub fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://{}{path}", self.address)
    }

    pub async fn connect(&self) -> TcpStream {
        within(TcpStream::connect(self.address)).await.unwrap()
    }
}

/// A router that says who asks, and one that reads its body.
pub fn routes() -> Router {
    Router::new()
        .route("/who", get(who))
        .route("/body", post(body))
}

async fn who(request: Request) -> String {
    let peer = request.extensions().get::<Peer>().unwrap();
    let names: Vec<_> = match &peer.certificate {
        None => vec!["nobody"],
        Some(names) => names.iter().map(String::as_str).collect(),
    };
    format!("{:?} {}", request.version(), names.join(" "))
}

async fn body(request: Request) -> (StatusCode, String) {
    match axum::body::to_bytes(request.into_body(), 64 << 20).await {
        Ok(body) => (StatusCode::OK, body.len().to_string()),
        Err(error) if is_slow(&error) => (StatusCode::REQUEST_TIMEOUT, String::new()),
        Err(_) => (StatusCode::BAD_REQUEST, String::new()),
    }
}

/// As a handler tells it without knowing the listener.
fn is_slow(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<std::io::Error>()
            && error.kind() == std::io::ErrorKind::TimedOut
        {
            return true;
        }
        next = error.source();
    }
    false
}

pub async fn within<T>(wait: impl Future<Output = T>) -> T {
    timeout(LIMIT, wait)
        .await
        .expect("it does not happen in time")
}

/// Tries until it is so.
pub async fn until<F: Future<Output = bool>>(mut is_so: impl FnMut() -> F) {
    let end = Instant::now() + LIMIT;
    while !is_so().await {
        assert!(Instant::now() < end, "it does not come about in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Sends a request over an HTTP/1 stream and reads its head and body.
pub async fn ask<S>(stream: &mut S, request: &str) -> String
where
    S: AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    stream.write_all(request.as_bytes()).await.unwrap();
    answer(stream).await
}

/// Reads one answer with a `content-length`.
pub async fn answer<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split_once("content-length: ").map_or(0, |(_, rest)| {
                rest.split("\r\n").next().unwrap().parse().unwrap()
            });
            if body.len() >= length {
                return String::from_utf8(read).unwrap();
            }
        }
        let mut part = [0; 4096];
        match within(stream.read(&mut part)).await.unwrap() {
            0 => return String::from_utf8(read).unwrap(),
            bytes => read.extend_from_slice(&part[..bytes]),
        }
    }
}

/// Waits for the other side to end the stream, and says how long that took.
pub async fn ended<S: AsyncRead + Unpin>(stream: &mut S) -> Duration {
    let start = Instant::now();
    let mut rest = [0; 4096];
    while matches!(within(stream.read(&mut rest)).await, Ok(bytes) if bytes > 0) {}
    start.elapsed()
}

/// A client that trusts `files` and speaks HTTP/2 if asked to.
///
/// Even for plain HTTP reqwest wants a configuration: without one it panics, as no provider of
/// cryptography is installed for the process.
pub fn client(files: &tls::ClientFiles, http2: bool) -> reqwest::Client {
    builder(files, http2).build().unwrap()
}

/// A client that speaks HTTP/2 without TLS.
pub fn plain_http2() -> reqwest::Client {
    let builder = builder(&Default::default(), true);
    builder.http2_prior_knowledge().build().unwrap()
}

fn builder(files: &tls::ClientFiles, http2: bool) -> reqwest::ClientBuilder {
    let mut config = tls::Client::load(files).unwrap().config();
    let protocol: &[u8] = if http2 { b"h2" } else { b"http/1.1" };
    config.alpn_protocols = vec![protocol.to_vec()];
    reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .timeout(LIMIT)
}

pub async fn text(mut response: reqwest::Response) -> String {
    let mut read = Vec::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        read.extend_from_slice(&chunk);
        assert!(read.len() < 1 << 20);
    }
    String::from_utf8(Bytes::from(read).to_vec()).unwrap()
}
