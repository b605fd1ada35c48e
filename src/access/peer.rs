//! The client of a connection.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// The most names that are taken from one certificate.
const NAMES_MAX: usize = 100;

/// The client. The listener puts one into each request's extensions; headers of the client can't change it.
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: SocketAddr,
    pub tls: bool,
    /// The names in the client's certificate. `Some` only after the handshake has verified it.
    pub certificate: Option<Arc<CertificateNames>>,
}

/// The names in a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateNames {
    /// The subject's common name, if it has exactly one.
    pub common_name: Option<String>,
    pub dns: Vec<String>,
    pub uris: Vec<String>,
}

impl Peer {
    /// Whether it is on this machine.
    pub fn is_local(&self) -> bool {
        self.address.ip().to_canonical().is_loopback()
    }

    /// Nobody: for requests that did not come through the listener.
    pub fn unknown() -> Peer {
        Peer {
            address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            tls: false,
            certificate: None,
        }
    }
}

impl CertificateNames {
    /// Reads a certificate that was verified. What can't be read has no names.
    pub fn read(certificate: &CertificateDer) -> CertificateNames {
        let Ok(certificate) = EndEntityCert::try_from(certificate) else {
            return CertificateNames::default();
        };
        let owned = |name: &str| name.to_owned();
        CertificateNames {
            common_name: common_name(certificate.subject()),
            dns: certificate
                .valid_dns_names()
                .take(NAMES_MAX)
                .map(owned)
                .collect(),
            uris: certificate
                .valid_uri_names()
                .take(NAMES_MAX)
                .map(owned)
                .collect(),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &String> {
        self.common_name.iter().chain(&self.dns).chain(&self.uris)
    }
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_ID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;

/// `2.5.4.3`, the attribute `commonName` (X.520).
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// The common name in a subject: the DER of a list of sets of (object ID, string).
///
/// `None` where there is no common name, or several (which one is meant is unknown), or where
/// anything in the subject is not as it should be. webpki reads the rest of a certificate for us,
/// but not this; the crates that do are ten.
fn common_name(mut subject: &[u8]) -> Option<String> {
    let mut found = None;
    while !subject.is_empty() {
        let mut set = take(&mut subject, SET)?;
        while !set.is_empty() {
            let mut attribute = take(&mut set, SEQUENCE)?;
            if take(&mut attribute, OBJECT_ID)? != COMMON_NAME {
                continue;
            }
            let kind = *attribute.first()?;
            if found.is_some() || !matches!(kind, UTF8_STRING | PRINTABLE_STRING) {
                return None;
            }
            found = Some(take(&mut attribute, kind)?);
        }
    }
    let name = std::str::from_utf8(found?).ok()?;
    (!name.is_empty() && !name.chars().any(char::is_control)).then(|| name.to_owned())
}

/// Takes one value with this tag off the front.
fn take<'a>(input: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (&first, rest) = input.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => {
            let (high, low) = (*rest.first()?, *rest.get(1)?);
            (usize::from(u16::from_be_bytes([high, low])), &rest[2..])
        }
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    *input = rest;
    (first == tag).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(subject: &[u8], expected: Option<&str>) {
        assert_eq!(common_name(subject).as_deref(), expected);
    }

    fn set(object: &[u8], kind: u8, text: &str) -> Vec<u8> {
        let wrap = |tag: u8, inner: &[u8]| {
            let mut out = vec![tag, u8::try_from(inner.len()).unwrap()];
            out.extend_from_slice(inner);
            out
        };
        let mut attribute = wrap(OBJECT_ID, object);
        attribute.extend(wrap(kind, text.as_bytes()));
        wrap(SET, &wrap(SEQUENCE, &attribute))
    }

    #[test]
    fn a_common_name_is_taken_if_there_is_one_and_all_is_well_formed() {
        let group = set(&[0x55, 0x04, 0x0a], UTF8_STRING, "system:masters");
        let name = set(COMMON_NAME, PRINTABLE_STRING, "kube-apiserver");
        check(
            &[group.clone(), name.clone()].concat(),
            Some("kube-apiserver"),
        );
        check(&group, None);
        check(&[name.clone(), name.clone()].concat(), None);
        check(&set(COMMON_NAME, 0x16, "other kind of string"), None);
        check(&set(COMMON_NAME, UTF8_STRING, "line\nend"), None);
        check(&set(COMMON_NAME, UTF8_STRING, ""), None);
        for length in 1..name.len() {
            check(&name[..length], None);
        }
        check(b"", None);
        check(&[0x31, 0x84, 0xff, 0xff, 0xff, 0xff], None);
        check(&[0x31, 0x81], None);
        check(&[0x31, 0x82, 0xff], None);
    }
}
