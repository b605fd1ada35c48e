//! What can go wrong between a watch and its API server: one line each, with what to do.

use std::error::Error;
use std::io;
use std::time::Duration;

use hyper::StatusCode;
use kube_client::client::AuthError;
use rustls::{AlertDescription, CertificateError};
use serde::Deserialize;

use super::address::Address;
use crate::audit::Text;
use crate::tls::Trust;

/// The longest text of another program that is repeated.
const TEXT_CHARS_MAX: usize = 200;

/// The most names of a certificate that are listed.
const NAMES_MAX: usize = 8;

/// The longest wait that an API server can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// What a message names.
#[derive(Clone, Debug)]
pub struct Place {
    /// `https://host:port`.
    pub url: String,
    host: String,
    proxy: Option<OnTheWay>,
    trust: Trust,
    ca_from: String,
    credentials: String,
}

#[derive(Clone, Debug)]
struct OnTheWay {
    shown: String,
    from: &'static str,
    has_user: bool,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again, after a while that grows.
    Retry,
    /// The same, after this long.
    Wait(Duration),
    /// Make a new client: its credentials or its connection are no longer good.
    Reconnect,
    /// List: the version is no longer there.
    List,
    /// Ask for less at a time.
    Smaller,
    /// Leave this resource alone for a while: it may not be read.
    Forbidden,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub line: String,
    pub next: Next,
}

impl Failure {
    fn new(next: Next, line: impl Into<String>) -> Failure {
        Failure {
            line: line.into(),
            next,
        }
    }

    /// One that the API server has nothing to do with.
    pub fn of_us(line: impl Into<String>) -> Failure {
        Failure::new(Next::Reconnect, line)
    }

    pub fn too_large(bytes_max: usize) -> Failure {
        Failure::new(
            Next::Smaller,
            format!("a page of a list is over {bytes_max} bytes"),
        )
    }

    pub fn expired() -> Failure {
        Failure::new(Next::List, "the version is no longer there")
    }
}

impl Place {
    pub fn of(address: &Address) -> Place {
        let host = address.kube.tls_server_name.clone();
        let of_url = address.kube.cluster_url.host().unwrap_or_default();
        Place {
            url: address.url(),
            host: host.unwrap_or_else(|| of_url.to_owned()),
            proxy: address.proxy.as_ref().map(|(proxy, from)| OnTheWay {
                shown: proxy.to_string(),
                from,
                has_user: proxy.user().is_some(),
            }),
            trust: address.trust.clone(),
            ca_from: address.ca_from.clone(),
            credentials: address.credentials.clone(),
        }
    }

    pub fn silent(&self, wait: Duration) -> Failure {
        Failure::new(
            Next::Reconnect,
            format!("{} did not answer within {} s", self.url, wait.as_secs()),
        )
    }

    pub fn broke_off(&self) -> Failure {
        Failure::new(Next::Retry, format!("{} broke off its answer", self.url))
    }

    /// An answer that is not that of an API server.
    pub fn odd(&self, what: &str) -> Failure {
        Failure::new(
            Next::Retry,
            format!("{} {what}: is it an API server?", self.url),
        )
    }
}

/// All errors of a chain, those included that an I/O error wraps.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> Vec<&'e (dyn Error + 'static)> {
    let mut found = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        found.push(error);
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    found
}

/// A request that was not answered. `rejected` is the SHA-256 of the certificate that was not trusted.
pub fn of_connection(
    place: &Place,
    error: &kube_client::Error,
    rejected: Option<[u8; 32]>,
) -> Failure {
    if let kube_client::Error::Auth(error) = error {
        return of_auth(place, error);
    }
    let chain = match error {
        kube_client::Error::Service(inner) => chain(&**inner),
        error => chain(error),
    };
    if let Some(error) = chain.iter().find_map(|it| it.downcast_ref::<AuthError>()) {
        return of_auth(place, error);
    }
    let tls = chain
        .iter()
        .find_map(|it| it.downcast_ref::<rustls::Error>());
    let texts: Vec<String> = chain.iter().map(ToString::to_string).collect();
    if let Some(error) = tls {
        // Before the tunnel stands, TLS is that of the proxy.
        let is_of_tunnel = texts.iter().any(|text| text.starts_with("tunnel error"));
        let line = match place.proxy.as_ref().filter(|_| is_of_tunnel) {
            Some(proxy) => of_tls_of_proxy(proxy, error),
            None => of_tls(place, error, rejected),
        };
        return Failure::new(Next::Reconnect, line);
    }
    if let Some(line) = of_proxy(place, &texts) {
        return Failure::new(Next::Reconnect, line);
    }
    let cause = match chain.iter().find_map(|it| it.downcast_ref::<io::Error>()) {
        Some(error) => of_io(error),
        None => texts.last().map(|text| cut(text)).unwrap_or_default(),
    };
    let line = match &place.proxy {
        Some(proxy) => format!(
            "the proxy {} cannot be reached: {cause}: check {}",
            proxy.shown, proxy.from
        ),
        None => format!(
            "{} cannot be reached: {cause}: check the address, firewalls, and whether it needs a proxy_url",
            place.url
        ),
    };
    Failure::new(Next::Reconnect, line)
}

fn of_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::TimedOut => "timed out".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
        _ => cut(&error.to_string()),
    }
}

/// What the proxy has to do with it: hyper-util's errors of proxies have no types that can be named.
fn of_proxy(place: &Place, texts: &[String]) -> Option<String> {
    let proxy = place.proxy.as_ref()?;
    let says = |text: &str| texts.iter().any(|it| it.contains(text));
    let OnTheWay { shown, from, .. } = proxy;
    let wants_user = says("proxy authorization required")
        || says("credentials not accepted")
        || says("does not support user/pass");
    let line = if wants_user && proxy.has_user {
        format!("the proxy {shown} rejects the user or the password: check {from}")
    } else if wants_user || says("not acceptable") || says("implements authentication") {
        format!(
            "the proxy {shown} requires a user: write it into {from} as USER:PASSWORD@ before the host"
        )
    } else if says("tunnel error: unsuccessful") || says("SOCKS error: ") && !says("underlying") {
        format!(
            "the proxy {shown} does not connect to {}: allow it there, or except it from {from}",
            place.url
        )
    } else if says("tunnel error: unexpected end of file") || says("headers too long") {
        format!("{shown} is no proxy: check {from}")
    } else if says("SOCKS error: ") {
        format!("the proxy {shown} cannot be reached: check {from}")
    } else {
        return None;
    };
    Some(line)
}

fn of_tls(place: &Place, error: &rustls::Error, rejected: Option<[u8; 32]>) -> String {
    let (url, host) = (&place.url, &place.host);
    let of_it = format!("the certificate of {url}");
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => format!(
                "{of_it} has expired: renew it there, like \"kubeadm certs renew apiserver\" does"
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                format!("{of_it} is not valid yet: compare the clocks")
            }
            CertificateError::NotValidForName => format!(
                "{of_it} is not for {host}: use the name that it is for in the address, or set tls_server_name to it"
            ),
            CertificateError::NotValidForNameContext { presented, .. } => format!(
                "{of_it} is for {}, not for {host}: use such a name in the address, or set tls_server_name to it",
                names(presented)
            ),
            CertificateError::ApplicationVerificationFailure => format!(
                "{of_it} is not the pinned one, its SHA-256 is {}: if it was renewed, set certificate_sha256 to that",
                shown(rejected)
            ),
            _ => untrusted(place, rejected),
        },
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            format!("{url} requires a client certificate: {}", place.credentials)
        }
        rustls::Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::DecryptError
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown,
        ) => format!(
            "{url} rejects the client certificate: {}",
            place.credentials
        ),
        rustls::Error::InvalidMessage(_) => {
            format!("{url} does not speak TLS: check the port, or use http:// in the address")
        }
        error => format!("TLS with {url} failed: {}", cut(&error.to_string())),
    }
}

/// A proxy that is spoken to with TLS; this machine's CAs are trusted.
fn of_tls_of_proxy(OnTheWay { shown, from, .. }: &OnTheWay, error: &rustls::Error) -> String {
    let of_it = format!("the certificate of the proxy {shown}");
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                format!("{of_it} has expired: renew it there")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!("{of_it} is for another name: use that in {from}")
            }
            _ => format!(
                "{of_it} is not trusted: add its CA to those of this machine (SSL_CERT_FILE), or check {from}"
            ),
        },
        rustls::Error::InvalidMessage(_) => {
            format!("the proxy {shown} does not speak TLS: use http:// in {from}")
        }
        error => format!(
            "TLS with the proxy {shown} failed: {}",
            cut(&error.to_string())
        ),
    }
}

fn untrusted(place: &Place, rejected: Option<[u8; 32]>) -> String {
    let by = match &place.trust {
        Trust::System => {
            "no CA of this machine has signed it: set ca_file to the CA of the cluster".to_owned()
        }
        _ => format!(
            "{} has not signed it: set it to the CA of the cluster",
            place.ca_from
        ),
    };
    format!(
        "the certificate of {} is not trusted, {by}, or certificate_sha256 to {} if that is its SHA-256 there",
        place.url,
        shown(rejected)
    )
}

fn shown(sha256: Option<[u8; 32]>) -> String {
    sha256
        .map(hex::encode)
        .unwrap_or_else(|| "unknown".to_owned())
}

/// The names of a certificate: rustls prints them as `DnsName("a")`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split_once('(').map_or(&**name, |(_, inner)| inner);
        cut(inner.trim_end_matches(')').trim_matches('"'))
    };
    match presented {
        [] => "no name".to_owned(),
        some => some
            .iter()
            .take(NAMES_MAX)
            .map(bare)
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// Credentials that can't be used, before anything is sent.
pub fn of_credentials(place: &Place, error: &kube_client::Error) -> Failure {
    match error {
        kube_client::Error::Auth(error) => of_auth(place, error),
        _ => Failure::of_us(format!(
            "the client certificate cannot be used: {}",
            place.credentials
        )),
    }
}

/// The output of a plugin may hold a token: it is not repeated.
fn of_auth(place: &Place, error: &AuthError) -> Failure {
    let cause = match error {
        AuthError::AuthExecStart(error) => format!("the credential plugin cannot be run: {error}"),
        AuthError::AuthExecRun { out, .. } => {
            format!("the credential plugin failed with {}", out.status)
        }
        AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed => {
            "the credential plugin answers no ExecCredential with a status".to_owned()
        }
        AuthError::ReadTokenFile(error, path) => {
            format!("token file {}: {error}", path.display())
        }
        AuthError::MissingCommand => "the credential plugin has no command".to_owned(),
        _ => "the credentials cannot be used".to_owned(),
    };
    Failure::of_us(format!("{cause}: {}", place.credentials))
}

/// `metav1.Status` of a refusal.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Status<'a> {
    #[serde(borrow)]
    message: Text<'a>,
}

/// An answer with another status than 200.
pub fn of_status(
    place: &Place,
    status: StatusCode,
    retry_after: Option<u64>,
    body: &[u8],
) -> Failure {
    let url = &place.url;
    let said: Status = serde_json::from_slice(body).unwrap_or_default();
    let next = match retry_after {
        Some(seconds) => Next::Wait(Duration::from_secs(seconds).min(RETRY_AFTER_MAX)),
        None => Next::Retry,
    };
    match status.as_u16() {
        401 => Failure::new(
            Next::Reconnect,
            format!(
                "{url} rejects the credentials, they are expired or revoked (401): {}",
                place.credentials
            ),
        ),
        403 => Failure::new(
            Next::Forbidden,
            format!("{} may not read this (403)", user(&said.message)),
        ),
        410 => Failure::expired(),
        429 => Failure::new(
            next,
            format!(
                "{url} has too many requests (429), asks to wait: see its API priority and fairness"
            ),
        ),
        404 => place.odd("does not know this path (404)"),
        code @ 500.. => Failure::new(next, format!("{url} failed ({code})")),
        code => Failure::new(Next::Retry, format!("{url} refused ({code})")),
    }
}

/// Who was refused, by the message of a refusal: `pods is forbidden: User "alice" cannot list ...`.
fn user(message: &str) -> String {
    let user = message
        .split_once("User \"")
        .and_then(|(_, rest)| rest.split_once('"'));
    match user {
        Some((user, _)) if !user.is_empty() => cut(user),
        _ => "this account".to_owned(),
    }
}

fn cut(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(TEXT_CHARS_MAX).collect()
}
