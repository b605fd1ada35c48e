//! What is under way is finished.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bygone::http::listener::Config;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::server::{answer, ask, ended, plain_http2, start, text, until, within};

/// A route that answers when the gate lets it, and counts who stands before it.
fn gated(gate: &Arc<Semaphore>, waiting: &Arc<Semaphore>) -> Router {
    let (gate, waiting) = (Arc::clone(gate), Arc::clone(waiting));
    let held = async move || {
        waiting.add_permits(1);
        gate.acquire().await.unwrap().forget();
        "released"
    };
    Router::new()
        .route("/held", get(held))
        .route("/free", get(async || "free"))
}

const HELD: &str = "GET /held HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn requests_under_way_are_answered_and_new_ones_refused() {
    let (gate, waiting) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let server = start(Config::default(), gated(&gate, &waiting)).await;
    let mut one = server.connect().await;
    one.write_all(HELD.as_bytes()).await.unwrap();
    let two = plain_http2();
    let two = tokio::spawn(two.get(server.url("http", "/held")).send());
    let mut idle = server.connect().await;
    let free = "GET /free HTTP/1.1\r\nhost: a\r\n\r\n";
    assert!(ask(&mut idle, free).await.ends_with("free"));
    within(waiting.acquire_many(2)).await.unwrap().forget();

    server.stop.cancel();
    assert!(ended(&mut idle).await < Duration::from_secs(1));
    until(async || TcpStream::connect(server.address).await.is_err()).await;
    assert!(!server.task.is_finished());
    gate.add_permits(2);
    let told = answer(&mut one).await.to_lowercase();
    assert!(
        told.contains("connection: close") && told.ends_with("released"),
        "{told}"
    );
    assert_eq!(text(within(two).await.unwrap().unwrap()).await, "released");
    drop((one, idle));
    within(server.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_does_not_finish_is_cut() {
    let (gate, waiting) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let config = Config {
        drain_seconds_max: 1,
        ..Default::default()
    };
    let server = start(config, gated(&gate, &waiting)).await;
    let mut one = server.connect().await;
    one.write_all(HELD.as_bytes()).await.unwrap();
    within(waiting.acquire()).await.unwrap().forget();
    let started = Instant::now();
    server.stop.cancel();
    within(server.task).await.unwrap().unwrap();
    let took = started.elapsed();
    assert!(
        (Duration::from_millis(900)..Duration::from_secs(5)).contains(&took),
        "{took:?}"
    );
    ended(&mut one).await;
}

#[tokio::test]
async fn without_connections_a_stop_is_at_once() {
    let server = start(Config::default(), Router::new()).await;
    let started = Instant::now();
    server.stop.cancel();
    within(server.task).await.unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(1));
}
