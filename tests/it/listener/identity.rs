//! Who is at the other end.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use bygone::access::{Ingest, IngestCredential};
use bygone::http::listener::Config;
use bygone::tls::ClientFiles;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use super::pki::{Authority, Pair};
use super::server::{ask, client, routes, start, text, until, within};

pub fn tls_config(pair: &Pair, client_ca: Option<&Authority>) -> Config {
    Config {
        tls_certificate_file: Some(pair.certificate.clone()),
        tls_key_file: Some(pair.key.clone()),
        client_ca_file: client_ca.map(|authority| authority.file.clone()),
        reload_seconds: 0,
        ..Default::default()
    }
}

pub fn trusting(ca: &Authority, pair: Option<&Pair>) -> ClientFiles {
    ClientFiles {
        ca_file: Some(ca.file.clone()),
        certificate_file: pair.map(|pair| pair.certificate.clone()),
        key_file: pair.map(|pair| pair.key.clone()),
    }
}

pub async fn handshake(ca: &Authority, address: std::net::SocketAddr) -> TlsStream<TcpStream> {
    let files = trusting(ca, None);
    let config = bygone::tls::Client::load(&files).unwrap().config();
    let stream = within(TcpStream::connect(address)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    within(connector.connect(name, stream)).await.unwrap()
}

#[tokio::test]
async fn both_protocols_over_tls_with_and_without_a_client_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new(dir.path(), "ca");
    let other = Authority::new(dir.path(), "other");
    let pair = ca.issue(dir.path(), "server", None);
    let known = ca.issue(dir.path(), "kube-apiserver", Some("spiffe://prod/api"));
    let stranger = other.issue(dir.path(), "stranger", None);
    let server = start(tls_config(&pair, Some(&ca)), routes()).await;
    let get = async |pair: Option<&Pair>, http2: bool| {
        let request = client(&trusting(&ca, pair), http2).get(server.url("https", "/who"));
        let response = request.send().await.map_err(|_| "refused")?;
        Ok::<_, &str>(text(response).await)
    };
    let names = "kube-apiserver localhost spiffe://prod/api";
    assert_eq!(
        get(Some(&known), true).await,
        Ok(format!("HTTP/2.0 {names}"))
    );
    assert_eq!(
        get(Some(&known), false).await,
        Ok(format!("HTTP/1.1 {names}"))
    );
    assert_eq!(get(None, true).await.unwrap(), "HTTP/2.0 nobody");
    assert_eq!(get(None, false).await.unwrap(), "HTTP/1.1 nobody");
    assert_eq!(get(Some(&stranger), true).await, Err("refused"));
    assert_eq!(get(Some(&stranger), false).await, Err("refused"));

    let required = Config {
        client_certificate_required: true,
        ..tls_config(&pair, Some(&ca))
    };
    let server = start(required, routes()).await;
    let url = server.url("https", "/who");
    let with = client(&trusting(&ca, Some(&known)), true).get(&url).send();
    assert!(with.await.is_ok());
    let without = client(&trusting(&ca, None), true).get(&url).send();
    assert!(without.await.is_err());
}

#[tokio::test]
async fn a_client_that_trusts_another_ca_does_not_speak_to_us() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new(dir.path(), "ca");
    let other = Authority::new(dir.path(), "other");
    let server = start(
        tls_config(&ca.issue(dir.path(), "server", None), None),
        routes(),
    )
    .await;
    let url = server.url("https", "/who");
    let refused = client(&trusting(&other, None), true).get(&url).send().await;
    assert!(format!("{:?}", refused.unwrap_err()).contains("UnknownIssuer"));
    assert!(
        client(&trusting(&ca, None), true)
            .get(&url)
            .send()
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_renewed_certificate_is_used_and_open_connections_stay() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("1"), dir.path().join("2"));
    fs::create_dir(&one).unwrap();
    fs::create_dir(&two).unwrap();
    let ca = Authority::new(dir.path(), "ca");
    let pair = ca.issue(&one, "server", None);
    let renewed = ca.issue(&two, "server", None);
    let server = start(tls_config(&pair, None), routes()).await;
    let shown = |stream: &TlsStream<TcpStream>| {
        let chain = stream.get_ref().1.peer_certificates().unwrap();
        chain[0].to_vec()
    };
    let request = "GET /who HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut open = handshake(&ca, server.address).await;
    assert!(ask(&mut open, request).await.ends_with("HTTP/1.1 nobody"));
    let old = shown(&open);

    // The half of a renewal, for many looks long: the old pair goes on.
    replace(&renewed.certificate, &pair.certificate);
    tokio::time::timeout(
        Duration::from_millis(200),
        until(async || shown(&handshake(&ca, server.address).await) != old),
    )
    .await
    .unwrap_err();

    replace(&renewed.key, &pair.key);
    until(async || shown(&handshake(&ca, server.address).await) != old).await;
    assert!(ask(&mut open, request).await.ends_with("HTTP/1.1 nobody"));
}

fn replace(from: &Path, to: &Path) {
    let next = to.with_extension("next");
    fs::copy(from, &next).unwrap();
    fs::rename(next, to).unwrap();
}

#[tokio::test]
async fn the_guard_asks_before_the_handler_and_takes_rotated_tokens() {
    let dir = tempfile::tempdir().unwrap();
    let token_file = dir.path().join("token");
    fs::write(&token_file, "the-first-token-of-prod").unwrap();
    let credential = IngestCredential {
        clusters: vec!["prod".to_owned()],
        token_file: Some(token_file.clone()),
        ..Default::default()
    };
    let ingest = Arc::new(Ingest::load(&[credential], false).unwrap());
    let stop = CancellationToken::new();
    tokio::spawn(Arc::clone(&ingest).keep(Duration::ZERO, stop.clone()));
    let router = Router::new().route("/v1/audit/{cluster}", post(async || "taken"));
    let server = start(Config::default(), ingest.guard(router)).await;
    let http = client(&ClientFiles::default(), false);
    let status = async |cluster: &str, token: &str| {
        let url = server.url("http", &format!("/v1/audit/{cluster}"));
        let response = http.post(url).bearer_auth(token).send().await.unwrap();
        response.status().as_u16()
    };
    assert_eq!(status("prod", "the-first-token-of-prod").await, 200);
    assert_eq!(status("%70rod", "the-first-token-of-prod").await, 200);
    assert_eq!(status("test", "the-first-token-of-prod").await, 403);
    assert_eq!(status("prod", "the-first-token-of-pro").await, 401);
    fs::write(&token_file, "the-second-token-of-prod").unwrap();
    until(async || status("prod", "the-second-token-of-prod").await == 200).await;
    assert_eq!(status("prod", "the-first-token-of-prod").await, 401);
    stop.cancel();
}
