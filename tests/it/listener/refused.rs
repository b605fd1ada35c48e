//! Who is refused gets to know it.

use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use axum::routing::post;
use futures_util::stream;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::mpsc;

use super::identity::tls_config;
use super::pki::Authority;
use super::server::{answer, ask, routes, start, within};

const PIECE: Bytes = Bytes::from_static(&[b'x'; 16 << 10]);

/// curl takes a reset of the stream for a failure, although the answer was there before.
#[tokio::test]
async fn an_http2_client_that_still_sends_gets_its_answer_and_no_reset() {
    let router = Router::new().route("/refuse", post(async || (StatusCode::UNAUTHORIZED, "who?")));
    let server = start(Default::default(), router).await;
    let io = TokioIo::new(server.connect().await);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let (more, pieces) = mpsc::channel(1);
    let body = stream::unfold(pieces, async |mut pieces| {
        let piece: Bytes = pieces.recv().await?;
        Some((Ok::<_, Infallible>(piece), pieces))
    });
    more.send(PIECE).await.unwrap();
    let request = Request::post("http://a/refuse")
        .body(Body::from_stream(body))
        .unwrap();
    let response = within(sender.send_request(request)).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let text = within(axum::body::to_bytes(Body::new(response.into_body()), 100)).await;
    assert_eq!(text.unwrap(), "who?");
    // Twice what may be on its way unread: somebody must read it.
    for _ in 0..128 {
        let taken = within(more.send(PIECE)).await;
        assert!(taken.is_ok(), "the stream was reset");
    }
}

#[tokio::test]
async fn plain_http_is_told_to_write_https() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new(dir.path(), "ca");
    let pair = ca.issue(dir.path(), "server", None);
    let server = start(tls_config(&pair, None), routes()).await;
    let mut plain = server.connect().await;
    let told = ask(&mut plain, "GET /who HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(told.starts_with("HTTP/1.1 400 "), "{told}");
    assert!(
        told.ends_with("\r\n\r\nthis port speaks TLS: write https instead of http here\n"),
        "{told}"
    );
    assert_eq!(answer(&mut plain).await, "", "the connection goes on");
}
