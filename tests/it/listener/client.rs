//! Our own clients.

use std::fs;

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse;
use bygone::access::Peer;
use bygone::tls::{Client, ClientFiles};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Duration;
use tokio_util::sync::CancellationToken;

use super::identity::{tls_config, trusting};
use super::pki::Authority;
use super::server::{start, text, until, within};

/// Like a ClickHouse that wants a certificate: a refusal has its form.
async fn clickhouse(request: Request) -> axum::response::Response {
    let peer = request.extensions().get::<Peer>().unwrap().clone();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20)
        .await
        .unwrap();
    let names = peer.certificate.map(|names| names.common_name.clone());
    match names {
        Some(Some(name)) => {
            ([("x-rows", body.len().to_string())], format!("{name}\n")).into_response()
        }
        _ => (
            axum::http::StatusCode::FORBIDDEN,
            [("x-clickhouse-exception-code", "516")],
            "Code: 516. DB::Exception: no certificate",
        )
            .into_response(),
    }
}

/// As `clickhouse.rs` builds its driver.
fn driver(files: &ClientFiles, url: String) -> clickhouse::Client {
    let tls = Client::load(files).unwrap();
    let http = HyperClient::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(2))
        .build(tls.connector());
    clickhouse::Client::with_http_client(http).with_url(url)
}

#[tokio::test]
async fn the_clickhouse_driver_speaks_tls_with_our_ca_and_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new(dir.path(), "ca");
    let other = Authority::new(dir.path(), "other");
    let bygone = ca.issue(dir.path(), "bygone", None);
    let config = tls_config(&ca.issue(dir.path(), "server", None), Some(&ca));
    let server = start(config, Router::new().fallback(clickhouse)).await;
    let url = server.url("https", "/");

    let known = driver(&trusting(&ca, Some(&bygone)), url.clone());
    within(known.query("SELECT 1").execute()).await.unwrap();
    let mut insert = known.insert_formatted_with("INSERT INTO facts FORMAT RowBinary");
    within(insert.send(vec![1, 2, 3].into())).await.unwrap();
    within(insert.end()).await.unwrap();

    let bare = driver(&trusting(&ca, None), url.clone());
    let refused = within(bare.query("SELECT 1").execute()).await.unwrap_err();
    assert!(
        matches!(refused, clickhouse::error::Error::BadResponse(_)),
        "{refused:?}"
    );

    let misled = driver(&trusting(&other, Some(&bygone)), url);
    let refused = within(misled.query("SELECT 1").execute())
        .await
        .unwrap_err();
    assert!(
        matches!(refused, clickhouse::error::Error::Network(_)),
        "{refused:?}"
    );
    assert!(
        format!("{refused:?}").contains("UnknownIssuer"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_driver_still_speaks_plain_http() {
    let router = Router::new().fallback(async || "");
    let server = start(Default::default(), router).await;
    let plain = driver(&ClientFiles::default(), server.url("http", "/"));
    within(plain.query("SELECT 1").execute()).await.unwrap();
}

#[tokio::test]
async fn our_certificate_is_renewed_without_a_new_client() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new(dir.path(), "ca");
    let config = tls_config(&ca.issue(dir.path(), "server", None), Some(&ca));
    let server = start(config, Router::new().fallback(clickhouse)).await;
    let (old, new) = (
        ca.issue(dir.path(), "old", None),
        ca.issue(dir.path(), "new", None),
    );
    let tls = Client::load(&trusting(&ca, Some(&old))).unwrap();
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(tls.config())
        .pool_max_idle_per_host(0)
        .build()
        .unwrap();
    let name = async || {
        let response = http.get(server.url("https", "/")).send().await.unwrap();
        text(response).await
    };
    assert_eq!(name().await, "old\n");
    let stop = CancellationToken::new();
    tokio::spawn(tls.keep(Duration::ZERO, stop.clone()));
    fs::copy(&new.certificate, &old.certificate).unwrap();
    fs::copy(&new.key, &old.key).unwrap();
    until(async || name().await == "new\n").await;
    stop.cancel();
}

#[tokio::test]
async fn slips_in_the_files_are_told_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new(dir.path(), "ca");
    let (one, two) = (
        ca.issue(dir.path(), "one", None),
        ca.issue(dir.path(), "two", None),
    );
    let told = |files: ClientFiles| {
        let error = Client::load(&files).err().unwrap().to_string();
        error.replace(&dir.path().display().to_string(), "DIR")
    };
    let mut files = trusting(&ca, Some(&one));
    files.key_file = Some(two.key.clone());
    assert_eq!(
        told(files.clone()),
        "DIR/two.key: is not the key of the certificate in DIR/one.crt"
    );
    files.key_file = Some(one.certificate.clone());
    assert_eq!(
        told(files.clone()),
        "DIR/one.crt: contains no usable PEM block"
    );
    files.key_file = None;
    assert_eq!(
        told(files.clone()),
        "a certificate and its key belong together: certificate_file is set, key_file is not"
    );
    files.certificate_file = None;
    files.ca_file = Some(two.key);
    assert_eq!(told(files), "DIR/two.key: contains no PEM certificate");
}
