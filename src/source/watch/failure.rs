//! What can go wrong between a watch and its API server: one line each, with what to do.

use std::io;
use std::time::Duration;

use hyper::StatusCode;
use kube_client::client::AuthError;
use rustls::CertificateError;
use serde::Deserialize;

use super::super::objects::failure::{Failure, Next, Peer, chain, cut, of_io, of_tls};
use super::address::Address;
use crate::audit::Text;
use crate::tls::Trust;

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

    fn peer(&self) -> Peer<'_> {
        Peer {
            url: &self.url,
            host: &self.host,
            trust: &self.trust,
            ca_from: &self.ca_from,
            pin: Some("certificate_sha256"),
            renew: "renew it there, like \"kubeadm certs renew apiserver\" does",
            credentials: &self.credentials,
        }
    }

    /// An answer that is not that of an API server.
    pub fn odd(&self, what: &str) -> Failure {
        Failure::new(
            Next::Retry,
            format!("{} {what}: is it an API server?", self.url),
        )
    }
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
            None => of_tls(place.peer(), error, rejected),
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
        410 => expired(),
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

/// The version of a watch or of the next page is compacted.
pub fn expired() -> Failure {
    Failure::new(Next::List, "the version is no longer there")
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
