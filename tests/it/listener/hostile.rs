//! What is slow, silent, huge or many.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, StatusCode};
use axum::routing::{get, post};
use bygone::http::listener::Config;
use bygone::tls::ClientFiles;
use http_body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::identity::{handshake, tls_config, trusting};
use super::pki::Authority;
use super::server::{Server, answer, ask, client, ended, plain_http2, routes, start, text, within};

/// One limit of a second, all others far away.
fn far() -> Config {
    Config {
        handshake_seconds_max: 1000,
        header_seconds_max: 1000,
        idle_seconds_max: 1000,
        body_grace_seconds: 1000,
        ..Default::default()
    }
}

/// About the second that was configured; the machine may be busy.
fn assert_a_second(took: Duration) {
    let expected = Duration::from_millis(900)..Duration::from_secs(5);
    assert!(expected.contains(&took), "{took:?}");
}

const GET: &str = "GET /who HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn a_silent_handshake_ends() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new(dir.path(), "ca");
    let config = Config {
        handshake_seconds_max: 1,
        ..far()
    };
    let pair = ca.issue(dir.path(), "server", None);
    let files = tls_config(&pair, None);
    let config = Config {
        tls_certificate_file: files.tls_certificate_file,
        tls_key_file: files.tls_key_file,
        ..config
    };
    let server = start(config, routes()).await;
    assert_a_second(ended(&mut server.connect().await).await);
    // The beginning of a ClientHello of 256 bytes.
    let mut half = server.connect().await;
    half.write_all(&[0x16, 3, 1, 1, 0, 1, 0]).await.unwrap();
    assert_a_second(ended(&mut half).await);
    // What is no TLS at all ends at once.
    let mut plain = server.connect().await;
    plain.write_all(GET.as_bytes()).await.unwrap();
    assert!(ended(&mut plain).await < Duration::from_millis(900));
}

#[tokio::test]
async fn a_header_that_does_not_come_ends() {
    let config = Config {
        header_seconds_max: 1,
        ..far()
    };
    let server = start(config.clone(), routes()).await;
    assert_a_second(ended(&mut server.connect().await).await);
    for start in [
        "P",
        "PRI * HTTP/2.0\r\n",
        "GET /who HTTP/1.1\r\nhost: a\r\n",
    ] {
        let mut half = server.connect().await;
        half.write_all(start.as_bytes()).await.unwrap();
        assert_a_second(ended(&mut half).await);
    }
    // A whole HTTP/2 preface and no request.
    let mut preface = server.connect().await;
    let bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    preface.write_all(bytes).await.unwrap();
    assert_a_second(ended(&mut preface).await);

    // A dribble does not win time, and neither does a request before it.
    let mut dribble = server.connect().await;
    assert!(ask(&mut dribble, GET).await.ends_with("nobody"));
    let (mut reader, mut writer) = dribble.into_split();
    let drip = tokio::spawn(async move {
        for byte in GET.bytes().cycle().filter(|byte| *byte != b'\n') {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if writer.write_all(&[byte]).await.is_err() {
                break;
            }
        }
    });
    assert_a_second(ended(&mut reader).await);
    within(drip).await.unwrap();

    // TLS that says nothing after its handshake.
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new(dir.path(), "ca");
    let files = tls_config(&ca.issue(dir.path(), "server", None), None);
    let config = Config {
        header_seconds_max: 1,
        ..files
    };
    let server = start(config, routes()).await;
    let mut stream = handshake(&ca, server.address).await;
    assert_a_second(ended(&mut stream).await);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_told_to_the_handler() {
    let config = Config {
        body_grace_seconds: 1,
        body_bytes_per_second_min: 1000,
        ..far()
    };
    let server = start(config, routes()).await;
    let mut slow = server.connect().await;
    let started = Instant::now();
    let head = "POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 10000\r\n\r\nabc";
    let told = ask(&mut slow, head).await;
    assert!(told.starts_with("HTTP/1.1 408"), "{told}");
    assert_a_second(started.elapsed());
    ended(&mut slow).await;

    // Without a body that breaks off it is read whole.
    let mut good = server.connect().await;
    let head = "POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc";
    assert!(ask(&mut good, head).await.ends_with("\r\n\r\n3"));
}

#[tokio::test]
async fn a_connection_that_rests_ends() {
    let config = Config {
        idle_seconds_max: 1,
        ..far()
    };
    let server = start(config, routes()).await;
    let mut one = server.connect().await;
    for _ in 0..2 {
        assert!(ask(&mut one, GET).await.ends_with("nobody"));
    }
    assert_a_second(ended(&mut one).await);

    let io = TokioIo::new(server.connect().await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake::<_, _, Body>(TokioExecutor::new(), io)
            .await
            .unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("http://a/who").body(Body::empty()).unwrap();
    let response = within(sender.send_request(request)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    drop(response);
    let started = Instant::now();
    // GOAWAY without an error: the connection ends well.
    within(connection).await.unwrap().unwrap();
    assert_a_second(started.elapsed());
    drop(sender);
}

/// An answer without an end, that tells when it is dropped.
struct Endless(Arc<Semaphore>);

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 8192])))))
    }
}

#[tokio::test]
async fn an_answer_that_is_not_taken_ends() {
    let dropped = Arc::new(Semaphore::new(0));
    let drops = Arc::clone(&dropped);
    let endless = async move || Body::new(Endless(Arc::clone(&drops)));
    let config = Config {
        idle_seconds_max: 1,
        ..far()
    };
    let server = start(config, Router::new().route("/endless", get(endless))).await;
    let mut stream = server.connect().await;
    let request = "GET /endless HTTP/1.1\r\nhost: a\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let started = Instant::now();
    within(dropped.acquire()).await.unwrap().forget();
    assert_a_second(started.elapsed());

    // The same in HTTP/2, where pings and their answers go on.
    let io = TokioIo::new(server.connect().await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake::<_, _, Body>(TokioExecutor::new(), io)
            .await
            .unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("http://a/endless")
        .body(Body::empty())
        .unwrap();
    let response = within(sender.send_request(request)).await.unwrap();
    let started = Instant::now();
    within(dropped.acquire()).await.unwrap().forget();
    assert_a_second(started.elapsed());
    drop(response);
    _ = within(connection).await;
}

#[tokio::test]
async fn a_huge_header_is_refused() {
    let config = Config {
        // Not a default of hyper's.
        header_bytes_max: 64 << 10,
        ..far()
    };
    let server = start(config, routes()).await;
    let mut stream = server.connect().await;
    let head = format!(
        "GET /who HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "x".repeat(80 << 10)
    );
    assert!(ask(&mut stream, &head).await.starts_with("HTTP/1.1 431"));
    let mut stream = server.connect().await;
    let fits = format!(
        "GET /who HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "x".repeat(48 << 10)
    );
    assert!(ask(&mut stream, &fits).await.starts_with("HTTP/1.1 200"));
    let mut stream = server.connect().await;
    let many = "x: y\r\n".repeat(101);
    let many = format!("GET /who HTTP/1.1\r\nhost: a\r\n{many}\r\n");
    assert!(ask(&mut stream, &many).await.starts_with("HTTP/1.1 431"));

    let http2 = plain_http2();
    let get = async |bytes: usize| {
        let request = http2.get(server.url("http", "/who"));
        request.header("x", "x".repeat(bytes)).send().await
    };
    assert_eq!(get(48 << 10).await.unwrap().status(), StatusCode::OK);
    let refused = get(80 << 10).await;
    assert!(refused.is_err() || refused.unwrap().status() == 431);
}

#[tokio::test]
async fn an_answer_before_the_body_arrives_although_the_client_still_sends() {
    let router = Router::new().route("/refuse", post(async || StatusCode::UNAUTHORIZED));
    let server = start(far(), router).await;
    for _ in 0..10 {
        let mut stream = server.connect().await;
        let head = "POST /refuse HTTP/1.1\r\nhost: a\r\ncontent-length: 8388608\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        // All of it first, and only then a look at the answer, as simple clients do.
        within(stream.write_all(&vec![b'x'; 8 << 20]))
            .await
            .unwrap();
        let told = answer(&mut stream).await;
        assert!(told.starts_with("HTTP/1.1 401"), "{told}");
    }
}

#[tokio::test]
async fn at_the_cap_others_wait_and_idlers_make_room() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let router = routes().route(
        "/held",
        get(async move || {
            held.acquire().await.unwrap().forget();
            "released"
        }),
    );
    let config = Config {
        connections_max: 4,
        ..far()
    };
    let server = start(config, router).await;

    // Four that are at work are not touched; the fifth waits.
    let mut busy = Vec::new();
    for _ in 0..4 {
        let mut stream = server.connect().await;
        let request = "GET /held HTTP/1.1\r\nhost: a\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        busy.push(stream);
    }
    let mut fifth = server.connect().await;
    fifth.write_all(GET.as_bytes()).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(1500), answer(&mut fifth)).await;
    assert!(early.is_err(), "there was no place for it");
    gate.add_permits(4);
    for stream in &mut busy {
        assert!(answer(stream).await.ends_with("released"));
    }
    // They rest now, with a thousand seconds to go; yet there is room within about one.
    let started = Instant::now();
    assert!(answer(&mut fifth).await.ends_with("nobody"));
    assert!(started.elapsed() < Duration::from_secs(5));
    drop(busy);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_client_is_served_beside_a_thousand_slow_ones() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new(dir.path(), "ca");
    let files = tls_config(&ca.issue(dir.path(), "server", None), None);
    let config = Config {
        handshake_seconds_max: 3,
        header_seconds_max: 3,
        body_grace_seconds: 3,
        reload_seconds: 10,
        ..files
    };
    // TLS: nothing, half a ClientHello, its first byte.
    let starts: [&[u8]; 3] = [b"", &[0x16, 3, 1, 1, 0, 1, 0], &[0x16]];
    let server = start(config.clone(), routes()).await;
    let trusted = trusting(&ca, None);
    beside_slow_ones(&server, "https", &trusted, starts).await;

    let plain = Config {
        tls_certificate_file: None,
        tls_key_file: None,
        ..config
    };
    // Plain: nothing, half a header, the beginning of a body.
    let body = b"POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 9999\r\n\r\nabc";
    let starts: [&[u8]; 3] = [b"", b"GET /who HT", body];
    let server = start(plain, routes()).await;
    beside_slow_ones(&server, "http", &ClientFiles::default(), starts).await;
}

/// Opens a thousand connections that begin so and say no more. The good client must be served as
/// before, within a bounded memory, and all of the slow ones must be ended.
async fn beside_slow_ones(server: &Server, scheme: &str, files: &ClientFiles, starts: [&[u8]; 3]) {
    const SLOW: usize = 1000;
    let good = client(files, scheme == "https");
    let post = async || {
        let started = Instant::now();
        let request = good
            .post(server.url(scheme, "/body"))
            .body(vec![b'x'; 100_000]);
        assert_eq!(text(request.send().await.unwrap()).await, "100000");
        started.elapsed()
    };
    post().await;
    let mut quiet = Vec::new();
    for _ in 0..100 {
        quiet.push(post().await);
    }
    let before = resident_kib();
    let mut slow = Vec::new();
    for number in 0..SLOW {
        let mut stream = server.connect().await;
        stream.write_all(starts[number % 3]).await.unwrap();
        slow.push(stream);
    }
    let opened = Instant::now();
    let mut loud = Vec::new();
    while opened.elapsed() < Duration::from_secs(1) {
        loud.push(post().await);
    }
    // A new client gets in as well.
    let new = client(files, false).get(server.url(scheme, "/who"));
    assert_eq!(text(new.send().await.unwrap()).await, "HTTP/1.1 nobody");
    let grown = resident_kib().saturating_sub(before);
    let (quiet, loud) = (p99(quiet), p99(loud));
    println!("{scheme}: p99 {quiet:?}, beside {SLOW} slow ones {loud:?}; {grown} KiB more");
    assert!(loud < Duration::from_secs(1), "{loud:?}");
    assert!(
        grown < 64 << 10,
        "{grown} KiB for both ends of {SLOW} connections"
    );
    for stream in &mut slow {
        ended(stream).await;
    }
    let took = opened.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() * 99 / 100]
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn plain_http_is_served_in_both_protocols() {
    let server = start(far(), routes()).await;
    let url = server.url("http", "/who");
    let one = client(&ClientFiles::default(), false)
        .get(&url)
        .send()
        .await
        .unwrap();
    assert_eq!(text(one).await, "HTTP/1.1 nobody");
    let two = plain_http2();
    assert_eq!(
        text(two.get(&url).send().await.unwrap()).await,
        "HTTP/2.0 nobody"
    );
}
