//! A client of one API server: kube's credentials over a connection of ours.
//!
//! kube reads kubeconfigs, runs credential plugins, renews tokens. The TLS, whom it trusts and the proxy are ours:
//! kube's own knows no pin, takes no certificate that a server signed itself, and asks NO_PROXY about the wrong host.

use std::sync::{Mutex, PoisonError};
use std::task::{self, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use hyper::header::{ACCEPT, DATE, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use kube_client::client::{Body, ClientBuilder, ConfigExt};
use kube_client::{Client as KubeClient, Config as KubeConfig};
use rustls::ClientConfig;
use tokio::time::{Instant, timeout};
use tower_service::Service;

use super::super::objects::failure::Failure;
use super::super::objects::ours;
use super::address::Address;
use super::clock::Clock;
use super::failure::{self, Place};
use super::proxy::{Kind, Proxy};
use crate::tls::{Shown, Trust};

/// How long a connection may take to come about, with its proxy and its handshake.
const CONNECT_WAIT: Duration = Duration::from_secs(15);

/// How long an API server may take to begin its answer. A list of many pods takes it some seconds.
const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// How long the next part of a page may take.
const PART_WAIT: Duration = Duration::from_secs(30);

/// How long a credential plugin may run.
const PLUGIN_WAIT: Duration = Duration::from_secs(60);

/// Token, CA and kubeconfig are read again for a request that begins this long after the last time.
const STALE_AFTER: Duration = Duration::from_secs(60);

/// What keeps a connection known to the firewalls on its way, and shows that its other end is gone.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Bytes of an error that are read.
const ERROR_BYTES_MAX: usize = 64 << 10;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

pub struct Client {
    kube: KubeClient,
    /// When its files should be read again; kube renews the credentials of plugins itself.
    stale_at: Option<Instant>,
    place: Place,
    shown: Shown,
    danger: Option<&'static str>,
    clock: Mutex<Clock>,
}

impl Client {
    /// Makes one. Credential plugins run now.
    ///
    /// # Errors
    ///
    /// When its credentials or its CA can't be used.
    pub async fn open(address: Address) -> Result<Client, Failure> {
        let place = Place::of(&address);
        let shown = Shown::default();
        let danger = address.danger();
        let stale_at = (!address.has_plugin()).then(|| Instant::now() + STALE_AFTER);
        let kube = {
            let (place, shown) = (place.clone(), shown.clone());
            // Plugins are run and files are read on this thread.
            let make = tokio::task::spawn_blocking(move || make(&address, &place, &shown));
            match timeout(PLUGIN_WAIT, make).await {
                Ok(Ok(made)) => made?,
                Ok(Err(_)) => return Err(Failure::of_us("the client could not be made")),
                Err(_) => {
                    return Err(Failure::of_us(format!(
                        "the credential plugin did not end within {} s",
                        PLUGIN_WAIT.as_secs()
                    )));
                }
            }
        };
        Ok(Client {
            kube,
            stale_at,
            place,
            shown,
            danger,
            clock: Mutex::default(),
        })
    }

    /// Whether another one should be made, of files that may have changed.
    pub fn is_stale(&self) -> bool {
        self.stale_at.is_some_and(|at| at <= Instant::now())
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What makes the connection unsafe.
    pub fn danger(&self) -> Option<&'static str> {
        self.danger
    }

    /// The API server's time, by the dates of its answers.
    pub fn clock(&self) -> Clock {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for `path`, a path with its query. Returns the body.
    ///
    /// # Errors
    ///
    /// When there is no answer, or it has another status than 200.
    pub async fn get(&self, path: &str, accept: &'static str) -> Result<Body, Failure> {
        let response = self.send(path, accept).await?;
        if response.status() != StatusCode::OK {
            return Err(self.refusal(response).await);
        }
        Ok(response.into_body())
    }

    /// Asks for one object, of at most `bytes_max`; nothing where it is not there.
    ///
    /// # Errors
    ///
    /// As [`Client::get`].
    pub async fn find(
        &self,
        path: &str,
        accept: &'static str,
        bytes_max: usize,
    ) -> Result<Option<Bytes>, Failure> {
        let response = self.send(path, accept).await?;
        match response.status() {
            StatusCode::OK => self.read(response.into_body(), bytes_max).await.map(Some),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refusal(response).await),
        }
    }

    async fn send(&self, path: &str, accept: &'static str) -> Result<Response<Body>, Failure> {
        let request = Request::get(path)
            .header(ACCEPT, HeaderValue::from_static(accept))
            .header(
                USER_AGENT,
                HeaderValue::from_static(concat!("bygone/", env!("CARGO_PKG_VERSION"))),
            )
            .body(Body::empty())
            .map_err(|_| Failure::of_us("a path could not be asked for"))?;
        let sent = ours();
        let response = timeout(ANSWER_WAIT, self.kube.send(request)).await;
        let response = response
            .map_err(|_| Failure::silent(&self.place.url, ANSWER_WAIT))?
            .map_err(|error| failure::of_connection(&self.place, &error, self.shown.rejected()))?;
        let date = response.headers().get(DATE);
        let date = date.and_then(|date| date.to_str().ok()).and_then(http_date);
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.see(sent, ours(), date);
        drop(clock);
        Ok(response)
    }

    async fn refusal(&self, response: Response<Body>) -> Failure {
        let status = response.status();
        let after = response.headers().get(RETRY_AFTER);
        let after = after.and_then(|after| after.to_str().ok()?.trim().parse().ok());
        let text = self.read(response.into_body(), ERROR_BYTES_MAX).await;
        failure::of_status(&self.place, status, after, &text.unwrap_or_default())
    }

    /// Reads a body of at most `bytes_max`.
    ///
    /// # Errors
    ///
    /// [`Failure::is_too_large`] where it is larger, or else when it breaks off.
    pub async fn read(&self, mut body: Body, bytes_max: usize) -> Result<Bytes, Failure> {
        let mut bytes = Vec::new();
        loop {
            let frame = timeout(PART_WAIT, body.frame()).await;
            let Some(frame) = frame.map_err(|_| Failure::silent(&self.place.url, PART_WAIT))?
            else {
                return Ok(bytes.into());
            };
            let frame = frame.map_err(|_| Failure::broke_off(&self.place.url))?;
            if let Some(data) = frame.data_ref() {
                if bytes.len() + data.len() > bytes_max {
                    return Err(Failure::too_large(bytes_max));
                }
                bytes.extend_from_slice(data);
            }
        }
    }
}

/// An HTTP date, like `Tue, 01 Dec 2026 04:00:00 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

fn make(address: &Address, place: &Place, shown: &Shown) -> Result<KubeClient, Failure> {
    let mut config = address.kube.clone();
    // Our verifier replaces kube's, which would want the system's CAs.
    config.root_cert = Some(Vec::new());
    config.root_cert_file = None;
    config.accept_invalid_certs = false;
    let of_kube = |error: &kube_client::Error| failure::of_credentials(place, error);
    let mut tls = config
        .rustls_client_config()
        .map_err(|error| of_kube(&error))?;
    let verifier = address
        .trust
        .verifier(shown)
        .map_err(|error| Failure::of_us(error.to_string()))?;
    tls.dangerous().set_certificate_verifier(verifier);
    let tcp = tcp();
    match &address.proxy {
        None => over(tcp, tls, &config),
        Some((proxy, _)) => match proxy.kind {
            Kind::Http => over(tunnel(proxy, tcp), tls, &config),
            Kind::Https => {
                let verifier = Trust::System.verifier(&Shown::default());
                let verifier = verifier.map_err(|error| Failure::of_us(error.to_string()))?;
                let mut of_proxy = tls.clone();
                of_proxy.dangerous().set_certificate_verifier(verifier);
                let secure = HttpsConnectorBuilder::new()
                    .with_tls_config(of_proxy)
                    .https_only()
                    .enable_http1()
                    .wrap_connector(tcp);
                over(tunnel(proxy, secure), tls, &config)
            }
            Kind::Socks5 => {
                let socks = SocksV5::new(proxy.uri.clone(), tcp);
                let socks = match proxy.user() {
                    Some((user, password)) => socks.with_auth(user.clone(), password.clone()),
                    None => socks,
                };
                over(socks, tls, &config)
            }
        },
    }
    .map_err(|error| of_kube(&error))
}

fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_WAIT));
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_keepalive_interval(Some(KEEPALIVE));
    tcp.set_keepalive_retries(Some(3));
    tcp
}

fn tunnel<C>(proxy: &Proxy, connector: C) -> Tunnel<C> {
    let tunnel = Tunnel::new(proxy.uri.clone(), connector);
    let basic = proxy.basic();
    match basic.and_then(|basic| HeaderValue::from_str(&basic).ok()) {
        Some(basic) => tunnel.with_auth(basic),
        None => tunnel,
    }
}

/// kube's client over a connector.
fn over<C>(
    connector: C,
    tls: ClientConfig,
    config: &KubeConfig,
) -> Result<KubeClient, kube_client::Error>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http();
    let name = config.tls_server_name.clone();
    let name = name.and_then(|name| name.try_into().ok());
    let https = match name {
        Some(name) => https.with_server_name_resolver(FixedServerNameResolver::new(name)),
        None => https,
    };
    let https = https.enable_http1().wrap_connector(connector);
    let client = HyperClient::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build(https);
    let stack = ClientBuilder::new(Boxed(client), "default");
    // From within: the address, what the configuration adds, and then the credentials.
    let stack = stack
        .with_layer(&config.base_uri_layer())
        .with_layer(&config.extra_headers_layer()?);
    Ok(match config.auth_layer()? {
        Some(auth) => stack.with_layer(&auth).build(),
        None => stack.build(),
    })
}

/// kube's credentials want a service with errors of any type.
#[derive(Clone)]
struct Boxed<S>(S);

impl<S> Service<Request<Body>> for Boxed<S>
where
    S: Service<Request<Body>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move { answer.await.map_err(Into::into) })
    }
}
