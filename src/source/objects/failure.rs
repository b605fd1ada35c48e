//! What can go wrong between us and a server that has objects: one line each, with what to do.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError};

use crate::tls::Trust;

/// The longest text of another program that is repeated.
const TEXT_CHARS_MAX: usize = 200;

/// The most names of a certificate that are listed.
const NAMES_MAX: usize = 8;

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
    pub fn new(next: Next, line: impl Into<String>) -> Failure {
        Failure {
            line: line.into(),
            next,
        }
    }

    /// One that the server has nothing to do with.
    pub fn of_us(line: impl Into<String>) -> Failure {
        Failure::new(Next::Reconnect, line)
    }

    pub fn too_large(bytes_max: usize) -> Failure {
        Failure::new(
            Next::Smaller,
            format!("a page of a list is over {bytes_max} bytes"),
        )
    }

    pub fn silent(url: &str, wait: Duration) -> Failure {
        Failure::new(
            Next::Reconnect,
            format!("{url} did not answer within {} s", wait.as_secs()),
        )
    }

    pub fn broke_off(url: &str) -> Failure {
        Failure::new(Next::Retry, format!("{url} broke off its answer"))
    }
}

/// The other end of a TLS connection, as messages name it.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'p> {
    /// `https://host:port`.
    pub url: &'p str,
    /// The name that its certificate must have.
    pub host: &'p str,
    pub trust: &'p Trust,
    /// The setting with the CA.
    pub ca_from: &'p str,
    /// The setting for a certificate that is trusted by its SHA-256, where there is one.
    pub pin: Option<&'p str>,
    /// What to do about a certificate that has expired.
    pub renew: &'p str,
    /// What to do when it rejects our certificate.
    pub credentials: &'p str,
}

/// All errors of a chain, those included that an I/O error wraps.
pub fn chain<'e>(error: &'e (dyn Error + 'static)) -> Vec<&'e (dyn Error + 'static)> {
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

/// Why there is no connection.
pub fn of_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::TimedOut => "timed out".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
        _ => cut(&error.to_string()),
    }
}

/// Why TLS failed. `rejected` is the SHA-256 of the certificate that was not trusted.
pub fn of_tls(peer: Peer, error: &rustls::Error, rejected: Option<[u8; 32]>) -> String {
    let (url, host) = (peer.url, peer.host);
    let of_it = format!("the certificate of {url}");
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                format!("{of_it} has expired: {}", peer.renew)
            }
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
            _ => untrusted(peer, rejected),
        },
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            format!("{url} requires a client certificate: {}", peer.credentials)
        }
        rustls::Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::DecryptError
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown,
        ) => format!("{url} rejects the client certificate: {}", peer.credentials),
        rustls::Error::InvalidMessage(_) => speaks_no_tls(url),
        error => format!("TLS with {url} failed: {}", cut(&error.to_string())),
    }
}

pub fn speaks_no_tls(url: &str) -> String {
    format!("{url} does not speak TLS: check the port, or use http:// in the address")
}

fn untrusted(peer: Peer, rejected: Option<[u8; 32]>) -> String {
    let by = match peer.trust {
        Trust::System => {
            "no CA of this machine has signed it: set ca_file to the CA of the cluster".to_owned()
        }
        _ => format!(
            "{} has not signed it: set it to the CA of the cluster",
            peer.ca_from
        ),
    };
    let or_pin = match peer.pin {
        Some(key) => format!(
            ", or {key} to {} if that is its SHA-256 there",
            shown(rejected)
        ),
        None => format!("; the SHA-256 of the certificate is {}", shown(rejected)),
    };
    format!(
        "the certificate of {} is not trusted, {by}{or_pin}",
        peer.url
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

/// Text of another program for a line.
pub fn cut(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(TEXT_CHARS_MAX).collect()
}
