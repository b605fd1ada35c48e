//! What people read when an API server can't be watched: exact lines, by a TLS server and proxies of these tests.

mod credentials;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{Certificate, CertificateParams, CertifiedIssuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::address::Address;
use super::client::Client;
use super::config::{Config, ProxyUrl};
use crate::tls::provider;

/// A CA, and files in a folder.
struct Stage {
    folder: TempDir,
    ca: CertifiedIssuer<'static, KeyPair>,
}

/// A server's certificate.
struct Shown {
    tls: Arc<ServerConfig>,
    pem: String,
    sha256: String,
}

impl Stage {
    fn new() -> Stage {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let stage = Stage {
            folder: tempfile::tempdir().unwrap(),
            ca,
        };
        stage.write("ca.crt", &stage.ca.pem());
        stage.write("token", "secret-token\n");
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// A certificate for a name, until the beginning of a year; signed by the CA or by itself.
    fn certificate(&self, name: &str, until: i32, by_ca: bool) -> Shown {
        let (made, key) = self.pair(name, until, by_ca);
        let tls = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.der().clone()], secret(&key))
            .unwrap();
        Shown {
            tls: Arc::new(tls),
            pem: made.pem(),
            sha256: hex::encode(Sha256::digest(made.der())),
        }
    }

    /// A certificate and its key.
    fn pair(&self, name: &str, until: i32, by_ca: bool) -> (Certificate, KeyPair) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let made = match by_ca {
            true => params.signed_by(&key, &self.ca),
            false => params.self_signed(&key),
        };
        (made.unwrap(), key)
    }

    /// A watch of a server, with the stage's CA and token.
    fn config(&self, address: &str) -> Config {
        Config {
            cluster: "prod".to_owned(),
            address: Some(address.to_owned()),
            ca_file: Some(self.path("ca.crt")),
            token_file: Some(self.path("token")),
            ..Config::default()
        }
    }
}

fn secret(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()))
}

async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    // Who speaks TLS gets an answer at once, as from any server that does not.
    while !text.ends_with(b"\r\n\r\n") && text != [0x16] {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            break;
        }
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

/// Answers each request with `answer`, if it has the token, or if there is none.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) {
    let asked = head(&mut stream).await.to_ascii_lowercase();
    let is_known = !asked.contains("authorization:") || asked.contains("bearer secret-token");
    let answer = match is_known {
        true => answer,
        false => "401 Unauthorized",
    };
    let (status, body) = answer.split_once('\n').unwrap_or((answer, ""));
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    _ = stream.write_all(text.as_bytes()).await;
    _ = stream.shutdown().await;
}

/// An API server that gives one answer.
async fn serve(tls: Option<&Shown>, text: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = tls.map(|shown| TlsAcceptor::from(shown.tls.clone()));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                match tls {
                    None => answer(stream, text).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            answer(stream, text).await;
                        }
                    }
                }
            });
        }
    });
    address
}

/// Where proxies lead to, whatever they are asked for: the names of the tests have no addresses.
async fn relay(mut stream: impl AsyncRead + AsyncWrite + Unpin, to: SocketAddr) {
    if let Ok(mut other) = TcpStream::connect(to).await {
        _ = copy_bidirectional(&mut stream, &mut other).await;
    }
}

/// A proxy for CONNECT; who has not the password `let me` gets 407, and for `closed.example` 403.
async fn connect_proxy(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connect(stream, to));
        }
    });
    address
}

async fn connect(mut stream: impl AsyncRead + AsyncWrite + Unpin, to: SocketAddr) {
    let asked = head(&mut stream).await;
    // user:let me
    let status = match asked.contains("Basic dXNlcjpsZXQgbWU=") {
        false => "407 Proxy Authentication Required",
        true if asked.starts_with("CONNECT closed.example:443 ") => "403 Forbidden",
        true => "200 OK",
    };
    let reply = format!("HTTP/1.1 {status}\r\n\r\n");
    _ = stream.write_all(reply.as_bytes()).await;
    if status == "200 OK" {
        relay(stream, to).await;
    }
}

/// The same for SOCKS5.
async fn socks_proxy(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(socks(stream, to));
        }
    });
    address
}

async fn socks(mut stream: TcpStream, to: SocketAddr) -> std::io::Result<()> {
    let text = async |stream: &mut TcpStream| {
        let mut bytes = vec![0; usize::from(stream.read_u8().await?)];
        stream.read_exact(&mut bytes).await?;
        Ok::<_, std::io::Error>(bytes)
    };
    assert_eq!(stream.read_u8().await?, 5);
    let methods = text(&mut stream).await?;
    if !methods.contains(&2) {
        return stream.write_all(&[5, 0xff]).await;
    }
    stream.write_all(&[5, 2]).await?;
    assert_eq!(stream.read_u8().await?, 1);
    let (user, password) = (text(&mut stream).await?, text(&mut stream).await?);
    let is_known = user == b"user" && password == b"let me";
    stream.write_all(&[1, u8::from(!is_known)]).await?;
    if !is_known {
        return Ok(());
    }
    let mut asked = [0; 4];
    stream.read_exact(&mut asked).await?;
    assert_eq!(asked, [5, 1, 0, 3], "names are resolved by the proxy");
    let name = text(&mut stream).await?;
    stream.read_u16().await?;
    let reply = if name == b"closed.example" { 2 } else { 0 };
    stream
        .write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0])
        .await?;
    if reply == 0 {
        relay(stream, to).await;
    }
    Ok(())
}

/// What becomes of a request: the line of its failure, or `ok`.
async fn outcome(config: &Config) -> String {
    let address = match Address::find(config, false, &|_| None).await {
        Ok(address) => address,
        Err(line) => return line,
    };
    let client = match Client::open(address).await {
        Ok(client) => client,
        Err(failure) => return failure.line,
    };
    match client.get("/version", "application/json").await {
        Ok(_) => "ok".to_owned(),
        Err(failure) => failure.line,
    }
}

async fn check(config: &Config, expected: &str) {
    assert_eq!(outcome(config).await, expected);
}

#[tokio::test]
async fn certificates() {
    let stage = Stage::new();
    let good = stage.certificate("127.0.0.1", 2090, true);
    let url = format!("https://{}", serve(Some(&good), "200 OK\n{}").await);
    check(&stage.config(&url), "ok").await;

    let own = stage.certificate("127.0.0.1", 2090, false);
    let url = format!("https://{}", serve(Some(&own), "200 OK\n{}").await);
    let config = stage.config(&url);
    let (ca, own_sha256) = (stage.path("ca.crt").display().to_string(), &own.sha256);
    check(
        &config,
        &format!(
            "the certificate of {url} is not trusted, ca_file {ca} has not signed it: set it to the CA of the \
             cluster, or certificate_sha256 to {own_sha256} if that is its SHA-256 there"
        ),
    )
    .await;
    let system = Config {
        ca_file: None,
        ..config.clone()
    };
    check(
        &system,
        &format!(
            "the certificate of {url} is not trusted, no CA of this machine has signed it: set ca_file to the CA of \
             the cluster, or certificate_sha256 to {own_sha256} if that is its SHA-256 there"
        ),
    )
    .await;
    let pinned = Config {
        certificate_sha256: Some(own.sha256.to_uppercase()),
        ..config.clone()
    };
    check(&pinned, "ok").await;
    let other = Config {
        certificate_sha256: Some(good.sha256.clone()),
        ..config.clone()
    };
    check(
        &other,
        &format!(
            "the certificate of {url} is not the pinned one, its SHA-256 is {own_sha256}: if it was renewed, set \
             certificate_sha256 to that"
        ),
    )
    .await;
    let itself = Config {
        ca_file: Some(stage.write("own.crt", &own.pem)),
        ..config.clone()
    };
    check(&itself, "ok").await;
}

#[tokio::test]
async fn times_and_names_of_certificates() {
    let stage = Stage::new();
    let expired = stage.certificate("127.0.0.1", 2020, true);
    let url = format!("https://{}", serve(Some(&expired), "200 OK\n{}").await);
    check(
        &stage.config(&url),
        &format!(
            "the certificate of {url} has expired: renew it there, like \"kubeadm certs renew apiserver\" does"
        ),
    )
    .await;

    let named = stage.certificate("api.example", 2090, true);
    let url = format!("https://{}", serve(Some(&named), "200 OK\n{}").await);
    let config = stage.config(&url);
    check(
        &config,
        &format!(
            "the certificate of {url} is for api.example, not for 127.0.0.1: use such a name in the address, or set \
             tls_server_name to it"
        ),
    )
    .await;
    let by_name = Config {
        tls_server_name: Some("api.example".to_owned()),
        ..config
    };
    check(&by_name, "ok").await;
}

#[tokio::test]
async fn unverified() {
    let stage = Stage::new();
    let own = stage.certificate("127.0.0.1", 2020, false);
    let url = format!("https://{}", serve(Some(&own), "200 OK\n{}").await);
    let open = Config {
        ca_file: None,
        insecure_skip_tls_verify: true,
        ..stage.config(&url)
    };
    check(
        &open,
        &format!(
            "credentials would be sent to {url} without verifying its certificate (insecure_skip_tls_verify), to \
             whoever answers: set ca_file, tls_server_name or certificate_sha256 instead, or insecure = true if that \
             is acceptable"
        ),
    )
    .await;
    let accepted = Config {
        insecure: true,
        ..open.clone()
    };
    check(&accepted, "ok").await;
    let nameless = Config {
        token_file: None,
        ..open
    };
    check(&nameless, "ok").await;
    let plain = format!("http://{}", serve(None, "200 OK\n{}").await);
    check(
        &stage.config(&plain),
        &format!(
            "credentials would be sent to {plain} without TLS, to whoever answers: set ca_file, tls_server_name or \
             certificate_sha256 instead, or insecure = true if that is acceptable"
        ),
    )
    .await;
    let spoken = plain.replace("http:", "https:");
    check(
        &stage.config(&spoken),
        &format!("{spoken} does not speak TLS: check the port, or use http:// in the address"),
    )
    .await;
}

#[tokio::test]
async fn answers() {
    let stage = Stage::new();
    let good = stage.certificate("127.0.0.1", 2090, true);
    let forbidden = "403 Forbidden\n{\"kind\":\"Status\",\"message\":\"pods is forbidden: User \\\"system:anonymous\\\" \
                     cannot list resource \\\"pods\\\"\"}";
    for (answer, expected) in [
        (forbidden, "system:anonymous may not read this (403)"),
        (
            "404 Not Found",
            "{url} does not know this path (404): is it an API server?",
        ),
        (
            "429 Too Many Requests\n{}",
            "{url} has too many requests (429), asks to wait: see its API priority and fairness",
        ),
        ("503 Service Unavailable", "{url} failed (503)"),
    ] {
        let url = format!("https://{}", serve(Some(&good), answer).await);
        check(&stage.config(&url), &expected.replace("{url}", &url)).await;
    }
    let url = format!("https://{}", serve(Some(&good), "200 OK\n{}").await);
    let token = stage.write("expired", "an-expired-token");
    let expired = Config {
        token_file: Some(token.clone()),
        ..stage.config(&url)
    };
    check(
        &expired,
        &format!(
            "{url} rejects the credentials, they are expired or revoked (401): renew the token in {}",
            token.display()
        ),
    )
    .await;
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("https://{}", listener.local_addr().unwrap())
    };
    check(
        &stage.config(&closed),
        &format!(
            "{closed} cannot be reached: connection refused: check the address, firewalls, and whether it needs a \
             proxy_url"
        ),
    )
    .await;
}

#[tokio::test]
async fn proxies() {
    let stage = Stage::new();
    let named = stage.certificate("api.example", 2090, true);
    let server = serve(Some(&named), "200 OK\n{}").await;
    let (connect, socks) = (connect_proxy(server).await, socks_proxy(server).await);
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let through = |address: &str, proxy: String| Config {
        proxy_url: Some(ProxyUrl(proxy)),
        ..stage.config(address)
    };
    let api = "https://api.example";
    for (scheme, proxy) in [("http", connect), ("socks5", socks)] {
        let shown = format!("{scheme}://{proxy}");
        let with = |user: &str| format!("{scheme}://{user}{proxy}");
        check(&through(api, with("user:let%20me@")), "ok").await;
        check(
            &through(api, with("")),
            &format!(
                "the proxy {shown} requires a user: write it into proxy_url as USER:PASSWORD@ before the host"
            ),
        )
        .await;
        check(
            &through(api, with("user:wrong@")),
            &format!("the proxy {shown} rejects the user or the password: check proxy_url"),
        )
        .await;
        check(
            &through("https://closed.example", with("user:let%20me@")),
            &format!(
                "the proxy {shown} does not connect to https://closed.example:443: allow it there, or except it from \
                 proxy_url"
            ),
        )
        .await;
    }
    check(
        &through(api, format!("http://{closed}")),
        &format!(
            "the proxy http://{closed} cannot be reached: connection refused: check proxy_url"
        ),
    )
    .await;
}

#[tokio::test]
async fn files_and_variables() {
    let stage = Stage::new();
    let empty = stage.write("empty", "\n");
    let config = Config {
        token_file: Some(empty.clone()),
        ..stage.config("https://127.0.0.1")
    };
    check(
        &config,
        &format!("token_file {}: is empty", empty.display()),
    )
    .await;
    let config = Config {
        cluster: "prod".to_owned(),
        in_cluster: true,
        ..Config::default()
    };
    check(
        &config,
        "in_cluster is set and the variable KUBERNETES_SERVICE_HOST is not: run in a pod, set it, or set address instead",
    )
    .await;
}

/// The variables of a pod work everywhere.
#[tokio::test]
async fn in_cluster_variables_are_honoured_outside() {
    let stage = Stage::new();
    let good = stage.certificate("127.0.0.1", 2090, true);
    let address = serve(Some(&good), "200 OK\n{}").await;
    let config = Config {
        address: None,
        in_cluster: true,
        ..stage.config("")
    };
    let variable = move |name: &str| match name {
        "KUBERNETES_SERVICE_HOST" => Some(address.ip().to_string()),
        "KUBERNETES_SERVICE_PORT" => Some(address.port().to_string()),
        _ => None,
    };
    let found = Address::find(&config, false, &variable).await.unwrap();
    let client = Client::open(found).await.ok().unwrap();
    client
        .get("/version", "application/json")
        .await
        .ok()
        .unwrap();
}
